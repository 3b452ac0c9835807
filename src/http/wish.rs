//! A wish as callers write it: parsed once, and everything that is wrong with it told at once.

use dunlin_workflows::body::Body;
use dunlin_workflows::id::MessageId;
use dunlin_workflows::message::{Metadata, Request};
use dunlin_workflows::phone_number::{PhoneNumber, Region};
use dunlin_workflows::timestamp::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::http::instant;
use crate::http::problem::{FieldError, Problem};

/// Fields that a wish may have.
const FIELDS: [&str; 9] =
    ["id", "to", "body", "priority", "scheduled_for", "expires_at", "on_unknown", "user_id", "metadata"];

/// What a wish is read with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// Name of the message, should the wish give none.
    pub(super) fresh: MessageId,
    /// Where numbers without a country code belong.
    pub(super) region: Option<Region>,
}

/// The fields of a wish, still as text. Strings are borrowed from the body where they hold no escapes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    to: Option<Text<'a>>,
    #[serde(borrow)]
    body: Option<Text<'a>>,
    #[serde(borrow)]
    priority: Option<Text<'a>>,
    #[serde(borrow)]
    scheduled_for: Option<Text<'a>>,
    #[serde(borrow)]
    expires_at: Option<Text<'a>>,
    #[serde(borrow)]
    on_unknown: Option<Text<'a>>,
    #[serde(borrow)]
    user_id: Option<Text<'a>>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Text<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);

/// Reads one wish.
///
/// # Errors
/// A [`Problem`] that names every field that is wrong, with its JSON pointer under `prefix`.
pub(super) fn read(json: &[u8], reading: Reading, prefix: &str) -> Result<Request, Problem> {
    match serde_json::from_slice::<Fields<'_>>(json) {
        Ok(fields) => build(&fields, reading, prefix),
        Err(_of_some_kind) => Err(explain(json, prefix)),
    }
}

fn build(fields: &Fields<'_>, reading: Reading, prefix: &str) -> Result<Request, Problem> {
    let mut wrong = Wrong { prefix, errors: Vec::new() };
    let text = |field: &Option<Text<'_>>| field.as_ref().map(|text| text.0.to_string());
    let id = wrong.parse("id", text(&fields.id), |id| id.parse::<MessageId>().map_err(|e| e.to_string()));
    let to = wrong.required("to", text(&fields.to), |to| {
        PhoneNumber::parse(to, reading.region).map_err(|e| e.to_string())
    });
    let body =
        wrong.required("body", text(&fields.body), |body| Body::parse(body).map_err(|e| e.to_string()));
    let priority = wrong.parse("priority", text(&fields.priority), |word| word.parse().map_err(words));
    let on_unknown = wrong.parse("on_unknown", text(&fields.on_unknown), |word| word.parse().map_err(words));
    let user_id = wrong.parse("user_id", text(&fields.user_id), |user| user.parse().map_err(words));
    let scheduled_for = wrong.parse("scheduled_for", text(&fields.scheduled_for), moment);
    let expires_at = wrong.parse("expires_at", text(&fields.expires_at), moment);
    let metadata = wrong.parse("metadata", fields.metadata.map(|raw| raw.get().to_owned()), |json| {
        let object = json.starts_with('{');
        if object { Metadata::new(json).map_err(words) } else { Err("expected an object".to_owned()) }
    });
    match (wrong.errors.is_empty(), to, body) {
        (true, Some(to), Some(body)) => Ok(Request {
            id: id.unwrap_or(reading.fresh),
            to,
            body,
            priority: priority.unwrap_or_default(),
            scheduled_for,
            expires_at,
            on_unknown: on_unknown.unwrap_or_default(),
            user_id,
            metadata,
            retry_of: None,
        }),
        _some_are_wrong => Err(Problem::fields(wrong.errors)),
    }
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// An instant, or why the text is none.
pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    let shown: String = text.chars().take(40).collect();
    instant::parse(text).ok_or_else(|| {
        format!("\"{shown}\" is not an instant; write it as 2026-12-24T14:00:00Z, with an offset")
    })
}

/// Fields that are wrong, as they are found.
struct Wrong<'a> {
    prefix: &'a str,
    errors: Vec<FieldError>,
}

impl Wrong<'_> {
    fn add(&mut self, field: &str, code: &'static str, detail: String) {
        self.errors.push(FieldError { pointer: format!("{}/{field}", self.prefix), code, detail });
    }

    fn parse<T>(
        &mut self,
        field: &str,
        text: Option<String>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        match read(&text?) {
            Ok(value) => Some(value),
            Err(detail) => {
                self.add(field, "invalid", detail);
                None
            }
        }
    }

    fn required<T>(
        &mut self,
        field: &str,
        text: Option<String>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        if text.is_none() {
            self.add(field, "required", format!("{field} is required"));
        }
        self.parse(field, text, read)
    }
}

/// Why a body could not be read as a wish: the slow way, which names every field.
fn explain(json: &[u8], prefix: &str) -> Problem {
    let object = match serde_json::from_slice::<Map<String, Value>>(json) {
        Ok(object) => object,
        Err(error) => {
            let detail = format!("the body is not a JSON object: {error}");
            return Problem::new(crate::http::problem::Code::InvalidJson, detail);
        }
    };
    let mut wrong = Wrong { prefix, errors: Vec::new() };
    for (name, value) in &object {
        let shown: String = name.chars().take(64).collect();
        if !FIELDS.contains(&name.as_str()) {
            let known = FIELDS.join(", ");
            wrong.add(
                &pointer_token(&shown),
                "unknown",
                format!("there is no such field; known are {known}"),
            );
        } else if name != "metadata" && !value.is_string() && !value.is_null() {
            wrong.add(&shown, "invalid", "expected a string".to_owned());
        }
    }
    if wrong.errors.is_empty() {
        return Problem::new(crate::http::problem::Code::InvalidJson, "the body names a field twice");
    }
    Problem::fields(wrong.errors)
}

/// A name as a token of a JSON pointer (RFC 6901, section 3).
fn pointer_token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<Request, Value> {
        let reading = Reading { fresh: MessageId::from_bytes([1; 16]), region: None };
        read(json.as_bytes(), reading, "").map_err(|problem| problem.to_json())
    }

    #[test]
    fn a_wish_reads_with_defaults() {
        let request = check(r#"{"to":"+4512345678","body":"hi \"there\""}"#).unwrap();
        assert_eq!(request.body.as_str(), "hi \"there\"");
        assert_eq!(request.id, MessageId::from_bytes([1; 16]));
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        let problem =
            check(r#"{"to":"12","priority":"asap","scheduled_for":"tomorrow","metadata":[1]}"#).unwrap_err();
        let pointers: Vec<_> =
            problem["errors"].as_array().unwrap().iter().map(|e| e["pointer"].clone()).collect();
        assert_eq!(pointers, ["/to", "/body", "/priority", "/scheduled_for", "/metadata"]);
    }

    #[test]
    fn unknown_field_names_its_pointer() {
        let problem = check(r#"{"to":"+4512345678","body":"x","send_at/x":"now"}"#).unwrap_err();
        assert_eq!(problem["errors"][0]["pointer"], "/send_at~1x");
        assert_eq!(problem["code"], "invalid_request");
        assert_eq!(check("[]").unwrap_err()["code"], "invalid_json");
        assert_eq!(check("{").unwrap_err()["code"], "invalid_json");
        assert_eq!(check(r#"{"to":5,"body":"x"}"#).unwrap_err()["errors"][0]["pointer"], "/to");
    }
}
