//! The same HTTP exchanges with nothing stored: what the sockets and the carrier alone allow.
//!
//! The server answers at once, hands the text to the carrier through the same client, checks the
//! same signatures, and forgets. Whatever a daemon does beyond that is the price of keeping its word.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use dunlin_workflows::body::Body;
use dunlin_workflows::id::{Attempt, MessageNumber};
use dunlin_workflows::phone_number::PhoneNumber;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::bench::error::BenchError;
use crate::bench::figure::{per_second, ratio};
use crate::bench::lives;
use crate::bench::stand::{self, Stand};
use crate::config::STATUS_PATH;
use crate::engine::provider::{Provider as _, Submission};
use crate::twilio::signature::Verifier;
use crate::twilio::{Credentials, Sender, Twilio, TwilioConfig};

/// Requests on the wire to the carrier, as a daemon has by default.
const CONCURRENCY: usize = 32;
/// Longest time for one submission.
const TIMEOUT: Duration = Duration::from_secs(15);

/// How fast the exchanges alone are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Exchanges {
    /// How many texts.
    pub count: u32,
    /// Texts per second, from the first request to the last callback.
    pub per_second: f64,
    /// Processor seconds of the server per 1,000 texts.
    pub cpu_seconds_per_1000: f64,
    /// Share of the machine that everybody else used meanwhile, 0 to 1.
    pub others: f64,
}

/// Measures `count` texts through a server that stores nothing, run as `dunlin bench --nothing-stored URL`.
///
/// # Errors
/// [`BenchError`].
pub async fn measure(stand: &Stand, connections: u32, count: u32) -> Result<Exchanges, BenchError> {
    let carrier = stand.sandbox()?;
    let url = format!("http://{}", carrier.address);
    let server = stand.start(&["bench", "--nothing-stored", &url], &stand::account(url.clone()))?;
    let run = lives::live(&server, &carrier, connections, count).await?;
    let [server, ..] = run.seen.cpu;
    Ok(Exchanges {
        count,
        per_second: per_second(u64::from(count), run.seen.elapsed),
        cpu_seconds_per_1000: ratio(server.as_secs_f64() * 1000.0, f64::from(count)),
        others: run.seen.others,
    })
}

struct Forgetful {
    carrier: Twilio,
    verifier: Verifier,
    origin: String,
    slots: Semaphore,
    numbers: AtomicU64,
}

#[derive(Debug, Deserialize)]
struct Text {
    to: String,
    body: String,
}

#[derive(Debug, Serialize)]
struct Taken {
    id: String,
    status: &'static str,
}

/// Serves until killed: the carrier is at `carrier`; `said` is told where the server listens.
///
/// # Errors
/// When no port can be had or the client can't be set up.
pub async fn serve(
    carrier: String,
    said: impl FnOnce(SocketAddr) -> std::io::Result<()>,
) -> Result<(), BenchError> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let address = listener.local_addr()?;
    let origin = format!("http://{address}");
    let token = SecretString::from(stand::AUTH_TOKEN);
    let carrier = Twilio::new(TwilioConfig {
        base_url: carrier,
        account_sid: stand::ACCOUNT_SID.to_owned(),
        credentials: Credentials::AuthToken(token.clone()),
        sender: Sender::From(stand::SENDER.to_owned()),
        status_callback_url: format!("{origin}{STATUS_PATH}"),
        callback_key: [0; 32],
        connect_timeout: TIMEOUT,
        timeout: TIMEOUT,
    });
    let carrier = carrier.map_err(|error| BenchError::Broken(error.to_string()))?;
    let verifier = Verifier::new(&[token]);
    let forgetful = Forgetful {
        carrier,
        verifier,
        origin,
        slots: Semaphore::new(CONCURRENCY),
        numbers: AtomicU64::new(1),
    };
    let router = Router::new()
        .route("/v1/messages", post(accept))
        .route(STATUS_PATH, post(callback))
        .with_state(Arc::new(forgetful));
    said(address)?;
    Ok(axum::serve(listener, router).await?)
}

async fn accept(
    State(forgetful): State<Arc<Forgetful>>,
    Json(text): Json<Text>,
) -> Result<(StatusCode, Json<Taken>), StatusCode> {
    let (Ok(to), Ok(body)) = (PhoneNumber::parse(&text.to, None), Body::parse(text.body)) else {
        return Err(StatusCode::UNPROCESSABLE_ENTITY);
    };
    let number = forgetful.numbers.fetch_add(1, Ordering::Relaxed);
    let submission = Submission {
        message: MessageNumber::new(number),
        attempt: Attempt::new(1),
        to,
        body,
        validity: None,
    };
    tokio::spawn(async move {
        if let Ok(_slot) = forgetful.slots.acquire().await {
            drop(forgetful.carrier.submit(submission).await);
        }
    });
    Ok((StatusCode::ACCEPTED, Json(Taken { id: number.to_string(), status: "pending" })))
}

async fn callback(
    State(forgetful): State<Arc<Forgetful>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    form: Bytes,
) -> StatusCode {
    let url = format!("{}{uri}", forgetful.origin);
    let signature = headers.get("x-twilio-signature").and_then(|value| value.to_str().ok());
    match forgetful.verifier.verify(&url, &form, true, signature) {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_not_signed) => StatusCode::FORBIDDEN,
    }
}
