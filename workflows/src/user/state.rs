//! What is known of a user.

use crate::id::PersonNumber;
use crate::timestamp::Timestamp;
use crate::user::Preferences;

/// What is known of a user: the fold of what happened to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct User {
    /// What they prefer; `None` until they, or somebody for them, said so.
    pub preferences: Option<Preferences>,
    /// How often preferences or number were changed: callers name it to change nothing that they have not seen.
    pub version: u64,
    /// The number that is said to be theirs.
    pub number: Option<OwnNumber>,
    /// Whether what was said last about their preferences can't be understood: then nobody knows what they prefer.
    pub is_unreadable: bool,
    /// Whether they were erased: nothing leads to them any more.
    pub is_erased: bool,
}

/// The number that is said to be a user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnNumber {
    /// Whose number it is, inside the store.
    pub person: PersonNumber,
    /// When they proved that it is theirs; `None` until they did.
    pub verified_at: Option<Timestamp>,
}

impl User {
    /// The number that is proven to be theirs.
    pub fn verified(&self) -> Option<PersonNumber> {
        self.number.filter(|number| number.verified_at.is_some()).map(|number| number.person)
    }
}
