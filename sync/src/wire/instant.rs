//! Instants as PostgreSQL writes them: RFC 3339, or one of the two ends of time.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike as _, SecondsFormat};
use dunlin_workflows::timestamp::Timestamp;
use serde::{Serialize, Serializer};

/// When something was or will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instant {
    /// At this time, in milliseconds; what the database knows beyond them is cut off.
    At(Timestamp),
    /// `infinity`: later than everything.
    Never,
    /// `-infinity`: before everything.
    LongAgo,
}

/// The text is not an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an instant; expected one such as 2026-12-24T14:00:00Z with an offset, infinity, or -infinity")]
pub struct InstantError;

impl Instant {
    /// The time; [`Timestamp::MAX`] for never, and the earliest there is for long ago.
    pub fn timestamp(self) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Never => Timestamp::MAX,
            Self::LongAgo => Timestamp::from_millis(i64::MIN),
        }
    }
}

impl From<Timestamp> for Instant {
    /// What is beyond the years 0 to 9999 is never, or long ago.
    fn from(at: Timestamp) -> Self {
        match DateTime::from_timestamp_millis(at.as_millis()) {
            Some(date) if (0..=9999).contains(&date.year()) => Self::At(at),
            _ if at < Timestamp::EPOCH => Self::LongAgo,
            _ => Self::Never,
        }
    }
}

impl FromStr for Instant {
    type Err = InstantError;

    fn from_str(text: &str) -> Result<Self, InstantError> {
        match text {
            "infinity" => Ok(Self::Never),
            "-infinity" => Ok(Self::LongAgo),
            _ => DateTime::parse_from_rfc3339(text)
                .map(|at| Self::At(Timestamp::from_millis(at.timestamp_millis())))
                .map_err(|_not_a_date| InstantError),
        }
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::from(self.timestamp()) {
            Self::At(at) => {
                let date = DateTime::from_timestamp_millis(at.as_millis()).unwrap_or_default();
                f.write_str(&date.to_rfc3339_opts(SecondsFormat::Millis, true))
            }
            Self::Never => f.write_str("infinity"),
            Self::LongAgo => f.write_str("-infinity"),
        }
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_postgresql_writes_is_read_and_what_we_write_is_read_back() {
        let at = |text: &str| text.parse::<Instant>();
        let expected = Instant::At(Timestamp::from_millis(1_795_917_600_123));
        assert_eq!(at("2026-11-29T02:00:00.123456+00:00"), Ok(expected));
        assert_eq!(at("2026-11-29T03:00:00.1239+01:00"), Ok(expected));
        assert_eq!(at("infinity"), Ok(Instant::Never));
        assert_eq!(at("-infinity"), Ok(Instant::LongAgo));
        assert_eq!(expected.to_string(), "2026-11-29T02:00:00.123Z");
        for instant in [expected, Instant::Never, Instant::LongAgo, Instant::At(Timestamp::EPOCH)] {
            assert_eq!(at(&instant.to_string()), Ok(instant));
        }
        for wrong in
            ["2026-11-29T02:00:00", "2026-11-29 02:00:00+00", "tomorrow", "0044-03-15T00:00:00+00:00 BC", ""]
        {
            assert_eq!(at(wrong), Err(InstantError), "{wrong}");
        }
    }

    #[test]
    fn time_beyond_the_calendar_is_an_end_of_time() {
        assert_eq!(Instant::from(Timestamp::MAX), Instant::Never);
        assert_eq!(Instant::At(Timestamp::MAX).to_string(), "infinity");
        assert_eq!(Instant::from(Timestamp::from_millis(i64::MIN)), Instant::LongAgo);
        assert_eq!(Instant::from(Timestamp::from_millis(253_402_300_800_000)), Instant::Never);
    }
}
