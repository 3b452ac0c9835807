//! What the gate's rules cost whole lives: measured with all of them in force and with none, in turn, in several
//! rounds, so that whatever else the machine does meets both.

use serde::Serialize;

use crate::bench::error::BenchError;
use crate::bench::figure::ratio;
use crate::bench::lives::{self, Lives};
use crate::bench::stand::Stand;
use crate::bench::trust::{Range, Run};

/// How often each is measured. Odd, so that the median is one that was measured.
const ROUNDS: usize = 5;

/// Every rule in force, none of which holds anything: what they cost is looking and counting.
const RULES: [(&str, &str); 9] = [
    ("DUNLIN_DEFAULT_TIME_ZONE", "Etc/UTC"),
    ("DUNLIN_QUIET_HOURS", "03:33-03:34"),
    ("SMS_RATE_LIMIT_PER_MINUTE", "256"),
    ("SMS_RATE_LIMIT_PER_HOUR", "256"),
    ("DUNLIN_RATE_GLOBAL", "90000000/m,90000000/h,90000000/d"),
    ("DUNLIN_RATE_SENDER", "90000000/m,90000000/h,90000000/d"),
    ("DUNLIN_RATE_COUNTRIES", "US=90000000/m,US=90000000/d"),
    ("DUNLIN_PREFIX_VELOCITY", "90000000/h"),
    ("DUNLIN_DUPLICATE_WINDOW", "10m"),
];

/// None of them.
const NO_RULES: [(&str, &str); 1] = [("DUNLIN_PREFIX_VELOCITY", "off")];

/// What the gate costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gate {
    /// Lives in each run.
    pub count: u32,
    /// With every rule in force.
    pub ruled: Vec<Run>,
    /// With none.
    pub free: Vec<Run>,
    /// Lives per second with every rule in force, the median.
    pub ruled_per_second: f64,
    /// Lives per second with none, the median.
    pub free_per_second: f64,
    /// Share of the lives per second that is lost, each round compared within itself.
    pub pace: Range,
    /// Processor time of the daemon that is added, as a share.
    pub cpu: Range,
    /// Texts that the carrier got more than once.
    pub doubled: u64,
    /// Largest share of the machine that everybody else used during one run, 0 to 1.
    pub others: f64,
}

/// Measures `count` lives with and without rules in every round. `said` hears what is done next.
///
/// # Errors
/// [`BenchError`].
pub async fn measure(
    stand: &Stand,
    connections: u32,
    count: u32,
    said: impl Fn(String),
) -> Result<Gate, BenchError> {
    let (mut ruled, mut free, mut doubled, mut others) = (Vec::new(), Vec::new(), 0_u64, 0_f64);
    for round in 1..=ROUNDS {
        said(format!("round {round} of {ROUNDS}: twice {count} lives"));
        // Nobody is always the first.
        let ruled_first = round.is_multiple_of(2);
        for is_ruled in [ruled_first, !ruled_first] {
            let rules: &[(&str, &str)] = if is_ruled { &RULES } else { &NO_RULES };
            let lives = lives::measure_told(stand, rules, connections, count).await?;
            doubled = doubled.saturating_add(lives.doubled);
            others = others.max(lives.others);
            if is_ruled { &mut ruled } else { &mut free }.push(run(&lives));
        }
    }
    let median = |runs: &[Run]| Range::over(runs.iter().map(|run| run.lives_per_second).collect()).median;
    let compared = |more: fn(&Run, &Run) -> f64| {
        Range::over(ruled.iter().zip(&free).map(|(ruled, free)| more(ruled, free)).collect())
    };
    Ok(Gate {
        count,
        ruled_per_second: median(&ruled),
        free_per_second: median(&free),
        pace: compared(|ruled, free| 1.0 - ratio(ruled.lives_per_second, free.lives_per_second)),
        cpu: compared(|ruled, free| ratio(ruled.cpu_seconds_per_1000, free.cpu_seconds_per_1000) - 1.0),
        ruled,
        free,
        doubled,
        others,
    })
}

fn run(lives: &Lives) -> Run {
    Run { lives_per_second: lives.per_second, cpu_seconds_per_1000: lives.cpu_seconds_per_1000.daemon }
}
