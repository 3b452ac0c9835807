//! What may stand between braces.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::template::Value;

/// Longest name of a variable, in bytes.
const NAME_BYTES_MAX: usize = 50;

/// Words that mean something else between braces.
const RESERVED: [&str; 12] =
    ["and", "elif", "else", "endif", "false", "if", "in", "is", "none", "not", "or", "true"];

/// The name of a variable: a letter and up to 49 more of `a` to `z`, `0` to `9` and `_`, and no word of the language.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VariableName(Arc<str>);

/// The text can't name a variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no name of a variable; expected a letter and up to 49 more of a to z, 0 to 9 and _, and no word such as if"
)]
pub struct VariableNameError(String);

impl VariableName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VariableName {
    type Err = VariableNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        let reserved = RESERVED.contains(&text);
        if !begins || reserved || text.len() > NAME_BYTES_MAX || !text.bytes().all(fits) {
            return Err(VariableNameError(text.chars().take(NAME_BYTES_MAX).collect()));
        }
        Ok(Self(text.into()))
    }
}

impl std::borrow::Borrow<str> for VariableName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VariableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What values a variable takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum VariableKind {
    /// Words.
    #[default]
    String,
    /// A whole number of at most 15 digits.
    Integer,
    /// A number of at most 15 digits before the point; six after it are shown.
    Number,
    /// True or false.
    Boolean,
    /// An instant, shown on the clock where the recipient is.
    Instant,
}

/// Every kind with the word for it.
pub const VARIABLE_KINDS: [(VariableKind, &str); 5] = [
    (VariableKind::String, "string"),
    (VariableKind::Integer, "integer"),
    (VariableKind::Number, "number"),
    (VariableKind::Boolean, "boolean"),
    (VariableKind::Instant, "instant"),
];

impl VariableKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        VARIABLE_KINDS.into_iter().find(|(kind, _)| *kind == self).map_or("", |(_, word)| word)
    }
}

/// What becomes of words that are longer than their variable allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum OnLong {
    /// The text is refused.
    #[default]
    Refuse,
    /// They are cut, and end in three points.
    Shorten,
}

impl OnLong {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Shorten => "shorten",
        }
    }
}

/// What may stand between braces, and what may be put there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// What values it takes.
    pub kind: VariableKind,
    /// Whether a text that leaves it out is refused.
    pub is_required: bool,
    /// What stands for it when it is left out.
    pub default: Option<Value>,
    /// Most characters of words; of no meaning for other kinds.
    pub length_max: u16,
    /// What becomes of longer words.
    pub on_long: OnLong,
}

impl Variable {
    /// Most characters of words, when nothing is said.
    pub const LENGTH_DEFAULT: u16 = 60;

    /// Words that must be given, at most this many characters of them, the rest cut.
    pub const fn words(length_max: u16) -> Self {
        Self {
            kind: VariableKind::String,
            is_required: true,
            default: None,
            length_max,
            on_long: OnLong::Shorten,
        }
    }

    /// The same of another kind.
    pub const fn of(kind: VariableKind) -> Self {
        Self {
            kind,
            is_required: true,
            default: None,
            length_max: Self::LENGTH_DEFAULT,
            on_long: OnLong::Refuse,
        }
    }
}
