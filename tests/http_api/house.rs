//! A house with everything but a street: router, engine and store in one process.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use dunlin::clock::{Clock, SystemClock};
use dunlin::engine::dispatcher::DispatchLimits;
use dunlin::engine::{Engine, EngineConfig};
use dunlin::http::{Edge, Mode, WebhookConfig, router};
use dunlin::id_source::SystemIds;
use dunlin::twilio::signature::Signer;
use dunlin::twilio::{Credentials, Sender, Twilio, TwilioConfig};
use dunlin_storage::{OpenOptions, Store};
use dunlin_workflows::rules::{Rules, Sending};
use secrecy::SecretString;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt as _;

/// The auth token that signs callbacks.
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const PUBLIC: &str = "https://sms.example.test";
const WEBHOOK: &str = "/api/webhooks/twilio/status";

pub(crate) struct House {
    router: Router,
    store: Arc<Store>,
    _dir: TempDir,
}

impl House {
    pub(crate) fn build(api_token: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let options = OpenOptions {
            now: clock.wall(),
            cache_bytes: 1 << 20,
            callback_key: [7; 32],
            check_integrity: false,
        };
        let store = Arc::new(Store::open(&dir.path().join("dunlin.redb"), &options).unwrap().0);
        let twilio = Twilio::new(TwilioConfig {
            base_url: "http://127.0.0.1:9".to_owned(),
            account_sid: format!("AC{}", "0".repeat(32)),
            credentials: Credentials::AuthToken(SecretString::from(TOKEN)),
            sender: Sender::From("+15005550006".to_owned()),
            status_callback_url: format!("{PUBLIC}{WEBHOOK}"),
            callback_key: [7; 32],
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
        })
        .unwrap();
        let config = EngineConfig {
            rules: Rules { sending: Sending::Disabled, ..Rules::default() },
            limits: DispatchLimits { concurrency: 1, segments_per_second: None },
            queue_bytes_max: 1 << 20,
            timer_horizon: Duration::from_mins(1),
            idempotency_retention: Duration::from_hours(1),
            orphan_retention: Duration::from_hours(1),
            questions_max: 1,
            seed: 1,
        };
        let engine = Engine::start(Arc::clone(&store), Arc::new(twilio), Arc::clone(&clock), config).unwrap();
        let webhook = WebhookConfig {
            public_base_url: PUBLIC.to_owned(),
            auth_tokens: vec![SecretString::from("the token before"), SecretString::from(TOKEN)],
            callback_key: [7; 32],
        };
        let edge = Edge {
            engine,
            store: Arc::clone(&store),
            clock,
            ids: Arc::new(SystemIds),
            webhook,
            api_token: api_token.map(SecretString::from),
            default_region: None,
            mode: Mode::Off,
        };
        Self { router: router(Arc::new(edge)), store, _dir: dir }
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, HeaderMap, Value) {
        self.send("GET", path, &[], &Value::Null).await
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> (StatusCode, HeaderMap, Value) {
        self.send("POST", path, headers, body).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> (StatusCode, HeaderMap, Value) {
        let mut request =
            Request::builder().method(method).uri(path).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        (parts.status, parts.headers, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// Posts a callback, signed with `token` when there is one.
    pub(crate) async fn callback(&self, form: &str, token: Option<&str>) -> StatusCode {
        let mut request = Request::post(WEBHOOK).header("content-type", "application/x-www-form-urlencoded");
        if let Some(token) = token {
            let signer = Signer::new(&SecretString::from(token)).unwrap();
            request = request
                .header("x-twilio-signature", signer.sign(&format!("{PUBLIC}{WEBHOOK}"), form.as_bytes()));
        }
        let request = request.body(Body::from(form.to_owned())).unwrap();
        self.router.clone().oneshot(request).await.unwrap().status()
    }

    pub(crate) fn orphans(&self) -> u64 {
        self.store.reader().unwrap().orphan_count().unwrap()
    }
}
