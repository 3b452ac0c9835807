//! Why a text came to nothing: what failures are grouped by.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::message::{Cause, Failure, Message, StateName};
use crate::provider_error::{self, FailureClass};

/// Why a text came to nothing, in the coarsest words that still tell what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The provider gave this error code.
    Code(u32),
    /// The provider refused it with this HTTP status and no code.
    Http(u16),
    /// The provider reported that it came to nothing, and gave no code.
    NoCode,
    /// No connection to the provider was made.
    NotConnected,
    /// It could not be learned whether the provider took it.
    OutcomeUnknown,
    /// Its deadline passed before it was sent.
    Expired,
}

/// The words for those that are not numbers.
const WORDS: [(Reason, &str); 4] = [
    (Reason::NoCode, "no_code"),
    (Reason::NotConnected, "not_connected"),
    (Reason::OutcomeUnknown, "outcome_unknown"),
    (Reason::Expired, "expired"),
];

/// What precedes an HTTP status.
const HTTP: &str = "http_";

/// The text names no reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a reason; expected a code of the provider such as 30008, http_503, no_code, not_connected, outcome_unknown or expired"
)]
pub struct ReasonError(String);

impl Reason {
    /// Why this message came to nothing; `None` when it did not, or when somebody wanted it so.
    pub fn of(message: &Message) -> Option<Self> {
        match message.state.name() {
            StateName::Expired => Some(Self::Expired),
            StateName::Failed | StateName::Undelivered => {
                Some(message.failure.as_ref().map_or(Self::NoCode, Self::of_failure))
            }
            StateName::Accepted
            | StateName::Held
            | StateName::Due
            | StateName::Submitting
            | StateName::Unknown
            | StateName::Submitted
            | StateName::Sent
            | StateName::Unconfirmed
            | StateName::Relinquished
            | StateName::Delivered
            | StateName::Canceled
            | StateName::Suppressed => None,
        }
    }

    /// Why an attempt came to nothing.
    pub fn of_failure(failure: &Failure) -> Self {
        match (failure.code(), failure.cause) {
            (Some(code), _) => Self::Code(code),
            (None, Cause::Refused { http_status, .. }) => Self::Http(http_status),
            (None, Cause::Reported { .. }) => Self::NoCode,
            (None, Cause::NotConnected) => Self::NotConnected,
            (None, Cause::OutcomeUnknown) => Self::OutcomeUnknown,
        }
    }

    /// Whose problem it was that this message came to nothing for this reason; `None` when nothing failed
    /// but time.
    pub fn class(self, message: &Message) -> Option<FailureClass> {
        message.failure.as_ref().filter(|_| self != Self::Expired).map(|failure| failure.class)
    }

    /// What happened, in one plain sentence.
    pub fn cause(self) -> Cow<'static, str> {
        match self {
            Self::Code(code) => match provider_error::find(code) {
                Some(known) => known.cause.into(),
                None => format!("The provider gave code {code}, which is not in our table").into(),
            },
            Self::Http(status) => {
                format!("The provider refused it with HTTP {status} and gave no code").into()
            }
            Self::NoCode => "The provider reported that it came to nothing and gave no code".into(),
            Self::NotConnected => "No connection to the provider was made".into(),
            Self::OutcomeUnknown => "It could not be learned whether the provider took it".into(),
            Self::Expired => "Its deadline passed before it was sent".into(),
        }
    }

    /// What the operator does now, in one plain sentence.
    pub fn remedy(self) -> Cow<'static, str> {
        match self {
            Self::Code(code) => match provider_error::find(code) {
                Some(known) => known.remedy.into(),
                None => format!("Read https://www.twilio.com/docs/api/errors/{code}").into(),
            },
            Self::Http(_) | Self::NoCode => {
                "Look at one of them with dunlin show, and ask the provider".into()
            }
            Self::NotConnected => {
                "Check DNS, firewall and the provider's status page, then recover them".into()
            }
            Self::OutcomeUnknown => {
                "Ask the person or the provider whether it came; sent again, it may come twice".into()
            }
            Self::Expired => "Recover those that still matter, with a later deadline".into(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "{code}"),
            Self::Http(status) => write!(f, "{HTTP}{status}"),
            Self::NoCode | Self::NotConnected | Self::OutcomeUnknown | Self::Expired => {
                let word = WORDS.into_iter().find(|(reason, _)| reason == self).map_or("", |(_, word)| word);
                f.write_str(word)
            }
        }
    }
}

impl FromStr for Reason {
    type Err = ReasonError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = WORDS.into_iter().find(|(_, word)| *word == text).map(|(reason, _)| reason);
        let http = || text.strip_prefix(HTTP)?.parse().ok().map(Self::Http);
        let code = || text.parse().ok().map(Self::Code);
        word.or_else(http).or_else(code).ok_or_else(|| ReasonError(text.chars().take(32).collect()))
    }
}
