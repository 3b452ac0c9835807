//! What may be asked of a message, and how the answer can be no.

use crate::id::{Attempt, MessageId, ProviderSid};
use crate::message::{Cause, Lease, ProviderStatus, StateName, Suspicion, Via};
use crate::policy::{Ban, Recipient};
use crate::rules::Rules;
use crate::timestamp::Timestamp;
use std::time::Duration;

/// What somebody or something asks of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A timer fired: look whether something is due. Level-triggered, so a stale timer does nothing.
    Wake,
    /// A dispatch slot is free: commit the next attempt.
    Begin,
    /// The provider answered a submission, or the answer is lost.
    Conclude {
        /// Which attempt.
        attempt: Attempt,
        /// What became of it.
        outcome: Outcome,
    },
    /// The process that submitted is gone.
    Lose,
    /// A search in the provider's list ended.
    Resolve {
        /// Which attempt was searched for.
        attempt: Attempt,
        /// What was found.
        found: Option<Report>,
    },
    /// A signed callback arrived.
    Report {
        /// Which attempt the callback address names, when it names one.
        attempt: Option<Attempt>,
        /// What it says.
        report: Report,
    },
    /// A question about one known message was answered, or could not be.
    Poll {
        /// The answer.
        answer: Option<Report>,
    },
    /// Withdraw it.
    Cancel,
    /// Send it at another time.
    Reschedule {
        /// Not before this instant; `None` means at once.
        scheduled_for: Option<Timestamp>,
    },
    /// Something about the recipient changed: ask the gate at once.
    Reconsider,
    /// The shared database says that it is ours: the gate judges it as on acceptance.
    Confirm {
        /// What somebody else may have done before. Without one nobody else has had it, and nothing need be looked up.
        suspicion: Option<Suspicion>,
    },
    /// The shared database says that another daemon has it.
    Relinquish,
    /// It was claimed from the shared database, once more.
    Reclaim,
    /// Try again now, or as a new message when this one is finalized.
    Retry {
        /// Name of the new message, should one be needed.
        id: MessageId,
    },
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The provider took it.
    Taken {
        /// The provider's name for it.
        sid: ProviderSid,
        /// The provider's word.
        status: ProviderStatus,
    },
    /// The provider refused it, or no connection was made.
    Refused {
        /// What happened.
        cause: Cause,
        /// The provider's or the network's own words.
        detail: Box<str>,
        /// Not before this long, says the provider.
        retry_after: Option<Duration>,
    },
    /// It may or may not have been taken.
    Lost {
        /// Why we do not know.
        detail: Box<str>,
    },
}

/// What the provider says of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// The provider's name for it.
    pub sid: ProviderSid,
    /// The provider's word.
    pub status: ProviderStatus,
    /// The provider's error code, when it gave one.
    pub code: Option<u32>,
    /// How we learned of it.
    pub via: Via,
}

/// What a decision depends on besides state and command.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The wall clock.
    pub now: Timestamp,
    /// The rules in force.
    pub rules: &'a Rules,
    /// What is known of the recipient, as durable or in the same transaction.
    pub recipient: &'a Recipient,
    /// Whether what was claimed from a shared database may be sent now.
    pub lease: Lease,
    /// Randomness for spreading delays, drawn by the caller.
    pub jitter: u32,
}

/// The domain says no. A value, not an error: nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The request may be on the wire or with the provider.
    #[error("attempt {} is committed; the text may be on its way", attempt.get())]
    AlreadyCommitted {
        /// Which attempt.
        attempt: Attempt,
    },
    /// There is no way out of its state.
    #[error("the message is {}; that is final", state.as_str())]
    Finalized {
        /// Its state.
        state: StateName,
    },
    /// It does not wait for a slot.
    #[error("the message is {}; only a due message can be submitted", state.as_str())]
    NotDue {
        /// Its state.
        state: StateName,
    },
    /// There is nothing to try again yet.
    #[error("the message is {}; only a waiting, failed, canceled, expired or suppressed message can be tried again", state.as_str())]
    NothingToRetry {
        /// Its state.
        state: StateName,
    },
    /// Another daemon has it.
    #[error(
        "another daemon has the message now; nothing can be done to it here: ask the shared database, or that daemon"
    )]
    Elsewhere,
    /// Nobody has confirmed yet that it is ours.
    #[error(
        "the shared database has not confirmed yet that the message is ours; it goes by itself once it has"
    )]
    NotConfirmed,
    /// A new message tries it again already.
    #[error("message {id} tries it again already")]
    AlreadyRetried {
        /// The new message.
        id: MessageId,
    },
    /// It would expire before it may go.
    #[error("expires_at is not after scheduled_for; the text could never be sent")]
    ExpiresBeforeSchedule,
    /// Policy forbids it.
    #[error("{ban}; it is not tried again")]
    Forbidden {
        /// What forbids it.
        ban: Ban,
    },
    /// Its deadline lies in the past.
    #[error("expires_at has passed; the text could never be sent")]
    AlreadyExpired,
}
