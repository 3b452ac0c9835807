//! Whether something may be taken of an allowance, and what happens then.

use std::time::Duration;

use crate::allowance::{Allowance, Limit, Subject};
use crate::timestamp::Timestamp;

/// One thing that happened to an allowance. Journaled, added to and never renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Something was taken of it.
    Taken {
        /// What was taken before this instant concerns no limit any more.
        keep_from: Timestamp,
    },
}

impl Event {
    /// The event's name in exports, logs and the API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Taken { .. } => "allowance_taken",
        }
    }
}

/// The domain says no. A value, not an error: nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// All of it is taken.
    #[error("too many codes were asked for, for one {}; try again later", subject.as_str())]
    Exhausted {
        /// Whose.
        subject: Subject,
        /// From when on there is some again.
        until: Timestamp,
    },
}

/// Decides whether one more may be taken.
///
/// # Errors
/// [`Rejection::Exhausted`]; then nothing changed.
pub fn decide(
    allowance: &Allowance,
    subject: Subject,
    limits: &[Limit],
    now: Timestamp,
) -> Result<Event, Rejection> {
    for limit in limits {
        // A clock that was set back must not lock anybody out for longer than the limit says.
        let counts = |at: &&Timestamp| **at > now.minus(limit.within) && **at <= now.plus(limit.within);
        let recent: Vec<Timestamp> = allowance.taken.iter().filter(counts).copied().collect();
        let most = usize::from(limit.most);
        if recent.len() >= most {
            // Of those that count, all but `most - 1` must be past.
            let last = recent.len().saturating_sub(most);
            let until = recent.get(last).map_or(now, |at| *at).plus(limit.within);
            return Err(Rejection::Exhausted { subject, until });
        }
    }
    let longest = limits.iter().map(|limit| limit.within).fold(Duration::ZERO, Duration::max);
    Ok(Event::Taken { keep_from: now.minus(longest) })
}
