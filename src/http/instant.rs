//! Instants on the wire: RFC 3339, UTC, milliseconds.

use chrono::{DateTime, Datelike as _, SecondsFormat};
use dunlin_workflows::timestamp::Timestamp;

/// Longest refused text that is shown back, in characters.
const SHOWN_MAX: usize = 40;

/// The text is not an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an instant; write it as 2026-12-24T14:00:00Z, with an offset")]
pub struct InstantError(String);

/// An instant as `2026-11-24T08:00:00.000Z`; empty when the calendar has no such year.
pub fn format(at: Timestamp) -> String {
    DateTime::from_timestamp_millis(at.as_millis())
        .map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true))
        .unwrap_or_default()
}

/// Reads an instant with its offset.
///
/// # Errors
/// [`InstantError`]; an instant without an offset is refused, not guessed. So is one whose year in UTC
/// does not have four digits: it could not be written back.
pub fn read(text: &str) -> Result<Timestamp, InstantError> {
    DateTime::parse_from_rfc3339(text)
        .ok()
        // A leap second becomes the next one, so the year is looked at afterwards.
        .and_then(|at| DateTime::from_timestamp_millis(at.timestamp_millis()))
        .filter(|at| (0..=9999).contains(&at.year()))
        .map(|at| Timestamp::from_millis(at.timestamp_millis()))
        .ok_or_else(|| InstantError(text.chars().take(SHOWN_MAX).collect()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn read_after_format_is_identity(millis in -62_167_219_200_000_i64..253_402_300_800_000) {
            let at = Timestamp::from_millis(millis);
            prop_assert_eq!(read(&format(at)), Ok(at));
        }
    }

    #[test]
    fn an_offset_is_converted_and_its_absence_refused() {
        assert_eq!(read("2026-12-24T08:00:00-06:00"), read("2026-12-24T14:00:00Z"));
        for text in ["9999-12-31T23:59:59-00:01", "9999-12-31T23:59:60Z", "0000-01-01T00:00:00+00:01"] {
            assert!(read(text).is_err(), "{text} has no year of four digits in UTC");
        }
        for text in ["2026-12-24T14:00:00", "2026-12-24", "tomorrow", "1766584800", ""] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
