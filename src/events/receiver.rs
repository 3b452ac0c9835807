//! The product's own server: one signed POST an event.
//!
//! Source: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>, read 2026-11-29.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use dunlin_workflows::timestamp::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use reqwest::{Response, StatusCode};

use crate::clock::Clock;
use crate::config::events::Events;
use crate::events::notice::Notice;
use crate::events::window::Scope;
use crate::standard_webhook::WebhookSecrets;

/// How long a connection is kept for the next request.
const IDLE_MAX: Duration = Duration::from_secs(20);
/// Longest time to make a connection.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Most of an answer that is read, so that its connection can be used again. What it says is not looked at.
const ANSWER_MAX: usize = 64 << 10;
/// Longest wait that is taken from `Retry-After`.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

/// The client can't be set up.
#[derive(Debug, thiserror::Error)]
#[error("the client for DUNLIN_EVENTS_URL can't be built: {0}")]
pub struct ReceiverError(#[from] reqwest::Error);

/// Why an event was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// No answer was heard.
    #[error("{0}")]
    Silent(&'static str),
    /// It answered, but not with 2xx.
    #[error("it answered {status}{}", hint(*status))]
    Answered {
        /// With what.
        status: StatusCode,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
    },
}

impl Refusal {
    /// Whom it is about. A status that speaks of the request's content is about that request.
    pub(super) fn scope(&self) -> Scope {
        match self {
            Self::Silent(_) => Scope::Everything,
            Self::Answered { status, .. } => match status.as_u16() {
                400 | 406 | 409 | 411..=417 | 421..=424 => Scope::This,
                _other => Scope::Everything,
            },
        }
    }

    /// How long it wants to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Silent(_) => None,
            Self::Answered { retry_after, .. } => *retry_after,
        }
    }
}

/// What to look at, where the status tells.
fn hint(status: StatusCode) -> &'static str {
    match status.as_u16() {
        300..=399 => ": redirects are not followed; set DUNLIN_EVENTS_URL to where it leads",
        401 | 403 => ": check the secret on both sides, and what stands in front of it",
        404 | 405 => ": check DUNLIN_EVENTS_URL",
        410 => ": it wants no more events; take DUNLIN_EVENTS_URL away, or bring the receiver back",
        _other => "",
    }
}

/// The server that is told. Clones share connections.
#[derive(Clone)]
pub(super) struct Receiver {
    http: reqwest::Client,
    url: Arc<str>,
    secrets: Arc<WebhookSecrets>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receiver({})", self.url)
    }
}

impl Receiver {
    /// Sets up the client. Makes no connection.
    pub(super) fn new(config: &Events, clock: Arc<dyn Clock>) -> Result<Self, ReceiverError> {
        let agent = HeaderValue::from_static(concat!("dunlin/", env!("CARGO_PKG_VERSION")));
        let json = HeaderValue::from_static("application/json");
        let http = reqwest::Client::builder()
            .default_headers(HeaderMap::from_iter([(USER_AGENT, agent), (CONTENT_TYPE, json)]))
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .tcp_nodelay(true)
            .pool_idle_timeout(IDLE_MAX)
            .connect_timeout(config.timeout.min(CONNECT_MAX))
            .timeout(config.timeout)
            .build()?;
        Ok(Self { http, url: config.url.as_str().into(), secrets: Arc::new(config.secrets.clone()), clock })
    }

    /// Tells one event. Taken is what is answered with 2xx.
    pub(super) async fn tell(&self, notice: &Notice) -> Result<(), Refusal> {
        let now = self.clock.wall();
        let sent_at = now.as_millis().div_euclid(1000).to_string();
        let signature = self.secrets.sign(&notice.id, &sent_at, notice.body.as_bytes());
        let request = self
            .http
            .post(&*self.url)
            .header("webhook-id", &notice.id)
            .header("webhook-timestamp", sent_at)
            .header("webhook-signature", signature)
            .body(notice.body.clone());
        let response = request.send().await.map_err(|error| Refusal::Silent(silence(&error)))?;
        let (status, retry_after) = (response.status(), retry_after(response.headers(), now));
        finish(response).await;
        if status.is_success() { Ok(()) } else { Err(Refusal::Answered { status, retry_after }) }
    }
}

/// Reads what is left of an answer, if that is little: then its connection serves the next request.
async fn finish(mut response: Response) {
    let mut read = 0_usize;
    while let Ok(Some(chunk)) = response.chunk().await {
        read = read.saturating_add(chunk.len());
        if read > ANSWER_MAX {
            return;
        }
    }
}

/// `Retry-After`, in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_a_date) => {
            let at = DateTime::parse_from_rfc2822(text).ok()?;
            Timestamp::from_millis(at.timestamp_millis()).since(now)
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// What went wrong on the network, without addresses or secrets.
fn silence(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_that_is_asked_for_is_read_in_seconds_or_as_a_date_and_bounded() {
        let now = Timestamp::from_millis(784_111_777_000);
        for (text, wait) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", Some(0)),
            ("99999999", Some(3600)),
            ("soon", None),
            ("-1", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            assert_eq!(retry_after(&headers, now), wait.map(Duration::from_secs), "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn status_tells_whether_one_event_or_the_receiver_is_the_matter() {
        let scope = |code| {
            Refusal::Answered { status: StatusCode::from_u16(code).unwrap(), retry_after: None }.scope()
        };
        for code in [400, 409, 413, 422] {
            assert_eq!(scope(code), Scope::This, "{code}");
        }
        for code in [301, 401, 403, 404, 408, 410, 429, 500, 502, 503] {
            assert_eq!(scope(code), Scope::Everything, "{code}");
        }
    }
}
