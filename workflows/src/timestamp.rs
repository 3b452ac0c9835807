//! Instants: milliseconds since the Unix epoch, UTC.

use std::fmt;
use std::time::Duration;

/// A wall-clock instant in milliseconds since 1970-01-01T00:00:00Z, leap seconds ignored.
///
/// Arithmetic saturates: an instant too far away to represent is "never", not a wrapped past.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);
    /// Later than every representable instant: "never".
    pub const MAX: Self = Self(i64::MAX);

    /// The instant `ms` milliseconds after the Unix epoch (before it when negative).
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This instant `duration` later, capped at [`Timestamp::MAX`].
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This instant `duration` earlier, capped at the far past.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How much later this instant is than `earlier`; zero when it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        assert_eq!(Timestamp::MAX.plus(Duration::from_secs(1)), Timestamp::MAX);
        assert_eq!(Timestamp::from_millis(i64::MIN).minus(Duration::MAX), Timestamp::from_millis(i64::MIN));
        assert_eq!(Timestamp::EPOCH.since(Timestamp::from_millis(5)), Duration::ZERO);
        assert_eq!(Timestamp::from_millis(7).since(Timestamp::from_millis(5)), Duration::from_millis(2));
    }
}
