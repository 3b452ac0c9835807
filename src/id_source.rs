//! The only place that draws randomness which matters: names and secrets.

use std::fmt::Debug;

use dunlin_workflows::id::MessageId;
use uuid::Uuid;

/// Where names and secrets come from.
pub trait IdSource: Debug + Send + Sync {
    /// A name for a new message: a UUID of version 7, so that names made later sort later.
    fn message_id(&self) -> MessageId;

    /// Thirty-two bytes that nobody can guess.
    fn secret(&self) -> [u8; 32];
}

/// The operating system's random numbers.
#[derive(Debug, Default)]
pub struct SystemIds;

impl IdSource for SystemIds {
    fn message_id(&self) -> MessageId {
        MessageId::from_bytes(Uuid::now_v7().into_bytes())
    }

    fn secret(&self) -> [u8; 32] {
        // Two UUIDs of version 4 hold 244 bits from the operating system.
        let (first, second) = (Uuid::new_v4(), Uuid::new_v4());
        let mut secret = [0_u8; 32];
        let (front, back) = secret.split_at_mut(16);
        front.copy_from_slice(first.as_bytes());
        back.copy_from_slice(second.as_bytes());
        secret
    }
}
