//! The simulation: the real core, store and writer in one thread, on virtual clocks, from a seed.
//!
//! `DUNLIN_SIM_SEEDS=N` lives through N seeds, `DUNLIN_SIM_SEED=S` replays one and tells every line.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    clippy::as_conversions,
    clippy::print_stderr,
    reason = "a test may stop at what it did not expect, and tells what it saw"
)]

mod carrier;
mod clock;
mod disk;
mod life;
mod network;
mod oracle;
mod people;
mod plan;
mod trace;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::plan::{Defect, Plan};
use crate::world::{Ending, World};

/// Seeds that found something, and what.
const TALES: [(u64, &str); 1] = [(
    1232,
    "the clock jumped back while an answer was lost: the search had an empty window, and the text went twice",
)];

/// Seeds by default: about half a minute on two cores.
const SEEDS: u64 = 2000;

fn wanted(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

/// Lives through a plan. What panics is broken.
fn live(plan: Plan, tell_all: bool, silent: bool) -> Ending {
    let mut world = World::new(plan);
    world.trace.all = tell_all;
    world.trace.off = silent;
    world.live()
}

/// Lives through a seed without a trace; when something is broken, once more with one.
fn judged(plan: &Plan) -> Result<Ending, String> {
    let ended = catch_unwind(AssertUnwindSafe(|| live(plan.clone(), false, true)));
    let seed = plan.seed;
    match ended {
        Ok(ending) if ending.broken.is_empty() => Ok(ending),
        Ok(ending) => {
            let told = live(plan.clone(), false, false);
            Err(format!("seed {seed}:\n{}\n{:#?}\n", told.trace, ending.broken))
        }
        Err(_) => Err(format!("seed {seed}: panicked")),
    }
}

/// Lives through seeds on every core; gives how many ended well, or the first that did not.
fn live_through(seeds: &[u64], defect: Option<Defect>) -> Result<u64, String> {
    let (next, failed) = (AtomicU64::new(0), Mutex::new(None));
    let records = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while failed.lock().unwrap().is_none() {
                    let n = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap();
                    let Some(seed) = seeds.get(n) else { break };
                    let plan = Plan { defect, ..Plan::of(*seed) };
                    match judged(&plan) {
                        Ok(ending) => {
                            records.fetch_add(ending.counts.records, Ordering::Relaxed);
                        }
                        Err(how) => *failed.lock().unwrap() = Some(how),
                    }
                }
            });
        }
    });
    match failed.into_inner().unwrap() {
        Some(how) => Err(how),
        None => Ok(records.into_inner()),
    }
}

#[test]
fn seeds_that_once_found_something_find_nothing() {
    for (seed, tale) in TALES {
        if let Err(how) = judged(&Plan::of(seed)) {
            panic!("{tale}, again:\n{how}");
        }
    }
}

#[test]
fn promises_hold_in_every_world() {
    if let Some(seed) = wanted("DUNLIN_SIM_SEED") {
        let ending = live(Plan::of(seed), true, false);
        eprintln!("{}\n{:#?} {:#?}", ending.trace, ending.broken, ending.counts);
        assert!(ending.broken.is_empty());
        return;
    }
    let first = wanted("DUNLIN_SIM_FIRST").unwrap_or(0);
    let count = wanted("DUNLIN_SIM_SEEDS").unwrap_or(SEEDS);
    let seeds: Vec<u64> = (first..first + count).collect();
    let began = Instant::now();
    match live_through(&seeds, None) {
        Ok(records) => eprintln!("{count} seeds, {records} records in {:?}", began.elapsed()),
        Err(how) => panic!("{how}"),
    }
}
