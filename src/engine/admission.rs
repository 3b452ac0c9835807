//! Room in front of the writer, in bytes. Full means a clear no at the edge, never a dropped command.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::engine::ask::AskError;

/// How many bytes of requests wait for the writer, and how many may.
#[derive(Debug)]
pub(super) struct Admission {
    waiting: AtomicUsize,
    max: usize,
}

/// Room taken by one request; given back when dropped.
#[derive(Debug)]
pub(super) struct Room<'a> {
    admission: &'a Admission,
    bytes: usize,
}

impl Admission {
    pub(super) fn new(max: usize) -> Self {
        Self { waiting: AtomicUsize::new(0), max }
    }

    /// Takes room for `bytes`, or says that there is none.
    pub(super) fn enter(self: &Arc<Self>, bytes: usize) -> Result<Room<'_>, AskError> {
        let before = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        let room = Room { admission: self, bytes };
        if before > 0 && before.saturating_add(bytes) > self.max {
            return Err(AskError::Busy { waiting_bytes: before, retry_after: Duration::from_secs(1) });
        }
        Ok(room)
    }

    /// Bytes of requests that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.admission.waiting.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_says_busy_and_leaving_makes_room() {
        let admission = Arc::new(Admission::new(100));
        let first = admission.enter(80).unwrap();
        assert!(matches!(admission.enter(30), Err(AskError::Busy { waiting_bytes: 80, .. })));
        drop(first);
        assert!(admission.enter(30).is_ok());
        assert_eq!(admission.waiting(), 0);
    }

    #[test]
    fn one_request_larger_than_the_budget_still_gets_in_alone() {
        let admission = Arc::new(Admission::new(100));
        assert!(admission.enter(1000).is_ok());
    }
}
