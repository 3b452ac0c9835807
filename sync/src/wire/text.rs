//! Ids travel as text.

use std::fmt::Display;

use serde::Serializer;

/// Writes a value as its text.
pub(super) fn plain<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Writes a value as its text, or null.
#[expect(clippy::ref_option, reason = "serde passes the field by reference")]
pub(super) fn or_null<T: Display, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}
