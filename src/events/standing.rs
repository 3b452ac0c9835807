//! How far the product's own server is told, and what keeps it from more: for readiness and metrics.

use std::sync::{Mutex, MutexGuard, PoisonError};

use dunlin_storage::JournalSeq;

/// How things stand. Shared by the loop and everybody who asks.
#[derive(Debug, Default)]
pub struct Standing(Mutex<Told>);

/// Everything that is known, at one instant.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Up to where the journal is told.
    pub told_to: JournalSeq,
    /// Events that wait or are on the wire, as far as they were read.
    pub waiting: usize,
    /// Events that were taken since the start.
    pub taken: u64,
    /// Requests that were refused or not answered since the start.
    pub refused: u64,
    /// Why the newest of them was; `None` once everything that was refused is taken.
    pub error: Option<String>,
    /// The first event that was refused and waits.
    pub stuck: Option<Stuck>,
}

/// An event that was refused and waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// Its name.
    pub id: String,
    /// Such as `message.delivered`.
    pub kind: String,
    /// How often it was refused.
    pub refusals: u32,
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
