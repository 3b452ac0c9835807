//! Hours that law leaves for texts which are not essential.

use std::str::FromStr;

use thiserror::Error;

use crate::zone::{Hours, LocalTime, shortened};

/// Which law's hours are kept, in the recipient's own zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LegalHours {
    /// The federal hours of the United States.
    Tcpa,
    /// The narrowest hours that a state keeps on every day of the week.
    Strict,
    /// None.
    Off,
}

/// What is known of each: the word for it, when nobody is texted, and where that is written (all read
/// 2026-11-24). Laws of states that have other hours on some weekdays (Texas, Rhode Island) are not among them.
pub const LEGAL_HOURS: [(LegalHours, &str, Hours, &str); 3] = [
    (
        LegalHours::Tcpa,
        "tcpa",
        outside(8, 21),
        "47 CFR 64.1200(c)(1): https://www.ecfr.gov/current/title-47/section-64.1200",
    ),
    (
        LegalHours::Strict,
        "strict",
        outside(9, 20),
        "Connecticut, Sec. 42-288a: https://www.cga.ct.gov/current/pub/chap_743m.htm",
    ),
    (LegalHours::Off, "off", Hours::NONE, "nothing is kept"),
];

/// Why a text names no hours.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LegalHoursError {
    /// There are none of that name.
    #[error(
        "{name:?} are no hours we know; write \"tcpa\" (8:00 to 21:00), \"strict\" (9:00 to 20:00) or \"off\""
    )]
    Unknown {
        /// What was given, shortened.
        name: String,
    },
}

impl LegalHours {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        self.row().map_or("", |(_, word, _, _)| word)
    }

    /// When nobody is texted.
    pub fn quiet(self) -> Hours {
        self.row().map_or(Hours::NONE, |(_, _, quiet, _)| quiet)
    }

    fn row(self) -> Option<(Self, &'static str, Hours, &'static str)> {
        LEGAL_HOURS.into_iter().find(|(hours, ..)| *hours == self)
    }
}

impl FromStr for LegalHours {
    type Err = LegalHoursError;

    fn from_str(name: &str) -> Result<Self, LegalHoursError> {
        let found = LEGAL_HOURS.into_iter().find(|(_, word, ..)| *word == name);
        found.map(|(hours, ..)| hours).ok_or_else(|| LegalHoursError::Unknown { name: shortened(name) })
    }
}

/// Quiet but for the time between two full hours.
const fn outside(first: u8, last: u8) -> Hours {
    Hours { start: LocalTime::full_hour(last), end: LocalTime::full_hour(first) }
}
