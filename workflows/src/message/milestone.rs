//! What whoever asked for a text wants to hear at once, without asking: that it came, and that it will not.

use crate::message::{Event, Hold, Message, State};

/// A state that is told to the outside as soon as a message is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Milestone {
    /// The carrier took it.
    Sent,
    /// The handset got it.
    Delivered,
    /// The carrier gave up.
    Undelivered,
    /// Never left, or given up.
    Failed,
    /// Withdrawn.
    Canceled,
    /// Its deadline passed unsent.
    Expired,
    /// Policy forbids it.
    Suppressed,
    /// The provider never told what became of it, and nobody asks any more.
    Unconfirmed,
    /// Nobody knows whether the provider took it; it waits for a person.
    OutcomeUnknown,
}

impl Milestone {
    /// Every milestone with the word for it.
    pub const ALL: [(Self, &str); 9] = [
        (Self::Sent, "sent"),
        (Self::Delivered, "delivered"),
        (Self::Undelivered, "undelivered"),
        (Self::Failed, "failed"),
        (Self::Canceled, "canceled"),
        (Self::Expired, "expired"),
        (Self::Suppressed, "suppressed"),
        (Self::Unconfirmed, "unconfirmed"),
        (Self::OutcomeUnknown, "outcome_unknown"),
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find(|(known, _)| *known == self).map_or("", |(_, word)| word)
    }

    /// Where the message is, if that is told. What another daemon has is that one's to tell.
    pub fn of(message: &Message) -> Option<Self> {
        match message.state {
            State::Sent { .. } => Some(Self::Sent),
            State::Delivered => Some(Self::Delivered),
            State::Undelivered => Some(Self::Undelivered),
            State::Failed => Some(Self::Failed),
            State::Canceled => Some(Self::Canceled),
            State::Expired => Some(Self::Expired),
            State::Suppressed { .. } => Some(Self::Suppressed),
            State::Unconfirmed { .. } => Some(Self::Unconfirmed),
            State::Held { hold: Hold::OutcomeUnknown, .. } => Some(Self::OutcomeUnknown),
            State::Accepted
            | State::Held { .. }
            | State::Due { .. }
            | State::Submitting { .. }
            | State::Unknown { .. }
            | State::Submitted { .. }
            | State::Relinquished => None,
        }
    }

    /// Whether `event` can bring a message to a milestone: for most no fold is needed to know that it does not.
    pub fn may_follow(event: &Event) -> bool {
        match event {
            Event::StatusReported { .. }
            | Event::AttemptFailed { .. }
            | Event::Held { hold: Hold::OutcomeUnknown, .. }
            | Event::Unconfirmed
            | Event::Canceled
            | Event::Expired
            | Event::Suppressed { .. }
            | Event::GivenUp => true,
            Event::Held { .. }
            | Event::Accepted { .. }
            | Event::BecameDue
            | Event::AttemptStarted { .. }
            | Event::AttemptSuspected { .. }
            | Event::Relinquished
            | Event::Reclaimed
            | Event::Bypassed { .. }
            | Event::Submitted { .. }
            | Event::OutcomeLost { .. }
            | Event::LookupFoundNothing { .. }
            | Event::Polled { .. }
            | Event::Rescheduled { .. }
            | Event::Remarked { .. }
            | Event::RetriedAs { .. }
            | Event::Contradicted { .. } => false,
        }
    }
}
