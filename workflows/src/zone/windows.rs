//! Times of the day at which something may begin.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::timestamp::Timestamp;
use crate::zone::{Hours, LocalTime, Zone};

/// How long each is open, in minutes. Long enough for what waits, short enough to be one moment of somebody's day.
pub const OPEN_MINUTES: u16 = 30;

/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;

/// Most times in a day.
const TIMES_MAX: usize = 24;

/// Windows of half an hour, each of which begins at one time of the day. An instant is inside when the wall shows a minute
/// inside: so a window that the clock skips is shorter or does not come, and one that it shows twice comes twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows(Vec<LocalTime>);

/// The text names no times.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("\"{text}\" names no times of the day; write 1 to {TIMES_MAX} between commas, such as 09:00,17:30")]
pub struct WindowsError {
    text: String,
}

impl Windows {
    /// While none is open at `now`: the first instant after it at which one is.
    pub fn opens(&self, now: Timestamp, zone: Zone) -> Option<Timestamp> {
        let waits = self.0.iter().map(|time| closed(*time).quiet_until(now, zone));
        // One that is open has nothing to wait for, and none is the least there is.
        waits.min().flatten()
    }
}

/// The hours around a window.
fn closed(opens: LocalTime) -> Hours {
    let closes = opens.minute().saturating_add(OPEN_MINUTES).checked_rem(DAY_MINUTES).unwrap_or_default();
    Hours { start: LocalTime::from_minute(closes).unwrap_or(opens), end: opens }
}

impl FromStr for Windows {
    type Err = WindowsError;

    fn from_str(text: &str) -> Result<Self, WindowsError> {
        let wrong = || WindowsError { text: text.chars().take(64).collect() };
        let times: Result<Vec<LocalTime>, _> = text.split(',').map(|time| time.trim().parse()).collect();
        let mut times = times.map_err(|_no_time| wrong())?;
        times.sort_unstable();
        times.dedup();
        if times.len() > TIMES_MAX { Err(wrong()) } else { Ok(Self(times)) }
    }
}

impl fmt::Display for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, time) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            write!(f, "{time}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// New York, 2027: 02:00 to 03:00 is skipped on March 14, and comes twice on November 7.
    fn opens(windows: &str, now_ms: i64) -> Option<i64> {
        let windows: Windows = windows.parse().unwrap();
        let zone = "America/New_York".parse().unwrap();
        windows.opens(Timestamp::from_millis(now_ms), zone).map(Timestamp::as_millis)
    }

    const MINUTE: i64 = 60_000;
    /// 2027-03-14T01:00 and 2027-11-07T00:00 there.
    const BEFORE_GAP: i64 = 1_805_004_000_000;
    const BEFORE_REPEAT: i64 = 1_825_560_000_000;

    #[test]
    fn nearest_time_opens_for_half_an_hour() {
        let noon = BEFORE_GAP + 10 * 60 * MINUTE;
        assert_eq!(opens("09:00,17:30", noon), Some(noon + 330 * MINUTE), "half past five");
        for (later, open) in [(-1, false), (0, true), (29, true), (30, false)] {
            assert_eq!(opens("17:30", noon + (330 + later) * MINUTE).is_none(), open, "{later}");
        }
        for minute in [11 * 60 + 55, 12 * 60 + 5] {
            assert_eq!(opens("23:45", noon + minute * MINUTE), None, "over midnight");
        }
    }

    #[test]
    fn window_that_the_clock_skips_is_shorter_or_does_not_come() {
        assert_eq!(
            opens("02:45", BEFORE_GAP),
            Some(BEFORE_GAP + 60 * MINUTE),
            "open from three to a quarter past"
        );
        assert_eq!(opens("02:45", BEFORE_GAP + 74 * MINUTE), None);
        assert_eq!(opens("02:00", BEFORE_GAP), Some(BEFORE_GAP + 24 * 60 * MINUTE), "the next day");
    }

    #[test]
    fn window_that_the_clock_shows_twice_comes_twice() {
        let first = BEFORE_REPEAT + 75 * MINUTE;
        assert_eq!(opens("01:15", BEFORE_REPEAT), Some(first));
        assert_eq!(opens("01:15", first + 30 * MINUTE), Some(first + 60 * MINUTE));
    }
}
