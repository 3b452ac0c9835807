//! The shape of the provider's answers: numbers as text, dates as in mail headers.
//!
//! Source: the provider's OpenAPI document `twilio_api_v2010`, read 2026-11-23.

use chrono::DateTime;
use dunlin_workflows::timestamp::Timestamp;
use serde::Serialize;

use crate::sandbox::ledger::Taken;

/// One message as the API shows it.
#[derive(Debug, Serialize)]
pub(super) struct MessageAnswer<'a> {
    account_sid: &'a str,
    api_version: &'static str,
    body: &'a str,
    date_created: String,
    date_sent: Option<String>,
    date_updated: String,
    direction: &'static str,
    error_code: Option<u32>,
    error_message: Option<&'static str>,
    from: Option<&'a str>,
    messaging_service_sid: Option<&'a str>,
    num_media: &'static str,
    num_segments: String,
    price: Option<&'static str>,
    price_unit: Option<&'static str>,
    sid: &'a str,
    status: &'static str,
    subresource_uris: Subresources,
    to: &'a str,
    uri: String,
}

#[derive(Debug, Serialize)]
struct Subresources {
    media: String,
}

impl<'a> MessageAnswer<'a> {
    pub(super) fn new(account_sid: &'a str, sid: &'a str, taken: &'a Taken) -> Self {
        let base = format!("/2010-04-01/Accounts/{account_sid}/Messages/{sid}");
        Self {
            account_sid,
            api_version: "2010-04-01",
            body: &taken.body,
            date_created: mail_date(taken.created_at),
            date_sent: taken.sent_at.map(mail_date),
            date_updated: mail_date(taken.updated_at),
            direction: "outbound-api",
            error_code: taken.error_code,
            error_message: taken.error_code.and_then(cause),
            from: taken.from.as_deref(),
            messaging_service_sid: taken.messaging_service_sid.as_deref(),
            num_media: "0",
            num_segments: taken.segments.to_string(),
            price: None,
            price_unit: Some("USD"),
            sid,
            status: taken.status.as_str(),
            subresource_uris: Subresources { media: format!("{base}/Media.json") },
            to: &taken.to,
            uri: format!("{base}.json"),
        }
    }
}

fn cause(code: u32) -> Option<&'static str> {
    dunlin_workflows::provider_error::find(code).map(|error| error.cause)
}

/// One page of a list.
#[derive(Debug, Serialize)]
pub(super) struct PageAnswer<'a> {
    pub(super) messages: Vec<MessageAnswer<'a>>,
    pub(super) page: usize,
    pub(super) page_size: usize,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) uri: String,
    pub(super) first_page_uri: String,
    pub(super) next_page_uri: Option<String>,
    pub(super) previous_page_uri: Option<String>,
}

/// A refusal.
#[derive(Debug, Serialize)]
pub(super) struct ErrorAnswer<'a> {
    pub(super) code: u32,
    pub(super) message: &'a str,
    pub(super) more_info: String,
    pub(super) status: u16,
}

/// An instant as mail headers write it: whole seconds, UTC.
fn mail_date(at: Timestamp) -> String {
    DateTime::from_timestamp_millis(at.as_millis()).map(|at| at.to_rfc2822()).unwrap_or_default()
}
