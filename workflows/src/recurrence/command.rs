//! What may be asked about a recurrence, and how the answer can be no.

use crate::actor::Reason;
use crate::kind::KindName;
use crate::message::Priority;
use crate::recurrence::{Cron, Grace, Missed, Outcome, PER_USER_MAX, Plan, Recipient, RecurrenceId};
use crate::template::TemplateKey;
use crate::timestamp::Timestamp;
use crate::zone::{Wall, Zone};

/// What somebody asks about a recurrence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Let there be one.
    Create {
        /// Its public name.
        id: RecurrenceId,
        /// Who gets it.
        recipient: Recipient,
        /// When it comes.
        plan: Plan,
    },
    /// Change when it comes, and what it says.
    Change {
        /// What changes of the plan.
        changes: Box<Changes>,
        /// Whether it says something else.
        new_text: bool,
    },
    /// Let nothing come until it is resumed.
    Pause,
    /// Let it come again, from now on.
    Resume,
    /// Delete it.
    Delete,
    /// Work out again what comes next: its timer fired, or its recipient moved.
    Wake {
        /// What became of the tick that is [`due`](crate::recurrence::due), if one is.
        ticked: Option<(Wall, Outcome)>,
    },
    /// What it says can't be read any more: its recipient was erased.
    Lose,
}

/// What decisions depend on besides the recurrence.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The wall clock.
    pub now: Timestamp,
    /// The zone in which the recipient is, if that is known.
    pub zone: Option<Zone>,
    /// Position of the record that the first event will have.
    pub position: u64,
    /// Why it is asked.
    pub reason: Option<&'a Reason>,
}

/// What changes of a plan; `None` leaves a field as it is, an inner `None` clears it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// The times on the wall.
    pub cron: Option<Cron>,
    /// Whose wall.
    pub zone: Option<Option<Zone>>,
    /// Nothing comes before.
    pub starts_at: Option<Option<Timestamp>>,
    /// Nothing comes from here on.
    pub ends_at: Option<Option<Timestamp>>,
    /// What becomes of a tick that was missed.
    pub missed: Option<Missed>,
    /// How late a tick's text may be sent.
    pub grace: Option<Grace>,
    /// Which messages go first.
    pub priority: Option<Priority>,
    /// What its texts are about.
    pub kind: Option<Option<KindName>>,
    /// The template that its texts are filled from.
    pub template: Option<Option<TemplateKey>>,
}

impl Changes {
    /// What they make of `before`.
    pub fn of(&self, before: &Plan) -> Plan {
        Plan {
            cron: self.cron.clone().unwrap_or_else(|| before.cron.clone()),
            zone: self.zone.unwrap_or(before.zone),
            starts_at: self.starts_at.unwrap_or(before.starts_at),
            ends_at: self.ends_at.unwrap_or(before.ends_at),
            missed: self.missed.unwrap_or(before.missed),
            grace: self.grace.unwrap_or(before.grace),
            priority: self.priority.unwrap_or(before.priority),
            kind: self.kind.clone().unwrap_or_else(|| before.kind.clone()),
            template: self.template.clone().unwrap_or_else(|| before.template.clone()),
        }
    }
}

/// The domain says no. A value, not an error: nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Nobody knows which wall is meant.
    #[error(
        "nobody knows in which zone the recipient is; name a timezone, such as \"America/New_York\"; for a user, one in their preferences or DUNLIN_DEFAULT_TIME_ZONE will do too"
    )]
    NoZone,
    /// Nothing would ever come.
    #[error("no time that {cron} names lies between its start and its end")]
    NothingComes {
        /// The expression.
        cron: Cron,
    },
    /// Nothing comes any more, and nothing changes that.
    #[error("the recurrence is {standing}; create another one")]
    Over {
        /// Where it stands.
        standing: &'static str,
    },
    /// A user has as many as one may have.
    #[error("the user has {PER_USER_MAX} recurrences, which is the most; end or delete one first")]
    TooMany,
    /// There is another one of that name.
    #[error("recurrence {id} exists already, and is another one")]
    IdTaken {
        /// The name.
        id: RecurrenceId,
    },
    /// There is none of that name.
    #[error("there is no recurrence with that id")]
    NotFound,
}
