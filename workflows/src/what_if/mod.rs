//! What would have become of messages under other rules.
//!
//! A recorded life holds two kinds of things: what we decided, and what the world did. The first is
//! decided again, by the same [`decide`](crate::message::decide), in virtual time; the second is
//! replayed as it was: what was asked for, when somebody canceled, rescheduled or retried, when
//! sending was switched off or timers were late, how long a due message waited for its slot, and what
//! became of attempt *n*, counted from its start.
//!
//! The world has not answered what it was never asked. When other rules ask for an attempt or a
//! search that was never made, the outcome is [`Redecided::Undetermined`] and says why: no answer is
//! made up. So re-deciding never yields more attempts than were recorded.
//!
//! What is not modeled: the lane's cool-downs and the wish of others for the same slot are part of
//! the recorded waits; and a finalized message that was tried again as a new one stays two messages.

mod course;
mod facts;
mod pace;
mod rerun;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::id::Attempt;
use crate::message::{Event, IllegalEvent, Rejection, StateName};
use crate::rules::Rules;
use crate::timestamp::Timestamp;

use facts::Facts;
use pace::Pace;
use rerun::Rerun;

/// Rules to decide by instead of those that were in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The other rules. Their switch for sending is ignored: when it was off is a recorded fact.
    pub rules: Rules,
    /// Segments per second that may start; `None` leaves the recorded waits for a slot alone. A rate
    /// comes on top of those waits, so one faster than the recorded one changes nothing.
    pub segments_per_second: Option<u32>,
    /// Deadline of every message instead of its own, counted from its acceptance or, when that is
    /// later, from its first schedule. `None` leaves every message its own.
    pub expires_after: Option<Duration>,
}

/// How far a message got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Where it was at the end of the time looked at.
    pub state: StateName,
    /// Attempts made.
    pub attempts: u32,
    /// Since when it was there.
    pub since: Timestamp,
}

/// What other rules make of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redecided {
    /// This.
    As(Outcome),
    /// They ask the world something that was never asked.
    Undetermined {
        /// What.
        why: Why,
        /// When they would have asked.
        at: Timestamp,
    },
}

/// Why it can't be known what other rules make of a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The attempt was never made, so its outcome was never recorded.
    #[error("attempt {} was never made", attempt.get())]
    AttemptNeverMade {
        /// Which.
        attempt: Attempt,
    },
    /// The search for the attempt's outcome was never made.
    #[error("a further search for attempt {} was never made", attempt.get())]
    SearchNeverMade {
        /// Which.
        attempt: Attempt,
    },
    /// The gate held or dropped it for something about its recipient, whose wishes then nobody knows.
    #[error("it was held or dropped for something about its recipient, which is not recorded with it")]
    RecipientMattered,
    /// The wish would not have been accepted, so nobody knows what its sender would have done.
    #[error("it would not have been accepted: {rejection}")]
    NotAccepted {
        /// Why not.
        rejection: Rejection,
    },
    /// What was decided does not fold: a fault of this version.
    #[error("what was decided can't have happened: {illegal}")]
    Illegal {
        /// What.
        illegal: IllegalEvent,
    },
}

/// One message's recorded outcome beside the re-decided one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// What became of it.
    pub recorded: Outcome,
    /// What becomes of it.
    pub redecided: Redecided,
}

impl Comparison {
    /// Whether the message ends in another state or after another number of attempts, or can't be
    /// told. A message that only gets there at another time is not changed.
    pub fn is_changed(&self) -> bool {
        match self.redecided {
            Redecided::As(outcome) => {
                (outcome.state, outcome.attempts) != (self.recorded.state, self.recorded.attempts)
            }
            Redecided::Undetermined { .. } => true,
        }
    }
}

/// Re-decides lives, all of them together so that they share the sender's rate; in their order.
///
/// `recorded` are the rules that were in force: delays are read against them, to tell chance from
/// rule. `until` is when the recording ends; nothing is decided after it.
///
/// # Errors
/// [`IllegalEvent`] in the place of a life that does not fold.
pub fn redecide<'a>(
    lives: impl IntoIterator<Item = &'a [(Timestamp, Event)]>,
    recorded: &Rules,
    change: &Change,
    until: Timestamp,
) -> Vec<Result<Comparison, IllegalEvent>> {
    let facts: Vec<Result<Facts, IllegalEvent>> =
        lives.into_iter().map(|life| Facts::of(life, recorded, until)).collect();
    let books = rerun::Books::of(change);
    let mut pace = change.segments_per_second.map(Pace::new);
    let mut reruns: Vec<Option<Rerun<'_>>> =
        facts.iter().map(|facts| facts.as_ref().ok().map(|facts| Rerun::start(facts, &books))).collect();
    let mut agenda: BinaryHeap<Reverse<(Timestamp, usize)>> = BinaryHeap::new();
    let soon = |rerun: &Rerun<'_>| rerun.next_at().filter(|at| *at <= until);
    for (place, rerun) in reruns.iter().enumerate() {
        agenda.extend(rerun.as_ref().and_then(soon).map(|at| Reverse((at, place))));
    }
    while let Some(Reverse((at, place))) = agenda.pop() {
        if let Some(rerun) = reruns.get_mut(place).and_then(Option::as_mut) {
            rerun.step(at, pace.as_mut());
            agenda.extend(soon(rerun).map(|at| Reverse((at, place))));
        }
    }
    let redecided = reruns.into_iter().map(|rerun| rerun.map(Rerun::end));
    facts
        .iter()
        .zip(redecided)
        .filter_map(|(facts, redecided)| match (facts, redecided) {
            (Ok(facts), Some(redecided)) => Some(Ok(Comparison { recorded: facts.outcome, redecided })),
            (Err(illegal), _) => Some(Err(illegal.clone())),
            (Ok(_), None) => None,
        })
        .collect()
}
