//! Hours of the day in which nobody is texted.

use std::fmt;

use crate::timestamp::Timestamp;
use crate::zone::{DAY_MS, LocalTime, Zone};

/// Quiet hours: every minute from `start` on and before `end`, over midnight when `end` is the earlier one.
/// Equal ends mean none.
///
/// An instant is quiet when the wall shows a quiet minute. So a window whose end is skipped ends with the
/// gap, and a minute that comes twice is quiet twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hours {
    /// The first quiet minute.
    pub start: LocalTime,
    /// The first minute that is not quiet any more.
    pub end: LocalTime,
}

impl Hours {
    /// No quiet hours.
    pub const NONE: Self = Self { start: LocalTime::MIDNIGHT, end: LocalTime::MIDNIGHT };

    /// While `now` is quiet: the first instant after it that is not.
    pub fn quiet_until(self, now: Timestamp, zone: Zone) -> Option<Timestamp> {
        let quiet = self.left(zone.wall_ms(now)) > 0;
        quiet.then(|| zone.first(now, |wall| self.left(wall)))
    }

    /// The first instant after `now` at which quiet begins; `None` when there are no quiet hours.
    pub fn next_start(self, now: Timestamp, zone: Zone) -> Option<Timestamp> {
        let loud = Self { start: self.end, end: self.start };
        let from = self.quiet_until(now, zone).unwrap_or(now);
        loud.quiet_until(from, zone)
    }

    /// Milliseconds until the window ends, on a wall that shows `wall`; 0 outside of it.
    fn left(self, wall: i64) -> i64 {
        let length = self.end.ms().saturating_sub(self.start.ms()).rem_euclid(DAY_MS);
        let inside = wall.saturating_sub(self.start.ms()).rem_euclid(DAY_MS);
        length.saturating_sub(inside).max(0)
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.start == self.end { f.write_str("none") } else { write!(f, "{}-{}", self.start, self.end) }
    }
}
