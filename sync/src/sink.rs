//! Where commands that came as rows are handed over.

use std::future::Future;

use dunlin_workflows::id::MessageId;
use dunlin_workflows::message::Request;

/// What a row asks of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Send a message. A repeat of the same [`Request::id`] is the same wish, not a second message.
    Send(Box<Request>),
    /// Withdraw a message that has not left.
    Cancel(MessageId),
}

/// Why a wish was not taken over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandingError {
    /// The engine said no and will say it again; the row is answered with the reason.
    #[error("the engine refused it: {0}")]
    Refused(String),
    /// Nobody can tell whether it was taken over; the row stays and is handed over again.
    #[error("the engine can't take it now: {0}; the row stays as it is and is handed over again")]
    Unavailable(String),
}

impl HandingError {
    /// Whether handing the same wish over again may end differently.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused(_) => false,
            Self::Unavailable(_) => true,
        }
    }
}

/// The way to the engine for commands that came as rows.
pub trait CommandSink: Send + Sync {
    /// Hands one wish over. `Ok` means that it is durable: only then may its row be acknowledged.
    ///
    /// # Errors
    /// [`HandingError`] when it was refused, or when it must be handed over again.
    fn hand_over(&self, wish: Wish) -> impl Future<Output = Result<(), HandingError>> + Send;
}
