//! A carrier of our own: speaks the provider's HTTP API on loopback, with faults on request.
//!
//! The real client talks to it over real sockets, so nothing is mocked on our side. It runs inside
//! the daemon when no credentials are set, and as a process of its own for tests.

mod answer;
mod api;
mod callbacks;
mod carrier;
mod faults;
mod inbound;
mod ledger;
mod recipients;
mod verify;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

pub use faults::{Faults, FaultsError};
pub use recipients::ENDINGS;

use crate::clock::Clock;
use crate::sandbox::callbacks::Callbacks;
use crate::sandbox::carrier::Carrier;
use crate::sandbox::faults::Dice;
use crate::sandbox::ledger::Ledger;
use crate::sandbox::verify::Verifications;
use crate::twilio::signature::Signer;

/// What a sandbox is started with.
#[derive(Debug)]
pub struct SandboxConfig {
    /// Where to listen; port 0 takes a free one. Loopback only.
    pub listen: SocketAddr,
    /// The one account that may sign in.
    pub account_sid: String,
    /// Its auth token; signs callbacks too.
    pub auth_token: String,
    /// What goes wrong.
    pub faults: Faults,
}

/// A running carrier; stops when dropped.
#[derive(Debug)]
pub struct Sandbox {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Sandbox {
    /// Starts a carrier on the current runtime.
    ///
    /// # Errors
    /// When the address is not loopback or can't be listened on.
    pub async fn start(config: SandboxConfig, clock: Arc<dyn Clock>) -> io::Result<Self> {
        if !config.listen.ip().is_loopback() {
            let words = format!("{} is not loopback; the sandbox is for this machine only", config.listen);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
        }
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        let signer = Signer::new(&SecretString::from(config.auth_token.clone()))
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the auth token can't sign"))?;
        let carrier = Arc::new(Carrier {
            sign_in: STANDARD.encode(format!("{}:{}", config.account_sid, config.auth_token)),
            account_sid: config.account_sid,
            ledger: Ledger::new(config.faults.seed),
            verifications: Verifications::new(config.faults.seed),
            dice: Dice::new(config.faults),
            callbacks: Callbacks::start(&signer),
            clock,
        });
        let task = tokio::spawn(serve(listener, carrier));
        Ok(Self { address, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The API's base URL.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, carrier: Arc<Carrier>) {
    // Connections end with the carrier.
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the sandbox could not take a connection");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone before it began");
        }
        let carrier = Arc::clone(&carrier);
        connections.spawn(async move {
            let service = service_fn(move |request| api::answer(Arc::clone(&carrier), request));
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = served.await {
                tracing::debug!(%error, "a connection of the sandbox ended");
            }
        });
    }
}
