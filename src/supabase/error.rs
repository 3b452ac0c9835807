//! Why a round with Supabase came to nothing.

use std::time::Duration;

use dunlin_storage::ReadError;
use dunlin_sync::transport::CallError;

use crate::engine::ask::AskError;
use crate::engine::duty::Away;

/// Why a round came to nothing. What was claimed and not acknowledged comes again; what was not pushed is pushed later.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The database did not do it, or did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The engine can't take it now.
    #[error(transparent)]
    Engine(#[from] AskError),
    /// Nobody is on duty.
    #[error("no engine is on duty: {}", words(*.0))]
    Away(Away),
    /// The store can't be read.
    #[error("the store can't be read: {0}")]
    Read(#[from] ReadError),
    /// A thread of ours ended.
    #[error("reading the journal ended in an error of ours: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl SyncError {
    /// Whether the process is stopping.
    pub(super) fn is_the_end(&self) -> bool {
        matches!(self, Self::Away(Away::Stopping | Away::Failed) | Self::Engine(AskError::Stopping))
    }

    /// How long it wants to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Call(error) => error.retry_after(),
            Self::Engine(AskError::Busy { retry_after, .. } | AskError::NoRoom { retry_after }) => {
                Some(*retry_after)
            }
            Self::Engine(_) | Self::Away(_) | Self::Read(_) | Self::Task(_) => None,
        }
    }
}

fn words(away: Away) -> &'static str {
    match away {
        Away::NoRoom => "there is no room on the disk",
        Away::Failed => "the store failed",
        Away::Stopping => "the daemon is stopping",
    }
}
