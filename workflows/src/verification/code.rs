//! The code that was texted, and what is kept of it.

use std::fmt;
use std::str::FromStr;

/// Fewest and most digits of a code.
///
/// Source: <https://www.twilio.com/docs/verify/api/service>, `CodeLength`, read 2026-11-24.
const DIGITS: std::ops::RangeInclusive<usize> = 4..=10;

/// A code: 4 to 10 digits. `Debug` hides them.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(Box<str>);

/// The text can't be a code. It is not quoted: it may be one, mistyped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a code has 4 to 10 digits; send it as a text such as \"123456\"")]
pub struct CodeError;

impl Code {
    /// A code of six digits from a random number.
    pub fn of_random(random: u64) -> Self {
        // 2^64 is so much more than 10^6 that no code is likelier than another by more than 10^-13.
        Self(format!("{:06}", random.rem_euclid(1_000_000)).into())
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Code {
    type Err = CodeError;

    /// Reads a code as people copy it: with blanks or a hyphen between its digits.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: String = text.chars().filter(|letter| !matches!(letter, ' ' | '-')).take(12).collect();
        let is_code = DIGITS.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if is_code { Ok(Self(digits.into())) } else { Err(CodeError) }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(...)")
    }
}

/// A code's HMAC-SHA256, cut to 16 bytes, under a key that is not in the file, bound to the verification that it
/// belongs to.
#[derive(Clone, Copy, Eq)]
pub struct CodeDigest([u8; 16]);

impl CodeDigest {
    /// The digest with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl PartialEq for CodeDigest {
    /// Looks at every byte, however early they differ.
    fn eq(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).fold(0, |differs, (ours, theirs)| differs | (ours ^ theirs)) == 0
    }
}

impl fmt::Debug for CodeDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeDigest(...)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_copy_it_and_never_shown() {
        assert_eq!("123 456".parse::<Code>().unwrap(), "123-456".parse().unwrap());
        assert_eq!(Code::of_random(7).as_str(), "000007");
        assert!(!format!("{:?}", Code::of_random(123_456)).contains("123456"));
        for wrong in ["", "123", "12345678901", "12e4", "\u{661}\u{662}\u{663}\u{664}"] {
            assert!(wrong.parse::<Code>().is_err(), "{wrong}");
        }
    }
}
