//! What the provider's answers say: status, error, and the few fields we need.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::DateTime;
use dunlin_workflows::timestamp::Timestamp;
use reqwest::Response;
use reqwest::header::RETRY_AFTER;
use serde::Deserialize;

/// Longest answer read, in bytes: a page of a hundred messages has about 150 kB.
const ANSWER_MAX: usize = 2 * 1024 * 1024;
/// Longest wait taken from `Retry-After`.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// One message, as the API describes it. Numbers come as text; most fields can be null.
#[derive(Debug, Deserialize)]
pub struct MessageAnswer {
    pub(super) sid: Option<String>,
    pub(super) status: Option<String>,
    pub(super) error_code: Option<u32>,
    pub(super) direction: Option<String>,
    pub(super) body: Option<String>,
    pub(super) from: Option<String>,
    pub(super) messaging_service_sid: Option<String>,
    pub(super) date_created: Option<String>,
    pub(super) date_sent: Option<String>,
}

/// What a creation needs of its answer.
#[derive(Debug, Deserialize)]
pub(super) struct CreatedAnswer<'a> {
    #[serde(borrow)]
    pub(super) sid: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    pub(super) status: std::borrow::Cow<'a, str>,
}

/// One page of a list.
#[derive(Debug, Deserialize)]
pub struct PageAnswer {
    /// The messages on it.
    pub messages: Vec<MessageAnswer>,
    pub(super) next_page_uri: Option<String>,
}

/// A refusal.
#[derive(Debug, Deserialize, Default)]
pub(super) struct ErrorAnswer {
    pub(super) code: Option<u32>,
}

impl MessageAnswer {
    /// When the provider created it.
    pub fn created_at(&self) -> Option<Timestamp> {
        self.date_created.as_deref().and_then(mail_date)
    }

    /// When the provider sent it; `None` while it waits.
    pub fn sent_at(&self) -> Option<Timestamp> {
        self.date_sent.as_deref().and_then(mail_date)
    }
}

/// An instant as mail headers write it: whole seconds.
fn mail_date(text: &str) -> Option<Timestamp> {
    DateTime::parse_from_rfc2822(text).ok().map(|at| Timestamp::from_millis(at.timestamp_millis()))
}

/// Reads an answer in full, within [`ANSWER_MAX`]; `None` when it is longer or breaks off.
pub(super) async fn read(mut response: Response) -> Option<Bytes> {
    let mut whole = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if whole.len().saturating_add(chunk.len()) <= ANSWER_MAX => {
                whole.extend_from_slice(&chunk);
            }
            Ok(Some(_)) | Err(_) => return None,
            Ok(None) => return Some(whole.freeze()),
        }
    }
}

/// `Retry-After` in whole seconds. The form with a date is left to our own backoff.
pub(super) fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

/// What went wrong on the network, without addresses or secrets.
pub(super) fn network(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else if error.is_body() || error.is_decode() {
        "the answer broke off"
    } else {
        "the connection broke"
    };
    what.to_owned()
}
