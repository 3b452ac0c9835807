//! The edge: HTTP in, questions to the engine, answers out.
//!
//! Parsing happens here and once; deciding happens nowhere here. Every error is a problem document
//! with a code that stays.

mod accept;
mod health;
mod in_flight;
pub mod instant;
pub mod message_json;
mod messages;
pub mod problem;
mod serve;
mod webhook;
mod wish;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State as Extract};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use dunlin_storage::Store;
use dunlin_workflows::phone_number::Region;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tower_http::catch_panic::CatchPanicLayer;

pub use serve::{ServeLimits, serve};

use crate::clock::Clock;
use crate::engine::Engine;
use crate::http::in_flight::InFlight;
use crate::http::problem::{Code, Problem};
use crate::id_source::IdSource;
use crate::twilio::signature::Verifier;

/// Largest body of a webhook, of one message and of a batch, in bytes.
const WEBHOOK_MAX: usize = 16 * 1024;
const MESSAGE_MAX: usize = 64 * 1024;
const BATCH_MAX: usize = 4 * 1024 * 1024;
/// Longest time from the headers of a request to its answer. The provider gives up on a webhook
/// after 15 seconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Where texts go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// To the provider.
    Live,
    /// To a carrier of our own on loopback.
    Sandbox,
    /// Nowhere: sending is switched off.
    Off,
}

impl Mode {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Sandbox => "sandbox",
            Self::Off => "off",
        }
    }
}

/// What webhooks are checked with.
#[derive(Debug)]
pub struct WebhookConfig {
    /// Scheme, host and path before ours, exactly as the provider calls it; no slash at the end.
    pub public_base_url: String,
    /// Auth tokens that may have signed: two while one is being replaced.
    pub auth_tokens: Vec<SecretString>,
    /// Key of the tokens in callback addresses.
    pub callback_key: [u8; 32],
}

/// What the edge works with.
#[derive(Debug)]
pub struct Edge {
    /// Answers every question that changes something.
    pub engine: Engine,
    /// Answers every question that only looks.
    pub store: Arc<Store>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Names new messages.
    pub ids: Arc<dyn IdSource>,
    /// What webhooks are checked with.
    pub webhook: WebhookConfig,
    /// Whoever shows it may use `/v1`; everybody on this machine may when there is none.
    pub api_token: Option<SecretString>,
    /// Where numbers without a country code belong.
    pub default_region: Option<Region>,
    /// Where texts go.
    pub mode: Mode,
}

/// The edge with what it keeps between requests.
#[derive(Debug)]
pub(crate) struct App {
    edge: Arc<Edge>,
    verifier: Verifier,
    in_flight: InFlight,
}

/// Every route.
pub fn router(edge: Arc<Edge>) -> Router {
    let verifier = Verifier::new(&edge.webhook.auth_tokens);
    let app = Arc::new(App { edge, verifier, in_flight: InFlight::default() });
    let api = Router::new()
        .route("/v1/messages/batch", post(accept::batch).layer(DefaultBodyLimit::max(BATCH_MAX)))
        .route("/v1/messages", post(accept::one).get(messages::list))
        .route("/v1/messages/{id}", get(messages::show).patch(messages::reschedule))
        .route("/v1/messages/{id}/events", get(messages::events))
        .route("/v1/messages/{id}/cancel", post(messages::cancel))
        .route("/v1/messages/{id}/retry", post(messages::retry))
        .route_layer(from_fn_with_state(Arc::clone(&app), guard))
        .layer(DefaultBodyLimit::max(MESSAGE_MAX));
    let webhooks = Router::new()
        .route("/api/webhooks/twilio/status", post(webhook::status))
        .layer(DefaultBodyLimit::max(WEBHOOK_MAX));
    Router::new()
        .merge(api)
        .merge(webhooks)
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/healthz", get(health::ready))
        .route("/version", get(health::version))
        .fallback(async || Problem::new(Code::NotFound, "see ARCHITECTURE.md for what is here"))
        .method_not_allowed_fallback(async || Problem::new(Code::MethodNotAllowed, "see the Allow header"))
        .with_state(app)
        .layer(from_fn(finish))
        .layer(CatchPanicLayer::custom(|_panic: Box<dyn std::any::Any + Send>| {
            tracing::error!("a request made the edge panic");
            Problem::new(Code::Internal, "the operator's log says more").into_response()
        }))
}

/// Lets callers with the API token through, or everybody when there is none.
async fn guard(Extract(app): Extract<Arc<App>>, request: Request, next: Next) -> Result<Response, Problem> {
    if let Some(token) = &app.edge.api_token {
        let given = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        let same: bool = given.as_bytes().ct_eq(token.expose_secret().as_bytes()).into();
        if !same {
            return Err(Problem::new(Code::Unauthorized, "send the API token as Authorization: Bearer ..."));
        }
    }
    Ok(next.run(request).await)
}

/// Bounds the time to the answer, gives it the request's id, and makes problems of plain errors.
async fn finish(request: Request, next: Next) -> Response {
    let id = request.headers().get(REQUEST_ID).filter(|id| id.len() <= 128).cloned();
    let answered = tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await;
    let mut response = answered.unwrap_or_else(|_too_long| {
        Problem::new(Code::Timeout, "it may still be carried out; repeat it with the same Idempotency-Key")
            .into_response()
    });
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
        response = Problem::new(Code::PayloadTooLarge, "send less at a time").into_response();
    }
    let id = id.unwrap_or_else(|| {
        HeaderValue::try_from(format!("req_{:016x}", fastrand::u64(..)))
            .unwrap_or(HeaderValue::from_static("req_0"))
    });
    response.headers_mut().insert(REQUEST_ID, id);
    response
}
