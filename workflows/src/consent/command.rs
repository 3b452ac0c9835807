//! What may be asked about a person's consent, and how the answer can be no.

use crate::consent::Finding;
use crate::id::ProviderSid;
use crate::timestamp::Timestamp;

/// What somebody or something tells of a person's consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// They texted us, and this text was not heard before.
    Hear(Inbound),
    /// The provider refused a text to them because they opted out.
    Refuse {
        /// When the refused attempt was made.
        tried_at: Timestamp,
    },
    /// Somebody records that they said no.
    OptOut {
        /// When they said it.
        said_at: Timestamp,
    },
    /// Somebody used the link by which they opt out.
    UseLink,
    /// Somebody records that they agreed.
    OptIn {
        /// When they said it.
        said_at: Timestamp,
    },
    /// Somebody read a text that sounds like an opt-out.
    Resolve {
        /// The text that was read.
        text: ProviderSid,
        /// What it is.
        finding: Finding,
    },
    /// The number of this new person was opted out when it was erased.
    Remember {
        /// Since when.
        since: Timestamp,
    },
}

/// A text of a person to us, as far as it is about consent.
#[derive(Clone, PartialEq, Eq)]
pub struct Inbound {
    /// The provider's name for it.
    pub sid: ProviderSid,
    /// What they wrote.
    pub words: Box<str>,
    /// Which of our numbers they wrote to.
    pub line: Line,
    /// What the provider took it for, when it said so. Then it has answered already.
    pub opt_out_type: Option<OptOutType>,
}

/// What kind of number of ours was written to: the provider treats keywords differently on each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// An ordinary number. The provider knows all its keywords there.
    LongCode,
    /// A toll-free number: only START and UNSTOP lift a STOP.
    TollFree,
    /// A short code: the provider does nothing by itself.
    ShortCode,
}

/// What the provider says a text means, when its Advanced Opt-Out is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptOutType {
    /// An opt-out.
    Stop,
    /// An opt-in.
    Start,
    /// A question.
    Help,
    /// A word that we do not know.
    Other,
}

/// Longest short code, in digits.
const SHORT_CODE_MAX: usize = 8;

/// Area codes that callers do not pay for, after the country code 1.
const TOLL_FREE: [&str; 7] = ["1800", "1833", "1844", "1855", "1866", "1877", "1888"];

impl Line {
    /// The kind of the number that the provider writes as `to`.
    pub fn of(to: &str) -> Self {
        let Some(digits) = to.strip_prefix('+') else {
            let short = to.len() <= SHORT_CODE_MAX && to.bytes().all(|byte| byte.is_ascii_digit());
            return if short { Self::ShortCode } else { Self::LongCode };
        };
        if TOLL_FREE.iter().any(|code| digits.starts_with(code)) { Self::TollFree } else { Self::LongCode }
    }
}

impl OptOutType {
    /// What the provider's word means.
    pub fn parse(word: &str) -> Self {
        match word {
            "STOP" => Self::Stop,
            "START" => Self::Start,
            "HELP" => Self::Help,
            _other => Self::Other,
        }
    }
}

impl std::fmt::Debug for Inbound {
    /// Shows no words.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Inbound({}, {} bytes, {:?}, {:?})",
            self.sid,
            self.words.len(),
            self.line,
            self.opt_out_type
        )
    }
}

/// The domain says no. A value, not an error: nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// They opted out after they are said to have agreed.
    #[error("they opted out later than that; only a newer agreement of theirs lifts it")]
    NewerOptOut {
        /// When they opted out.
        since: Timestamp,
    },
    /// An opt-out is lifted on record only with a reason.
    #[error("they opted out; say why they may be texted again")]
    ReasonNeeded,
    /// No text of theirs waits to be read.
    #[error("no text of theirs waits for a decision")]
    NoReview,
    /// They wrote again.
    #[error("they wrote again, in {text}; read that first")]
    NewerText {
        /// The newest text that waits.
        text: ProviderSid,
    },
}
