//! What is known of a recurrence.

use crate::id::{MessageId, PersonNumber, UserNumber};
use crate::recurrence::{Plan, RecurrenceId};
use crate::timestamp::Timestamp;
use crate::zone::{Wall, Zone};

/// Most recurrences of one user that are not over.
pub const PER_USER_MAX: u8 = 64;

/// What is known of a recurrence: the fold of what happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recurrence {
    /// Its public name.
    pub id: RecurrenceId,
    /// Who gets it.
    pub recipient: Recipient,
    /// When it comes.
    pub plan: Plan,
    /// Position of the record that holds what it says, sealed.
    pub text_at: u64,
    /// Whether anything comes, and what next.
    pub standing: Standing,
    /// The latest tick that came, on the wall, and what became of it.
    pub last: Option<(Wall, Outcome)>,
    /// How many ticks became a text.
    pub texted: u64,
    /// How many did not.
    pub skipped: u64,
    /// When it was created.
    pub created_at: Timestamp,
}

/// Who gets a recurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipient {
    /// Somebody known by a user id: at the number and in the zone that they have when it comes.
    User {
        /// Who.
        user: UserNumber,
        /// Which of theirs it is, below [`PER_USER_MAX`]: by it, all that are theirs are found.
        slot: u8,
    },
    /// Somebody known by a phone number, in the plan's zone.
    Person(PersonNumber),
}

/// Whether anything comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Yes.
    Active(Armed),
    /// Not until it is resumed.
    Paused,
    /// Never again.
    Ended(End),
    /// It was deleted.
    Deleted,
}

/// The tick that comes next, in the zone that was known when it was worked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Armed {
    /// The tick.
    pub tick: Tick,
    /// The zone.
    pub zone: Zone,
}

/// A time that the wall shows, and the instant at which it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// What the wall shows.
    pub wall: Wall,
    /// When.
    pub at: Timestamp,
}

/// Why nothing comes any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// No time is left: its end has passed.
    Over,
    /// The recipient was erased.
    Erased,
}

/// What became of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A message.
    Texted(MessageId),
    /// Nothing.
    Skipped(Skip),
}

/// Why a tick became no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// It was missed, and is stale.
    Late,
    /// The user has no number.
    NoNumber,
    /// The engine refused its message: the reason is in the log.
    Refused,
    /// A backup was restored, and it may have been texted before.
    Restored,
    /// Its template could not be filled: the reason is in the log.
    NotFilled,
}

/// Every reason, with the word for it.
pub const SKIPS: [(Skip, &str); 5] = [
    (Skip::Late, "late"),
    (Skip::NoNumber, "no_number"),
    (Skip::Refused, "refused"),
    (Skip::Restored, "restored"),
    (Skip::NotFilled, "not_filled"),
];

impl Skip {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        SKIPS.into_iter().find(|(skip, _)| *skip == self).map_or("", |(_, word)| word)
    }
}

impl Standing {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active(_) => "active",
            Self::Paused => "paused",
            Self::Ended(End::Over) => "ended",
            Self::Ended(End::Erased) => "erased",
            Self::Deleted => "deleted",
        }
    }

    /// Whether anything may still come.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Active(_) | Self::Paused)
    }
}

impl Recipient {
    /// What no other recurrence has at the same time: the slot of a user.
    pub fn claim(self) -> Option<u64> {
        match self {
            Self::User { user, slot } => Self::slot(user, slot),
            Self::Person(_) => None,
        }
    }

    /// The claim of a user's slot; `None` beyond what claims can say.
    pub fn slot(user: UserNumber, slot: u8) -> Option<u64> {
        user.get().checked_mul(u64::from(PER_USER_MAX))?.checked_add(u64::from(slot))
    }
}

impl Recurrence {
    /// When something must happen: at the next tick.
    pub fn timer(&self) -> Option<Timestamp> {
        match self.standing {
            Standing::Active(armed) => Some(armed.tick.at),
            Standing::Paused | Standing::Ended(_) | Standing::Deleted => None,
        }
    }

    /// The slot it has; free again once nothing comes any more.
    pub fn claim(&self) -> Option<u64> {
        self.recipient.claim().filter(|_| self.standing.is_open())
    }
}
