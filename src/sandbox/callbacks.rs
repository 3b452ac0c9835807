//! Status callbacks: signed, over kept connections, never retried except when no connection was made.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::twilio::signature::Signer;

/// How many callbacks may be under way at once. The provider is known for no limit; with few, it is
/// the carrier that a load test measures.
const LANES: usize = 64;
/// The provider gives up on a webhook after this long.
///
/// Source: <https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides>, read 2026-11-23.
const PATIENCE: Duration = Duration::from_secs(15);

/// One callback to make.
#[derive(Debug)]
pub(super) struct Call {
    /// Where to.
    pub(super) url: Arc<str>,
    /// The form, encoded.
    pub(super) form: String,
}

/// The lanes that callbacks go out on. Those of one message share a lane and so keep their order.
#[derive(Debug)]
pub(super) struct Callbacks {
    lanes: Vec<mpsc::UnboundedSender<Call>>,
    signer: Signer,
    pub(super) counts: Arc<Counts>,
}

/// How callbacks went.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Answered with 2xx.
    pub(super) taken: AtomicU64,
    /// Answered otherwise, or not at all.
    pub(super) failed: AtomicU64,
}

impl Callbacks {
    pub(super) fn start(signer: &Signer) -> Self {
        let counts = Arc::new(Counts::default());
        let lanes = (0..LANES)
            .map(|_| {
                let (sender, inbox) = mpsc::unbounded_channel();
                tokio::spawn(run(inbox, signer.clone(), Arc::clone(&counts)));
                sender
            })
            .collect();
        Self { lanes, signer: signer.clone(), counts }
    }

    /// What calls are signed with.
    pub(super) fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Queues a callback of the message at `position`.
    pub(super) fn send(&self, position: usize, call: Call) {
        let lane = position.checked_rem(LANES).and_then(|lane| self.lanes.get(lane));
        if lane.is_none_or(|lane| lane.send(call).is_err()) {
            self.counts.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What a webhook answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) body: String,
}

/// Makes one call on a connection of its own and waits for the answer; `None` when there is none.
pub(super) async fn ask(signer: &Signer, call: &Call) -> Option<Answer> {
    let mut connections = HashMap::new();
    tokio::time::timeout(PATIENCE, post(&mut connections, signer, call)).await.ok().flatten()
}

async fn run(mut inbox: mpsc::UnboundedReceiver<Call>, signer: Signer, counts: Arc<Counts>) {
    let mut connections = HashMap::new();
    while let Some(call) = inbox.recv().await {
        let done = tokio::time::timeout(PATIENCE, post(&mut connections, &signer, &call)).await;
        let taken = matches!(done, Ok(Some(answer)) if (200..300).contains(&answer.status));
        let count = if taken { &counts.taken } else { &counts.failed };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

type Connection = SendRequest<Full<Bytes>>;

/// Posts one callback; `None` when it could not be posted or answered.
async fn post(connections: &mut HashMap<String, Connection>, signer: &Signer, call: &Call) -> Option<Answer> {
    let address = call.url.split_once('#').map_or(&*call.url, |(address, _)| address);
    let rest = address.strip_prefix("http://")?;
    let (authority, path) = rest.split_at_checked(rest.find('/').unwrap_or(rest.len()))?;
    let mut connection = match connections.remove(authority) {
        Some(mut kept) => match kept.ready().await {
            Ok(()) => kept,
            Err(_closed) => connect(authority).await?,
        },
        None => connect(authority).await?,
    };
    let request = Request::post(if path.is_empty() { "/" } else { path })
        .header("host", authority)
        .header("content-type", "application/x-www-form-urlencoded; charset=UTF-8")
        .header("user-agent", "dunlin-sandbox")
        .header("x-twilio-signature", signer.sign(address, call.form.as_bytes()))
        .body(Full::new(Bytes::from(call.form.clone())))
        .ok()?;
    let answer = connection.send_request(request).await.ok()?;
    let status = answer.status().as_u16();
    let content_type = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    connections.insert(authority.to_owned(), connection);
    Some(Answer { status, content_type, body: String::from_utf8_lossy(&body).into_owned() })
}

/// Connects, and once more when that fails: the only retry that the provider makes by default.
async fn connect(authority: &str) -> Option<Connection> {
    let stream = match TcpStream::connect(authority).await {
        Ok(stream) => stream,
        Err(_refused) => TcpStream::connect(authority).await.ok()?,
    };
    stream.set_nodelay(true).ok()?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a callback connection ended");
        }
    });
    Some(sender)
}
