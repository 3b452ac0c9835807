//! `dunlin bench`: what the daemon can do on this machine.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dunlin_storage::Without;

use crate::bench::error::BenchError;
use crate::bench::machine::Machine;
use crate::bench::report::Report;
use crate::bench::stand::Stand;
use crate::bench::text::TEXTS_MAX;
use crate::bench::timers::{self, SCHEDULES_MAX};
use crate::bench::{accepts, exchanges, gate, lives, restart, trust};
use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::output::{Form, Output, Tone};
use crate::cli::runtime;
use crate::cli::serve::run_daemon;
use crate::clock::{Clock as _, SystemClock};
use crate::shutdown::Shutdown;
use crate::timeline::written;

/// Accepts measured per life: they are faster, and a short run says little.
const ACCEPTS_PER_LIFE: u32 = 3;
/// Open messages at the restart, unless another number is asked for.
const OPEN_AT_RESTART: u32 = 100_000;
/// Scheduled messages, unless another number is asked for.
const SCHEDULES: u32 = 1_000_000;

/// Measure what the daemon can do on this machine.
///
/// Starts daemons and a carrier of their own with their files in a directory that is removed
/// afterwards, and drives them over real sockets with real syncs. Nobody receives anything, and your
/// credentials are not used. Exits with 1 when a text was sent twice, which no speed makes up for.
#[derive(Debug, Args)]
pub(super) struct Bench {
    /// Measure only this
    only: Option<Measure>,
    /// How many whole lives; three times as many accepts
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(100..=i64::from(TEXTS_MAX / ACCEPTS_PER_LIFE)))]
    lives: u32,
    /// Callers at once, each with one request under way
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1000))]
    connections: u32,
    /// Open messages: 100,000 at the restart, 1,000,000 scheduled ones for `timers`. Ten million of those
    /// take 8 GB of disk and ten minutes
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(SCHEDULES_MAX)))]
    open: Option<u32>,
    /// Where the files go; the disk below it is what is measured
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Be the server that stores nothing, for the carrier at this URL
    #[arg(long, hide = true, value_name = "URL")]
    nothing_stored: Option<String>,
    /// Be the daemon whose store in --dir, a new directory, leaves this out
    #[arg(long, hide = true, value_parser = without, requires = "carrier")]
    without: Option<Without>,
    /// Where that daemon's carrier is
    #[arg(long, hide = true, value_name = "ADDR", requires = "without")]
    carrier: Option<SocketAddr>,
}

fn without(name: &str) -> Result<Without, &'static str> {
    Without::ALL.into_iter().find(|without| without.as_str() == name).ok_or("one of seals, chain, both")
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measure {
    /// Durable accepts over HTTP, beside raw redb and append + fdatasync
    Accepts,
    /// Accepted, submitted, called back twice, delivered
    Lives,
    /// The same HTTP exchanges with nothing stored
    Exchanges,
    /// From kill -9 to ready
    Restart,
    /// Scheduled messages: memory, restart, lateness, a burst. Takes minutes, so only when named
    Timers,
    /// What sealing and chaining cost whole lives. Takes a minute, so only when named
    Trust,
    /// What the gate's rules cost whole lives. Takes a minute, so only when named
    Gate,
}

impl Bench {
    pub(super) fn run(self, output: Output) -> Ended {
        if let (Some(without), Some(carrier)) = (self.without, self.carrier) {
            return run_daemon(&trust::settings(&self.dir, carrier)?, Some(without));
        }
        if let Some(carrier) = self.nothing_stored {
            let said = |address| output.line(format_args!("listening on http://{address}"));
            runtime::serving()?.block_on(exchanges::serve(carrier, said))?;
            return Ok(Exit::Success);
        }
        let clock = SystemClock::start();
        let report = runtime::asking()?.block_on(async {
            let mut shutdown = Shutdown::listen()?;
            // Dropping the measurement stops its processes and removes its files.
            tokio::select! {
                report = self.measure(output, &clock) => Ok(report?),
                () = shutdown.asked() => Err(Failure::new(Exit::Failure, "interrupted; nothing is left behind")),
            }
        })?;
        match output.form() {
            Form::Json => output.json(&report)?,
            Form::Text => output.line(&report)?,
        }
        let doubled = report.lives.iter().map(|lives| lives.doubled);
        let later = report.timers.iter().map(|timers| timers.lateness.doubled.max(timers.burst.doubled));
        let trusted = report.trust.iter().map(|trust| trust.doubled);
        let ruled = report.gate.iter().map(|gate| gate.doubled);
        Ok(if doubled.chain(later).chain(trusted).chain(ruled).any(|texts| texts > 0) {
            Exit::Failure
        } else {
            Exit::Success
        })
    }

    async fn measure(&self, output: Output, clock: &SystemClock) -> Result<Report, BenchError> {
        let stand = Stand::new(std::env::current_exe()?, &self.dir)?;
        let machine = Machine::of_this(&self.dir);
        if !machine.syncs_reach_a_disk() {
            output.talk("warning: syncs of this file system reach no disk; choose another --dir");
        }
        if !machine.optimized {
            output.talk("warning: this is a debug build; its figures say nothing about a release");
        }
        let wanted = |measure| self.only.is_none_or(|only| only == measure);
        let step = |words: String| output.talk(output.paint(Tone::Dim, &words));
        let mut report = Report {
            measured_at: written(clock.wall()),
            version: env!("CARGO_PKG_VERSION"),
            machine,
            accepts: None,
            lives: None,
            exchanges: None,
            restart: None,
            timers: None,
            trust: None,
            gate: None,
        };
        if wanted(Measure::Accepts) {
            let count = self.lives.saturating_mul(ACCEPTS_PER_LIFE);
            step(format!("{count} durable accepts, without and with idempotency keys"));
            report.accepts = Some(accepts::measure(&stand, self.connections, count).await?);
        }
        if wanted(Measure::Lives) {
            step(format!("{} whole lives", self.lives));
            report.lives = Some(lives::measure(&stand, None, self.connections, self.lives).await?);
        }
        if wanted(Measure::Exchanges) {
            step(format!("{} times the same exchanges with nothing stored", self.lives));
            report.exchanges = Some(exchanges::measure(&stand, self.connections, self.lives).await?);
        }
        if wanted(Measure::Restart) {
            let open = self.open.unwrap_or(OPEN_AT_RESTART).min(TEXTS_MAX);
            step(format!("a restart with {open} open messages"));
            report.restart = Some(restart::measure(&stand, self.connections, open).await?);
        }
        if self.only == Some(Measure::Timers) {
            let open = self.open.unwrap_or(SCHEDULES);
            report.timers = Some(timers::measure(&stand, clock, self.connections, open, step).await?);
        }
        if self.only == Some(Measure::Trust) {
            report.trust = Some(trust::measure(&stand, self.connections, self.lives, step).await?);
        }
        if self.only == Some(Measure::Gate) {
            report.gate = Some(gate::measure(&stand, self.connections, self.lives, step).await?);
        }
        Ok(report)
    }
}

impl From<BenchError> for Failure {
    fn from(error: BenchError) -> Self {
        Self::new(Exit::Failure, error.to_string())
    }
}
