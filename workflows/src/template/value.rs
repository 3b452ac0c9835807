//! What is put between braces.

use std::collections::BTreeMap;

use chrono::DateTime;
use thiserror::Error;
use unicode_segmentation::UnicodeSegmentation as _;

use crate::template::{Content, OnLong, Variable, VariableKind, VariableName};
use crate::timestamp::Timestamp;

/// Whole numbers reach from minus this to this: 15 digits, which every JSON reader keeps exact.
pub(super) const INTEGER_MAX: i64 = 999_999_999_999_999;

/// The same for numbers with a point.
const NUMBER_MAX: f64 = 999_999_999_999_999.0;

/// What a cut text ends in. Three points and no ellipsis: that would make the whole text UCS-2.
const CUT: &str = "...";

/// A value as somebody gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Given<'a> {
    /// Words.
    String(&'a str),
    /// A whole number.
    Integer(i64),
    /// A number with a point.
    Number(f64),
    /// True or false.
    Boolean(bool),
}

/// A value that fits its variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Words, without control characters.
    String(String),
    /// A whole number.
    Integer(i64),
    /// Millionths.
    Number(i128),
    /// True or false.
    Boolean(bool),
    /// An instant.
    Instant(Timestamp),
}

/// Values by the names of their variables.
pub type Values = BTreeMap<VariableName, Value>;

/// Why a value does not fit its variable.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ValueError {
    /// The template has no such variable.
    #[error("the template has no such variable; it has: {known}")]
    Unknown {
        /// Those that it has.
        known: String,
    },
    /// It must be given.
    #[error("the template needs it, and it was not given")]
    Missing,
    /// It is of another kind.
    #[error("expected {expected}")]
    Kind {
        /// What was expected, in words.
        expected: &'static str,
    },
    /// It is too long.
    #[error("it has {length} characters; the template allows {max}")]
    TooLong {
        /// Its length.
        length: usize,
        /// Most allowed.
        max: u16,
    },
    /// It is too large a number.
    #[error("it has more than 15 digits before the point")]
    TooLarge,
}

/// A value that is wrong, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongValue {
    /// The name that it was given under.
    pub name: String,
    /// Why.
    pub error: ValueError,
}

/// What is given for the variables of a template; what is left out has its default.
///
/// # Errors
/// Everything that is wrong.
pub fn values<'a>(
    content: &Content,
    given: impl IntoIterator<Item = (&'a str, Given<'a>)>,
) -> Result<Values, Vec<WrongValue>> {
    let (mut read, mut wrong) = (Values::new(), Vec::new());
    for (name, given) in given {
        let known = content.variables.get_key_value(name);
        let value = match known {
            Some((_, variable)) => variable.read(given),
            None => Err(ValueError::Unknown { known: names(content) }),
        };
        match (known, value) {
            (Some((name, _)), Ok(value)) => {
                read.insert(name.clone(), value);
            }
            (_, Err(error)) => wrong.push(WrongValue { name: name.chars().take(64).collect(), error }),
            (None, Ok(_)) => {}
        }
    }
    for (name, variable) in &content.variables {
        let is_wrong = wrong.iter().any(|wrong| wrong.name == name.as_str());
        if read.contains_key(name) || is_wrong {
            continue;
        }
        if let Some(default) = &variable.default {
            read.insert(name.clone(), default.clone());
        } else if variable.is_required {
            wrong.push(WrongValue { name: name.as_str().to_owned(), error: ValueError::Missing });
        }
    }
    if wrong.is_empty() { Ok(read) } else { Err(wrong) }
}

fn names(content: &Content) -> String {
    let names: Vec<&str> = content.variables.keys().map(VariableName::as_str).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

impl Variable {
    /// What somebody gives, as a value.
    ///
    /// # Errors
    /// A [`ValueError`] when it does not fit.
    pub fn read(&self, given: Given<'_>) -> Result<Value, ValueError> {
        let refused = |expected| Err(ValueError::Kind { expected });
        match (self.kind, given) {
            (VariableKind::String, Given::String(text)) => self.words_of(text).map(Value::String),
            // A number is as good as the words for it; the other way round it would be a guess.
            (VariableKind::String, Given::Integer(number)) => {
                self.words_of(&number.to_string()).map(Value::String)
            }
            (VariableKind::String, Given::Number(_) | Given::Boolean(_)) => refused("a string"),
            (VariableKind::Integer, Given::Integer(number))
                if number.abs_diff(0) <= INTEGER_MAX.abs_diff(0) =>
            {
                Ok(Value::Integer(number))
            }
            (VariableKind::Integer | VariableKind::Number, Given::Integer(_))
                if self.kind == VariableKind::Integer =>
            {
                Err(ValueError::TooLarge)
            }
            (VariableKind::Integer, _) => refused("a whole number"),
            (VariableKind::Number, Given::Integer(number)) => millionths_of_whole(number),
            (VariableKind::Number, Given::Number(number)) => millionths(number),
            (VariableKind::Number, Given::String(_) | Given::Boolean(_)) => refused("a number"),
            (VariableKind::Boolean, Given::Boolean(value)) => Ok(Value::Boolean(value)),
            (VariableKind::Boolean, _) => refused("true or false"),
            (VariableKind::Instant, Given::String(text)) => match DateTime::parse_from_rfc3339(text) {
                Ok(at) => Ok(Value::Instant(Timestamp::from_millis(at.timestamp_millis()))),
                Err(_) => refused("an instant with its offset, such as 2026-12-24T13:00:00Z"),
            },
            (VariableKind::Instant, _) => refused("an instant with its offset, such as 2026-12-24T13:00:00Z"),
        }
    }

    fn words_of(&self, text: &str) -> Result<String, ValueError> {
        let clean = clean(text);
        let (length, max) = (clean.chars().count(), usize::from(self.length_max));
        if length <= max {
            return Ok(clean);
        }
        match self.on_long {
            OnLong::Refuse => Err(ValueError::TooLong { length, max: self.length_max }),
            OnLong::Shorten => Ok(shorten(&clean, max)),
        }
    }
}

fn millionths_of_whole(number: i64) -> Result<Value, ValueError> {
    if number.abs_diff(0) > INTEGER_MAX.abs_diff(0) {
        return Err(ValueError::TooLarge);
    }
    Ok(Value::Number(i128::from(number).saturating_mul(1_000_000)))
}

fn millionths(number: f64) -> Result<Value, ValueError> {
    // NaN is in no range.
    if !(-NUMBER_MAX..=NUMBER_MAX).contains(&number) {
        return Err(ValueError::TooLarge);
    }
    let text = format!("{number:.6}").replace('.', "");
    text.parse().map(Value::Number).map_err(|_no_number| ValueError::TooLarge)
}

/// A text as a template takes it: what would break a line, show nothing, or turn the reading direction of what follows is
/// one space, or nothing.
fn clean(text: &str) -> String {
    let turns = |letter: char| matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut clean = String::with_capacity(text.len());
    for letter in text.chars().filter(|letter| !turns(*letter)) {
        let letter =
            if letter.is_control() || letter == '\u{2028}' || letter == '\u{2029}' { ' ' } else { letter };
        if letter != ' ' || !clean.ends_with(' ') {
            clean.push(letter);
        }
    }
    clean.trim().to_owned()
}

/// The beginning of a text, at most `max` characters with what says that it was cut. No grapheme is cut.
pub(super) fn shorten(text: &str, max: usize) -> String {
    let room = max.saturating_sub(CUT.len());
    let mut kept = 0_usize;
    let beginning: String = text
        .graphemes(true)
        .take_while(|grapheme| {
            kept = kept.saturating_add(grapheme.chars().count());
            kept <= room
        })
        .collect();
    let cut: String = CUT.chars().take(max).collect();
    format!("{}{cut}", beginning.trim_end())
}
