//! What must happen next to a message: effects are a function of state, so a restart re-derives them.

use std::time::Duration;

use crate::id::{Attempt, ProviderSid};
use crate::message::{Hold, Message, State};
use crate::rules::Rules;
use crate::timestamp::Timestamp;

/// What must happen next, and who is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Wake it at this instant. [`Timestamp::MAX`] when only a change of configuration will.
    Wake {
        /// Wall clock.
        at: Timestamp,
    },
    /// Give it a dispatch slot.
    Dispatch,
    /// An attempt is in flight: its answer, or the loss of it, is on the way.
    Answer {
        /// Which attempt.
        attempt: Attempt,
    },
    /// Search the provider's list this long after the outcome was lost (monotonic clock).
    LookUp {
        /// Which attempt.
        attempt: Attempt,
        /// When the request may first have been on the wire.
        started_at: Timestamp,
        /// Since the outcome was lost.
        after: Duration,
    },
    /// Ask the provider about it at this instant.
    Poll {
        /// The provider's name for it.
        sid: ProviderSid,
        /// Wall clock.
        at: Timestamp,
    },
    /// It is settled.
    Nothing,
}

/// What must happen next to a message.
pub fn next(message: &Message, rules: &Rules) -> Next {
    match message.state {
        State::Accepted => Next::Wake { at: message.accepted_at },
        State::Held { hold: Hold::OutcomeUnknown, until } => Next::Wake { at: until },
        State::Held { until, .. } => Next::Wake { at: message.expires_at.unwrap_or(until).min(until) },
        State::Due { .. } => Next::Dispatch,
        State::Submitting { .. } => Next::Answer { attempt: message.attempt },
        State::Unknown { started_at, lookups, .. } => {
            let after = rules.lookups.get(usize::from(lookups)).or(rules.lookups.last()).copied();
            Next::LookUp { attempt: message.attempt, started_at, after: after.unwrap_or_default() }
        }
        State::Submitted { since, polls, .. } => poll(message, since, polls, rules),
        State::Sent { submitted_at, polls } => poll(message, submitted_at, polls, rules),
        State::Unconfirmed { .. }
        | State::Relinquished
        | State::Delivered
        | State::Undelivered
        | State::Failed
        | State::Canceled
        | State::Expired
        | State::Suppressed { .. } => Next::Nothing,
    }
}

fn poll(message: &Message, submitted_at: Timestamp, polls: u8, rules: &Rules) -> Next {
    match (message.sid, rules.polls.get(usize::from(polls))) {
        (Some(sid), Some(wait)) => Next::Poll { sid, at: submitted_at.plus(*wait) },
        // The rules have fewer questions than when it was submitted: the wake ends the watch.
        (_, None) | (None, _) => Next::Wake { at: submitted_at },
    }
}

/// The wall-clock instant of the message's durable timer, or `None` when it has none.
///
/// A message has at most one timer, and it is a function of its state: so a timer needs no name and
/// no generation, and a stale one is recognized by asking again.
pub fn timer(message: &Message, rules: &Rules) -> Option<Timestamp> {
    let at = match next(message, rules) {
        Next::Wake { at } | Next::Poll { at, .. } => at,
        Next::Dispatch => message.expires_at?,
        Next::Answer { .. } | Next::LookUp { .. } | Next::Nothing => return None,
    };
    (at < Timestamp::MAX).then_some(at)
}
