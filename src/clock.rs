//! The only place that reads time.

use std::fmt::Debug;
use std::time::Instant;

use dunlin_workflows::timestamp::Timestamp;

/// Two clocks: the wall's, for schedules, and a monotonic one, for waiting.
///
/// They are read together and passed on, so that one decision sees one time.
pub trait Clock: Debug + Send + Sync {
    /// The wall clock. May jump both ways.
    fn wall(&self) -> Timestamp;

    /// Milliseconds since some instant in the past; never goes back.
    fn monotonic_ms(&self) -> u64;
}

/// The operating system's clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic side starts at zero now.
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    fn wall(&self) -> Timestamp {
        let now = std::time::SystemTime::now();
        let since_epoch = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::EPOCH.plus(since_epoch)
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
