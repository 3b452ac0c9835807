//! What sealing and chaining cost whole lives: measured with both, with one, and with neither, in turn, in
//! several rounds, so that whatever else the machine does meets all of them.
//!
//! A store that leaves something out never becomes anybody's: the daemon that has one makes it in a new
//! directory, reads no environment, knows the bench's account alone and a carrier on this machine, and
//! nothing opens the file afterwards ([`Store::measured`](dunlin_storage::Store::measured)).

use std::net::SocketAddr;
use std::path::Path;

use dunlin_storage::Without;
use serde::Serialize;

use crate::bench::error::BenchError;
use crate::bench::figure::ratio;
use crate::bench::lives;
use crate::bench::stand::{self, Stand};
use crate::config::environment::Environment;
use crate::config::resolve::Values;

/// How often each is measured. Odd, so that the median is one that was measured.
const ROUNDS: usize = 5;

/// What is measured in turn: what every store has, sealed alone, chained alone, neither.
const SIDES: [Option<Without>; 4] = [None, Some(Without::Chain), Some(Without::Seals), Some(Without::Both)];

/// What sealing and chaining cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trust {
    /// Lives in each run.
    pub count: u32,
    /// Sealed and chained, as every store is.
    pub whole: Side,
    /// Sealed, not chained.
    pub sealed: Side,
    /// Chained, not sealed.
    pub chained: Side,
    /// Neither.
    pub neither: Side,
    /// Share of the lives per second that is lost.
    pub pace: Cost,
    /// Processor time of the daemon that is added, as a share of what it takes with neither.
    pub cpu: Cost,
    /// Texts that the carrier got more than once.
    pub doubled: u64,
    /// Largest share of the machine that everybody else used during one run, 0 to 1.
    pub others: f64,
}

/// Every run of one side, in order, and their medians.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// Lives per second, the median.
    pub lives_per_second: f64,
    /// Processor seconds of the daemon per 1,000 lives, the median.
    pub cpu_seconds_per_1000: f64,
    /// The runs.
    pub runs: Vec<Run>,
}

/// One run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Run {
    /// Lives per second.
    pub lives_per_second: f64,
    /// Processor seconds of the daemon per 1,000 lives.
    pub cpu_seconds_per_1000: f64,
}

/// What is paid for more than neither, as shares: 0.1 is ten percent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cost {
    /// For sealing and chaining.
    pub both: Range,
    /// For sealing alone.
    pub sealing: Range,
    /// For chaining alone.
    pub chaining: Range,
}

/// What the rounds say, each compared within itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Range {
    /// The median.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

/// Measures `count` lives of every side in every round. `said` hears what is done next.
///
/// # Errors
/// [`BenchError`].
pub async fn measure(
    stand: &Stand,
    connections: u32,
    count: u32,
    said: impl Fn(String),
) -> Result<Trust, BenchError> {
    let mut sides = SIDES;
    let (mut runs, mut doubled, mut others) = (Vec::new(), 0_u64, 0_f64);
    for round in 1..=ROUNDS {
        said(format!("round {round} of {ROUNDS}: {} times {count} lives", sides.len()));
        for without in sides {
            let lives = lives::measure(stand, without, connections, count).await?;
            doubled = doubled.saturating_add(lives.doubled);
            others = others.max(lives.others);
            let lives_per_second = lives.per_second;
            let cpu_seconds_per_1000 = lives.cpu_seconds_per_1000.daemon;
            runs.push((without, Run { lives_per_second, cpu_seconds_per_1000 }));
        }
        // Nobody is always the first.
        sides.rotate_left(1);
    }
    let [whole, sealed, chained, neither] = SIDES.map(|side| Side::of(side, &runs));
    let cost = |more: fn(&Run, &Run) -> f64| Cost {
        both: Range::of(&whole, &neither, more),
        sealing: Range::of(&sealed, &neither, more),
        chaining: Range::of(&chained, &neither, more),
    };
    let pace = cost(|run, neither| 1.0 - ratio(run.lives_per_second, neither.lives_per_second));
    let cpu = cost(|run, neither| ratio(run.cpu_seconds_per_1000, neither.cpu_seconds_per_1000) - 1.0);
    Ok(Trust { count, whole, sealed, chained, neither, pace, cpu, doubled, others })
}

/// The settings of a daemon that leaves something out, with a store in the new directory `data` and a
/// carrier at `carrier`. Nothing of the environment gets in.
///
/// # Errors
/// When there is such a directory already, or the carrier is not on this machine.
pub fn settings(data: &Path, carrier: SocketAddr) -> Result<Values, BenchError> {
    if !carrier.ip().is_loopback() {
        let words =
            format!("{carrier} is not on this machine; nothing is sent from a store that is measured");
        return Err(BenchError::Broken(words));
    }
    std::fs::create_dir(data)?;
    let mut variables = stand::sender(carrier);
    variables.push(("DUNLIN_DATA", data.display().to_string()));
    variables.push(("DUNLIN_LISTEN", "127.0.0.1:0".to_owned()));
    let named = variables.into_iter().map(|(name, value)| (name.to_owned(), value));
    Ok(Values::resolve(&[], &named.collect::<Environment>()))
}

impl Side {
    fn of(side: Option<Without>, runs: &[(Option<Without>, Run)]) -> Self {
        let runs: Vec<Run> =
            runs.iter().filter(|(without, _)| *without == side).map(|(_, run)| *run).collect();
        let median = |figure: fn(&Run) -> f64| Range::over(runs.iter().map(figure).collect()).median;
        Self {
            lives_per_second: median(|run| run.lives_per_second),
            cpu_seconds_per_1000: median(|run| run.cpu_seconds_per_1000),
            runs,
        }
    }
}

impl Range {
    /// What `side` pays for more than `neither`, round by round.
    fn of(side: &Side, neither: &Side, more: fn(&Run, &Run) -> f64) -> Self {
        Self::over(side.runs.iter().zip(&neither.runs).map(|(run, neither)| more(run, neither)).collect())
    }

    pub(super) fn over(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        let at = |place: usize| figures.get(place).copied().unwrap_or_default();
        let last = figures.len().saturating_sub(1);
        Self { median: at(last.div_euclid(2)), least: at(0), most: at(last) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_compared_within_themselves() {
        let run = |lives_per_second| Run { lives_per_second, cpu_seconds_per_1000: 0.2 };
        let side = |without, rates: [f64; 3]| Side::of(without, &rates.map(|rate| (without, run(rate))));
        // A machine that halves its pace between rounds changes no cost.
        let (whole, neither) = (side(None, [90.0, 45.0, 40.0]), side(SIDES[3], [100.0, 50.0, 50.0]));
        let more: fn(&Run, &Run) -> f64 =
            |run, neither| 1.0 - run.lives_per_second / neither.lives_per_second;
        let cost = Range::of(&whole, &neither, more);
        let percent = [cost.least, cost.median, cost.most].map(|share| format!("{:.0}", share * 100.0));
        assert_eq!(percent, ["10", "10", "20"]);
        assert!((whole.lives_per_second - 45.0).abs() < f64::EPSILON);
    }

    #[test]
    fn daemon_that_leaves_something_out_gets_a_new_directory_and_a_carrier_on_this_machine() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let carrier = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert!(settings(&data, carrier("192.0.2.1:80")).is_err());
        assert!(!data.exists());
        assert!(settings(&data, carrier("127.0.0.1:9")).is_ok());
        assert!(settings(&data, carrier("127.0.0.1:9")).is_err(), "the directory is not new any more");
    }
}
