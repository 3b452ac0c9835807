//! The only place that reads time.

use std::fmt::Debug;
use std::time::Duration;

use dunlin_workflows::timestamp::Timestamp;

/// Two clocks: the wall's, for schedules, and a monotonic one, for waiting.
///
/// They are read together and passed on, so that one decision sees one time.
pub trait Clock: Debug + Send + Sync {
    /// The wall clock. May jump both ways.
    fn wall(&self) -> Timestamp;

    /// Milliseconds since some instant in the past; never goes back, and goes on while the machine is suspended.
    fn monotonic_ms(&self) -> u64;
}

/// The operating system's clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: Duration,
}

impl SystemClock {
    /// A clock whose monotonic side starts at zero now.
    pub fn start() -> Self {
        Self { started: since_boot() }
    }
}

/// How long the machine has been up, suspended or not: a lease and an answer that is awaited go on meanwhile.
#[cfg(target_os = "linux")]
fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanoseconds = u32::try_from(now.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanoseconds)
}

/// How long this process has been running, as far as the system tells.
#[cfg(not(target_os = "linux"))]
fn since_boot() -> Duration {
    static BEGAN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    BEGAN.get_or_init(std::time::Instant::now).elapsed()
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    fn wall(&self) -> Timestamp {
        let now = std::time::SystemTime::now();
        let since_epoch = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::EPOCH.plus(since_epoch)
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(since_boot().saturating_sub(self.started).as_millis()).unwrap_or(u64::MAX)
    }
}
