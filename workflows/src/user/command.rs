//! What may be asked about a user, and how the answer can be no.

use crate::id::PersonNumber;
use crate::user::{Preferences, Toggle};
use crate::zone::{Hours, LocalTime, Zone};

/// What somebody asks about a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Change some of what they prefer.
    Prefer {
        /// What changes.
        changes: Changes,
        /// The version that the caller has seen; any when `None`.
        seen: Option<u64>,
    },
    /// Somebody said what they prefer, and it can't be understood. Until preferences come that can, nobody knows it.
    Misread,
    /// This number is said to be theirs; `None` takes away the one they have.
    Number {
        /// Whose number it is, inside the store.
        person: Option<PersonNumber>,
        /// The version that the caller has seen; any when `None`.
        seen: Option<u64>,
    },
    /// They proved that this number is theirs.
    Verify {
        /// Whose number it is, inside the store.
        person: PersonNumber,
        /// Whether another user has proven that it is theirs.
        is_taken: bool,
    },
    /// Erase them.
    Erase,
}

/// What changes of what a user prefers; `None` leaves a field as it is. An inner `None` clears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changes {
    /// Toggles that are switched on (`true`) or off.
    pub toggles: [Option<bool>; Toggle::COUNT],
    /// When the quiet hours begin. Clearing one end clears both.
    pub quiet_start: Option<Option<LocalTime>>,
    /// When they end.
    pub quiet_end: Option<Option<LocalTime>>,
    /// Most texts in a local day; cleared, the deployment's rule applies.
    pub daily_limit: Option<Option<u16>>,
    /// Their time zone.
    pub zone: Option<Option<Zone>>,
    /// Minutes before an event at which they are reminded.
    pub lead_minutes: Option<u16>,
    /// When their morning text comes.
    pub kickoff_time: Option<LocalTime>,
}

/// The domain says no. A value, not an error: nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Somebody changed them meanwhile.
    #[error("they were changed meanwhile: version {version} is the newest; read them again")]
    Changed {
        /// The newest version.
        version: u64,
    },
    /// Quiet hours have two ends.
    #[error("quiet hours have a start and an end; give both, or clear both")]
    HalfQuiet,
    /// Another user has proven that the number is theirs.
    #[error("the number can't be verified for this user")]
    Taken,
    /// Nobody said which number is theirs.
    #[error(
        "the user has no number; name one in the wish, set it in their preferences, or let them prove one"
    )]
    NoNumber,
    /// They have not proven that their number is theirs.
    #[error(
        "the user has not proven that their number is theirs; let them, with a verification for this user"
    )]
    Unproven,
    /// They are gone.
    #[error("the user was erased")]
    Erased,
}

impl Changes {
    /// What they make of `before`.
    ///
    /// # Errors
    /// [`Rejection::HalfQuiet`].
    pub fn of(&self, before: &Preferences) -> Result<Preferences, Rejection> {
        let mut after = *before;
        for (toggle, change) in Toggle::all().zip(self.toggles) {
            if let Some(is_on) = change {
                after.toggles = after.toggles.with(toggle, is_on);
            }
        }
        after.quiet_hours = self.quiet(before)?;
        after.daily_limit = self.daily_limit.unwrap_or(before.daily_limit);
        after.zone = self.zone.unwrap_or(before.zone);
        after.lead_minutes = self.lead_minutes.unwrap_or(before.lead_minutes);
        after.kickoff_time = self.kickoff_time.unwrap_or(before.kickoff_time);
        Ok(after)
    }

    fn quiet(&self, before: &Preferences) -> Result<Option<Hours>, Rejection> {
        let old = before.quiet_hours;
        let start = self.quiet_start.unwrap_or(old.map(|hours| hours.start));
        let end = self.quiet_end.unwrap_or(old.map(|hours| hours.end));
        match (start, end) {
            (Some(start), Some(end)) => Ok(Some(Hours { start, end })),
            (None, None) => Ok(None),
            // One end alone is cleared: both are meant. One end alone is given: half of it is missing.
            (Some(_), None) | (None, Some(_)) => {
                let gives = |change: Option<Option<LocalTime>>| matches!(change, Some(Some(_)));
                if gives(self.quiet_start) || gives(self.quiet_end) {
                    Err(Rejection::HalfQuiet)
                } else {
                    Ok(None)
                }
            }
        }
    }
}
