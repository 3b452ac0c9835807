//! The country a number without a country code is read in.

use std::fmt;
use std::str::FromStr;

use rlibphonenumber::PHONE_NUMBER_UTIL;

/// A country or territory with a numbering plan, by its ISO 3166-1 code: two upper-case ASCII letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(rlibphonenumber::Region);

/// The text is not the code of a region whose numbers are known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a region; expected the two upper-case letters of a country, such as US or DK")]
pub struct RegionError(String);

impl Region {
    /// The region that the numbering-plan library names.
    pub(super) const fn of(plan: rlibphonenumber::Region) -> Self {
        Self(plan)
    }

    /// The same region in the words of the numbering-plan library.
    pub(super) const fn plan(self) -> rlibphonenumber::Region {
        self.0
    }
}

impl FromStr for Region {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || RegionError(text.chars().take(16).collect());
        if text.len() != 2 || !text.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(refuse());
        }
        let region = rlibphonenumber::Region::from_code(text).map_err(|_not_two_letters| refuse())?;
        match PHONE_NUMBER_UTIL.get_country_code_for_region(region) {
            Some(_) => Ok(Self(region)),
            None => Err(refuse()),
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region_is_two_upper_case_letters_of_a_place_with_phones() {
        for known in ["US", "DK", "GB", "AX", "XK"] {
            assert_eq!(known.parse::<Region>().unwrap().to_string(), known);
        }
        for unknown in ["", "us", "Us", "USA", "001", "ZZ", "QQ", "U5", "\u{c6}", "  "] {
            assert!(unknown.parse::<Region>().is_err(), "{unknown}");
        }
    }
}
