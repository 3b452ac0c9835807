//! A house with everything but a street: router, engine and store in one process.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use dunlin::backup::Backups;
use dunlin::clock::{Clock, SystemClock};
use dunlin::engine::ask::{AskError, UserAsk};
use dunlin::engine::dispatcher::DispatchLimits;
use dunlin::engine::duty::{Duty, OnDuty};
use dunlin::engine::lease::LeaseHandle;
use dunlin::engine::verifications::Verifying;
use dunlin::engine::verify_service::VerifyService;
use dunlin::engine::{Engine, EngineConfig};
use dunlin::http::api_key::ApiKeys;
use dunlin::http::{Edge, Mode, ServeLimits, WebhookConfig, router, serve};
use dunlin::id_source::SystemIds;
use dunlin::opt_out_link::OptOutLinks;
use dunlin::room::Room;
use dunlin::sandbox::{Faults, Sandbox, SandboxConfig};
use dunlin::standard_webhook::WebhookSecrets;
use dunlin::twilio::signature::Signer;
use dunlin::twilio::{Credentials, Sender, Twilio, TwilioConfig, TwilioVerify};
use dunlin_storage::{Entropy, Keyring, NEWCOMERS_MAX, OpenOptions, Store};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::rules::{Rules, Sending};
use dunlin_workflows::source::Source;
use dunlin_workflows::user::User;
use secrecy::SecretString;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

/// The auth token that signs callbacks.
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const ACCOUNT: &str = "AC00000000000000000000000000000000";
const SERVICE: &str = "VA0123456789abcdef0123456789abcdef";
const PUBLIC: &str = "https://sms.example.test";
const WEBHOOK: &str = "/api/webhooks/twilio/status";
/// What signs the hook of Supabase Auth.
pub(crate) const HOOK_SECRET: &str = "v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const CALLBACK_KEY: [u8; 32] = [7; 32];

pub(crate) struct House {
    router: Router,
    engine: Engine,
    store: Arc<Store>,
    sandbox: Option<Sandbox>,
    public: String,
    _dir: TempDir,
}

/// Keys as the configuration holds them, or one token for everything.
fn api_keys(given: Option<&str>) -> ApiKeys {
    match given {
        Some(keys) if keys.contains(':') => keys.parse().unwrap(),
        token => ApiKeys::default().with_token(token.map(SecretString::from).as_ref()),
    }
}

impl House {
    /// A house that sends nothing, so that every answer is the edge's own, and in which only one
    /// question at a time may wait for the engine.
    pub(crate) fn build(api_token: Option<&str>) -> Self {
        let rules = Rules { sending: Sending::Disabled, ..Rules::default() };
        Self::furnish(Arc::new(SystemClock::start()), None, PUBLIC, api_token, rules, false)
    }

    /// The same with these keys, where the gate judges as if texts were sent.
    pub(crate) fn judging(api_keys: &str) -> Self {
        let clock = Arc::new(SystemClock::start());
        Self::furnish(clock, None, PUBLIC, Some(api_keys), Rules::default(), false)
    }

    /// A house that sends through a carrier with these faults, and listens to its callbacks.
    pub(crate) async fn on_a_street(faults: &str) -> Self {
        Self::ruled(faults, Arc::new(SystemClock::start()), Rules::default()).await
    }

    /// The same, with codes sent and checked by the carrier's service.
    pub(crate) async fn with_service(faults: &str) -> Self {
        Self::open(faults, Arc::new(SystemClock::start()), Rules::default(), true).await
    }

    /// The same with a clock and rules.
    pub(crate) async fn ruled(faults: &str, clock: Arc<dyn Clock>, rules: Rules) -> Self {
        Self::open(faults, clock, rules, false).await
    }

    async fn open(faults: &str, clock: Arc<dyn Clock>, rules: Rules, has_service: bool) -> Self {
        let config = SandboxConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            account_sid: ACCOUNT.to_owned(),
            auth_token: TOKEN.to_owned(),
            faults: Faults::parse(faults).unwrap(),
        };
        let sandbox = Sandbox::start(config, Arc::clone(&clock)).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let public = format!("http://{}", listener.local_addr().unwrap());
        let house = Self::furnish(clock, Some(sandbox), &public, None, rules, has_service);
        let limits = ServeLimits::default();
        tokio::spawn(serve(listener, house.router.clone(), limits, std::future::pending()));
        house
    }

    fn furnish(
        clock: Arc<dyn Clock>,
        sandbox: Option<Sandbox>,
        public: &str,
        api_token: Option<&str>,
        rules: Rules,
        has_service: bool,
    ) -> Self {
        let queue_bytes_max = if sandbox.is_some() { 1 << 20 } else { 1 };
        let dir = tempfile::tempdir().unwrap();
        let options = OpenOptions {
            now: clock.wall(),
            cache_bytes: 1 << 20,
            callback_key: CALLBACK_KEY,
            keys: Arc::new(Keyring::generate(&Entropy::seeded(1)).unwrap()),
            entropy: Entropy::seeded(1),
            check_integrity: false,
            newcomers_max: NEWCOMERS_MAX,
        };
        let store = Arc::new(Store::open(&dir.path().join("dunlin.redb"), &options).unwrap().0);
        let account = TwilioConfig {
            base_url: sandbox.as_ref().map_or_else(|| "http://127.0.0.1:9".to_owned(), Sandbox::base_url),
            account_sid: ACCOUNT.to_owned(),
            credentials: Credentials::AuthToken(SecretString::from(TOKEN)),
            sender: Sender::From("+15005550006".to_owned()),
            status_callback_url: format!("{public}{WEBHOOK}"),
            callback_key: CALLBACK_KEY,
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
        };
        let service = TwilioVerify::new(&account, &account.base_url, SERVICE).unwrap();
        let service: Arc<dyn VerifyService> = Arc::new(service);
        let service = has_service.then_some(service);
        let twilio = Twilio::new(account).unwrap();
        let config = EngineConfig {
            rules: rules.clone(),
            limits: DispatchLimits { concurrency: 4, segments_per_second: None },
            queue_bytes_max,
            timer_horizon: Duration::from_mins(1),
            idempotency_retention: Duration::from_hours(1),
            orphan_retention: Duration::from_hours(1),
            questions_max: 1,
            verifying: Verifying { service, ..Verifying::default() },
            lease: LeaseHandle::unlimited(),
            seed: 1,
        };
        let engine = Engine::start(Arc::clone(&store), Arc::new(twilio), Arc::clone(&clock), config).unwrap();
        let webhook = WebhookConfig {
            public_base_url: public.to_owned(),
            account_sid: ACCOUNT.to_owned(),
            auth_tokens: vec![SecretString::from("the token before"), SecretString::from(TOKEN)],
            callback_key: CALLBACK_KEY,
        };
        let edge = Edge {
            duty: Arc::new(Duty::of(OnDuty { engine: engine.clone(), store: Arc::clone(&store) })),
            room: Room::new(dir.path().to_owned(), 0),
            backups: Backups::new(dir.path().join("backups"), dir.path().to_owned(), 1 << 20),
            clock,
            ids: Arc::new(SystemIds),
            webhook,
            api_keys: api_keys(api_token),
            default_region: None,
            rules,
            opt_out_links: Some(OptOutLinks::below(public)),
            hook_secrets: Some(WebhookSecrets::parse(HOOK_SECRET).unwrap()),
            mode: if sandbox.is_some() { Mode::Sandbox } else { Mode::Off },
            supabase: None,
            events: None,
        };
        Self { router: router(edge), engine, store, sandbox, public: public.to_owned(), _dir: dir }
    }

    /// Lets a user prove that a number is theirs.
    pub(crate) async fn verify(&self, user: &str, number: &str) -> Result<User, AskError> {
        let ask = UserAsk::Verify { number: PhoneNumber::parse(number, None).unwrap() };
        self.engine.user(user.parse().unwrap(), ask, Source::Api).await
    }

    /// Stops the engine under the edge.
    pub(crate) async fn stop_the_engine(&self) {
        self.engine.drain(Duration::from_secs(1)).await;
    }

    /// The message, once it is as it should be; as it last was when that never happens.
    pub(crate) async fn wait_for(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut seen = Value::Null;
        for _ in 0..1000 {
            (_, _, seen) = self.get(path).await;
            if is_so(&seen) {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        seen
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
        self.answer(request.body(body).unwrap()).await
    }

    pub(crate) async fn answer(&self, request: Request<Body>) -> (StatusCode, HeaderMap, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        (parts.status, parts.headers, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// Posts a callback with this query, signed with `token` when there is one.
    pub(crate) async fn callback(&self, query: &str, form: &str, token: Option<&str>) -> (StatusCode, Value) {
        let path = format!("{WEBHOOK}{query}");
        let mut request = Request::post(&path).header("content-type", "application/x-www-form-urlencoded");
        if let Some(token) = token {
            let signer = Signer::new(&SecretString::from(token)).unwrap();
            request = request
                .header("x-twilio-signature", signer.sign(&format!("{PUBLIC}{path}"), form.as_bytes()));
        }
        let request = request.body(Body::from(form.to_owned())).unwrap();
        let (status, _, body) = self.answer(request).await;
        (status, body)
    }

    /// Lets somebody text us through the carrier; gives what the webhook answered.
    pub(crate) async fn text(&self, from: &str, words: &str, more: &[(&str, &str)]) -> Value {
        let url = format!("{}/api/webhooks/twilio/inbound", self.public);
        let mut form = vec![("url", url.as_str()), ("From", from), ("To", "+15005550006"), ("Body", words)];
        form.extend(more);
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let to = format!("{}/sandbox/inbound", self.sandbox.as_ref().unwrap().base_url());
        let answer = reqwest::Client::new().post(to).body(form).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// The newest text to this number, or the newest code of the carrier's service: what its holder reads. Empty when nothing comes.
    pub(crate) async fn newest(&self, list: &str, to: &str, field: &str) -> String {
        for _ in 0..500 {
            let at = format!("{}/sandbox/{list}", self.sandbox.as_ref().unwrap().base_url());
            let all: Vec<Value> = reqwest::get(at).await.unwrap().json().await.unwrap();
            let mut all: Vec<&Value> = all.iter().filter(|taken| taken["to"] == to).collect();
            // Texts are listed oldest first, codes newest first.
            if list == "ledger" {
                all.reverse();
            }
            if let Some(newest) = all.first() {
                return newest[field].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        String::new()
    }

    /// How many texts to this number the carrier took.
    pub(crate) async fn carried(&self, to: &str) -> usize {
        self.carried_texts(to).await.len()
    }

    /// What the texts to this number say that the carrier took, in the order in which it took them.
    pub(crate) async fn carried_texts(&self, to: &str) -> Vec<String> {
        let at = format!("{}/sandbox/ledger", self.sandbox.as_ref().unwrap().base_url());
        let ledger = reqwest::get(at).await.unwrap().bytes().await.unwrap();
        let ledger: Vec<Value> = serde_json::from_slice(&ledger).unwrap();
        let theirs = ledger.iter().filter(|taken| taken["to"] == to);
        theirs.map(|taken| taken["body"].as_str().unwrap().to_owned()).collect()
    }

    /// Asks a whole address for a page over a real socket: its status, headers and text.
    pub(crate) async fn page(method: &str, url: &str, form: &'static str) -> (StatusCode, HeaderMap, String) {
        let request = reqwest::Client::new().request(method.parse().unwrap(), url);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.headers().clone(), answer.text().await.unwrap())
    }

    /// Posts a form to the webhook for texts, signed with `token` when there is one.
    pub(crate) async fn inbound(&self, form: &str, token: Option<&str>) -> (StatusCode, Value) {
        let path = "/api/webhooks/twilio/inbound";
        let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        if let Some(token) = token {
            let signer = Signer::new(&SecretString::from(token)).unwrap();
            let signature = signer.sign(&format!("{}{path}", self.public), form.as_bytes());
            request = request.header("x-twilio-signature", signature);
        }
        let (status, _, body) = self.answer(request.body(Body::from(form.to_owned())).unwrap()).await;
        (status, body)
    }

    pub(crate) fn orphans(&self) -> u64 {
        self.store.reader().unwrap().orphan_count().unwrap()
    }
}
