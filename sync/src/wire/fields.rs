//! One JSON object, read field by field.

use std::str::FromStr;

use serde_json::{Map, Value};

use super::Instant;

/// A field is not what the contract says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: expected {expected}, found {found}")]
pub struct FieldError {
    /// The field; `the answer` or `the row` for the object itself.
    pub name: &'static str,
    /// What the contract says.
    pub expected: &'static str,
    /// What kind of value is there instead. Never the value itself.
    pub found: &'static str,
}

/// An object whose fields are asked for by name. A field that is absent and one that is null are alike.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// The fields of `value`, which stands under `name`.
    pub(super) fn of(name: &'static str, value: &'a Value) -> Result<Self, FieldError> {
        match value.as_object() {
            Some(map) => Ok(Self(map)),
            None => Err(FieldError { name, expected: "an object", found: kind(Some(value)) }),
        }
    }

    /// The value, unless it is absent or null.
    pub(super) fn any(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// JSON of any shape, or nothing.
    pub(super) fn json(self, name: &str) -> Option<Value> {
        self.any(name).cloned()
    }

    /// Text, or nothing.
    pub(super) fn maybe_text(self, name: &'static str) -> Result<Option<String>, FieldError> {
        self.maybe(name, "text or null", |value| value.as_str().map(str::to_owned))
    }

    /// Text.
    pub(super) fn text(self, name: &'static str) -> Result<String, FieldError> {
        self.must(name, "text", |value| value.as_str().map(str::to_owned))
    }

    /// An id, or nothing.
    pub(super) fn maybe_id<T: FromStr>(self, name: &'static str) -> Result<Option<T>, FieldError> {
        self.maybe(name, "a UUID or null", parsed)
    }

    /// An id.
    pub(super) fn id<T: FromStr>(self, name: &'static str) -> Result<T, FieldError> {
        self.must(name, "a UUID", parsed)
    }

    /// An instant, or nothing.
    pub(super) fn maybe_instant(self, name: &'static str) -> Result<Option<Instant>, FieldError> {
        self.maybe(name, "an instant or null", parsed)
    }

    /// An instant.
    pub(super) fn instant(self, name: &'static str) -> Result<Instant, FieldError> {
        self.must(name, "an instant", parsed)
    }

    /// Yes or no, or nothing.
    pub(super) fn maybe_flag(self, name: &'static str) -> Result<Option<bool>, FieldError> {
        self.maybe(name, "a boolean or null", Value::as_bool)
    }

    /// Yes or no.
    pub(super) fn flag(self, name: &'static str) -> Result<bool, FieldError> {
        self.must(name, "a boolean", Value::as_bool)
    }

    /// A whole number, or nothing.
    pub(super) fn maybe_number(self, name: &'static str) -> Result<Option<i64>, FieldError> {
        self.maybe(name, "a whole number or null", Value::as_i64)
    }

    /// A whole number that is not negative.
    pub(super) fn count(self, name: &'static str) -> Result<u64, FieldError> {
        self.must(name, "a whole number, 0 or more", Value::as_u64)
    }

    /// The elements of an array.
    pub(super) fn list(self, name: &'static str) -> Result<&'a [Value], FieldError> {
        let list = self.any(name).and_then(Value::as_array);
        list.map(Vec::as_slice).ok_or_else(|| self.wrong(name, "an array"))
    }

    /// An array of ids.
    pub(super) fn ids<T: FromStr>(self, name: &'static str) -> Result<Vec<T>, FieldError> {
        let ids = self.list(name)?.iter().map(parsed).collect::<Option<Vec<T>>>();
        ids.ok_or_else(|| self.wrong(name, "an array of UUIDs"))
    }

    fn maybe<T>(
        self,
        name: &'static str,
        expected: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, FieldError> {
        let read = self.any(name).map(read);
        read.map(|value| value.ok_or_else(|| self.wrong(name, expected))).transpose()
    }

    fn must<T>(
        self,
        name: &'static str,
        expected: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<T, FieldError> {
        self.any(name).and_then(read).ok_or_else(|| self.wrong(name, expected))
    }

    fn wrong(self, name: &'static str, expected: &'static str) -> FieldError {
        FieldError { name, expected, found: kind(self.0.get(name)) }
    }
}

fn parsed<T: FromStr>(value: &Value) -> Option<T> {
    value.as_str().and_then(|text| text.parse().ok())
}

/// What a value is, in a word or two.
fn kind(value: Option<&Value>) -> &'static str {
    match value {
        None => "nothing",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "a boolean",
        Some(Value::Number(_)) => "another number",
        Some(Value::String(_)) => "other text",
        Some(Value::Array(_)) => "another array",
        Some(Value::Object(_)) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn field_that_is_wrong_is_named_and_not_quoted() {
        let row = json!({"phone_number": 15_551_230_001_u64, "at": "+15551230001", "none": null});
        let fields = Fields::of("the row", &row).unwrap();
        let told = fields.text("phone_number").unwrap_err().to_string();
        assert_eq!(told, "phone_number: expected text, found another number");
        let told = fields.instant("at").unwrap_err().to_string();
        assert_eq!(told, "at: expected an instant, found other text");
        assert_eq!(fields.flag("none").unwrap_err().found, "null");
        assert_eq!(fields.flag("absent").unwrap_err().found, "nothing");
        assert_eq!(fields.maybe_flag("none"), Ok(None));
        assert!(fields.maybe_flag("at").is_err());
        assert!(Fields::of("the row", &json!([])).is_err());
    }
}
