//! Instants on the command line: written out, or counted from now.

use chrono::DateTime;
use dunlin_workflows::timestamp::Timestamp;

/// An instant as given: RFC 3339, or `+` and a duration from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instant {
    /// On the clock.
    At(Timestamp),
    /// From now.
    In(std::time::Duration),
}

impl std::str::FromStr for Instant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(duration) = text.strip_prefix('+') {
            return crate::config::value::duration(duration).map(Self::In);
        }
        DateTime::parse_from_rfc3339(text)
            .map(|instant| Self::At(Timestamp::from_millis(instant.timestamp_millis())))
            .map_err(|_not_an_instant| {
                format!("\"{text}\" is not an instant; write it like 2026-12-24T14:00:00Z, or +10m from now")
            })
    }
}

impl Instant {
    /// The instant, given what time it is.
    pub(super) fn seen_at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(instant) => instant,
            Self::In(duration) => now.plus(duration),
        }
    }
}

/// An instant in the past as given: RFC 3339, or a duration ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Past {
    /// On the clock.
    At(Timestamp),
    /// Before now.
    Ago(std::time::Duration),
}

impl std::str::FromStr for Past {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(duration) = crate::config::value::duration(text) {
            return Ok(Self::Ago(duration));
        }
        DateTime::parse_from_rfc3339(text)
            .map(|instant| Self::At(Timestamp::from_millis(instant.timestamp_millis())))
            .map_err(|_not_an_instant| {
                format!("\"{text}\" is not an instant; write it like 2026-12-24T14:00:00Z, or 2h for two hours ago")
            })
    }
}

impl Past {
    /// The instant, given what time it is.
    pub(super) fn seen_at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(instant) => instant,
            Self::Ago(duration) => now.minus(duration),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_out_or_counted_from_now() {
        let now = Timestamp::from_millis(1_000);
        let read = |text: &str| text.parse::<Instant>().map(|instant| instant.seen_at(now).as_millis());
        assert_eq!(read("+1m"), Ok(61_000));
        assert_eq!(read("1970-01-01T01:00:02+01:00"), Ok(2_000));
        let ago = |text: &str| text.parse::<Past>().map(|past| past.seen_at(now).as_millis());
        assert_eq!((ago("1s"), ago("1970-01-01T00:00:00Z")), (Ok(0), Ok(0)));
        assert!(ago("+1s").is_err() && ago("yesterday").is_err());
        for wrong in ["", "tomorrow", "+", "+0s", "2026-12-24", "2026-12-24T14:00:00"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
