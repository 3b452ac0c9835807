//! What a text leaves in the store, table by table, and the writer's work for it: a fixed amount, turn after turn in one
//! thread, so that its instructions can be counted.
//!
//! `cargo bench --bench store -- [lives|accepts] [COUNT] [PER TURN]`. As in `dunlin bench`, every text goes to a person and a user never
//! met before; a turn of lives carries the same step of as many of them each.

#![expect(
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "a bench may end by panicking, and prints what it measured"
)]

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dunlin::clock::Clock;
use dunlin::engine::EngineConfig;
use dunlin::engine::ask::{Ask, Wish};
use dunlin::engine::courier::{Effects, submitted};
use dunlin::engine::dispatcher::DispatchLimits;
use dunlin::engine::lease::LeaseHandle;
use dunlin::engine::provider::{Search, Submission, SubmitOutcome};
use dunlin::engine::stepper::Stepper;
use dunlin::engine::verifications::Verifying;
use dunlin_storage::{
    ArchiveRequest, Entropy, Keyring, NEWCOMERS_MAX, OpenOptions, ReadOnlyStore, Store, compact,
};
use dunlin_workflows::body::Body;
use dunlin_workflows::id::{Attempt, MessageId, MessageNumber, ProviderSid};
use dunlin_workflows::message::{OnUnknown, Priority, ProviderStatus, Report, Request, Via};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::rules::{Rules, Sending};
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;
use tokio::sync::oneshot;

const START_MS: i64 = 1_790_000_000_000;
const CACHE_BYTES: usize = 32 << 20;

fn main() {
    let told: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let number = |place: usize| told.get(place).and_then(|word| word.parse().ok());
    let sends = told.first().is_none_or(|word| word != "accepts");
    let (count, per_turn) = (number(1).unwrap_or(20_000), number(2).unwrap_or(11));
    let dir = tempfile::tempdir_in(".").expect("a directory");
    let path = dir.path().join("dunlin.redb");
    let keys = Arc::new(Keyring::generate(&Entropy::seeded(1)).expect("keys"));
    let (store, _) = Store::open(&path, &options(&keys)).expect("a store");
    let mut house = House::new(store, sends);
    let (writes, started) = (writes(), Instant::now());
    let turns = house.live(count, per_turn);
    let (seconds, written) = (started.elapsed().as_secs_f64(), self::writes() - writes);
    drop(house);
    println!(
        "{count} {} in {turns} turns and {seconds:.2} s; {:.2} writes each",
        if sends { "lives" } else { "accepts" },
        written as f64 / count as f64
    );
    print_tables(&path, count);
    if sends {
        let (store, _) = Store::open(&path, &options(&keys)).expect("a store");
        let all = ArchiveRequest { at_once: 1 << 16, ..ArchiveRequest::everything(Timestamp::MAX) };
        let archived = store.archive(all, &|| true).expect("an archive");
        store.close().expect("closed");
        compact(&path, CACHE_BYTES).expect("compact");
        println!("archived: {:.0} B each, and in the store", archived.bytes as f64 / count as f64);
        print_tables(&path, count);
    }
}

fn options(keys: &Arc<Keyring>) -> OpenOptions {
    OpenOptions {
        now: Timestamp::from_millis(START_MS),
        cache_bytes: CACHE_BYTES,
        callback_key: [7; 32],
        keys: Arc::clone(keys),
        entropy: Entropy::seeded(2),
        check_integrity: false,
        newcomers_max: NEWCOMERS_MAX,
    }
}

/// Calls to the system that wrote something, by this process.
fn writes() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("syscw: "));
    line.and_then(|count| count.parse().ok()).unwrap_or_default()
}

/// Rows and bytes per text of every table that has some.
fn print_tables(path: &Path, count: u64) {
    let store = ReadOnlyStore::open(path, CACHE_BYTES, None).expect("a store");
    let mut sizes = store.reader().expect("a reader").sizes().expect("sizes");
    sizes.sort_by_key(|size| std::cmp::Reverse(size.stored_bytes + size.overhead_bytes));
    let each = |bytes: u64| bytes as f64 / count as f64;
    let (mut stored, mut overhead) = (0, 0);
    for size in sizes {
        stored += size.stored_bytes;
        overhead += size.overhead_bytes;
        if size.rows > 100 {
            println!(
                "{:>16}: {:>5.2} rows, {:>6.1} B, {:>5.1} B around them",
                size.name,
                each(size.rows),
                each(size.stored_bytes),
                each(size.overhead_bytes)
            );
        }
    }
    println!("{:>16}: {:>18.1} B, {:>5.1} B around them", "all", each(stored), each(overhead));
}

/// A clock that goes on by itself, a little with every turn.
#[derive(Debug, Default)]
struct Ticks(AtomicU64);

impl Clock for Ticks {
    fn wall(&self) -> Timestamp {
        Timestamp::from_millis(START_MS).plus(Duration::from_millis(self.monotonic_ms()))
    }

    fn monotonic_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Keeps what was submitted.
#[derive(Debug, Default, Clone)]
struct Taken(Arc<Mutex<Vec<(MessageNumber, Attempt)>>>);

impl Taken {
    fn all(&self) -> Vec<(MessageNumber, Attempt)> {
        std::mem::take(&mut *self.0.lock().expect("nobody panicked"))
    }
}

impl Effects for Taken {
    fn submit(&self, submission: Submission) {
        self.0.lock().expect("nobody panicked").push((submission.message, submission.attempt));
    }

    fn keep(&self, _submission: Submission) {}

    fn find(&self, _number: MessageNumber, _attempt: Attempt, _search: Search) {}

    fn fetch(&self, _number: MessageNumber, _sid: ProviderSid) {}
}

/// A text that the carrier has.
type Known = (MessageNumber, Attempt, ProviderSid);

struct House {
    stepper: Stepper,
    store: Arc<Store>,
    clock: Arc<Ticks>,
    taken: Taken,
    random: fastrand::Rng,
}

impl House {
    fn new(store: Store, sends: bool) -> Self {
        let (store, clock, taken) = (Arc::new(store), Arc::new(Ticks::default()), Taken::default());
        let sending = if sends { Sending::Enabled } else { Sending::Disabled };
        let config = EngineConfig {
            rules: Rules { sending, ..Rules::default() },
            limits: DispatchLimits { concurrency: 4_096, segments_per_second: None },
            queue_bytes_max: 16 << 20,
            timer_horizon: Duration::from_mins(1),
            idempotency_retention: Duration::from_hours(24),
            orphan_retention: Duration::from_hours(24),
            questions_max: 4,
            verifying: Verifying::default(),
            lease: LeaseHandle::unlimited(),
            seed: 1,
        };
        let effects = Box::new(taken.clone());
        let time: Arc<dyn Clock> = Arc::<Ticks>::clone(&clock);
        let stepper = Stepper::recover(Arc::clone(&store), time, config, effects).expect("an engine");
        Self { stepper, store, clock, taken, random: fastrand::Rng::with_seed(1) }
    }

    /// Lives through `count` lives, as many steps of each kind in a turn; gives how many turns.
    fn live(&mut self, count: u64, per_turn: u64) -> u64 {
        let (mut asked, mut turns) = (0, 0);
        let (mut submitted, mut sent): (Vec<Known>, Vec<Known>) = (Vec::new(), Vec::new());
        loop {
            let mut asks = Vec::new();
            for _ in 0..per_turn.min(count - asked) {
                asks.push(self.wish(asked));
                asked += 1;
            }
            let delivered = std::mem::take(&mut sent);
            asks.extend(delivered.iter().map(|known| callback(*known, ProviderStatus::Delivered)));
            sent = std::mem::take(&mut submitted);
            asks.extend(sent.iter().map(|known| callback(*known, ProviderStatus::Sent)));
            for (number, attempt) in self.taken.all() {
                let name = format!("SM{:032x}", self.random.u128(..));
                let sid: ProviderSid = name.parse().expect("a SID");
                asks.push(answer(number, attempt, sid));
                submitted.push((number, attempt, sid));
            }
            if asks.is_empty() {
                return turns;
            }
            self.clock.0.fetch_add(3, Ordering::Relaxed);
            self.stepper.turn(&mut asks).expect("a turn");
            self.store.settle().expect("durable");
            turns += 1;
        }
    }

    fn wish(&mut self, number: u64) -> Ask {
        let at = u128::try_from(self.clock.wall().as_millis()).expect("after 1970");
        let id = at << 80 | u128::from(number) << 48 | u128::from(self.random.u32(..));
        let text = format!(
            "Your order {number:07} is on its way and arrives tomorrow before noon. Reply STOP to end."
        );
        let request = Request {
            id: MessageId::from_bytes(id.to_be_bytes()),
            to: PhoneNumber::from_digits(15_551_000_000 + number).expect("a number"),
            body: Body::parse(text).expect("a body"),
            priority: Priority::Normal,
            scheduled_for: None,
            expires_at: None,
            on_unknown: OnUnknown::Hold,
            user_id: Some(format!("customer-{number:07}").parse().expect("a user")),
            metadata: None,
            retry_of: None,
            kind: None,
            template: None,
            may_bypass: false,
            is_claimed: false,
        };
        let wishes = vec![Wish { request: request.into(), claim: None }];
        let (reply, _answer) = oneshot::channel();
        Ask::Accept { wishes, origin: Source::Api.into(), reply }
    }
}

fn answer(number: MessageNumber, attempt: Attempt, sid: ProviderSid) -> Ask {
    submitted(number, attempt, SubmitOutcome::Accepted { sid, status: ProviderStatus::Queued })
}

fn callback((number, attempt, sid): Known, status: ProviderStatus) -> Ask {
    let (reply, _heard) = oneshot::channel();
    let report = Report { sid, status, code: None, via: Via::Callback };
    Ask::Callback { named: Some((number, attempt)), report, reply }
}
