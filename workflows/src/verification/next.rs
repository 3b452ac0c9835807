//! What must happen next: a function of state, so a restart re-derives it.

use std::time::Duration;

use crate::timestamp::Timestamp;
use crate::verification::{Standing, Verification};

/// How long an answer of the service is waited for when nobody says that it is lost: longer than any request
/// lasts, so that only a process that is gone leaves it to this.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);

/// Waits before each look at where a verification is; the last of them again and again. Far below what the
/// service allows in a minute and an hour.
///
/// Source: <https://www.twilio.com/docs/verify/api/verification>, read 2026-11-24.
const LOOKUPS: [Duration; 4] =
    [Duration::ZERO, Duration::from_secs(5), Duration::from_secs(20), Duration::from_mins(1)];

/// What must happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The service must be asked to send a code.
    Send,
    /// The service must be asked where it is, when the timer says so.
    LookUp,
    /// Nothing, but for a timer.
    Nothing,
}

/// What must happen next.
pub fn next(verification: &Verification) -> Next {
    match verification.standing {
        Standing::Starting { .. } => Next::Send,
        Standing::Doubtful { .. } => Next::LookUp,
        Standing::Nothing
        | Standing::Pending
        | Standing::Checking { .. }
        | Standing::Approved
        | Standing::Failed { .. }
        | Standing::Expired
        | Standing::Spent => Next::Nothing,
    }
}

/// When it must be woken; `None` when never.
pub fn timer(verification: &Verification) -> Option<Timestamp> {
    match verification.standing {
        Standing::Starting { since, .. } | Standing::Checking { since } => Some(since.plus(ANSWER_WITHIN)),
        Standing::Doubtful { since, lookups } => {
            let [.., last] = LOOKUPS;
            Some(since.plus(LOOKUPS.into_iter().nth(usize::from(lookups)).unwrap_or(last)))
        }
        Standing::Pending => Some(verification.expires_at),
        Standing::Nothing
        | Standing::Approved
        | Standing::Failed { .. }
        | Standing::Expired
        | Standing::Spent => None,
    }
}
