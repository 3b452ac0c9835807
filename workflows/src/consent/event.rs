//! What happened to a person's consent. Events are journaled, in the past tense, added to and never renamed.

use crate::actor::Reason;
use crate::consent::How;
use crate::id::ProviderSid;
use crate::timestamp::Timestamp;

/// One thing that happened to one person's consent. The words of a text stand sealed beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// They said no.
    OptedOut {
        /// Since when it counts.
        since: Timestamp,
        /// How we know.
        how: How,
        /// The text that said so, when one did.
        text: Option<ProviderSid>,
        /// Why it was recorded, when somebody said so.
        reason: Option<Reason>,
    },
    /// They agreed.
    OptedIn {
        /// Since when it counts.
        since: Timestamp,
        /// How we know.
        how: How,
        /// The text that said so, when one did.
        text: Option<ProviderSid>,
        /// Why it was recorded, when somebody said so.
        reason: Option<Reason>,
    },
    /// They asked who we are. Changes nothing.
    HelpAsked {
        /// The text that asked.
        text: ProviderSid,
    },
    /// They wrote what sounds like an opt-out: it counts as one until somebody has read it.
    OptOutSuspected {
        /// The text that sounds so.
        text: ProviderSid,
        /// Since when it counts.
        since: Timestamp,
    },
    /// Somebody read what they wrote.
    ReviewResolved {
        /// The text that was read.
        text: ProviderSid,
        /// What it is.
        finding: Finding,
        /// Why, when somebody said so.
        reason: Option<Reason>,
    },
}

/// What a text that sounded like an opt-out turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// They want no more texts.
    OptOut,
    /// It was about something else.
    NotOne,
}

/// Every finding, with the word for it.
pub const FINDINGS: [(Finding, &str); 2] = [(Finding::OptOut, "opt_out"), (Finding::NotOne, "not_one")];

impl Finding {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        FINDINGS.into_iter().find(|(finding, _)| *finding == self).map_or("", |(_, word)| word)
    }

    /// The finding that `word` names.
    pub fn parse(word: &str) -> Option<Self> {
        FINDINGS.into_iter().find(|(_, known)| *known == word).map(|(finding, _)| finding)
    }
}

impl Event {
    /// The event's name in exports, logs and the API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::OptedOut { .. } => "opted_out",
            Self::OptedIn { .. } => "opted_in",
            Self::HelpAsked { .. } => "help_asked",
            Self::OptOutSuspected { .. } => "opt_out_suspected",
            Self::ReviewResolved { .. } => "review_resolved",
        }
    }

    /// The text of theirs that this comes of. `None` for what somebody else said or did.
    pub fn heard(&self) -> Option<ProviderSid> {
        match self {
            Self::OptedOut { text, .. } | Self::OptedIn { text, .. } => *text,
            Self::HelpAsked { text } | Self::OptOutSuspected { text, .. } => Some(*text),
            Self::ReviewResolved { .. } => None,
        }
    }
}
