//! Why an attempt came to nothing.

use crate::provider_error::{FailureClass, Retry, classify};

/// Why an attempt came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What happened.
    pub cause: Cause,
    /// Whose problem it is.
    pub class: FailureClass,
    /// The provider's or the network's own words, at most [`Failure::DETAIL_MAX`] characters; no number, no body.
    pub detail: Box<str>,
}

/// What happened to an attempt that came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The provider answered and refused.
    Refused {
        /// HTTP status of the answer.
        http_status: u16,
        /// The provider's error code, when it gave one.
        code: Option<u32>,
    },
    /// The provider took it and reported later that it came to nothing.
    Reported {
        /// The provider's error code, when it gave one.
        code: Option<u32>,
    },
    /// No connection was made; nothing was written.
    NotConnected,
    /// It could not be learned whether the provider took it.
    OutcomeUnknown,
}

impl Failure {
    /// Longest detail kept, in characters.
    pub const DETAIL_MAX: usize = 200;

    /// A failure with its class and the rule for trying again, both from the table of provider errors.
    pub fn classified(cause: Cause, detail: &str) -> (Self, Retry) {
        let (class, retry) = match cause {
            Cause::Refused { http_status, code } => classify(code, Some(http_status)),
            Cause::Reported { code } => classify(code, None),
            Cause::NotConnected => (FailureClass::Transient, Retry::Never),
            Cause::OutcomeUnknown => (FailureClass::Ambiguous, Retry::Lookup),
        };
        (Self { cause, class, detail: shortened(detail) }, retry)
    }

    /// The provider's error code, when it gave one.
    pub fn code(&self) -> Option<u32> {
        match self.cause {
            Cause::Refused { code, .. } | Cause::Reported { code } => code,
            Cause::NotConnected | Cause::OutcomeUnknown => None,
        }
    }
}

fn shortened(detail: &str) -> Box<str> {
    detail.chars().filter(|c| !c.is_control()).take(Failure::DETAIL_MAX).collect()
}
