//! Very many messages due in the same second, and urgent ones that come while they are sent.

use std::time::Duration;

use dunlin_workflows::id::MessageNumber;
use serde::Serialize;

use super::fill::{Schedule, fill};
use super::journal::{Waits, steps};
use super::{FULL, all_delivered, stop, wait_until};
use crate::bench::error::BenchError;
use crate::bench::figure::per_second;
use crate::bench::load::drive_at;
use crate::bench::stand::Stand;
use crate::bench::text;
use crate::bench::usage::Usage;
use crate::clock::Clock;

/// Messages due in the same second.
pub(super) const DUE: u32 = 200_000;
/// Urgent texts, and how many are accepted each second.
const URGENT: u32 = 2_000;
const URGENT_PER_SECOND: u32 = 50;
/// Callers that ask for them.
const CALLERS: u32 = 8;
/// Time to fill in the messages and start the daemon.
const LEAD: Duration = Duration::from_secs(40);
/// Where the recipients begin.
const RECIPIENTS_FROM: u32 = 6_000_000;

/// How a burst went.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Burst {
    /// Messages due in the same second.
    pub due: u32,
    /// Seconds until every timer had fired.
    pub fired_seconds: f64,
    /// Seconds until the provider had the last of them.
    pub drained_seconds: f64,
    /// Texts per second that the provider took meanwhile.
    pub per_second: f64,
    /// Urgent texts accepted before it was drained.
    pub urgent: u32,
    /// Milliseconds from acceptance until the provider had it, half of the urgent ones.
    pub urgent_p50_ms: u32,
    /// The same, all but one in a hundred.
    pub urgent_p99_ms: u32,
    /// Milliseconds from the request until it was accepted, all but one in a hundred of the urgent ones.
    pub accept_p99_ms: f64,
    /// Most memory of the daemon resident at once, in bytes.
    pub resident_max: u64,
    /// Texts that the carrier got more than once.
    pub doubled: u64,
}

/// Measures on the store that holds the schedules.
///
/// # Errors
/// [`BenchError`].
pub(super) async fn measure(stand: &Stand, clock: &dyn Clock) -> Result<Burst, BenchError> {
    let at = clock.wall().plus(LEAD);
    let filled = fill(stand, clock, FULL, DUE, |number| Schedule {
        recipient: number.saturating_add(RECIPIENTS_FROM),
        due_at: at.plus(Duration::from_millis(u64::from(number.checked_rem(1_000).unwrap_or_default()))),
    })
    .await?;
    let carrier = stand.sandbox()?;
    let daemon = stand.daemon(FULL, carrier.address)?;
    wait_until(clock, at).await?;
    let rate = Some(URGENT_PER_SECOND);
    let load = drive_at(daemon.address, CALLERS, URGENT, rate, text::urgent).await?;
    let doubled = all_delivered(&carrier, DUE.saturating_add(URGENT)).await?;
    let resident_max = Usage::read(daemon.process.id())?.resident_max;
    stop(stand, daemon)?;
    let due = steps(&stand.store(FULL), filled.first, DUE)?;
    let fired_at = due.iter().map(|step| step.due).max().unwrap_or(at);
    let drained_at = due.iter().map(|step| step.taken).max().unwrap_or(at);
    let first_urgent = MessageNumber::new(filled.first.get().saturating_add(u64::from(DUE)));
    let urgent = steps(&stand.store(FULL), first_urgent, URGENT)?;
    let during = urgent.iter().filter(|step| step.accepted < drained_at);
    let waits = Waits::between(during, |step| step.accepted, |step| step.taken);
    let drained = drained_at.since(at);
    Ok(Burst {
        due: DUE,
        fired_seconds: fired_at.since(at).as_secs_f64(),
        drained_seconds: drained.as_secs_f64(),
        per_second: per_second(u64::from(DUE), drained),
        urgent: waits.count(),
        urgent_p50_ms: waits.quantile(50),
        urgent_p99_ms: waits.quantile(99),
        accept_p99_ms: load.quantile_ms(99),
        resident_max,
        doubled,
    })
}
