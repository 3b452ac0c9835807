//! Instants on the wire: RFC 3339, UTC, milliseconds.

use chrono::{DateTime, SecondsFormat};
use dunlin_workflows::timestamp::Timestamp;

/// An instant as `2026-11-24T08:00:00.000Z`; empty when the calendar has no such year.
pub fn format(at: Timestamp) -> String {
    DateTime::from_timestamp_millis(at.as_millis())
        .map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true))
        .unwrap_or_default()
}

/// Reads an instant with its offset; one without an offset is refused, not guessed.
pub fn parse(text: &str) -> Option<Timestamp> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| Timestamp::from_millis(at.timestamp_millis()))
}
