//! Fields of a body that are wrong, collected as they are found and told all at once.

use std::fmt::Display;

use serde_json::{Map, Value};

use crate::http::problem::{Code, FieldError, Problem};

/// Longest name of a field that is shown back, in characters.
const SHOWN_MAX: usize = 64;

/// Fields that are wrong.
#[derive(Debug)]
pub(super) struct FieldErrors<'a> {
    prefix: &'a str,
    found: Vec<FieldError>,
}

impl<'a> FieldErrors<'a> {
    /// None so far, of the object at this JSON pointer.
    pub(super) fn under(prefix: &'a str) -> Self {
        Self { prefix, found: Vec::new() }
    }

    /// One more. The first thing that is said of a field stands.
    pub(super) fn add(&mut self, field: &str, code: &'static str, detail: String) {
        let pointer = format!("{}/{}", self.prefix, pointer_token(field));
        if self.found.iter().all(|error| error.pointer != pointer) {
            self.found.push(FieldError { pointer, code, detail });
        }
    }

    /// One more, of what stands deeper: the names that lead there.
    pub(super) fn add_at(&mut self, path: &[&str], code: &'static str, detail: String) {
        let tokens = path.iter().map(|name| {
            let shown: String = name.chars().take(SHOWN_MAX).collect();
            format!("/{}", pointer_token(&shown))
        });
        let pointer = format!("{}{}", self.prefix, tokens.collect::<String>());
        if self.found.iter().all(|error| error.pointer != pointer) {
            self.found.push(FieldError { pointer, code, detail });
        }
    }

    /// Every field of `object` that is not one of `known`.
    pub(super) fn unknown(&mut self, object: &Map<String, Value>, known: &[&str]) {
        for name in object.keys().filter(|name| !known.contains(&name.as_str())) {
            let shown: String = name.chars().take(SHOWN_MAX).collect();
            self.add(&shown, "unknown", format!("there is no such field; known: {}", known.join(", ")));
        }
    }

    /// What `text` says, if there is one and `read` understands it.
    pub(super) fn parse<'t, T, E: Display>(
        &mut self,
        field: &str,
        text: Option<&'t str>,
        read: impl FnOnce(&'t str) -> Result<T, E>,
    ) -> Option<T> {
        read(text?).map_err(|error| self.add(field, "invalid", error.to_string())).ok()
    }

    /// The same, of a field that must be there.
    pub(super) fn required<'t, T, E: Display>(
        &mut self,
        field: &str,
        text: Option<&'t str>,
        read: impl FnOnce(&'t str) -> Result<T, E>,
    ) -> Option<T> {
        if text.is_none() {
            self.add(field, "required", format!("{field} is required"));
        }
        self.parse(field, text, read)
    }

    /// # Errors
    /// [`Code::Invalid`] with every field that was found.
    pub(super) fn none(self) -> Result<(), Problem> {
        if self.found.is_empty() { Ok(()) } else { Err(Problem::fields(self.found)) }
    }
}

/// The object in a body.
///
/// # Errors
/// [`Code::InvalidJson`] when there is none.
pub(super) fn object(json: &[u8]) -> Result<Map<String, Value>, Problem> {
    serde_json::from_slice(json)
        .map_err(|error| Problem::new(Code::InvalidJson, format!("expected a JSON object: {error}")))
}

/// A name as a token of a JSON pointer (RFC 6901, section 3).
fn pointer_token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
