//! The text of a message.

use std::fmt;
use std::sync::Arc;

use crate::segment;

pub use crate::segment::Encoding;

/// Most characters a body may have, counted in UTF-16 code units.
///
/// The provider refuses more than 1600 characters (error 21617,
/// <https://www.twilio.com/docs/api/errors/21617>, read 2026-11-23) without saying what a character is.
/// UTF-16 units are the largest of the plausible counts, so a body we accept is never too long.
pub const UNITS_MAX: usize = 1600;

/// The text of an outbound message: not blank, at most [`UNITS_MAX`] long, no control characters.
///
/// Clones share the text. `Debug` shows only its length.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Body(Arc<str>);

/// The text cannot be the body of a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Empty, or white space only: usually a template that lost its values.
    #[error("the body is blank; a message needs text")]
    Blank,
    /// Longer than [`UNITS_MAX`].
    #[error("the body has {units} characters; shorten it to {UNITS_MAX} (an emoji counts as two or more)")]
    TooLong {
        /// UTF-16 code units given.
        units: usize,
    },
    /// A control character that no handset shows.
    #[error("the body holds the control character U+{code:04X} at byte {at}; remove it")]
    Control {
        /// The character's code point.
        code: u32,
        /// Where it stands, in bytes from the start.
        at: usize,
    },
}

impl Body {
    /// Takes `text` as a body, unchanged.
    ///
    /// Control characters are refused except tab and the three the GSM alphabet itself has (line feed,
    /// carriage return, form feed): the rest show nothing, double the price by forcing UCS-2, and NUL
    /// or escape can cut or garble the text on its way.
    pub fn parse(text: impl Into<Arc<str>>) -> Result<Self, BodyError> {
        let text = text.into();
        let units = text.encode_utf16().count();
        if units > UNITS_MAX {
            return Err(BodyError::TooLong { units });
        }
        if text.trim().is_empty() {
            return Err(BodyError::Blank);
        }
        let control = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t' | '\u{c}');
        match text.char_indices().find(|(_, letter)| control(*letter)) {
            Some((at, letter)) => Err(BodyError::Control { code: u32::from(letter), at }),
            None => Ok(Self(text)),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The alphabet it is sent in, and how many parts are billed, by our own count.
    pub fn measure(&self) -> (Encoding, u16) {
        segment::measure(&self.0)
    }

    /// The parts it is sent and billed as, in order; see [`segment::segments`].
    pub fn segments(&self) -> Vec<&str> {
        segment::segments(&self.0)
    }

    /// How many parts are billed, by our own count.
    pub fn segment_count(&self) -> u16 {
        self.measure().1
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn body_ends_at_1600_utf16_units() {
        assert_eq!(Body::parse("a".repeat(1600)).unwrap().segment_count(), 11);
        assert_eq!(Body::parse("a".repeat(1601)), Err(BodyError::TooLong { units: 1601 }));
        assert_eq!(Body::parse("\u{1f600}".repeat(800)).unwrap().segment_count(), 25);
        assert_eq!(Body::parse("\u{1f600}".repeat(801)), Err(BodyError::TooLong { units: 1602 }));
    }

    #[test]
    fn blank_body_is_refused() {
        for text in ["", " ", "\n\r\t", "\u{a0}\u{2003}"] {
            assert_eq!(Body::parse(text), Err(BodyError::Blank), "{text:?}");
        }
    }

    #[test]
    fn only_the_controls_of_the_gsm_alphabet_and_tab_are_text() {
        for code in (0..=0x9f).filter_map(char::from_u32).filter(|letter| letter.is_control()) {
            let body = Body::parse(format!("a{code}b"));
            let kept = matches!(code, '\n' | '\r' | '\t' | '\u{c}');
            assert_eq!(body.is_ok(), kept, "{code:?}");
            if !kept {
                assert_eq!(body, Err(BodyError::Control { code: u32::from(code), at: 1 }));
            }
        }
    }

    #[test]
    fn debug_shows_the_length_only() {
        assert_eq!(format!("{:?}", Body::parse("code 123456").unwrap()), "Body(11 bytes)");
    }

    proptest! {
        #[test]
        fn accepted_text_is_kept_unchanged(text in "\\PC{0,200}") {
            if let Ok(body) = Body::parse(text.as_str()) {
                prop_assert_eq!(body.as_str(), &text);
                prop_assert_eq!(body.segments().concat(), text);
            }
        }
    }
}
