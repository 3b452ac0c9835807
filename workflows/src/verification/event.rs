//! What happened to a verification. Events are journaled, in the past tense, added to and never renamed.

use crate::id::{PersonNumber, UserNumber};
use crate::timestamp::Timestamp;
use crate::verification::{CodeDigest, Refusal, VerificationSid, Via};

/// One thing that happened to one verification. The number stands sealed with its person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Somebody asked for a code.
    Started {
        /// To whom it goes.
        person: PersonNumber,
        /// On behalf of whom.
        user: Option<UserNumber>,
        /// How it goes.
        via: Via,
        /// It counts before this instant.
        expires_at: Timestamp,
        /// Of the code, when it is ours.
        digest: Option<CodeDigest>,
    },
    /// The service took it on itself to send a code.
    CodeSent {
        /// Its name for the verification.
        sid: VerificationSid,
    },
    /// The service sends none.
    SendRefused {
        /// Why.
        refusal: Refusal,
    },
    /// Whether it sends one is not known.
    SendLost {
        /// Whether it is asked again: the same code would be sent.
        again: bool,
    },
    /// The service is asked about a code.
    CheckStarted {
        /// Of that code.
        digest: CodeDigest,
    },
    /// The code was a wrong one.
    CodeRefused {
        /// Whether it was the last that is looked at.
        is_last: bool,
    },
    /// The code was the right one, and the number is proven.
    Approved,
    /// The code was the right one, and another user had proven the number by then.
    Preempted,
    /// The service has seen too many wrong codes.
    ChecksSpent,
    /// The service could not be asked, which says nothing about the code.
    CheckFailed,
    /// Its answer was lost.
    CheckLost,
    /// The lost answer is looked up.
    LookupStarted,
    /// The code counts no more.
    Expired,
}

/// What whoever asked is told of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A code is on its way.
    Sent,
    /// None is.
    NotSent(Refusal),
    /// The number is proven.
    Approved,
    /// The code is wrong.
    Incorrect,
    /// There were too many wrong ones.
    Spent,
    /// It counts no more.
    Expired,
    /// It could not be learned.
    Unavailable,
}

impl Event {
    /// The event's name in exports, logs and the API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "verification_started",
            Self::CodeSent { .. } => "code_sent",
            Self::SendRefused { .. } => "code_not_sent",
            Self::SendLost { .. } => "code_perhaps_sent",
            Self::CheckStarted { .. } => "check_started",
            Self::CodeRefused { .. } => "code_refused",
            Self::Approved => "number_proven",
            Self::Preempted => "number_taken",
            Self::ChecksSpent => "checks_spent",
            Self::CheckFailed => "check_failed",
            Self::CheckLost => "check_lost",
            Self::LookupStarted => "verification_looked_up",
            Self::Expired => "verification_expired",
        }
    }

    /// What whoever asked is told; `None` while the answer is still to come.
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Started { via: Via::Message | Via::Notice, .. } | Self::CodeSent { .. } => {
                Some(Outcome::Sent)
            }
            Self::Started { via: Via::Service, .. }
            | Self::SendLost { again: true }
            | Self::CheckStarted { .. }
            | Self::CheckLost
            | Self::LookupStarted => None,
            Self::SendRefused { refusal } => Some(Outcome::NotSent(*refusal)),
            Self::SendLost { again: false } | Self::CheckFailed => Some(Outcome::Unavailable),
            Self::Approved => Some(Outcome::Approved),
            // A number that is another user's must not be told from a wrong code.
            Self::CodeRefused { .. } | Self::Preempted => Some(Outcome::Incorrect),
            Self::ChecksSpent => Some(Outcome::Spent),
            Self::Expired => Some(Outcome::Expired),
        }
    }
}
