//! The edge: HTTP in, questions to the engine, answers out.
//!
//! Parsing happens here and once; deciding happens nowhere here. Every error is a problem document
//! with a code that stays.

mod accept;
mod accepted_json;
mod answer;
pub mod api_key;
mod asker;
mod audit;
mod auth_hook;
mod backups;
pub mod batch;
mod consent;
mod decision;
mod etag;
mod explain;
mod failures;
mod field_errors;
mod health;
mod in_flight;
mod inbound;
pub mod instant;
mod list;
mod message_name;
mod messages;
mod metrics;
mod opt_out;
mod paging;
mod preferences;
mod preview;
pub mod problem;
mod recipient;
mod recoveries;
mod recurrence_json;
mod recurrences;
mod serve;
mod survey;
mod sync;
mod template_json;
mod template_usage;
mod templates;
mod verification;
mod warning_json;
mod webhook;
mod whole_body;
pub mod wish;
pub mod wording;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use dunlin_storage::Reader;
use dunlin_workflows::phone_number::Region;
use dunlin_workflows::rules::Rules;
use secrecy::SecretString;
use tower_http::catch_panic::CatchPanicLayer;

pub use serve::{ServeLimits, serve};

use crate::backup::Backups;
use crate::clock::Clock;
use crate::engine::ROOM_AFTER;
use crate::engine::duty::{Away, Duty, OnDuty};
use crate::events::Events;
use crate::http::answer::{finish, within};
use crate::http::api_key::ApiKeys;
use crate::http::in_flight::InFlight;
use crate::http::problem::{Code, Problem};
use crate::http::verification::Pace;
use crate::id_source::IdSource;
use crate::opt_out_link::OptOutLinks;
use crate::room::Room;
use crate::standard_webhook::WebhookSecrets;
use crate::supabase::Supabase;
use crate::twilio::signature::Verifier;

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
    /// Whose callbacks are taken: the account's SID.
    pub account_sid: String,
    /// Auth tokens that may have signed: two while one is being replaced.
    pub auth_tokens: Vec<SecretString>,
    /// Key of the tokens in callback addresses.
    pub callback_key: [u8; 32],
}

/// What the edge works with.
#[derive(Debug)]
pub struct Edge {
    /// Answers every question, while somebody is on duty.
    pub duty: Arc<Duty>,
    /// Room on the disk under the store.
    pub room: Room,
    /// Where copies of the store go.
    pub backups: Backups,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Names new messages.
    pub ids: Arc<dyn IdSource>,
    /// What webhooks are checked with.
    pub webhook: WebhookConfig,
    /// Whoever shows one may use what it is for; everybody on this machine may when there is none.
    pub api_keys: ApiKeys,
    /// Where numbers without a country code belong.
    pub default_region: Option<Region>,
    /// What decisions depend on, to tell what comes next.
    pub rules: Rules,
    /// Makes links by which people opt out; `None` when nobody said where people reach us.
    pub opt_out_links: Option<OptOutLinks>,
    /// What the hook of Supabase Auth is checked with; without it the hook is refused.
    pub hook_secrets: Option<WebhookSecrets>,
    /// Where texts go.
    pub mode: Mode,
    /// The project that is kept in step with, if there is one.
    pub supabase: Option<Arc<Supabase>>,
    /// Tells the product's own server, if there is one.
    pub events: Option<Arc<Events>>,
}

/// The edge with what it keeps between requests.
#[derive(Debug)]
pub(crate) struct App {
    edge: Edge,
    verifier: Verifier,
    in_flight: InFlight,
    pace: Pace,
}

impl App {
    /// What answers requests through this edge.
    pub(crate) fn new(edge: Edge) -> Self {
        let verifier = Verifier::new(&edge.webhook.auth_tokens);
        Self { edge, verifier, in_flight: InFlight::default(), pace: Pace::default() }
    }

    /// Tells the time.
    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.edge.clock
    }

    /// Whoever answers questions now. Let go of it before the answer leaves.
    ///
    /// # Errors
    /// Why nobody does.
    pub(crate) fn on_duty(&self) -> Result<Arc<OnDuty>, Problem> {
        self.edge.duty.now().map_err(Problem::from)
    }

    /// A snapshot of the store.
    pub(crate) fn reader(&self) -> Result<Reader, Problem> {
        Ok(self.on_duty()?.store.reader()?)
    }

    /// Whether there is room for new texts. What becomes of those that are here is recorded even then.
    ///
    /// # Errors
    /// When less is free than is to stay free.
    fn room(&self) -> Result<(), Problem> {
        let Some(free) = self.edge.room.shortage(self.edge.clock.monotonic_ms()) else { return Ok(()) };
        let detail = format!(
            "{free} bytes are free on the disk, less than DUNLIN_DISK_FREE_MIN; make room, and texts are taken again"
        );
        Err(Problem::new(Code::NoRoom, detail).after(ROOM_AFTER))
    }
}

impl From<Away> for Problem {
    fn from(away: Away) -> Self {
        let (code, detail, wait) = match away {
            Away::NoRoom => {
                (Code::NoRoom, "the disk is full; make room, and texts are taken again", ROOM_AFTER)
            }
            Away::Failed => {
                (Code::Unavailable, "the store failed; the operator's log says why", Duration::from_mins(1))
            }
            Away::Stopping => (
                Code::Unavailable,
                "the engine is stopping; try again after the restart",
                Duration::from_secs(2),
            ),
        };
        Self::new(code, detail).after(wait)
    }
}

/// Every route, of an edge of its own.
pub fn router(edge: Edge) -> Router {
    routes(Arc::new(App::new(edge)))
}

/// Every route.
pub(crate) fn routes(app: Arc<App>) -> Router {
    let keys = app.edge.api_keys.clone();
    let mut api = Router::new()
        .route("/v1/messages", post(accept::one).get(list::list))
        .route("/v1/messages/batch", post(batch::batch))
        .route("/v1/messages/{id}", get(messages::show).patch(messages::reschedule))
        .route("/v1/messages/{id}/events", get(messages::events))
        .route("/v1/messages/{id}/cancel", post(messages::cancel))
        .route("/v1/messages/{id}/retry", post(messages::retry))
        .route("/v1/messages/{id}/explain", get(explain::explain))
        .route("/v1/preview", post(preview::preview))
        .route("/v1/users/{id}/preferences", get(preferences::show).put(preferences::put))
        .route("/api/sms/preferences", get(preferences::show_enveloped).put(preferences::put_enveloped))
        .route("/v1/consent", get(consent::show).put(consent::put))
        .route("/v1/consent/link", post(opt_out::links::of_somebody))
        .route("/v1/users/{id}/opt-out-link", post(opt_out::links::of_user))
        .route("/v1/consent/events", get(consent::events))
        .route("/v1/consent/reviews", get(consent::reviews))
        .route("/v1/consent/reviews/{sid}", post(consent::resolve))
        .route("/v1/failures", get(failures::failures))
        .route("/v1/recoveries", post(recoveries::recover))
        .route("/v1/recurrences", post(recurrences::create).get(recurrences::list))
        .route(
            "/v1/recurrences/{id}",
            get(recurrences::show).patch(recurrences::change).delete(recurrences::delete),
        )
        .route("/v1/recurrences/{id}/pause", post(recurrences::pause))
        .route("/v1/recurrences/{id}/resume", post(recurrences::resume))
        .route("/v1/templates", get(templates::list))
        .route("/v1/templates/{key}", get(templates::show).put(templates::put))
        .route("/v1/templates/{key}/versions", get(templates::versions))
        .route("/v1/templates/{key}/usage", get(template_usage::usage))
        .route("/v1/templates/{key}/draft", delete(templates::discard))
        .route("/v1/templates/{key}/preview", post(templates::preview))
        .route("/v1/templates/{key}/{what}", post(templates::tell))
        .route("/v1/audit", get(audit::audit))
        .route("/v1/verifications", post(verification::start))
        .route("/v1/verifications/{id}", get(verification::show))
        .route("/v1/verifications/{id}/check", post(verification::check))
        .route("/api/sms/verify", post(verification::seed_start))
        .route("/api/sms/verify/confirm", post(verification::seed_confirm))
        .route("/metrics", get(metrics::show))
        .route("/v1/sync", get(sync::show))
        .route("/v1/sync/pull", post(sync::pull))
        .route("/v1/sync/push", post(sync::push))
        .route("/v1/sync/repair", post(sync::repair))
        .route(backups::PATH, post(backups::take).get(backups::list));
    if !keys.is_empty() {
        api = api.route_layer(from_fn_with_state(keys, api_key::guard));
    }
    api.route("/api/webhooks/twilio/status", post(webhook::status))
        .route("/api/webhooks/twilio/inbound", post(inbound::inbound))
        .route("/api/hooks/supabase/send-sms", post(auth_hook::send_sms))
        .route("/o/{token}", get(opt_out::show).post(opt_out::opt_out))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/healthz", get(health::ready))
        .route("/version", get(health::version))
        .fallback(async || Problem::new(Code::NotFound, "the README lists what is here"))
        .method_not_allowed_fallback(async || Problem::new(Code::MethodNotAllowed, "see the Allow header"))
        .with_state(app)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(|request: Request, next| {
            let within = within(request.uri().path());
            finish(request, next, within)
        }))
}

/// What a request is told that made the edge panic. The panic itself went to standard error.
fn panicked(_payload: Box<dyn Any + Send>) -> Response {
    tracing::error!("a request made the edge panic");
    Problem::new(Code::Internal, "the operator's log says more").into_response()
}
