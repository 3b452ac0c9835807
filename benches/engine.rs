//! The engine and its store without any HTTP: what a whole life costs when the network is free.
//!
//! `cargo bench --bench engine -- [LIVES]`. Prints lives per second, CPU seconds per 1,000, commits and bytes.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "a bench may end by panicking, and prints what it measured"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use dunlin::clock::{Clock, SystemClock};
use dunlin::engine::ask::Wish;
use dunlin::engine::dispatcher::DispatchLimits;
use dunlin::engine::lease::LeaseHandle;
use dunlin::engine::provider::{
    Answer, FetchOutcome, FindOutcome, Provider, Search, Submission, SubmitOutcome,
};
use dunlin::engine::verifications::Verifying;
use dunlin::engine::{Engine, EngineConfig};
use dunlin_storage::{Entropy, Keyring, NEWCOMERS_MAX, OpenOptions, Store};
use dunlin_workflows::body::Body;
use dunlin_workflows::id::{Attempt, MessageId, MessageNumber, ProviderSid};
use dunlin_workflows::message::{OnUnknown, Priority, ProviderStatus, Report, Request, Via};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::rules::Rules;
use dunlin_workflows::source::Source;
use tokio::sync::mpsc;

/// A provider that is already there: takes everything at once.
#[derive(Debug)]
struct Instantly {
    taken: mpsc::UnboundedSender<(MessageNumber, Attempt, ProviderSid)>,
}

impl Provider for Instantly {
    fn submit(&self, submission: Submission) -> Answer<'_, SubmitOutcome> {
        let name = format!("SM{:016x}{:016x}", fastrand::u64(..), submission.message.get());
        let sid: ProviderSid = name.parse().expect("a SID");
        self.taken.send((submission.message, submission.attempt, sid)).expect("the bench listens");
        Box::pin(async move { SubmitOutcome::Accepted { sid, status: ProviderStatus::Queued } })
    }

    fn find(&self, _search: Search) -> Answer<'_, FindOutcome> {
        Box::pin(async { FindOutcome::Matches(Vec::new()) })
    }

    fn fetch(&self, _sid: ProviderSid) -> Answer<'_, FetchOutcome> {
        Box::pin(async { FetchOutcome::NotFound })
    }
}

fn request(n: u64) -> Request {
    Request {
        id: MessageId::from_bytes(uuid::Uuid::now_v7().into_bytes()),
        to: PhoneNumber::from_digits(15_550_000_000 + n).expect("a number"),
        body: Body::parse("Your table for two is ready at 19:30. Reply STOP to opt out.").expect("a body"),
        priority: Priority::Normal,
        scheduled_for: None,
        expires_at: None,
        on_unknown: OnUnknown::Hold,
        user_id: None,
        metadata: None,
        retry_of: None,
        kind: None,
        template: None,
        may_bypass: false,
        is_claimed: false,
    }
}

fn cpu_seconds() -> f64 {
    let usage = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> =
        usage.rsplit(')').next().unwrap_or("").split_whitespace().filter_map(|f| f.parse().ok()).collect();
    // After the name: state is not a number, so utime and stime are the 11th and 12th of the numbers.
    fields.get(10).unwrap_or(&0.0) / 100.0 + fields.get(11).unwrap_or(&0.0) / 100.0
}

#[tokio::main]
async fn main() {
    let lives: u64 = std::env::args().find_map(|a| a.parse().ok()).unwrap_or(50_000);
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(SystemClock::start());
    let options = OpenOptions {
        now: clock.wall(),
        cache_bytes: 32 << 20,
        callback_key: [7; 32],
        keys: Arc::new(Keyring::generate(&Entropy::system()).expect("keys")),
        entropy: Entropy::system(),
        check_integrity: false,
        newcomers_max: NEWCOMERS_MAX,
    };
    let (store, _report) = Store::open(&dir.path().join("dunlin.redb"), &options).expect("a store");
    let (taken, mut arrivals) = mpsc::unbounded_channel();
    let config = EngineConfig {
        rules: Rules::default(),
        limits: DispatchLimits { concurrency: 64, segments_per_second: None },
        queue_bytes_max: 16 << 20,
        timer_horizon: Duration::from_mins(1),
        idempotency_retention: Duration::from_hours(24),
        orphan_retention: Duration::from_hours(24),
        questions_max: 4,
        verifying: Verifying::default(),
        lease: LeaseHandle::unlimited(),
        seed: 1,
    };
    let store = Arc::new(store);
    let engine =
        Engine::start(Arc::clone(&store), Arc::new(Instantly { taken }), clock, config).expect("an engine");
    let started = Instant::now();
    let callers: Vec<_> = (0..32)
        .map(|caller| {
            let engine = engine.clone();
            tokio::spawn(async move {
                for n in (caller..lives).step_by(32) {
                    let wish = Wish { request: request(n).into(), claim: None };
                    engine.accept(vec![wish], Source::Api).await.expect("room")[0]
                        .as_ref()
                        .expect("accepted");
                }
            })
        })
        .collect();
    let mut tellers = tokio::task::JoinSet::new();
    for _ in 0..lives {
        let (number, attempt, sid) = arrivals.recv().await.expect("a submission");
        let engine = engine.clone();
        tellers.spawn(async move {
            for status in [ProviderStatus::Sent, ProviderStatus::Delivered] {
                let report = Report { sid, status, code: None, via: Via::Callback };
                engine.callback(Some((number, attempt)), report).await.expect("heard");
            }
        });
        while tellers.try_join_next().is_some() {}
    }
    while tellers.join_next().await.is_some() {}
    for caller in callers {
        caller.await.expect("a caller");
    }
    let took = started.elapsed().as_secs_f64();
    let commits = engine.progress().read().commits;
    let bytes = std::fs::metadata(dir.path().join("dunlin.redb")).map_or(0, |m| m.len());
    println!(
        "{lives} lives in {took:.2} s: {:.0}/s, {:.3} CPU s/1000, {commits} commits, {} B/life",
        lives as f64 / took,
        cpu_seconds() / lives as f64 * 1000.0,
        bytes / lives
    );
}
