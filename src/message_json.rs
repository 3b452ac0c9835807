//! A message as callers see it. One shape for the API, the command line and exports.

use dunlin_storage::{Content, ReadError, Reader, Templates};
use dunlin_workflows::id::MessageId;
use dunlin_workflows::kind::VERIFICATION;
use dunlin_workflows::message::{Failure, Message, State, TemplateVersion, Terms, Text};
use dunlin_workflows::provider_error;
use dunlin_workflows::timestamp::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::timeline::{event_fields, written};

/// A message as callers see it.
#[derive(Debug, Serialize)]
pub struct MessageJson {
    id: String,
    status: &'static str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<HoldJson>,
    /// What forbids it, when something does.
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressed_by: Option<Value>,
    /// Left out where it is not told.
    #[serde(flatten)]
    text: Option<TextJson>,
    /// What it is about, when its wish said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// The template that rendered it: its key and version.
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<Value>,
    priority: &'static str,
    segments: u16,
    encoding: String,
    user_id: Option<String>,
    metadata: Option<Box<RawValue>>,
    scheduled_for: Option<String>,
    expires_at: Option<String>,
    on_unknown: &'static str,
    attempts: u32,
    provider_sid: Option<String>,
    error: Option<ErrorJson>,
    retry_of: Option<String>,
    retried_as: Option<String>,
    accepted_at: String,
    updated_at: String,
    /// It is in an archive: nothing happens to it any more, and lists do not show it.
    archived: bool,
}

/// To whom, and what it says.
#[derive(Debug, Serialize)]
struct TextJson {
    /// `null` once the recipient was erased.
    to: Option<String>,
    /// `null` once the recipient was erased.
    body: Option<String>,
}

/// What a message waits for.
#[derive(Debug, Serialize)]
pub struct HoldJson {
    reason: &'static str,
    until: Option<String>,
}

/// Why the newest failed attempt failed, and what to do.
#[derive(Debug, Serialize)]
pub struct ErrorJson {
    code: Option<u32>,
    class: &'static str,
    cause: String,
    remedy: Option<&'static str>,
}

impl MessageJson {
    /// A message as callers see it.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn new(
        reader: &Reader,
        terms: &Terms,
        content: &Content,
        message: &Message,
    ) -> Result<Self, ReadError> {
        let text = if let Content::Open(text) = content { Some(text) } else { None };
        Ok(Self {
            id: terms.id.to_string(),
            status: message.public_status().as_str(),
            state: message.state.name().as_str(),
            hold: hold(message.state),
            suppressed_by: suppressed(message.state),
            text: Some(TextJson {
                to: text.map(|text| text.to.to_string()),
                body: text.map(|text| shown(terms, text)),
            }),
            kind: terms.kind.as_ref().map(|kind| kind.as_str().to_owned()),
            template: terms.template.map(|it| template(reader, it)).transpose()?,
            priority: terms.priority.as_str(),
            segments: message.segments,
            encoding: terms.encoding.to_string(),
            user_id: text.and_then(|text| text.user_id.as_ref()).map(|user| user.as_str().to_owned()),
            metadata: text
                .and_then(|text| text.metadata.as_ref())
                .and_then(|m| RawValue::from_string(m.as_str().to_owned()).ok()),
            scheduled_for: message.scheduled_for.map(written),
            expires_at: message.expires_at.map(written),
            on_unknown: terms.on_unknown.as_str(),
            attempts: message.attempt.get(),
            provider_sid: message.sid.map(|sid| sid.to_string()),
            error: message.failure.as_ref().map(ErrorJson::new),
            retry_of: terms.retry_of.map(|id: MessageId| id.to_string()),
            retried_as: message.retried_as.map(|id| id.to_string()),
            accepted_at: written(message.accepted_at),
            updated_at: written(message.changed_at),
            archived: false,
        })
    }

    /// The same, without the number and the words.
    #[must_use]
    pub fn without_text(self) -> Self {
        Self { text: None, ..self }
    }

    /// The same, of a message in an archive.
    #[must_use]
    pub fn archived(self) -> Self {
        Self { archived: true, ..self }
    }
}

fn template(reader: &Reader, used: TemplateVersion) -> Result<Value, ReadError> {
    let known = reader.instance::<Templates>(used.number)?.flatten();
    Ok(json!({"key": known.as_ref().map(|known| known.key.as_str()), "version": used.version}))
}

/// The text as callers see it: that of a code is its recipient's alone.
fn shown(terms: &Terms, text: &Text) -> String {
    let holds_code = terms.kind.as_ref().is_some_and(|kind| kind.as_str() == VERIFICATION);
    if holds_code { "(a code; not shown)".to_owned() } else { text.body.as_str().to_owned() }
}

impl ErrorJson {
    /// A failure in words.
    pub fn new(failure: &Failure) -> Self {
        let known = failure.code().and_then(provider_error::find);
        Self {
            code: failure.code(),
            class: failure.class.as_str(),
            cause: known.map_or_else(|| failure.detail.to_string(), |error| error.cause.to_owned()),
            remedy: known.map(|error| error.remedy),
        }
    }
}

fn suppressed(state: State) -> Option<Value> {
    if let State::Suppressed { ban } = state { Some(event_fields::evidence(ban)) } else { None }
}

/// What a message in this state waits for, if it is held.
pub fn hold(state: State) -> Option<HoldJson> {
    match state {
        State::Held { hold, until } => {
            Some(HoldJson { reason: hold.as_str(), until: (until < Timestamp::MAX).then(|| written(until)) })
        }
        State::Accepted
        | State::Due { .. }
        | State::Submitting { .. }
        | State::Unknown { .. }
        | State::Submitted { .. }
        | State::Sent { .. }
        | State::Unconfirmed { .. }
        | State::Relinquished
        | State::Delivered
        | State::Undelivered
        | State::Failed
        | State::Canceled
        | State::Expired
        | State::Suppressed { .. } => None,
    }
}
