//! Virtual time: one true clock that only the world moves, and what the engine is shown of it.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use dunlin::clock::Clock;
use dunlin_workflows::timestamp::Timestamp;

/// The wall clock when a world begins that nobody put at another time.
pub(crate) const BEGIN_MS: i64 = 1_795_000_000_000;

/// True time since the world began, and how far the engine's wall clock is off.
#[derive(Debug)]
pub(crate) struct Time {
    begin_ms: i64,
    now_ms: AtomicU64,
    wall_off_ms: AtomicI64,
    /// When the process that reads the monotonic clock started.
    started_ms: AtomicU64,
    /// A planted bug: waits are measured on the wall clock.
    waits_on_wall: AtomicBool,
    newest_ms: AtomicU64,
}

impl Default for Time {
    fn default() -> Self {
        Self::from(BEGIN_MS)
    }
}

impl Time {
    /// Time in a world that begins when the wall clock shows this.
    pub(crate) fn from(begin_ms: i64) -> Self {
        Self {
            begin_ms,
            now_ms: AtomicU64::new(0),
            wall_off_ms: AtomicI64::new(0),
            started_ms: AtomicU64::new(0),
            waits_on_wall: AtomicBool::new(false),
            newest_ms: AtomicU64::new(0),
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    /// Time never goes back, whoever asks.
    pub(crate) fn advance(&self, to_ms: u64) {
        self.now_ms.fetch_max(to_ms, Ordering::Relaxed);
    }

    /// What a clock that is never wrong shows: the provider's.
    pub(crate) fn true_wall(&self) -> Timestamp {
        Timestamp::from_millis(self.begin_ms + i64::try_from(self.now()).unwrap())
    }

    /// How far the engine's wall clock is ahead.
    pub(crate) fn off_ms(&self) -> i64 {
        self.wall_off_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn jump(&self, ms: i64) {
        self.wall_off_ms.fetch_add(ms, Ordering::Relaxed);
    }

    pub(crate) fn process_starts(&self) {
        self.started_ms.store(self.now(), Ordering::Relaxed);
        self.newest_ms.store(0, Ordering::Relaxed);
    }

    pub(crate) fn plant_waits_on_wall(&self) {
        self.waits_on_wall.store(true, Ordering::Relaxed);
    }
}

impl Clock for Time {
    fn wall(&self) -> Timestamp {
        Timestamp::from_millis(self.true_wall().as_millis() + self.off_ms())
    }

    fn monotonic_ms(&self) -> u64 {
        let since = self.now() - self.started_ms.load(Ordering::Relaxed);
        if !self.waits_on_wall.load(Ordering::Relaxed) {
            return since;
        }
        let shown = since.saturating_add_signed(self.off_ms());
        self.newest_ms.fetch_max(shown, Ordering::Relaxed).max(shown)
    }
}
