//! Zones: what the clock on the wall shows where somebody is, and when it shows it.
//!
//! Everything here asks one question of the zone database: how far a zone is from UTC at an instant. The
//! other way, from the wall to an instant, has none or two answers twice a year, so nothing asks that way: we
//! walk forward in time, from one change of the clock to the next, until the wall shows what we wait for.

mod hours;
mod legal_hours;
mod local;
mod of_region;
#[cfg(test)]
mod tests;
mod windows;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use thiserror::Error;

use crate::timestamp::Timestamp;

pub use hours::Hours;
pub use legal_hours::{LEGAL_HOURS, LegalHours, LegalHoursError};
pub use local::{LocalDay, LocalTime, LocalTimeError, Wall};
pub use of_region::SOLE_ZONES;
pub use windows::{OPEN_MINUTES, Windows, WindowsError};

/// Milliseconds in a minute.
const MINUTE_MS: i64 = 60_000;

/// Milliseconds in a day of 24 hours.
const DAY_MS: i64 = 86_400_000;

/// No zone changes its clock twice within this, so comparing both ends finds every change.
const STEP: Duration = Duration::from_hours(6);

/// Most characters of a value that an error repeats.
const SHOWN: usize = 64;

/// A time zone of the IANA database, such as `Europe/Copenhagen`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(Tz);

/// Why a text is no zone.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ZoneError {
    /// The database has no zone of that name.
    #[error(
        "{name:?} is not a time zone; name one of the IANA database, such as \"America/New_York\" or \"UTC\""
    )]
    Unknown {
        /// What was given, shortened.
        name: String,
    },
}

impl Zone {
    /// UTC, whose clock never changes.
    pub const UTC: Self = Self(Tz::UTC);

    /// Its name in the database, as it was given.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The day that it is there.
    pub fn day(self, now: Timestamp) -> LocalDay {
        LocalDay::of(self.wall_ms(now))
    }

    /// The first instant after `now` at which it is a later day there. Where midnight is skipped, that day
    /// begins later; where it comes twice, the first counts.
    pub fn next_day(self, now: Timestamp) -> Timestamp {
        let midnight = self.wall_ms(now).div_euclid(DAY_MS).saturating_add(1).saturating_mul(DAY_MS);
        self.first(now, |wall| midnight.saturating_sub(wall).max(0))
    }

    /// What the wall shows.
    pub fn wall(self, at: Timestamp) -> Wall {
        Wall::from_millis(self.wall_ms(at))
    }

    /// The first instant at which the wall shows this or something later: the end of the gap when the clock
    /// skips it, its first time when it comes twice.
    pub fn instant(self, wall: Wall) -> Timestamp {
        let wall = wall.as_millis();
        // No wall is more than 14 hours ahead of UTC.
        let before = Timestamp::from_millis(wall).minus(Duration::from_hours(15));
        self.first(before, |seen| wall.saturating_sub(seen).max(0))
    }

    /// What the wall shows, as milliseconds since 1970-01-01T00:00 on the wall.
    fn wall_ms(self, at: Timestamp) -> i64 {
        at.as_millis().saturating_add(self.ahead_ms(at))
    }

    /// The first instant from `from` on at which `wait` is zero. `wait` is told what the wall shows and
    /// says how many milliseconds are missing, were the clock never changed.
    fn first(self, from: Timestamp, wait: impl Fn(i64) -> i64) -> Timestamp {
        let mut at = from;
        loop {
            let there = Timestamp::from_millis(at.as_millis().saturating_add(wait(self.wall_ms(at))));
            match self.change(at, there) {
                Some(change) => at = change,
                None => return there,
            }
        }
    }

    /// The first instant after `after`, and not after `until`, at which the clock has been changed.
    fn change(self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let ahead = self.ahead_ms(after);
        let mut same = after;
        while same < until {
            let next = same.plus(STEP).min(until);
            if self.ahead_ms(next) != ahead {
                let (mut low, mut high) = (same.as_millis(), next.as_millis());
                while low.saturating_add(1) < high {
                    let middle = low.midpoint(high);
                    let changed = self.ahead_ms(Timestamp::from_millis(middle)) != ahead;
                    (low, high) = if changed { (low, middle) } else { (middle, high) };
                }
                return Some(Timestamp::from_millis(high));
            }
            same = next;
        }
        None
    }

    /// How far the wall is ahead of UTC, in milliseconds. Beyond the years that the database knows, its
    /// last word goes on.
    fn ahead_ms(self, at: Timestamp) -> i64 {
        let far = if at < Timestamp::EPOCH { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
        let utc = DateTime::from_timestamp_millis(at.as_millis()).unwrap_or(far).naive_utc();
        i64::from(self.0.offset_from_utc_datetime(&utc).fix().local_minus_utc()).saturating_mul(1000)
    }
}

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(name: &str) -> Result<Self, ZoneError> {
        Tz::from_str(name).map(Self).map_err(|_unknown| ZoneError::Unknown { name: shortened(name) })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name())
    }
}

/// As much of a value as an error repeats.
fn shortened(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}
