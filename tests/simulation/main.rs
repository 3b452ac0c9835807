//! The simulation: the real core, store and writer in one thread, on virtual clocks, from a seed.
//!
//! `DUNLIN_SIM_SEEDS=N` lives through N seeds, `DUNLIN_SIM_SEED=S` replays one and tells every line.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::as_conversions,
    clippy::print_stderr,
    reason = "a test may stop at what it did not expect, and tells what it saw"
)]

mod carrier;
mod claims;
mod clock;
mod disk;
mod life;
mod lives;
mod machine;
mod nemesis;
mod network;
mod oracle;
mod people;
mod plan;
mod proofs;
mod recurrences;
mod service;
mod shared_database;
mod sharer;
mod sharing;
mod streams;
mod texts;
mod trace;
mod users;
mod world;
mod zones;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::disk::mixed;
use crate::lives::LIVES;
use crate::plan::{Defect, Plan};
use crate::world::{Counts, Ending, World};

/// Seeds that found something, and what. A change of what a seed stands for makes them ordinary ones;
/// then the tale is told in `lives.rs`, where nothing is drawn.
const TALES: [(u64, &str); 3] = [(716, EMPTY_WINDOW), (6428, EMPTY_WINDOW), (14829, EMPTY_WINDOW)];

const EMPTY_WINDOW: &str =
    "the clock jumped back while an answer was lost: the search had an empty window, and the text went twice";

/// What must have happened somewhere for the claims to mean anything.
const EVENTS: [&str; 47] = [
    "accepted",
    "held",
    "became_due",
    "attempt_started",
    "submitted",
    "attempt_failed",
    "outcome_lost",
    "lookup_found_nothing",
    "status_reported",
    "polled",
    "unconfirmed",
    "rescheduled",
    "canceled",
    "expired",
    "given_up",
    "remarked",
    "retried_as",
    "contradicted",
    "suppressed",
    "opted_out",
    "opted_in",
    "help_asked",
    "opt_out_suspected",
    "review_resolved",
    "lane_cooled",
    "lane_warmed",
    "failures_repeated",
    "failures_ended",
    "bypassed",
    "user_met",
    "preferences_changed",
    "number_changed",
    "number_verified",
    "verification_started",
    "code_sent",
    "code_not_sent",
    "code_perhaps_sent",
    "check_started",
    "code_refused",
    "number_proven",
    "number_taken",
    "checks_spent",
    "check_failed",
    "check_lost",
    "verification_looked_up",
    "verification_expired",
    "allowance_taken",
];

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

/// Lives through so many plans on every core; gives what they were made of, or how the first that
/// was judged to be broken ended.
fn live_through(count: u64, plan: impl Fn(u64) -> Plan + Sync) -> Result<Counts, String> {
    let (next, failed, sum) = (AtomicU64::new(0), Mutex::new(None), Mutex::new(Counts::default()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while failed.lock().unwrap().is_none() {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        break;
                    }
                    match judged(&plan(n)) {
                        Ok(ending) => sum.lock().unwrap().add(&ending.counts),
                        Err(how) => *failed.lock().unwrap() = Some(how),
                    }
                }
            });
        }
    });
    match failed.into_inner().unwrap() {
        Some(how) => Err(how),
        None => Ok(sum.into_inner().unwrap()),
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
fn clock_that_jumps_back_while_an_answer_is_lost_sends_nothing_twice() {
    if let Err(how) = judged(&lives::clock_jumps_back()) {
        panic!("{how}");
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
    let began = Instant::now();
    match live_through(count, |n| Plan::of(first + n)) {
        Ok(counts) => {
            eprintln!("{count} seeds in {:?}: {counts:#?}", began.elapsed());
            let missing = EVENTS.iter().filter(|event| !counts.events.contains_key(*event));
            let missing: Vec<_> = missing.filter(|_| count >= SEEDS).collect();
            assert!(missing.is_empty(), "no world has seen {missing:?}");
        }
        Err(how) => panic!("{how}"),
    }
}

#[test]
fn one_seed_is_one_world() {
    for seed in 0..12 {
        let (once, again) = (live(Plan::of(seed), false, true), live(Plan::of(seed), false, true));
        assert_eq!((once.hash, once.changes), (again.hash, again.changes), "seed {seed}");
        assert_ne!(once.hash, live(Plan::of(seed + 1), false, true).hash);
    }
}

#[test]
fn power_may_go_at_every_operation_of_a_short_life() {
    let began = Instant::now();
    let mut crashes = 0;
    for life in &LIVES {
        let calm = judged(&life.plan(None, 1)).unwrap_or_else(|how| panic!("{}: {how}", life.name));
        let counts = live_through(calm.changes, |n| life.plan(Some(n + 1), mixed(1, n)));
        if let Err(how) = counts {
            panic!("{}: {how}", life.name);
        }
        crashes += calm.changes;
    }
    eprintln!("{crashes} crashes in {:?}", began.elapsed());
    assert!(crashes > 1000, "the lives must write enough to crash at: {crashes}");
}

/// The judge is worth what it catches.
#[test]
fn planted_bugs_are_caught() {
    let bugs = [
        (Defect::EffectsBeforeCommit, "acknowledged up to"),
        (Defect::ServerErrorIsUnsent, "taken for refused"),
        (Defect::WaitsOnWallClock, "searched for after"),
        (Defect::RearmedTimerDropped, "does not come to rest"),
        (Defect::GateIsBlind, "texted"),
        (Defect::PreferencesForgotten, "texted"),
        (Defect::CounterForgotten, "of a day whose limit is"),
        (Defect::ProofForgotten, "proved the number of user"),
        (Defect::FlowForgotten, "altogether within"),
    ];
    for (bug, law) in bugs {
        let caught = (0..SEEDS).find_map(|seed| {
            let plan = Plan { defect: Some(bug), ..Plan::of(seed) };
            let broken = live(plan, false, true).broken;
            // Some worlds end before the law is broken, with the traces of the plant alone.
            broken.first().is_some_and(|how| how.contains(law)).then_some((seed, broken))
        });
        let Some((seed, broken)) = caught else { panic!("{bug:?} was not caught by its law") };
        eprintln!("{bug:?} was caught at seed {seed}: {}", broken[0]);
    }
}
