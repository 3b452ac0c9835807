//! What happened to a user. Events are journaled, in the past tense, added to and never renamed.

use crate::actor::Reason;
use crate::id::PersonNumber;
use crate::user::Preferences;

/// One thing that happened to one user. The user id stands sealed elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody told something of them for the first time.
    Met,
    /// They, or somebody for them, said what they prefer.
    PreferencesChanged {
        /// All of it, as it is since.
        preferences: Preferences,
    },
    /// What they, or somebody for them, said last about their preferences can't be understood.
    PreferencesUnreadable,
    /// A number is said to be theirs, or none is any more. What was proven before is void.
    NumberChanged {
        /// Whose number it is, inside the store.
        person: Option<PersonNumber>,
    },
    /// They proved that a number is theirs.
    NumberVerified {
        /// Whose number it is, inside the store.
        person: PersonNumber,
    },
    /// Somebody said why they ask for what comes next.
    Remarked {
        /// In their words.
        reason: Reason,
    },
    /// Their user id can't be read any more, and leads nowhere.
    Erased {
        /// Why, when somebody said so.
        reason: Option<Reason>,
    },
}

impl Event {
    /// The event's name in exports, logs and the API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Met => "user_met",
            Self::PreferencesChanged { .. } => "preferences_changed",
            Self::PreferencesUnreadable => "preferences_unreadable",
            Self::NumberChanged { .. } => "number_changed",
            Self::NumberVerified { .. } => "number_verified",
            Self::Remarked { .. } => "user_remarked",
            Self::Erased { .. } => "user_erased",
        }
    }
}
