//! A telephone number, kept the way the world writes it.

mod region;

use std::fmt;

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumberFormat};

pub use region::{Region, RegionError};

/// Longest text looked at, in bytes: an E.164 number is 16, and generous punctuation triples it.
pub const TEXT_BYTES_MAX: usize = 64;

/// Fewest digits of a number that can receive a message, the country code included.
const DIGITS_MIN: usize = 7;
/// Most digits of a number, the country code included. Source: ITU-T E.164 (2010-11), clause 6.
const DIGITS_MAX: usize = 15;

/// A telephone number in E.164: up to 15 digits, the first never zero, kept as one integer.
///
/// `Display` writes it whole (`+15551234567`); `Debug` and [`PhoneNumber::masked`] hide its middle, so
/// that logs and panics do not name a person.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhoneNumber(u64);

/// The text is not a number that a message could go to. The text is quoted masked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PhoneNumberError {
    /// Nothing was given.
    #[error("the phone number is empty; write it in E.164, such as +15551234567")]
    Empty,
    /// Longer than [`TEXT_BYTES_MAX`].
    #[error("a phone number of {bytes} bytes is too long; the limit is {TEXT_BYTES_MAX}")]
    TextTooLong {
        /// Bytes given.
        bytes: usize,
    },
    /// It holds letters, an extension, a second number, or too few digits to be a number at all.
    #[error("\"{masked}\" is not a phone number; write it in E.164, digits after a +, such as +15551234567")]
    NotANumber {
        /// What was given, masked.
        masked: String,
    },
    /// No country code, and no region to read it in.
    #[error("\"{masked}\" has no country; start it with + and the country code, or set a default region")]
    NoCountry {
        /// What was given, masked.
        masked: String,
    },
    /// Unknown country code, or a length no number of that country has.
    #[error(
        "\"{masked}\" cannot exist: its country code is unknown or its length is wrong for the country; \
         check the digits, and leave out any 0 dialed only inside the country"
    )]
    Impossible {
        /// What was given, masked.
        masked: String,
    },
    /// It was read in a region whose numbering plan has no such number.
    #[error(
        "\"{masked}\" is not a number of {region}; check the digits, or start it with + and the country code"
    )]
    NotInRegion {
        /// What was given, masked.
        masked: String,
        /// The region it was read in.
        region: Region,
    },
}

impl PhoneNumber {
    /// Reads a number as a person wrote it.
    ///
    /// - Text already in E.164 keeps its digits exactly; the numbering plan is only asked whether a
    ///   number of that length can exist. Numbers that are possible but not assigned pass, because
    ///   that is what people test with: 555 numbers, and the provider's own `+1500555xxxx`
    ///   (<https://www.twilio.com/docs/iam/test-credentials>, read 2026-11-23).
    /// - Other text with a `+` is read without its punctuation, and must be possible too.
    /// - Text without a `+` is read in `default_region` and must be valid there. Without a region it
    ///   is refused: a guessed country is a message to a stranger.
    ///
    /// Letters, extensions and second numbers are refused rather than dropped.
    pub fn parse(raw: &str, default_region: Option<Region>) -> Result<Self, PhoneNumberError> {
        if raw.len() > TEXT_BYTES_MAX {
            return Err(PhoneNumberError::TextTooLong { bytes: raw.len() });
        }
        let text: String = raw.chars().filter(|letter| !is_invisible(*letter)).collect();
        let text = text.trim();
        if text.is_empty() {
            return Err(PhoneNumberError::Empty);
        }
        let masked = || mask_text(text);
        if let Some(number) = Self::from_e164_shape(text) {
            return if number.is_possible() {
                Ok(number)
            } else {
                Err(PhoneNumberError::Impossible { masked: masked() })
            };
        }
        if !only_digits_and_punctuation(text) {
            return Err(PhoneNumberError::NotANumber { masked: masked() });
        }
        let international = text.starts_with(PLUS_SIGNS);
        let (region, plan_region) = match default_region {
            _ if international => (None, None),
            Some(region) => (Some(region), Some(region.plan())),
            None => return Err(PhoneNumberError::NoCountry { masked: masked() }),
        };
        let read = PHONE_NUMBER_UTIL.parse(text, plan_region).map_err(|error| match error {
            rlibphonenumber::ParseError::NotANumber(_) => PhoneNumberError::NotANumber { masked: masked() },
            rlibphonenumber::ParseError::InvalidCountryCode
            | rlibphonenumber::ParseError::TooShortAfterIdd
            | rlibphonenumber::ParseError::TooShortNsn
            | rlibphonenumber::ParseError::TooLongNsn => PhoneNumberError::Impossible { masked: masked() },
        })?;
        if read.extension.is_some() {
            return Err(PhoneNumberError::NotANumber { masked: masked() });
        }
        let e164 = PHONE_NUMBER_UTIL.format(&read, PhoneNumberFormat::E164);
        let number = Self::from_e164_shape(&e164)
            .filter(|number| number.is_possible())
            .ok_or_else(|| PhoneNumberError::Impossible { masked: masked() })?;
        match region {
            Some(region) if !PHONE_NUMBER_UTIL.is_valid_number(&read) => {
                Err(PhoneNumberError::NotInRegion { masked: masked(), region })
            }
            Some(_) | None => Ok(number),
        }
    }

    /// The number with these digits, country code first; `None` unless there are 7 to 15 of them.
    ///
    /// Only the shape is checked: this reads back what was accepted before, or what the provider said.
    pub const fn from_digits(digits: u64) -> Option<Self> {
        if digits >= 1_000_000 && digits <= 999_999_999_999_999 { Some(Self(digits)) } else { None }
    }

    /// The digits as one integer, country code first.
    pub const fn digits(self) -> u64 {
        self.0
    }

    /// The country or territory that it belongs to; `None` when it belongs to none, such as a satellite's.
    pub fn region(self) -> Option<Region> {
        let number = PHONE_NUMBER_UTIL.parse(self.to_string().as_str(), None).ok()?;
        PHONE_NUMBER_UTIL.get_region_for_number(&number).map(Region::of)
    }

    /// A number that belongs where this one does, and the same for all of its neighbors: what is known of the region of
    /// one is known of them all. Under country code 1 the area code and the office code decide, and the last four
    /// digits become zeros; any other number stands for itself.
    ///
    /// Source: <https://glossary.atis.org/glossary/north-american-number-plan-nanp/>, read 2026-11-29; a test asks the
    /// numbering plan itself.
    #[must_use]
    pub const fn neighborhood(self) -> Self {
        match self.0 {
            10_000_000_000..=19_999_999_999 => Self(self.0.saturating_sub(self.0.rem_euclid(10_000))),
            _ => self,
        }
    }

    /// The number with everything but its first two and last two digits hidden: `+45******78`.
    pub fn masked(self) -> String {
        mask_text(&self.to_string())
    }

    /// Exactly `+`, a digit that is not 0, and 6 to 14 further ASCII digits.
    fn from_e164_shape(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+')?;
        let shaped = (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        if shaped { digits.parse().ok().and_then(Self::from_digits) } else { None }
    }

    /// Whether a number of this length exists under this country code, taking the digits as they stand.
    fn is_possible(self) -> bool {
        let digits = self.0.to_string();
        // Country codes are one to three digits and none is the start of another.
        (1..=3).filter_map(|length| digits.split_at_checked(length)).any(|(country, national)| {
            let (Ok(country_code), Ok(national_number)) = (country.parse(), national.parse()) else {
                return false;
            };
            let significant = national.trim_start_matches('0').len().max(1);
            let zeros = i32::try_from(national.len().saturating_sub(significant)).unwrap_or(0);
            let number = rlibphonenumber::PhoneNumber {
                country_code,
                national_number,
                italian_leading_zero: (zeros > 0).then_some(true),
                number_of_leading_zeros: (zeros > 0).then_some(zeros),
                ..Default::default()
            };
            PHONE_NUMBER_UTIL.is_possible_number_with_reason(&number) == Ok(NumberLengthType::IsPossible)
        })
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// The plus sign, and its full-width form.
const PLUS_SIGNS: [char; 2] = ['+', '\u{ff0b}'];

/// Marks that people type between digits: the library's own list without letters and extension marks.
const PUNCTUATION: &str = "-.()[]/~\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2015}\u{2212}\u{30fc}\
    \u{ff0d}\u{ff0e}\u{ff0f}\u{ff08}\u{ff09}\u{ff3b}\u{ff3d}\u{2053}\u{223c}\u{ff5e}";

/// Directional and zero-width marks that address books put around a number when it is copied.
const fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Whether `text` is one number's worth of characters: a plus sign at most in front, then digits of
/// any script, spaces and [`PUNCTUATION`].
fn only_digits_and_punctuation(text: &str) -> bool {
    let text = text.strip_prefix(PLUS_SIGNS).unwrap_or(text);
    let rest: String =
        text.chars().filter(|letter| !letter.is_whitespace() && !PUNCTUATION.contains(*letter)).collect();
    !rest.is_empty() && PHONE_NUMBER_UTIL.normalize_digits_only(&rest).len() == rest.chars().count()
}

/// `text` with letters and digits starred, but for the first two and last two digits of a long number.
fn mask_text(text: &str) -> String {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let mut seen = 0_usize;
    text.chars()
        .map(|letter| {
            if letter.is_ascii_digit() {
                seen = seen.saturating_add(1);
                let edge = seen <= 2 || digits.saturating_sub(seen) < 2;
                if digits >= DIGITS_MIN && edge { letter } else { '*' }
            } else if letter == ' ' || letter.is_ascii_punctuation() {
                letter
            } else {
                '*'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
