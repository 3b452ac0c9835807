//! What happened to a message. Events are journaled, in the past tense, added to and never renamed.

use crate::actor::Reason;
use crate::id::{Attempt, MessageId, ProviderSid};
use crate::message::{Failure, Hold, ProviderStatus, Terms};
use crate::policy::Ban;
use crate::provider_error::FailureClass;
use crate::timestamp::Timestamp;
use crate::zone::LocalDay;

/// One thing that happened to one message. When it happened stands in the record around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The wish is durable.
    Accepted {
        /// All of it but what identifies the recipient and what is written to them.
        terms: Box<Terms>,
    },
    /// It waits.
    Held {
        /// For what.
        hold: Hold,
        /// Until when; [`Timestamp::MAX`] when no clock will release it.
        until: Timestamp,
    },
    /// It may go as soon as a slot is free.
    BecameDue,
    /// The intent to submit is durable: from here on the request may be on the wire.
    AttemptStarted {
        /// Which attempt.
        attempt: Attempt,
        /// The local day on which it counts against the recipient's limits; `None` when nothing counts it.
        counted: Option<LocalDay>,
    },
    /// Somebody else, who had it before us, may have made an attempt: it is looked up like one of ours.
    AttemptSuspected {
        /// Which attempt, counted with ours.
        attempt: Attempt,
        /// They can't have made it before this instant.
        started_at: Timestamp,
        /// The local day on which it counts against the recipient's limits; `None` when nothing counts it.
        counted: Option<LocalDay>,
    },
    /// Another daemon has it. What waited is let go; an attempt that is under way is followed to its end.
    Relinquished,
    /// We claimed again what another daemon had.
    Reclaimed,
    /// It goes although a rule about the recipient's hours would have held it.
    Bypassed {
        /// What it would have been held for.
        hold: Hold,
    },
    /// The provider took the attempt.
    Submitted {
        /// Which attempt.
        attempt: Attempt,
        /// The provider's name for it.
        sid: ProviderSid,
        /// The provider's word.
        status: ProviderStatus,
        /// How we learned of it.
        via: Via,
    },
    /// The attempt came to nothing.
    AttemptFailed {
        /// Which attempt.
        attempt: Attempt,
        /// Why.
        failure: Failure,
        /// What follows.
        verdict: Verdict,
    },
    /// The attempt may or may not have been taken.
    OutcomeLost {
        /// Which attempt.
        attempt: Attempt,
        /// Why we do not know.
        detail: Box<str>,
    },
    /// The provider's list was searched and held nothing that fits.
    LookupFoundNothing {
        /// Which attempt.
        attempt: Attempt,
        /// How many searches there have been, this one included.
        lookups: u8,
    },
    /// The provider's word climbed.
    StatusReported {
        /// The provider's word.
        status: ProviderStatus,
        /// Why it failed, when it did.
        failure: Option<Failure>,
        /// How we learned of it.
        via: Via,
    },
    /// We asked the provider where the message is.
    Polled {
        /// How many times we asked, this one included.
        polls: u8,
    },
    /// Every question was asked and the provider never told what became of it; nobody asks any more.
    Unconfirmed,
    /// The time to send it was changed.
    Rescheduled {
        /// Not before this instant; `None` means at once.
        scheduled_for: Option<Timestamp>,
    },
    /// Somebody withdrew it.
    Canceled,
    /// Its deadline passed before an attempt was made.
    Expired,
    /// Policy forbids it.
    Suppressed {
        /// What forbids it.
        ban: Ban,
    },
    /// Given up: it is not known whether the provider took it, and nobody decided in time.
    GivenUp,
    /// Somebody said why they ask for what comes next.
    Remarked {
        /// In their words.
        reason: Reason,
    },
    /// A new message tries this finalized one again.
    RetriedAs {
        /// The new message.
        id: MessageId,
    },
    /// The provider said something that does not fit what we know; kept, and nothing changed by it.
    Contradicted {
        /// The provider's name in the report.
        sid: ProviderSid,
        /// The provider's word in the report.
        status: ProviderStatus,
    },
}

/// How we learned of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// The provider's answer to our submission.
    Response,
    /// A signed status callback.
    Callback,
    /// A search in the provider's list.
    Lookup,
    /// A question about one known message.
    Poll,
}

impl Via {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Response => "response",
            Self::Callback => "callback",
            Self::Lookup => "lookup",
            Self::Poll => "poll",
        }
    }
}

/// What follows when an attempt came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Try again, not before `until`.
    RetryAt {
        /// What it waits for.
        hold: Hold,
        /// Until when.
        until: Timestamp,
        /// Whether this attempt counts against the cap: waits that are not the message's fault do not.
        counts: Counts,
    },
    /// Never left: final.
    Failed,
}

/// Whether an attempt counts against the cap of attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// It does.
    Yes,
    /// The provider was busy, misconfigured or out of reach; the message is not to blame.
    No,
}

impl Event {
    /// Whether it says that the provider refuses texts to the recipient because they opted out.
    pub fn says_opted_out(&self) -> bool {
        let (Self::AttemptFailed { failure, .. } | Self::StatusReported { failure: Some(failure), .. }) =
            self
        else {
            return false;
        };
        failure.class == FailureClass::OptedOut
    }

    /// The local day on which it counts against the recipient's limits, if it does.
    pub fn counts_on(&self) -> Option<LocalDay> {
        if let Self::AttemptStarted { counted, .. } | Self::AttemptSuspected { counted, .. } = self {
            *counted
        } else {
            None
        }
    }

    /// The event's name in exports, logs and the API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Held { .. } => "held",
            Self::BecameDue => "became_due",
            Self::AttemptStarted { .. } => "attempt_started",
            Self::AttemptSuspected { .. } => "attempt_suspected",
            Self::Relinquished => "relinquished",
            Self::Reclaimed => "reclaimed",
            Self::Bypassed { .. } => "bypassed",
            Self::Submitted { .. } => "submitted",
            Self::AttemptFailed { .. } => "attempt_failed",
            Self::OutcomeLost { .. } => "outcome_lost",
            Self::LookupFoundNothing { .. } => "lookup_found_nothing",
            Self::StatusReported { .. } => "status_reported",
            Self::Polled { .. } => "polled",
            Self::Unconfirmed => "unconfirmed",
            Self::Rescheduled { .. } => "rescheduled",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
            Self::Suppressed { .. } => "suppressed",
            Self::GivenUp => "given_up",
            Self::Remarked { .. } => "remarked",
            Self::RetriedAs { .. } => "retried_as",
            Self::Contradicted { .. } => "contradicted",
        }
    }
}
