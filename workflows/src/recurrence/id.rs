//! Names of recurrences, and of the messages that come of them.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::id::MessageId;
use crate::zone::Wall;

/// A recurrence's public name: a UUID, chosen by the caller or made when it was created.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecurrenceId(Uuid);

impl RecurrenceId {
    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The sixteen bytes, in network order.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The name of the message that a tick makes: the same whenever and wherever it is asked for, a UUID of
    /// version 5 (RFC 9562, <https://www.rfc-editor.org/rfc/rfc9562#section-5.5>, read 2026-11-24).
    pub fn message(&self, tick: Wall) -> MessageId {
        let name = Uuid::new_v5(&self.0, &tick.as_millis().to_be_bytes());
        MessageId::from_bytes(*name.as_bytes())
    }
}

/// The text is not a UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a recurrence id; expected a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057")]
pub struct RecurrenceIdError(String);

impl FromStr for RecurrenceId {
    type Err = RecurrenceIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = |_not_a_uuid| RecurrenceIdError(text.chars().take(64).collect());
        Uuid::try_parse(text).map(Self).map_err(refused)
    }
}

impl fmt::Display for RecurrenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.hyphenated())
    }
}

impl fmt::Debug for RecurrenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
