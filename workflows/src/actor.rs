//! Who asked, by name: a key of the API, a person at the command line. Kept beside what came of it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::source::Source;

/// Longest name and longest reason, in bytes.
const NAME_BYTES_MAX: usize = 64;
const REASON_BYTES_MAX: usize = 200;

/// The name of whoever asked: 1 to 64 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorName(Arc<str>);

/// The text can't name an actor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "an actor's name has 1 to {NAME_BYTES_MAX} visible ASCII characters; this one has {length} bytes or other characters"
)]
pub struct ActorNameError {
    length: usize,
}

impl ActorName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ActorName {
    type Err = ActorNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.is_empty() || text.len() > NAME_BYTES_MAX || !visible {
            return Err(ActorNameError { length: text.len() });
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for ActorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why somebody asked, in their words: one line of 1 to 200 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(Box<str>);

/// The text is no reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a reason is one line of 1 to {REASON_BYTES_MAX} bytes; this one has {length} bytes or control characters"
)]
pub struct ReasonError {
    length: usize,
}

impl Reason {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reason {
    type Err = ReasonError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty() || text.len() > REASON_BYTES_MAX || text.chars().any(char::is_control) {
            return Err(ReasonError { length: text.len() });
        }
        Ok(Self(text.into()))
    }
}

/// On whose behalf a command is carried out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Which way it came.
    pub source: Source,
    /// Who asked, when somebody has a name.
    pub actor: Option<ActorName>,
    /// Why, when somebody said so.
    pub reason: Option<Reason>,
}

impl From<Source> for Origin {
    fn from(source: Source) -> Self {
        Self { source, actor: None, reason: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_reasons_are_bounded_and_printable() {
        assert_eq!("api:3f2a/ada".parse::<ActorName>().unwrap().to_string(), "api:3f2a/ada");
        for bad in ["", "two words", "tab\t", "caf\u{e9}", &"x".repeat(65)] {
            assert!(bad.parse::<ActorName>().is_err(), "{bad:?}");
        }
        assert_eq!(" asked by mail ".parse::<Reason>().unwrap().as_str(), "asked by mail");
        for bad in ["", "   ", "two\nlines", &"x".repeat(201)] {
            assert!(bad.parse::<Reason>().is_err(), "{bad:?}");
        }
    }
}
