//! The line that the first text to a person ends with: how to end them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use crate::body::Body;

/// Longest line, in characters, with a link in it.
const CHARS_MAX: usize = 160;

/// The word that is heard everywhere, as people are told to write it.
const WORD: &str = "STOP";

/// A line of 1 to 160 characters that tells people to text STOP, and may have each person's own link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptOutLine(Arc<str>);

/// The text is no such line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OptOutLineError {
    /// It is too long, blank, or no line.
    #[error("expected one line of 1 to {CHARS_MAX} characters; this one has {length}, or control characters")]
    Form {
        /// How many characters it has.
        length: usize,
    },
    /// It does not say how.
    #[error("it does not say {WORD}, in capitals: the word that is heard everywhere")]
    Wordless,
}

impl OptOutLine {
    /// Where the token of a person's link goes, at the end of its address.
    pub const TOKEN: &str = "{token}";

    /// Whether it has a link, for which [`at_the_end_of`](Self::at_the_end_of) needs a token.
    pub fn has_link(&self) -> bool {
        self.0.contains(Self::TOKEN)
    }

    /// A text with the line at its end, and in that the link with this token; as it is when it tells people to text STOP
    /// already, or when both together are too long for a text.
    #[must_use]
    pub fn at_the_end_of(&self, body: &Body, token: &str) -> Body {
        if says_how(body.as_str()) {
            return body.clone();
        }
        let whole = format!("{}\n{}", body.as_str().trim_end(), self.0.replace(Self::TOKEN, token));
        Body::parse(whole).unwrap_or_else(|_too_long| body.clone())
    }
}

/// Whether a text names the word, as a word of its own.
fn says_how(text: &str) -> bool {
    text.split(|letter: char| !letter.is_alphanumeric()).any(|word| word == WORD)
}

impl FromStr for OptOutLine {
    type Err = OptOutLineError;

    fn from_str(text: &str) -> Result<Self, OptOutLineError> {
        let text = text.trim();
        let length = text.chars().count();
        if !(1..=CHARS_MAX).contains(&length) || text.contains(char::is_control) {
            return Err(OptOutLineError::Form { length });
        }
        if says_how(text) { Ok(Self(text.into())) } else { Err(OptOutLineError::Wordless) }
    }
}

impl fmt::Display for OptOutLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_stands_at_the_end_once_and_only_where_it_fits() {
        let line: OptOutLine = " Text STOP to end these. ".parse().unwrap();
        let ended = |text: &str| line.at_the_end_of(&Body::parse(text).unwrap(), "").as_str().to_owned();
        assert_eq!(ended("Your table is ready\n"), "Your table is ready\nText STOP to end these.");
        assert_eq!(ended("Stop by at 5"), "Stop by at 5\nText STOP to end these.");
        for as_it_is in [ended("Your table is ready"), "Reply STOP: none".to_owned(), "a".repeat(1590)] {
            assert_eq!(ended(&as_it_is), as_it_is);
        }
    }

    #[test]
    fn line_has_the_link_of_each_person() {
        let line: OptOutLine = "Text STOP, or open https://a.test/o/{token}".parse().unwrap();
        let ended = line.at_the_end_of(&Body::parse("Hello {token}").unwrap(), "abc");
        assert_eq!(ended.as_str(), "Hello {token}\nText STOP, or open https://a.test/o/abc");
        assert!(line.has_link());
    }

    #[test]
    fn line_that_does_not_say_how_is_refused() {
        for (wrong, error) in [
            ("Reply stop to end these", OptOutLineError::Wordless),
            ("STOPPING", OptOutLineError::Wordless),
            (" ", OptOutLineError::Form { length: 0 }),
            ("STOP\nor not", OptOutLineError::Form { length: 11 }),
            (&"STOP ".repeat(33), OptOutLineError::Form { length: 164 }),
        ] {
            assert_eq!(wrong.parse::<OptOutLine>(), Err(error), "{wrong}");
        }
    }
}
