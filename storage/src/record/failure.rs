//! The persisted form of a failure, which messages and lanes share.

use dunlin_workflows::message::{Cause, Failure};
use wincode::{SchemaRead, SchemaWrite};

use super::RecordError;
use super::tag::{Tagged, word};

/// Why an attempt came to nothing, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct FailureV1 {
    /// 1 refused, 2 reported, 3 not connected, 4 outcome unknown.
    cause: u8,
    /// HTTP status of a refusal; 0 for every other cause.
    http_status: u16,
    /// The provider's error code; only a refusal or a report has one.
    code: Option<u32>,
    class: u8,
    detail: String,
}

impl From<&Failure> for FailureV1 {
    fn from(failure: &Failure) -> Self {
        let (cause, http_status, code) = match failure.cause {
            Cause::Refused { http_status, code } => (1, http_status, code),
            Cause::Reported { code } => (2, 0, code),
            Cause::NotConnected => (3, 0, None),
            Cause::OutcomeUnknown => (4, 0, None),
        };
        Self { cause, http_status, code, class: failure.class.tag(), detail: failure.detail.to_string() }
    }
}

impl TryFrom<FailureV1> for Failure {
    type Error = RecordError;

    fn try_from(row: FailureV1) -> Result<Self, Self::Error> {
        let cause = match (row.cause, row.http_status, row.code) {
            (1, http_status, code) => Cause::Refused { http_status, code },
            (2, 0, code) => Cause::Reported { code },
            (3, 0, None) => Cause::NotConnected,
            (4, 0, None) => Cause::OutcomeUnknown,
            (1..=4, _, _) => return Err(RecordError::Value { what: "cause of a failure" }),
            (tag, _, _) => return Err(RecordError::UnknownTag { what: "cause of a failure", tag }),
        };
        Ok(Self { cause, class: word(row.class)?, detail: row.detail.into() })
    }
}
