//! How far somebody is with proving a number.

use crate::id::{PersonNumber, UserNumber};
use crate::timestamp::Timestamp;
use crate::verification::{CodeDigest, VerificationSid};

/// How far somebody is with proving a number: the fold of what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verification {
    /// Whose number it is, inside the store; `None` before the first event.
    pub person: Option<PersonNumber>,
    /// Who asked last; `None` for somebody without a user id.
    pub user: Option<UserNumber>,
    /// How the code goes out.
    pub via: Via,
    /// The code counts before this instant.
    pub expires_at: Timestamp,
    /// When the newest code was asked for.
    pub sent_at: Timestamp,
    /// Codes asked for without a break.
    pub sends: u8,
    /// Wrong codes since the first of them.
    pub checks: u8,
    /// The service's name for it, once known.
    pub sid: Option<VerificationSid>,
    /// Of the right code, when it is ours; of the one that is or was asked about, when it is the service's.
    pub digest: Option<CodeDigest>,
    /// Where it is.
    pub standing: Standing,
}

/// How a code goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Via {
    /// As a text of ours, with a code of ours.
    #[default]
    Message,
    /// By the provider's service, which makes the code and knows it.
    Service,
    /// No code at all: another user has proven the number, and its holder is told so by text. To whoever
    /// asked it looks the same, and every code is wrong.
    Notice,
}

/// Every way, with the word for it.
pub const VIAS: [(Via, &str); 3] =
    [(Via::Message, "message"), (Via::Service, "service"), (Via::Notice, "notice")];

/// Where a verification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standing {
    /// Nobody asked for a code yet.
    #[default]
    Nothing,
    /// The service is asked to send a code.
    Starting {
        /// Since when.
        since: Timestamp,
        /// How often its answer was lost.
        lost: u8,
    },
    /// A code is out, as far as we know.
    Pending,
    /// The service is asked about a code.
    Checking {
        /// Since when.
        since: Timestamp,
    },
    /// Its answer was lost and is looked up.
    Doubtful {
        /// Since when, or since the newest look.
        since: Timestamp,
        /// How often it was looked up.
        lookups: u8,
    },
    /// The number is proven.
    Approved,
    /// No code could be sent.
    Failed {
        /// Why.
        refusal: Refusal,
    },
    /// The code counts no more.
    Expired,
    /// Too many wrong codes.
    Spent,
}

/// Why the service sent no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The number can't receive one.
    Unreachable,
    /// Its protection against fraud refused the number or its country.
    Blocked,
    /// It sent too many to this number lately.
    Limited,
    /// It has trouble, or does not know us.
    Unavailable,
}

/// Every refusal, with the word for it.
pub const REFUSALS: [(Refusal, &str); 4] = [
    (Refusal::Unreachable, "unreachable"),
    (Refusal::Blocked, "blocked"),
    (Refusal::Limited, "limited"),
    (Refusal::Unavailable, "unavailable"),
];

impl Via {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        VIAS.into_iter().find(|(via, _)| *via == self).map_or("", |(_, word)| word)
    }
}

impl Refusal {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        REFUSALS.into_iter().find(|(refusal, _)| *refusal == self).map_or("", |(_, word)| word)
    }
}

impl Standing {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Starting { .. } => "starting",
            Self::Pending => "pending",
            Self::Checking { .. } => "checking",
            Self::Doubtful { .. } => "doubtful",
            Self::Approved => "approved",
            Self::Failed { .. } => "failed",
            Self::Expired => "expired",
            Self::Spent => "max_attempts_reached",
        }
    }

    /// Whether the service is asked something, or must be.
    pub fn awaits_answer(self) -> bool {
        matches!(self, Self::Starting { .. } | Self::Checking { .. } | Self::Doubtful { .. })
    }
}
