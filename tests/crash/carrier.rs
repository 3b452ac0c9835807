//! The carrier: a sandbox in a process of its own that outlives every daemon and misbehaves.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dunlin::bench::process::Process;
use dunlin_workflows::id::{Attempt, MessageNumber, ProviderSid};
use dunlin_workflows::timestamp::Timestamp;
use serde::Deserialize;

use crate::daemon::PROGRAM;

/// What the carrier does wrong, besides the seed.
const FAULTS: &str = "rate_429=0.005,error_500=0.01,reset_before=0.01,timeout_after_accept=0.02,\
    reset_after_accept=0.02,error_500_after_accept=0.02,callback_early=0.1,callback_duplicate=0.2,\
    callback_reorder=0.2,callback_lost=0.05,latency=5ms,callback_latency=60ms,late_list=200ms,hang=2s,retry_after=1s";

const START_MAX: Duration = Duration::from_secs(30);

/// The carrier.
#[derive(Debug)]
pub(crate) struct Carrier {
    _process: Process,
    address: SocketAddr,
}

/// One submission that the carrier accepted.
#[derive(Debug, Clone)]
pub(crate) struct Submission {
    pub(crate) sid: ProviderSid,
    pub(crate) to: String,
    pub(crate) body: String,
    /// Whose, as its callback address says.
    pub(crate) number: MessageNumber,
    pub(crate) attempt: Attempt,
    pub(crate) accepted_at: Timestamp,
    pub(crate) status: String,
}

#[derive(Debug, Deserialize)]
struct Entry {
    sid: String,
    to: String,
    body: String,
    status_callback: String,
    accepted_at_ms: i64,
    status: String,
}

impl Carrier {
    pub(crate) fn start(dir: &Path, account: &[(&'static str, String)], seed: u64) -> anyhow::Result<Self> {
        let faults = format!("{FAULTS},seed={seed}");
        let arguments = ["sandbox", "--listen", "127.0.0.1:0", "--faults", &faults];
        let process = Process::start(Path::new(PROGRAM), &arguments, account, &dir.join("carrier.log"))?;
        let address = process.listening(START_MAX)?;
        Ok(Self { _process: process, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything that it accepted.
    pub(crate) async fn ledger(&self) -> anyhow::Result<Vec<Submission>> {
        let (_, body) = dunlin::bench::connection::get(self.address, "/sandbox/ledger").await?;
        let entries: Vec<Entry> = serde_json::from_slice(&body)?;
        entries.into_iter().map(Entry::read).collect()
    }
}

impl Entry {
    fn read(self) -> anyhow::Result<Submission> {
        let (number, attempt) = named(&self.status_callback)
            .with_context(|| format!("{} names no attempt", self.status_callback))?;
        Ok(Submission {
            sid: self.sid.parse()?,
            to: self.to,
            body: self.body,
            number,
            attempt,
            accepted_at: Timestamp::from_millis(self.accepted_at_ms),
            status: self.status,
        })
    }
}

/// The message and attempt in a callback address. Whoever has no key can't make a token, but read it.
fn named(url: &str) -> Option<(MessageNumber, Attempt)> {
    let (_, token) = url.split_once("t=")?;
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let number = u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?);
    let attempt = u32::from_be_bytes(bytes.get(8..12)?.try_into().ok()?);
    Some((MessageNumber::new(number), Attempt::new(attempt)))
}
