//! What the wall shows: a time of day, a day, and both.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;
use thiserror::Error;

use crate::zone::{DAY_MS, MINUTE_MS, shortened};

/// Minutes in a day on the wall.
const MINUTES: u16 = 24 * 60;

/// A minute of the day as the wall shows it, 00:00 to 23:59.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalTime(u16);

/// Why a text is no time of day.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LocalTimeError {
    /// It is not written as one, or the day has no such time.
    #[error("{text:?} is not a time of day; write hours and minutes from \"00:00\" to \"23:59\"")]
    NotATime {
        /// What was given, shortened.
        text: String,
    },
    /// It has seconds.
    #[error("{text:?} has seconds; hours and minutes are all that counts, so write \":00\" or nothing")]
    Seconds {
        /// What was given, shortened.
        text: String,
    },
}

impl LocalTime {
    /// 00:00.
    pub const MIDNIGHT: Self = Self(0);

    /// The minute that is `minute` minutes after 00:00; `None` from 1440 on.
    pub const fn from_minute(minute: u16) -> Option<Self> {
        if minute < MINUTES { Some(Self(minute)) } else { None }
    }

    /// A full hour, for tables. What is past the day is midnight.
    pub(super) const fn full_hour(hour: u8) -> Self {
        #[expect(clippy::as_conversions, reason = "widening, in a const function")]
        match Self::from_minute((hour as u16).saturating_mul(60)) {
            Some(time) => time,
            None => Self::MIDNIGHT,
        }
    }

    /// Minutes since 00:00.
    pub const fn minute(self) -> u16 {
        self.0
    }

    /// Milliseconds since 00:00.
    pub(super) fn ms(self) -> i64 {
        i64::from(self.0).saturating_mul(MINUTE_MS)
    }
}

impl FromStr for LocalTime {
    type Err = LocalTimeError;

    /// Reads `HH:MM` and `HH:MM:00`, as databases write it.
    fn from_str(text: &str) -> Result<Self, LocalTimeError> {
        let refused = || LocalTimeError::NotATime { text: shortened(text) };
        let mut parts = text.split(':').map(two_digits);
        let mut part = || parts.next();
        let (hour, minute) = (part().flatten().ok_or_else(refused)?, part().flatten().ok_or_else(refused)?);
        let seconds = part().map(|seconds| seconds.ok_or_else(refused)).transpose()?.unwrap_or(0);
        if hour > 23 || minute > 59 || seconds > 59 || part().is_some() {
            return Err(refused());
        }
        if seconds != 0 {
            return Err(LocalTimeError::Seconds { text: shortened(text) });
        }
        Self::from_minute(hour.saturating_mul(60).saturating_add(minute)).ok_or_else(refused)
    }
}

fn two_digits(part: &str) -> Option<u16> {
    let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    part.parse().ok().filter(|_number| digits)
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// A day of the calendar, as days since 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalDay(i32);

impl LocalDay {
    /// The day that is `days` days after 1970-01-01 (before it when negative).
    pub const fn from_days(days: i32) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    pub const fn days(self) -> i32 {
        self.0
    }

    /// The day of what the wall shows; the far future and past are the last and the first.
    pub(super) fn of(wall_ms: i64) -> Self {
        let days = wall_ms.div_euclid(DAY_MS);
        Self(i32::try_from(days).unwrap_or(if days < 0 { i32::MIN } else { i32::MAX }))
    }
}

impl fmt::Display for LocalDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NaiveDate::from_epoch_days(self.0) {
            Some(date) => date.fmt(f),
            None => write!(f, "day {}", self.0),
        }
    }
}

impl fmt::Debug for LocalDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A day and a time as the wall shows them, in milliseconds since 1970-01-01T00:00 on the wall. Which instant
/// that is, a zone tells.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(i64);

impl Wall {
    /// The wall that shows `ms` milliseconds after 1970-01-01T00:00.
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since 1970-01-01T00:00 on the wall.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The beginning of its minute.
    #[must_use]
    pub(crate) fn minute_begun(self) -> Self {
        Self(self.0.saturating_sub(self.0.rem_euclid(MINUTE_MS)))
    }

    /// A millisecond earlier.
    #[must_use]
    pub(crate) fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minute = self.0.rem_euclid(DAY_MS).div_euclid(MINUTE_MS);
        let time = LocalTime(u16::try_from(minute).unwrap_or(0));
        write!(f, "{}T{time}", LocalDay::of(self.0))
    }
}

impl fmt::Debug for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
