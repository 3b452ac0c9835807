//! Whole lives: accepted, submitted, two signed callbacks, delivered. Texts are sent while they
//! are accepted; the end is when the last one is recorded as delivered.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use dunlin_storage::{ReadOnlyStore, Reader, TableSize, Without};
use dunlin_workflows::message::StateName;
use serde::{Deserialize, Serialize};

use crate::bench::archived::{self, Archived};
use crate::bench::connection::{self, Connection, write_request};
use crate::bench::error::BenchError;
use crate::bench::figure::{float, per_second, ratio};
use crate::bench::load::{Load, drive};
use crate::bench::stand::{CACHE_BYTES, STOP_MAX, Stand, Started};
use crate::bench::text;
use crate::bench::usage::{Usage, Watch, Watched};

/// Callbacks that a delivered text causes: sent and delivered.
const CALLBACKS: u64 = 2;
/// Lives before those that are measured.
const FIRST: u32 = 1;
/// How often the carrier is asked how many callbacks were taken.
const ASK_EVERY: Duration = Duration::from_millis(10);
/// Longest time without any callback.
const QUIET_MAX: Duration = Duration::from_secs(20);

/// How lives went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lives {
    /// How many.
    pub count: u32,
    /// Callers at once.
    pub connections: u32,
    /// Lives per second, from the first request to the last recorded delivery.
    pub per_second: f64,
    /// Accepts per second meanwhile.
    pub accepts_per_second: f64,
    /// Half were accepted within this many milliseconds.
    pub accept_p50_ms: f64,
    /// All but one in a hundred were accepted within this many milliseconds.
    pub accept_p99_ms: f64,
    /// Texts that the carrier got more than once.
    pub doubled: u64,
    /// Callbacks that were not taken.
    pub callbacks_failed: u64,
    /// Synced commits of the daemon; each carried steps of several lives.
    pub commits: u64,
    /// Processor seconds per 1,000 lives of each process.
    pub cpu_seconds_per_1000: Processor,
    /// Share of the machine that everybody else used meanwhile, 0 to 1.
    pub others: f64,
    /// Most memory of the daemon resident at once, in bytes.
    pub resident_max: u64,
    /// The daemon's proportional share of memory at the end, in bytes.
    pub proportional: u64,
    /// Size of the store's file per life, in bytes. The file grows in steps.
    pub file_bytes_per_life: f64,
    /// Bytes of the pages that hold the store's tables, per life: what the file has in use.
    pub table_bytes_per_life: f64,
    /// What is left of that once the lives are archived; `None` for a store that leaves something out.
    pub archived: Option<Archived>,
}

/// Processor seconds per 1,000 lives.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Processor {
    /// Of the daemon.
    pub daemon: f64,
    /// Of the carrier.
    pub sandbox: f64,
    /// Of this process, which makes the requests.
    pub callers: f64,
}

/// What lives cost at the carrier's and the callers' side.
#[derive(Debug)]
pub struct Run {
    /// The accepts.
    pub load: Load,
    /// Server, carrier and callers, until the last callback was taken.
    pub seen: Watched<3>,
    /// Callbacks that were not taken.
    pub callbacks_failed: u64,
    /// What the server used altogether.
    pub server: Usage,
    /// Texts that the carrier got more than once.
    pub doubled: u64,
}

/// What the carrier counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Stats {
    /// Texts it took.
    pub accepted: u64,
    /// Callbacks that were answered with 2xx.
    pub callbacks_taken: u64,
    /// Callbacks that were given up.
    pub callbacks_failed: u64,
}

#[derive(Debug, Deserialize)]
struct Entry {
    body: String,
}

/// Measures `count` lives, with a store that leaves something out when `without` says so.
///
/// # Errors
/// [`BenchError`]; also when not every life ended as delivered.
pub async fn measure(
    stand: &Stand,
    without: Option<Without>,
    connections: u32,
    count: u32,
) -> Result<Lives, BenchError> {
    let carrier = stand.sandbox()?;
    let daemon = match without {
        None => stand.daemon("lives", carrier.address)?,
        Some(without) => stand.daemon_without("lives", carrier.address, without)?,
    };
    measured(stand, &carrier, daemon, without, connections, count).await
}

/// Measures `count` lives of a daemon that is told `more`.
///
/// # Errors
/// [`BenchError`]; also when not every life ended as delivered.
pub async fn measure_told(
    stand: &Stand,
    more: &[(&'static str, &str)],
    connections: u32,
    count: u32,
) -> Result<Lives, BenchError> {
    let carrier = stand.sandbox()?;
    let daemon = stand.daemon_told("lives", carrier.address, more)?;
    measured(stand, &carrier, daemon, None, connections, count).await
}

async fn measured(
    stand: &Stand,
    carrier: &Started,
    daemon: Started,
    without: Option<Without>,
    connections: u32,
    count: u32,
) -> Result<Lives, BenchError> {
    let run = live(&daemon, carrier, connections, count).await?;
    let commits = daemon.commits().await?;
    let ended = daemon.process.stop(STOP_MAX)?;
    if !ended.success() {
        return Err(BenchError::Broken(format!(
            "the daemon stopped with {ended}; see {}",
            stand.log().display()
        )));
    }
    let path = stand.store("lives");
    let table_bytes = delivered(&path, count.saturating_add(FIRST))?;
    let file_bytes = std::fs::metadata(&path)?.len();
    let archived = match without {
        None => Some(archived::measure(&path, stand.keys("lives")?, count)?),
        Some(_) => None,
    };
    stand.clear("lives")?;
    let per_1000 = |cpu: Duration| ratio(cpu.as_secs_f64() * 1000.0, f64::from(count));
    let [daemon, sandbox, callers] = run.seen.cpu.map(per_1000);
    Ok(Lives {
        count,
        connections,
        per_second: per_second(u64::from(count), run.seen.elapsed),
        accepts_per_second: run.load.per_second(),
        accept_p50_ms: run.load.quantile_ms(50),
        accept_p99_ms: run.load.quantile_ms(99),
        doubled: run.doubled,
        callbacks_failed: run.callbacks_failed,
        commits,
        cpu_seconds_per_1000: Processor { daemon, sandbox, callers },
        others: run.seen.others,
        resident_max: run.server.resident_max,
        proportional: run.server.proportional,
        file_bytes_per_life: ratio(float(file_bytes), f64::from(count)),
        table_bytes_per_life: ratio(float(table_bytes), f64::from(count)),
        archived,
    })
}

/// Asks `server` for `count` texts and waits until the carrier's callbacks about all of them are taken.
///
/// # Errors
/// [`BenchError`]; also when callbacks stay away.
pub async fn live(
    server: &Started,
    carrier: &Started,
    connections: u32,
    count: u32,
) -> Result<Run, BenchError> {
    // What a process does once, such as compiling patterns and drawing its first random number, is no part of a life.
    drive(server.address, 1, FIRST, text::first).await?;
    all_called_back(carrier.address, u64::from(FIRST)).await?;
    let watch = Watch::start([server.process.id(), carrier.process.id(), std::process::id()])?;
    let load = drive(server.address, connections, count, text::immediate).await?;
    let all = count.saturating_add(FIRST);
    let stats = all_called_back(carrier.address, u64::from(all)).await?;
    let seen = watch.seen()?;
    let doubled = doubled(carrier.address, all).await?;
    Ok(Run {
        load,
        seen,
        callbacks_failed: stats.callbacks_failed,
        server: Usage::read(server.process.id())?,
        doubled,
    })
}

/// Waits until every text's callbacks were answered with 2xx, which the daemon gives after its commit.
///
/// # Errors
/// [`BenchError`]; also when callbacks stay away.
pub async fn all_called_back(carrier: SocketAddr, count: u64) -> Result<Stats, BenchError> {
    let mut request = Vec::new();
    write_request(&mut request, "GET", "/sandbox/stats", "", "");
    let mut connection = Connection::open(carrier).await?;
    let mut last: Option<Stats> = None;
    let mut changed_at = Instant::now();
    loop {
        let answer = connection.exchange(&request).await?;
        let stats: Stats = serde_json::from_slice(answer.body).map_err(std::io::Error::from)?;
        if stats.callbacks_taken >= count.saturating_mul(CALLBACKS) {
            return Ok(stats);
        }
        if last != Some(stats) {
            (last, changed_at) = (Some(stats), Instant::now());
        }
        if changed_at.elapsed() > QUIET_MAX {
            return Err(BenchError::Broken(format!("nothing moves any more; the carrier counts {stats:?}")));
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// How many texts the carrier got more than once. Each text has a body of its own.
///
/// # Errors
/// [`BenchError`]; also when it did not get `count` different texts.
pub async fn doubled(carrier: SocketAddr, count: u32) -> Result<u64, BenchError> {
    let (_, body) = connection::get(carrier, "/sandbox/ledger").await?;
    let ledger: Vec<Entry> = serde_json::from_slice(&body).map_err(std::io::Error::from)?;
    let distinct: HashSet<&str> = ledger.iter().map(|entry| entry.body.as_str()).collect();
    if u32::try_from(distinct.len()) != Ok(count) {
        return Err(BenchError::Broken(format!(
            "the carrier got {} different texts of {count}",
            distinct.len()
        )));
    }
    Ok(u64::try_from(ledger.len().saturating_sub(distinct.len())).unwrap_or(u64::MAX))
}

/// Bytes of the pages that hold the tables.
pub(super) fn table_bytes(reader: &Reader) -> Result<u64, BenchError> {
    let bytes = |table: TableSize| table.stored_bytes.saturating_add(table.overhead_bytes);
    Ok(reader.sizes()?.into_iter().map(bytes).fold(0, u64::saturating_add))
}

/// Checks in the store itself that every life ended as delivered; gives the bytes that its tables use.
fn delivered(path: &Path, count: u32) -> Result<u64, BenchError> {
    let store = ReadOnlyStore::open_measured(path, CACHE_BYTES)?;
    let reader = store.reader()?;
    let totals = reader.totals()?;
    let found =
        totals.iter().find(|(state, _)| *state == StateName::Delivered).map_or(0, |(_, total)| *total);
    if found == u64::from(count) {
        return table_bytes(&reader);
    }
    Err(BenchError::Broken(format!(
        "{found} of {count} lives ended as delivered; the store counts {totals:?}"
    )))
}
