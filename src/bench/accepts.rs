//! Durable accepts over HTTP: every 202 comes after the synced commit. Nothing is sent meanwhile.

use std::path::Path;

use dunlin_storage::ReadOnlyStore;
use serde::Serialize;

use crate::bench::error::BenchError;
use crate::bench::figure::ratio;
use crate::bench::load::{Load, Write, drive};
use crate::bench::raw::{self, Floor};
use crate::bench::stand::{CACHE_BYTES, STOP_MAX, Stand};
use crate::bench::text;
use crate::bench::usage::{Watch, Watched};

/// How accepts went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Accepts {
    /// How many.
    pub count: u32,
    /// Callers at once, each with one request under way.
    pub connections: u32,
    /// Accepts per second.
    pub per_second: f64,
    /// Half were answered within this many milliseconds.
    pub p50_ms: f64,
    /// All but one in a hundred were answered within this many milliseconds.
    pub p99_ms: f64,
    /// Accepts per second when every request has an idempotency key of its own.
    pub with_keys_per_second: f64,
    /// Answers that said "busy"; each was asked again.
    pub busy: u32,
    /// Processor seconds of the daemon per 1,000 accepts.
    pub cpu_seconds_per_1000: f64,
    /// Share of the machine that everybody else used meanwhile, 0 to 1.
    pub others: f64,
    /// What the store holds per accept, and how many accepts shared one commit.
    pub stored: raw::Load,
    /// What the same bytes cost without the daemon.
    pub floor: Floor,
    /// The raw group commit's rate, divided by the accepts': 2.0 means half as fast.
    pub times_slower_than_raw: f64,
}

/// Measures `count` accepts without keys, then as many with.
///
/// # Errors
/// [`BenchError`].
pub async fn measure(stand: &Stand, connections: u32, count: u32) -> Result<Accepts, BenchError> {
    let plain = accept(stand, "accepts", connections, count, text::immediate).await?;
    let keyed = accept(stand, "accepts-keyed", connections, count, text::immediate_with_key).await?;
    stand.clear("accepts-keyed")?;
    let per_accept = stored_bytes(&stand.store("accepts"))?.div_ceil(u64::from(count.max(1)));
    stand.clear("accepts")?;
    let record_bytes = usize::try_from(per_accept).unwrap_or(usize::MAX);
    let stored = raw::Load { record_bytes, batch: plain.batch };
    let floor = Floor::measure(stand.dir(), stored)?;
    let per_second = plain.load.per_second();
    let [cpu, _callers] = plain.seen.cpu;
    Ok(Accepts {
        count,
        connections,
        per_second,
        p50_ms: plain.load.quantile_ms(50),
        p99_ms: plain.load.quantile_ms(99),
        with_keys_per_second: keyed.load.per_second(),
        busy: plain.load.busy,
        cpu_seconds_per_1000: ratio(cpu.as_secs_f64() * 1000.0, f64::from(count)),
        others: plain.seen.others,
        stored,
        floor,
        times_slower_than_raw: ratio(floor.redb_per_second, per_second),
    })
}

struct Accepted {
    load: Load,
    /// The daemon and the callers.
    seen: Watched<2>,
    /// Accepts per commit, on average.
    batch: u32,
}

async fn accept(
    stand: &Stand,
    name: &str,
    connections: u32,
    count: u32,
    write: Write,
) -> Result<Accepted, BenchError> {
    let daemon = stand.silent_daemon(name)?;
    let commits_before = daemon.commits().await?;
    let watch = Watch::start([daemon.process.id(), std::process::id()])?;
    let load = drive(daemon.address, connections, count, write).await?;
    let seen = watch.seen()?;
    let commits = daemon.commits().await?.saturating_sub(commits_before);
    let ended = daemon.process.stop(STOP_MAX)?;
    if !ended.success() {
        return Err(BenchError::Broken(format!(
            "the daemon of {name} stopped with {ended}; see {}",
            stand.log().display()
        )));
    }
    let batch = batch(count, commits).unwrap_or(connections);
    Ok(Accepted { load, seen, batch })
}

/// Accepts per commit, rounded; `None` when the daemon told of no commits.
fn batch(count: u32, commits: u64) -> Option<u32> {
    let commits = u32::try_from(commits).ok().filter(|commits| *commits > 0)?;
    count.saturating_add(commits.div_euclid(2)).checked_div(commits).map(|batch| batch.max(1))
}

/// Bytes of keys and values in all tables of a closed store.
fn stored_bytes(path: &Path) -> Result<u64, BenchError> {
    let sizes = ReadOnlyStore::open(path, CACHE_BYTES, None)?.reader()?.sizes()?;
    Ok(sizes.iter().fold(0, |sum, table| sum.saturating_add(table.stored_bytes)))
}
