//! The product's own server: takes events as the standard says, remembers them, and can be away.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use dunlin::clock::{Clock as _, SystemClock};
use dunlin::standard_webhook::WebhookSecrets;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::stage::PATIENCE;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// One request whose signature was right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) id: String,
    pub(crate) event: Value,
    /// What it was answered with.
    pub(crate) status: u16,
}

#[derive(Debug)]
struct Memory {
    heard: Vec<Heard>,
    /// Whether a signature was wrong.
    is_deceived: bool,
    status: u16,
}

/// The server. Ends when dropped.
pub(crate) struct Product {
    address: SocketAddr,
    memory: Arc<Mutex<Memory>>,
    running: Option<Runtime>,
}

impl Product {
    pub(crate) fn start() -> Self {
        let memory = Memory { heard: Vec::new(), is_deceived: false, status: 204 };
        let mut product =
            Self { address: free_address(), memory: Arc::new(Mutex::new(memory)), running: None };
        product.come_back();
        product
    }

    /// What a daemon must be told to tell it.
    pub(crate) fn variables(&self) -> [(&'static str, String); 2] {
        [
            ("DUNLIN_EVENTS_URL", format!("http://{}/hooks/texts", self.address)),
            ("DUNLIN_EVENTS_SECRET", SECRET.to_owned()),
        ]
    }

    /// From now on nobody listens.
    pub(crate) fn go_away(&mut self) {
        self.running.take().unwrap().shutdown_background();
    }

    /// Listens again, at the same address.
    pub(crate) fn come_back(&mut self) {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (address, memory) = (self.address, Arc::clone(&self.memory));
        let listener = runtime.block_on(async {
            loop {
                match tokio::net::TcpListener::bind(address).await {
                    Ok(listener) => break listener,
                    Err(_still_taken) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        });
        let router = Router::new().route("/hooks/texts", post(take)).with_state(memory);
        drop(runtime.spawn(async move { axum::serve(listener, router).await }));
        self.running = Some(runtime);
    }

    /// What everything is answered with from now on.
    pub(crate) fn answer(&self, status: u16) {
        self.memory.lock().unwrap().status = status;
    }

    /// Everything that came so far; nothing of it was forged.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        let memory = self.memory.lock().unwrap();
        assert!(!memory.is_deceived, "a signature does not verify");
        memory.heard.clone()
    }

    /// Everything that was taken, each event once, in the order in which it first was: its id and itself.
    pub(crate) fn taken(&self) -> Vec<(String, Value)> {
        let mut known = BTreeMap::new();
        let mut taken = Vec::new();
        for Heard { id, event, status } in self.heard() {
            let first = known.entry(id.clone()).or_insert_with(|| event.clone());
            assert_eq!(*first, event, "{id} is told again as something else");
            if status == 204 && !taken.iter().any(|(other, _)| *other == id) {
                taken.push((id, event));
            }
        }
        taken
    }

    /// What was taken of this type.
    pub(crate) fn of_type(&self, kind: &str) -> Vec<Value> {
        let taken = self.taken().into_iter().map(|(_, event)| event);
        taken.filter(|event| event["type"] == kind).map(|mut event| event["data"].take()).collect()
    }

    /// Waits until it is so.
    pub(crate) fn until(&self, is_so: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !is_so(self) {
            assert!(started.elapsed() < PATIENCE, "it never came: {:#?}", self.heard());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.shutdown_background();
        }
    }
}

async fn take(
    State(memory): State<Arc<Mutex<Memory>>>,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let secrets = WebhookSecrets::parse(SECRET).unwrap();
    let verified = secrets.verify(&headers, &body, SystemClock::start().wall()).map(str::to_owned);
    let mut memory = memory.lock().unwrap();
    let status = memory.status;
    match verified {
        Ok(id) => memory.heard.push(Heard { id, event: serde_json::from_slice(&body).unwrap(), status }),
        Err(_forged) => memory.is_deceived = true,
    }
    (StatusCode::from_u16(status).unwrap(), [("location", "http://127.0.0.1:9/elsewhere")])
}

/// A port that no outgoing connection takes while the server is away: below the range of those.
fn free_address() -> SocketAddr {
    let addresses =
        std::iter::repeat_with(|| SocketAddr::from(([127, 0, 0, 1], fastrand::u16(15_000..32_000))));
    addresses.take(100).find(|address| TcpListener::bind(address).is_ok()).unwrap()
}
