//! What the engine is doing: numbers that the writer publishes and readiness and metrics read.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Numbers that the writer publishes after each turn of its loop.
#[derive(Debug, Default)]
pub struct Progress {
    turned_at_ms: AtomicU64,
    last_seq: AtomicU64,
    commits: AtomicU64,
    in_flight: AtomicUsize,
    waiting: AtomicUsize,
    oldest_wait_ms: AtomicU64,
    unknown: AtomicUsize,
    queue_bytes: AtomicUsize,
    cool_until_ms: AtomicU64,
}

/// One turn's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turned {
    /// Monotonic clock at the end of the turn, in milliseconds.
    pub turned_at_ms: u64,
    /// Newest durable position in the journal.
    pub last_seq: u64,
    /// Commits since the start.
    pub commits: u64,
    /// Requests on the wire.
    pub in_flight: usize,
    /// Due messages without a slot.
    pub waiting: usize,
    /// How long the next of them has waited, in milliseconds.
    pub oldest_wait_ms: u64,
    /// Attempts whose outcome is being looked up.
    pub unknown: usize,
    /// Bytes of requests waiting for the writer.
    pub queue_bytes: usize,
    /// Wall clock until which the lane to the provider is cool, in milliseconds; 0 when it is open.
    pub cool_until_ms: u64,
}

impl Progress {
    pub(super) fn publish(&self, turned: Turned) {
        self.turned_at_ms.store(turned.turned_at_ms, Ordering::Relaxed);
        self.last_seq.store(turned.last_seq, Ordering::Relaxed);
        self.commits.store(turned.commits, Ordering::Relaxed);
        self.waiting.store(turned.waiting, Ordering::Relaxed);
        self.oldest_wait_ms.store(turned.oldest_wait_ms, Ordering::Relaxed);
        self.unknown.store(turned.unknown, Ordering::Relaxed);
        self.queue_bytes.store(turned.queue_bytes, Ordering::Relaxed);
        self.cool_until_ms.store(turned.cool_until_ms, Ordering::Relaxed);
        self.in_flight.store(turned.in_flight, Ordering::Release);
    }

    /// Requests on the wire.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }

    /// The newest turn's numbers.
    pub fn read(&self) -> Turned {
        Turned {
            turned_at_ms: self.turned_at_ms.load(Ordering::Relaxed),
            last_seq: self.last_seq.load(Ordering::Relaxed),
            commits: self.commits.load(Ordering::Relaxed),
            in_flight: self.in_flight(),
            waiting: self.waiting.load(Ordering::Relaxed),
            oldest_wait_ms: self.oldest_wait_ms.load(Ordering::Relaxed),
            unknown: self.unknown.load(Ordering::Relaxed),
            queue_bytes: self.queue_bytes.load(Ordering::Relaxed),
            cool_until_ms: self.cool_until_ms.load(Ordering::Relaxed),
        }
    }
}
