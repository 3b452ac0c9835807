//! What is known of a person's consent.

use crate::id::ProviderSid;
use crate::timestamp::Timestamp;

/// What is known of a person's consent: the fold of what happened to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Consent {
    /// Whether they agree.
    pub standing: Standing,
    /// A text that sounds like an opt-out and waits for somebody to read it. They count as opted out
    /// meanwhile.
    pub review: Option<Review>,
}

/// Whether a person agrees to be texted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standing {
    /// Nothing was heard of them. Whether they agreed is between them and whoever sends.
    #[default]
    Unknown,
    /// They agreed.
    OptedIn {
        /// Since when.
        since: Timestamp,
        /// How we know.
        how: How,
    },
    /// They said no: nothing may be sent to them.
    OptedOut {
        /// Since when.
        since: Timestamp,
        /// How we know.
        how: How,
    },
}

/// How we know what a person wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum How {
    /// They texted a keyword.
    Keyword,
    /// The provider said what their text means (`OptOutType`).
    Provider,
    /// The provider refused a text to them because they opted out (21610 and its like).
    Refusal,
    /// They texted words that sound like an opt-out.
    Words,
    /// Somebody recorded it.
    Command,
    /// Their number was opted out when it was erased.
    Memory,
    /// Somebody used the link by which they opt out.
    Link,
}

/// Every way of knowing, with the word for it.
pub const HOWS: [(How, &str); 7] = [
    (How::Keyword, "keyword"),
    (How::Provider, "provider"),
    (How::Refusal, "refusal"),
    (How::Words, "words"),
    (How::Command, "command"),
    (How::Memory, "memory"),
    (How::Link, "link"),
];

/// A text that sounds like an opt-out, until somebody has read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Review {
    /// The provider's name for the newest such text.
    pub text: ProviderSid,
    /// Where they stood before the first.
    pub before: Standing,
}

impl Consent {
    /// Whether nothing may be sent to them, and nobody need read anything for that.
    pub fn is_firmly_out(&self) -> bool {
        self.standing.is_out() && self.review.is_none()
    }
}

impl Standing {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::OptedIn { .. } => "opted_in",
            Self::OptedOut { .. } => "opted_out",
        }
    }

    /// Since when; `None` while nothing is known.
    pub fn since(self) -> Option<Timestamp> {
        match self {
            Self::Unknown => None,
            Self::OptedIn { since, .. } | Self::OptedOut { since, .. } => Some(since),
        }
    }

    /// How we know; `None` while nothing is known.
    pub fn how(self) -> Option<How> {
        match self {
            Self::Unknown => None,
            Self::OptedIn { how, .. } | Self::OptedOut { how, .. } => Some(how),
        }
    }

    /// Whether nothing may be sent to them.
    pub fn is_out(self) -> bool {
        matches!(self, Self::OptedOut { .. })
    }
}

impl How {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        HOWS.into_iter().find(|(how, _)| *how == self).map_or("", |(_, word)| word)
    }

    /// How we know that they opted out, as the end of a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::Keyword => "they texted a keyword",
            Self::Provider => "the provider says so of a text of theirs",
            Self::Refusal => "the provider refuses texts to them",
            Self::Words => "they texted words that sound like it",
            Self::Command => "somebody recorded it",
            Self::Memory => "their number was on record when it was erased",
            Self::Link => "their link was used",
        }
    }
}
