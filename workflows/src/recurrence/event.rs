//! What happened to a recurrence. Events are journaled, in the past tense, added to and never renamed.

use crate::actor::Reason;
use crate::recurrence::{Armed, End, Outcome, Plan, Recipient, RecurrenceId};
use crate::zone::Wall;

/// One thing that happened to one recurrence. What it says stands sealed beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody asked for it.
    Created {
        /// Its public name.
        id: RecurrenceId,
        /// Who gets it.
        recipient: Recipient,
        /// When it comes.
        plan: Plan,
        /// Position of the record that holds what it says.
        text_at: u64,
    },
    /// Somebody changed it.
    Changed {
        /// When it comes since.
        plan: Plan,
        /// Position of the record that holds what it says since.
        text_at: u64,
    },
    /// It was worked out what comes next.
    Armed(Armed),
    /// A tick came.
    Ticked {
        /// What the wall showed.
        wall: Wall,
        /// What became of it.
        outcome: Outcome,
    },
    /// Somebody paused it.
    Paused,
    /// Somebody resumed it.
    Resumed,
    /// Nothing comes any more.
    Ended(End),
    /// Somebody deleted it.
    Deleted,
    /// Somebody said why they ask for what comes next.
    Remarked {
        /// In their words.
        reason: Reason,
    },
}

impl Event {
    /// The event's name in exports, logs and the API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "recurrence_created",
            Self::Changed { .. } => "recurrence_changed",
            Self::Armed(_) => "recurrence_armed",
            Self::Ticked { .. } => "recurrence_ticked",
            Self::Paused => "recurrence_paused",
            Self::Resumed => "recurrence_resumed",
            Self::Ended(_) => "recurrence_ended",
            Self::Deleted => "recurrence_deleted",
            Self::Remarked { .. } => "recurrence_remarked",
        }
    }
}
