//! How things stand with Supabase: what the loops tell, and operators ask for.

use std::sync::{Mutex, MutexGuard, PoisonError};

use dunlin_storage::JournalSeq;
use dunlin_sync::wire::{Peer, Troubles};
use dunlin_workflows::timestamp::Timestamp;

/// How things stand. Shared by the loops and everybody who asks.
#[derive(Debug, Default)]
pub struct Standing(Mutex<Told>);

/// Everything that is known, at one instant.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Monotonic clock at the newest answer of the database, in milliseconds; `None` before the first.
    pub contact_ms: Option<u64>,
    /// The same by the wall clock.
    pub contact_at: Option<Timestamp>,
    /// Why the newest round of either direction came to nothing; `None` when it did not.
    pub pull_error: Option<String>,
    /// The same of the other direction.
    pub push_error: Option<String>,
    /// When this daemon last knew everything that was there.
    pub in_step_at: Option<Timestamp>,
    /// Texts that became this daemon's since it started.
    pub taken: u64,
    /// Texts that another daemon got meanwhile.
    pub lost: u64,
    /// Changes that were heard.
    pub changes: u64,
    /// Rows that this daemon could not understand.
    pub parked: u64,
    /// Rows that were pushed and changed something there.
    pub pushed: u64,
    /// Rows that the database refused, with the newest reason.
    pub rejected: u64,
    /// The newest such reason.
    pub rejected_reason: Option<String>,
    /// Up to where the journal was pushed.
    pub pushed_to: JournalSeq,
    /// Texts that wait there for anybody.
    pub waiting: u64,
    /// Rows there that nobody mended.
    pub parked_there: u64,
    /// Columns there that others wrote to.
    pub conflicts_there: u64,
    /// Every daemon that was ever there.
    pub daemons: Vec<Peer>,
    /// What a person should look at, as of when it last changed.
    pub troubles: Troubles,
}

impl Standing {
    /// What is known now.
    pub fn told(&self) -> Told {
        self.lock().clone()
    }

    /// Changes what is known.
    pub(super) fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
