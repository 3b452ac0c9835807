//! The alarm: failures that repeat are the deployment's to mend, so somebody is told, once.
//!
//! What is counted is kept in memory alone ([`Watch`]). That an alarm began, and that it is over, is an event of the
//! [`lane`](crate::lane): durable, told once, and still in force after a restart.

mod watch;

use std::time::Duration;

pub use watch::Watch;

use crate::message::Failure;
use crate::provider_error::FailureClass;
use crate::recovery::Reason;
use crate::timestamp::Timestamp;

/// When failures repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlarmRules {
    /// So many for the same reason within the window; nobody is told when `None`.
    pub failures: Option<u32>,
    /// How long one counts, and how long there must be none until it is over.
    pub window: Duration,
}

impl Default for AlarmRules {
    fn default() -> Self {
        Self { failures: Some(5), window: Duration::from_mins(10) }
    }
}

/// Failures that repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// The one that made it an alarm.
    pub failure: Failure,
    /// How many there had been by then, within the window.
    pub count: u32,
    /// When the first of these was.
    pub since: Timestamp,
}

impl Alarm {
    /// Most alarms in force at once.
    pub const MAX: usize = 64;

    /// What repeats.
    pub fn reason(&self) -> Reason {
        Reason::of_failure(&self.failure)
    }
}

/// Reasons that say something of one text or one handset although their class is not the recipient's, or that we are only
/// being slowed down.
const ONE_BY_ONE: [Reason; 5] =
    [Reason::Http(429), Reason::Code(20429), Reason::Code(30003), Reason::Code(30036), Reason::Code(63036)];

/// Whether a failure is the deployment's to mend when it repeats: its account, its senders, its texts, the way to the
/// provider, or the provider itself. Whom a text does not reach is their own affair, however many they are.
pub fn is_ours(failure: &Failure) -> bool {
    match failure.class {
        FailureClass::Configuration
        | FailureClass::Content
        | FailureClass::Rate
        | FailureClass::Transient
        | FailureClass::Ambiguous => !ONE_BY_ONE.contains(&Reason::of_failure(failure)),
        FailureClass::Recipient
        | FailureClass::OptedOut
        | FailureClass::Webhook
        | FailureClass::Verification => false,
    }
}

#[cfg(test)]
mod tests;
