//! What may be asked of a verification, and how the answer can be no.

use crate::id::{PersonNumber, UserNumber};
use crate::timestamp::Timestamp;
use crate::verification::{CodeDigest, Refusal, Rules, VerificationSid, Via};

/// What somebody or something asks of a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Send a code.
    Start {
        /// To whom.
        person: PersonNumber,
        /// On behalf of whom.
        user: Option<UserNumber>,
        /// How.
        via: Via,
        /// Of the code, when it is ours.
        digest: Option<CodeDigest>,
    },
    /// The service answered that it should send a code, or did not.
    Sent(Sent),
    /// Somebody says that this is the code.
    Check {
        /// Who; only whoever asked last can be right.
        user: Option<UserNumber>,
        /// Of the code that they gave.
        digest: CodeDigest,
    },
    /// The service answered whether a code is the right one, or did not.
    Checked {
        /// Of the code that it was asked about: a late answer about another one says nothing.
        digest: CodeDigest,
        /// What it says.
        checked: Checked,
    },
    /// The service told where a verification is, or did not.
    Looked(Looked),
    /// A timer fired: look whether something is due. Level-triggered, so a stale timer does nothing.
    Wake,
}

/// What came of asking the service to send a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It does.
    Taken {
        /// Its name for the verification.
        sid: VerificationSid,
    },
    /// It does not.
    Refused {
        /// Why.
        refusal: Refusal,
    },
    /// It may or may not.
    Lost,
}

/// What came of asking the service about a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// It is the right one.
    Right,
    /// It is a wrong one.
    Wrong,
    /// There were too many wrong ones.
    Spent,
    /// The service knows no such verification any more.
    Gone,
    /// The question was not asked, or refused for a reason that says nothing about the code.
    Unavailable,
    /// It may or may not have been looked at.
    Lost,
}

/// What came of asking the service where a verification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// The number is proven.
    Approved,
    /// A code is out.
    Pending,
    /// There were too many wrong codes.
    Spent,
    /// It is over, or the service knows it no more.
    Gone,
    /// The question could not be answered.
    Unavailable,
}

/// What a decision depends on besides state and command.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The wall clock.
    pub now: Timestamp,
    /// The rules in force.
    pub rules: &'a Rules,
    /// Whether another user than the one who asked has proven the number, as of this transaction.
    pub is_taken: bool,
}

/// The domain says no. A value, not an error: nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A code was asked for a moment ago.
    #[error("a code was sent a moment ago; another one can be sent later")]
    CoolingDown {
        /// From when on.
        until: Timestamp,
    },
    /// The service is being asked about this number.
    #[error("an earlier request about this number is not answered yet; try again in a moment")]
    Unanswered,
    /// No code counts.
    #[error("no code counts for this number any more; ask for a new one")]
    Expired,
    /// Too many wrong codes.
    #[error("too many wrong codes; ask for a new one")]
    Spent,
    /// No code was sent.
    #[error("no code could be sent to this number")]
    NotSent {
        /// Why.
        refusal: Refusal,
    },
}
