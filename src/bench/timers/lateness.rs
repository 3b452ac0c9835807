//! How late timers fire while other texts are sent.

use std::time::Duration;

use serde::Serialize;

use super::fill::{Schedule, fill};
use super::journal::{Steps, Waits, steps};
use super::{FULL, all_delivered, stop, wait_until};
use crate::bench::error::BenchError;
use crate::bench::figure::{float, ratio};
use crate::bench::load::drive_at;
use crate::bench::stand::Stand;
use crate::bench::text;
use crate::bench::usage::Watch;
use crate::clock::Clock;

/// Timers measured, and how many are due each second.
pub(super) const TIMERS: u32 = 6_000;
const TIMERS_PER_SECOND: u32 = 500;
/// Other texts, and how many are accepted each second: together with the timers 5,000 lives.
const LIVES: u32 = 63_000;
const LIVES_PER_SECOND: u32 = 4_500;
/// Time to fill in the timers and start the daemon.
const LEAD: Duration = Duration::from_secs(15);
/// Lives begin this long before the first timer.
const BEFORE: Duration = Duration::from_secs(1);
/// Where the recipients begin.
const RECIPIENTS_FROM: u32 = 5_000_000;

/// How late timers fire.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Lateness {
    /// How many timers.
    pub timers: u32,
    /// Lives per second meanwhile, the timers' own among them.
    pub lives_per_second: f64,
    /// Milliseconds from the instant asked for until the timer had fired, half.
    pub fired_p50_ms: u32,
    /// The same, all but one in a hundred.
    pub fired_p99_ms: u32,
    /// The same, the latest.
    pub fired_max_ms: u32,
    /// Milliseconds from the instant asked for until the attempt was committed, all but one in a hundred.
    pub begun_p99_ms: u32,
    /// Milliseconds from the instant asked for until the provider had it, all but one in a hundred.
    pub taken_p99_ms: u32,
    /// Texts that the carrier got more than once.
    pub doubled: u64,
    /// Share of the machine that everybody else used meanwhile, 0 to 1.
    pub others: f64,
}

/// Measures on the store that holds the schedules.
///
/// # Errors
/// [`BenchError`].
pub(super) async fn measure(
    stand: &Stand,
    clock: &dyn Clock,
    connections: u32,
) -> Result<Lateness, BenchError> {
    let from = clock.wall().plus(LEAD);
    let every = Duration::from_secs(1).checked_div(TIMERS_PER_SECOND).unwrap_or_default();
    let filled = fill(stand, clock, FULL, TIMERS, |number| Schedule {
        recipient: number.saturating_add(RECIPIENTS_FROM),
        due_at: from.plus(every.saturating_mul(number)),
    })
    .await?;
    let carrier = stand.sandbox()?;
    let daemon = stand.daemon(FULL, carrier.address)?;
    wait_until(clock, from.minus(BEFORE)).await?;
    let watch = Watch::start([daemon.process.id(), carrier.process.id(), std::process::id()])?;
    let rate = Some(LIVES_PER_SECOND);
    let load = drive_at(daemon.address, connections, LIVES, rate, text::immediate).await?;
    let doubled = all_delivered(&carrier, LIVES.saturating_add(TIMERS)).await?;
    let seen = watch.seen()?;
    stop(stand, daemon)?;
    let steps = steps(&stand.store(FULL), filled.first, TIMERS)?;
    let late = |until: fn(&Steps) -> _| Waits::between(&steps, |step| step.wanted, until);
    let (fired, begun) = (late(|step| step.due), late(|step| step.begun));
    let whole = ratio(float(u64::from(LIVES.saturating_add(TIMERS))), seen.elapsed.as_secs_f64());
    Ok(Lateness {
        timers: TIMERS,
        lives_per_second: whole.min(load.per_second() + f64::from(TIMERS_PER_SECOND)),
        fired_p50_ms: fired.quantile(50),
        fired_p99_ms: fired.quantile(99),
        fired_max_ms: fired.quantile(100),
        begun_p99_ms: begun.quantile(99),
        taken_p99_ms: late(|step| step.taken).quantile(99),
        doubled,
        others: seen.others,
    })
}
