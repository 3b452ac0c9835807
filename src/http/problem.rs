//! Errors as RFC 9457 problem documents, with codes that stay.

use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use dunlin_workflows::message::Rejection;
use dunlin_workflows::policy::Ban;
use dunlin_workflows::verification::{self, Refusal};
use dunlin_workflows::{consent, recurrence, template, user};
use serde::Serialize;

use crate::engine::ask::AskError;

/// Every code with its HTTP status and title. Codes are public API: added to, never changed.
const CODES: &[(Code, &str, u16, &str)] = &[
    (Code::BadRequest, "bad_request", 400, "The request can't be read"),
    (Code::InvalidJson, "invalid_json", 400, "The body is not valid JSON"),
    (Code::InvalidCursor, "invalid_cursor", 400, "The cursor is not one of ours"),
    (Code::InvalidFilter, "invalid_filter", 400, "A filter can't be read"),
    (Code::Unauthorized, "unauthorized", 401, "A valid API token is required"),
    (Code::InsufficientScope, "insufficient_scope", 403, "The API key is not for this"),
    (Code::SignatureInvalid, "signature_invalid", 403, "The webhook's signature does not fit"),
    (Code::AccountMismatch, "account_mismatch", 403, "The webhook is about another account"),
    (Code::MessageNotFound, "message_not_found", 404, "There is no such message"),
    (Code::ReviewNotFound, "review_not_found", 404, "No such text waits to be read"),
    (Code::RecurrenceNotFound, "recurrence_not_found", 404, "There is no such recurrence"),
    (Code::TemplateNotFound, "template_not_found", 404, "There is no such template"),
    (Code::PersonNotFound, "person_not_found", 404, "Nobody with this number is known"),
    (Code::UserNotFound, "user_not_found", 404, "Nothing is known of this user"),
    (Code::NotFound, "not_found", 404, "There is nothing here"),
    (Code::MethodNotAllowed, "method_not_allowed", 405, "The method is not allowed here"),
    (Code::Timeout, "timeout", 408, "The request took too long"),
    (Code::AlreadyCommitted, "already_committed", 409, "The text may be on its way"),
    (Code::MessageFinalized, "message_finalized", 409, "The message has come to its end"),
    (Code::MessageArchived, "message_archived", 409, "The message is archived and can only be read"),
    (Code::NothingToRetry, "nothing_to_retry", 409, "There is nothing to try again"),
    (Code::AlreadyRetried, "already_retried", 409, "Another message tries it again already"),
    (Code::RecipientOptedOut, "recipient_opted_out", 409, "The recipient opted out"),
    (Code::ConsentContradicted, "consent_contradicted", 409, "Something newer is known"),
    (Code::CountChanged, "count_changed", 409, "Not as many as expected"),
    (Code::MessageExists, "message_exists", 409, "A message with this id exists"),
    (Code::RecurrenceExists, "recurrence_exists", 409, "A recurrence with this id exists"),
    (Code::RecurrenceOver, "recurrence_over", 409, "Nothing comes of the recurrence any more"),
    (Code::TooManyRecurrences, "too_many_recurrences", 409, "The user has as many as one may have"),
    (Code::NoDraft, "no_draft", 409, "There is nothing to publish"),
    (Code::TooManyVersions, "too_many_versions", 409, "The template has as many versions as one may have"),
    (Code::BackupExists, "backup_exists", 409, "A backup with this name exists"),
    (Code::BackupRunning, "backup_running", 409, "Another backup is being taken"),
    (Code::Erased, "erased", 410, "The recipient was erased"),
    (
        Code::IdempotencyInProgress,
        "idempotency_in_progress",
        409,
        "The first request with this key is being answered",
    ),
    (Code::NumberNotVerifiable, "number_not_verifiable", 409, "The number can't be verified for this user"),
    (Code::PreconditionFailed, "precondition_failed", 412, "It was changed meanwhile"),
    (Code::PayloadTooLarge, "payload_too_large", 413, "The body is too large"),
    (Code::UnsupportedMediaType, "unsupported_media_type", 415, "The body's content type is not supported"),
    (Code::Invalid, "invalid_request", 422, "The request can't be carried out"),
    (Code::IdempotencyKeyReused, "idempotency_key_reused", 422, "The key was used for another request"),
    (Code::ReasonRequired, "reason_required", 422, "Say why"),
    (Code::NeverSendable, "never_sendable", 422, "The text could never be sent"),
    (Code::UserWithoutNumber, "user_without_number", 422, "The user has no number to be texted at"),
    (Code::NumberNotVerified, "number_not_verified", 422, "The user has not proven their number"),
    (Code::CodeIncorrect, "code_incorrect", 400, "The code is wrong"),
    (Code::CodeExpired, "code_expired", 410, "No code counts for this number"),
    (Code::TooManyAttempts, "too_many_attempts", 429, "Too many wrong codes"),
    (Code::CoolingDown, "cooldown", 429, "A code was sent a moment ago"),
    (Code::TooManyCodes, "too_many_codes", 429, "Too many codes were asked for"),
    (Code::TooManyTexts, "too_many_texts", 429, "Too many texts went lately"),
    (Code::NumberUnreachable, "number_unreachable", 422, "The number can't receive a code"),
    (Code::ProviderUnavailable, "provider_unavailable", 503, "It can't be learned at the moment"),
    (Code::VerificationNotFound, "verification_not_found", 404, "There is no such verification"),
    (Code::Busy, "busy", 503, "Too many requests are waiting"),
    (Code::Unavailable, "unavailable", 503, "The engine is stopping or has failed"),
    (Code::NoRoom, "no_room", 507, "There is no room on the disk"),
    (Code::PublicUrlMissing, "public_url_missing", 501, "Nobody said where people reach the daemon"),
    (Code::Internal, "internal", 500, "Something went wrong inside"),
];

/// What went wrong, as a word that callers may test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each code is explained in the table above")]
pub enum Code {
    BadRequest,
    InvalidJson,
    InvalidCursor,
    InvalidFilter,
    Unauthorized,
    InsufficientScope,
    SignatureInvalid,
    AccountMismatch,
    MessageNotFound,
    ReviewNotFound,
    RecurrenceNotFound,
    TemplateNotFound,
    PersonNotFound,
    UserNotFound,
    NotFound,
    MethodNotAllowed,
    Timeout,
    AlreadyCommitted,
    MessageFinalized,
    MessageArchived,
    NothingToRetry,
    AlreadyRetried,
    RecipientOptedOut,
    ConsentContradicted,
    CountChanged,
    MessageExists,
    RecurrenceExists,
    RecurrenceOver,
    TooManyRecurrences,
    NoDraft,
    TooManyVersions,
    BackupExists,
    BackupRunning,
    Erased,
    IdempotencyInProgress,
    NumberNotVerifiable,
    PreconditionFailed,
    PayloadTooLarge,
    UnsupportedMediaType,
    Invalid,
    IdempotencyKeyReused,
    ReasonRequired,
    NeverSendable,
    UserWithoutNumber,
    NumberNotVerified,
    CodeIncorrect,
    CodeExpired,
    TooManyAttempts,
    CoolingDown,
    TooManyCodes,
    TooManyTexts,
    NumberUnreachable,
    ProviderUnavailable,
    VerificationNotFound,
    Busy,
    Unavailable,
    NoRoom,
    PublicUrlMissing,
    Internal,
}

impl Code {
    fn entry(self) -> (&'static str, u16, &'static str) {
        CODES
            .iter()
            .find(|(code, ..)| *code == self)
            .map_or(("internal", 500, "Something went wrong inside"), |(_, word, status, title)| {
                (*word, *status, *title)
            })
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        self.entry().0
    }
}

/// One field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Where, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What is wrong, as a word that callers may test.
    pub code: &'static str,
    /// What is wrong and what to do, for people.
    pub detail: String,
}

/// An error on its way to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    code: Code,
    detail: String,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

impl Problem {
    /// A problem with its code and what a person should know.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), errors: Vec::new(), retry_after: None }
    }

    /// A request of which fields are wrong.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        let detail =
            errors.first().map_or_else(String::new, |first| format!("{}: {}", first.pointer, first.detail));
        Self { code: Code::Invalid, detail, errors, retry_after: None }
    }

    /// The same, with a time to wait.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Its code, what a person should know, the fields that are wrong, and the time to wait.
    pub(crate) fn into_parts(self) -> (Code, String, Vec<FieldError>, Option<Duration>) {
        (self.code, self.detail, self.errors, self.retry_after)
    }

    /// The problem as JSON, for answers that hold several.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self.document()).unwrap_or_default()
    }

    /// How long to wait, if that helps.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The status of the answer.
    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.entry().1).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The answer to the request with this id, at this path.
    pub(super) fn document_response(&self, instance: &str, request_id: &str) -> Response {
        let mut document = self.document();
        document.instance = Some(instance);
        document.request_id = Some(request_id);
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = (self.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = document.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == Code::Unauthorized {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }

    fn document(&self) -> Document<'_> {
        let (code, status, title) = self.code.entry();
        Document {
            r#type: format!("https://dunlin.dev/problems/{code}"),
            title,
            status,
            detail: &self.detail,
            instance: None,
            code,
            request_id: None,
            errors: &self.errors,
            retry_after: self.retry_after.map(|wait| wait.as_secs().max(1)),
        }
    }
}

impl IntoResponse for Problem {
    /// Leaves the document to whoever knows which request this answers.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

fn refused_of_user(rejection: user::Rejection) -> Code {
    match rejection {
        user::Rejection::Changed { .. } => Code::PreconditionFailed,
        user::Rejection::HalfQuiet => Code::Invalid,
        user::Rejection::Taken => Code::NumberNotVerifiable,
        user::Rejection::NoNumber => Code::UserWithoutNumber,
        user::Rejection::Unproven => Code::NumberNotVerified,
        user::Rejection::Erased => Code::Erased,
    }
}

fn refused_of_recurrence(rejection: &recurrence::Rejection) -> Code {
    match rejection {
        recurrence::Rejection::NoZone | recurrence::Rejection::NothingComes { .. } => Code::Invalid,
        recurrence::Rejection::Over { .. } => Code::RecurrenceOver,
        recurrence::Rejection::TooMany => Code::TooManyRecurrences,
        recurrence::Rejection::IdTaken { .. } => Code::RecurrenceExists,
        recurrence::Rejection::NotFound => Code::RecurrenceNotFound,
    }
}

fn refused_of_template(rejection: &template::Rejection) -> Code {
    match rejection {
        template::Rejection::NotFound(_) => Code::TemplateNotFound,
        template::Rejection::Faulty(_) | template::Rejection::NoVersion { .. } => Code::Invalid,
        template::Rejection::NoDraft(_) => Code::NoDraft,
        template::Rejection::TooMany(_) => Code::TooManyVersions,
        template::Rejection::Changed { .. } => Code::PreconditionFailed,
    }
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        let detail = error.to_string();
        match error {
            AskError::Rejected(rejection) => Self::new(rejected(&rejection), detail),
            AskError::Consent(rejection) => Self::new(contradicted(&rejection), detail),
            AskError::User(rejection) => Self::new(refused_of_user(rejection), detail),
            AskError::Verification(rejection) => Self::new(unproven(&rejection), detail),
            AskError::Allowance(_) => Self::new(Code::TooManyCodes, detail),
            AskError::Forbidden(Ban::OptedOut { .. }) => Self::new(Code::RecipientOptedOut, detail),
            AskError::Forbidden(_) => Self::new(Code::NumberUnreachable, detail),
            AskError::Crowded { .. } => Self::new(Code::TooManyTexts, detail),
            AskError::SendingDisabled => Self::new(Code::ProviderUnavailable, detail),
            AskError::Wording => Self::new(Code::Internal, detail),
            AskError::Recurrence(rejection) => Self::new(refused_of_recurrence(&rejection), detail),
            AskError::Template(template::Rejection::Faulty(faults)) => Self::fields(
                faults
                    .into_iter()
                    .map(|fault| FieldError { pointer: fault.pointer, code: "invalid", detail: fault.why })
                    .collect(),
            ),
            AskError::Template(rejection) => Self::new(refused_of_template(&rejection), detail),
            AskError::NotFound => Self::new(Code::MessageNotFound, detail),
            AskError::IdTaken(_) | AskError::Altered(_) => Self::new(Code::MessageExists, detail),
            AskError::Erased => Self::new(Code::Erased, detail),
            AskError::KeyReused => Self::new(Code::IdempotencyKeyReused, detail),
            AskError::Busy { retry_after, .. } => Self::new(Code::Busy, detail).after(retry_after),
            AskError::NoRoom { retry_after } => Self::new(Code::NoRoom, detail).after(retry_after),
            AskError::Stopping => Self::new(Code::Unavailable, detail).after(Duration::from_secs(2)),
        }
    }
}

fn rejected(rejection: &Rejection) -> Code {
    match rejection {
        Rejection::Elsewhere => Code::MessageFinalized,
        Rejection::AlreadyCommitted { .. } => Code::AlreadyCommitted,
        Rejection::Finalized { .. } => Code::MessageFinalized,
        Rejection::NotDue { .. } | Rejection::NotConfirmed | Rejection::NothingToRetry { .. } => {
            Code::NothingToRetry
        }
        Rejection::AlreadyRetried { .. } => Code::AlreadyRetried,
        Rejection::Forbidden { .. } => Code::RecipientOptedOut,
        Rejection::ExpiresBeforeSchedule | Rejection::AlreadyExpired => Code::NeverSendable,
    }
}

fn unproven(rejection: &verification::Rejection) -> Code {
    match rejection {
        verification::Rejection::CoolingDown { .. } => Code::CoolingDown,
        verification::Rejection::Unanswered => Code::ProviderUnavailable,
        verification::Rejection::Expired => Code::CodeExpired,
        verification::Rejection::Spent => Code::TooManyAttempts,
        verification::Rejection::NotSent { refusal } => not_sent(*refusal),
    }
}

/// Why no code was sent.
pub(super) fn not_sent(refusal: Refusal) -> Code {
    match refusal {
        Refusal::Unreachable | Refusal::Blocked => Code::NumberUnreachable,
        Refusal::Limited => Code::TooManyCodes,
        Refusal::Unavailable => Code::ProviderUnavailable,
    }
}

fn contradicted(rejection: &consent::Rejection) -> Code {
    match rejection {
        consent::Rejection::NewerOptOut { .. } | consent::Rejection::NewerText { .. } => {
            Code::ConsentContradicted
        }
        consent::Rejection::ReasonNeeded => Code::ReasonRequired,
        consent::Rejection::NoReview => Code::ReviewNotFound,
    }
}

impl From<dunlin_storage::ReadError> for Problem {
    fn from(error: dunlin_storage::ReadError) -> Self {
        if matches!(error, dunlin_storage::ReadError::Poisoned) {
            return Self::new(Code::Unavailable, error.to_string()).after(Duration::from_secs(2));
        }
        tracing::error!(%error, "the store can't be read");
        Self::new(Code::Internal, "the store can't be read; the operator's log says why")
    }
}
