//! Messages scheduled far ahead: what they cost in memory, how long a restart takes, how late timers
//! fire while other texts are sent, and what becomes of urgent texts when very many are due at once.

mod burst;
mod fill;
mod journal;
mod lateness;

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::bench::error::BenchError;
use crate::bench::lives::{all_called_back, doubled};
use crate::bench::load::drive;
use crate::bench::restart::ready;
use crate::bench::stand::{STOP_MAX, Stand, Started};
use crate::bench::text;
use crate::bench::usage::Usage;
use crate::clock::Clock;

pub use burst::Burst;
pub use lateness::Lateness;

/// Most schedules that can be measured: a few to each person in the bench's book.
pub const SCHEDULES_MAX: u32 = 16_000_000;
/// The measurement whose store holds the schedules.
const FULL: &str = "timers";
/// The measurement whose store is empty but for a few lives.
const EMPTY: &str = "timers-none";
/// Schedules of one person: somebody who is reminded of one thing is reminded of others.
const PER_PERSON: u32 = 4;
/// How far ahead schedules begin, and over what time they spread.
const AHEAD: Duration = Duration::from_hours(30 * 24);
const SPREAD_SECONDS: u64 = 365 * 24 * 3600;
/// Lives before the crash, so that there is something it can hurt.
const LIVES_BEFORE: u32 = 2_000;

/// What schedules cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timers {
    /// Pending schedules.
    pub schedules: u32,
    /// Seconds that filling the store took, which is not the daemon's work.
    pub filled_seconds: f64,
    /// Size of the store's file in bytes.
    pub file_bytes: u64,
    /// A start after `kill -9` with nothing scheduled.
    pub none: Start,
    /// The same with all schedules pending.
    pub full: Start,
    /// How late timers fire.
    pub lateness: Lateness,
    /// Very many due in the same second.
    pub burst: Burst,
}

/// A start after `kill -9`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Start {
    /// Seconds from the start of the process until `/readyz` said 200.
    pub seconds: f64,
    /// Memory resident then, in bytes.
    pub resident: u64,
    /// Most memory resident until then, in bytes.
    pub resident_max: u64,
}

/// Measures with `schedules` pending. `said` hears what is done next.
///
/// # Errors
/// [`BenchError`].
pub async fn measure(
    stand: &Stand,
    clock: &dyn Clock,
    connections: u32,
    schedules: u32,
    said: impl Fn(String),
) -> Result<Timers, BenchError> {
    let none = start_after_kill(stand, EMPTY, connections).await?;
    stand.clear(EMPTY)?;
    said(format!("filling a store with {schedules} schedules"));
    let ahead = clock.wall().plus(AHEAD);
    let filled = fill::fill(stand, clock, FULL, schedules, |number| fill::Schedule {
        recipient: number.checked_div(PER_PERSON).unwrap_or_default(),
        due_at: ahead.plus(scattered(number)),
    })
    .await?;
    said("a restart after kill -9".to_owned());
    let full = start_after_kill(stand, FULL, connections).await?;
    let file_bytes = std::fs::metadata(stand.store(FULL))?.len();
    said(format!("{} timers while lives run", lateness::TIMERS));
    let lateness = lateness::measure(stand, clock, connections).await?;
    said(format!("{} messages due in the same second", burst::DUE));
    let burst = burst::measure(stand, clock).await?;
    stand.clear(FULL)?;
    let filled_seconds = filled.elapsed.as_secs_f64();
    Ok(Timers { schedules, filled_seconds, file_bytes, none, full, lateness, burst })
}

/// A time within the spread, as if drawn: neighbours are far apart, and every run draws the same.
fn scattered(number: u32) -> Duration {
    let mixed = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_shr(20);
    Duration::from_secs(mixed.checked_rem(SPREAD_SECONDS).unwrap_or_default())
}

/// Lets a daemon live a little, kills it and starts it again.
async fn start_after_kill(stand: &Stand, name: &str, connections: u32) -> Result<Start, BenchError> {
    let carrier = stand.sandbox()?;
    let Started { process, address } = stand.daemon(name, carrier.address)?;
    drive(address, connections, LIVES_BEFORE, text::immediate).await?;
    all_called_back(carrier.address, u64::from(LIVES_BEFORE)).await?;
    process.kill()?;
    let started = Instant::now();
    let daemon = stand.daemon(name, carrier.address)?;
    ready(daemon.address, started).await?;
    let seconds = started.elapsed().as_secs_f64();
    let usage = Usage::read(daemon.process.id())?;
    stop(stand, daemon)?;
    Ok(Start { seconds, resident: usage.resident, resident_max: usage.resident_max })
}

/// Stops a daemon in order, so that its store can be looked at.
fn stop(stand: &Stand, daemon: Started) -> Result<(), BenchError> {
    let ended = daemon.process.stop(STOP_MAX)?;
    if ended.success() {
        return Ok(());
    }
    Err(BenchError::Broken(format!("the daemon stopped with {ended}; see {}", stand.log().display())))
}

/// Waits until the carrier's callbacks about `texts` different texts are taken; gives how many it got twice.
async fn all_delivered(carrier: &Started, texts: u32) -> Result<u64, BenchError> {
    all_called_back(carrier.address, u64::from(texts)).await?;
    doubled(carrier.address, texts).await
}

/// Waits until `at`, which must not have passed.
async fn wait_until(clock: &dyn Clock, at: dunlin_workflows::timestamp::Timestamp) -> Result<(), BenchError> {
    let left = at.since(clock.wall());
    if left.is_zero() {
        return Err(BenchError::Broken("preparing took too long; choose fewer schedules".to_owned()));
    }
    tokio::time::sleep(left).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_scatter_over_the_whole_spread() {
        let times: Vec<u64> = (0..1000).map(|number| scattered(number).as_secs()).collect();
        let late = times.iter().filter(|seconds| **seconds > SPREAD_SECONDS / 2).count();
        assert!((400..600).contains(&late), "{late}");
        assert!(times.iter().all(|seconds| *seconds < SPREAD_SECONDS));
    }
}
