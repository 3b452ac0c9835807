//! The timer wheel beside what else could hold timers: trees, a heap, `tokio_util`'s `DelayQueue`.
//!
//! `cargo bench --bench timers -- [COUNT...]`. Every structure does the same work in a process of its
//! own: timers spread over one minute are inserted, a tenth is armed anew, a tenth is canceled, the
//! rest expires in steps as long as the engine's turns. The wheel, the heap and the lists can't
//! take a timer out: like in the engine, whoever gets one asks the state whether it is still meant.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "a bench may end by panicking, and prints what it measured"
)]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::hint::black_box;
use std::process::Command;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use dunlin::engine::timer_wheel::TimerWheel;
use tokio::time::{Duration, Instant as TokioInstant};
use tokio_util::time::DelayQueue;
use tokio_util::time::delay_queue::Key;

/// Timers spread over so many milliseconds: what the engine keeps in memory.
const SPAN_MS: u64 = 60_000;
/// Milliseconds from one advance to the next.
const STEP_MS: u64 = 10;
/// When time begins: the wheel counts from the epoch.
const START_MS: u64 = 1_795_435_200_000;
const NAMES: [&str; 5] = ["wheel", "BTreeSet", "BTreeMap of lists", "BinaryHeap", "DelayQueue"];

/// What holds timers. An item is a message's number.
trait Timers {
    fn insert(&mut self, due: u64, item: u64);
    /// Moves a timer from `from` to `to`.
    fn rearm(&mut self, from: u64, to: u64, item: u64);
    fn cancel(&mut self, due: u64, item: u64);
    /// Appends what is due at `now`.
    fn expire(&mut self, now: u64, fired: &mut Vec<(u64, u64)>);
}

impl Timers for TimerWheel<u64> {
    fn insert(&mut self, due: u64, item: u64) {
        Self::insert(self, due, item);
    }

    fn rearm(&mut self, _from: u64, to: u64, item: u64) {
        Self::insert(self, to, item);
    }

    fn cancel(&mut self, _due: u64, _item: u64) {}

    fn expire(&mut self, now: u64, fired: &mut Vec<(u64, u64)>) {
        self.advance(now, fired);
    }
}

impl Timers for BTreeSet<(u64, u64)> {
    fn insert(&mut self, due: u64, item: u64) {
        Self::insert(self, (due, item));
    }

    fn rearm(&mut self, from: u64, to: u64, item: u64) {
        self.remove(&(from, item));
        Self::insert(self, (to, item));
    }

    fn cancel(&mut self, due: u64, item: u64) {
        self.remove(&(due, item));
    }

    fn expire(&mut self, now: u64, fired: &mut Vec<(u64, u64)>) {
        while self.first().is_some_and(|(due, _)| *due <= now) {
            fired.extend(self.pop_first());
        }
    }
}

/// A list for each tick.
impl Timers for BTreeMap<u64, Vec<u64>> {
    fn insert(&mut self, due: u64, item: u64) {
        self.entry(due).or_default().push(item);
    }

    fn rearm(&mut self, _from: u64, to: u64, item: u64) {
        self.entry(to).or_default().push(item);
    }

    fn cancel(&mut self, _due: u64, _item: u64) {}

    fn expire(&mut self, now: u64, fired: &mut Vec<(u64, u64)>) {
        while let Some(first) = self.first_entry().filter(|first| *first.key() <= now) {
            let (due, items) = first.remove_entry();
            fired.extend(items.into_iter().map(|item| (due, item)));
        }
    }
}

impl Timers for BinaryHeap<Reverse<(u64, u64)>> {
    fn insert(&mut self, due: u64, item: u64) {
        self.push(Reverse((due, item)));
    }

    fn rearm(&mut self, _from: u64, to: u64, item: u64) {
        self.push(Reverse((to, item)));
    }

    fn cancel(&mut self, _due: u64, _item: u64) {}

    fn expire(&mut self, now: u64, fired: &mut Vec<(u64, u64)>) {
        while self.peek().is_some_and(|Reverse((due, _))| *due <= now) {
            fired.extend(self.pop().map(|Reverse(timer)| timer));
        }
    }
}

/// `DelayQueue` needs the keys it gave to find a timer again.
struct Queue {
    delayed: DelayQueue<(u64, u64)>,
    keys: Vec<Key>,
    epoch: TokioInstant,
}

impl Queue {
    fn at(&self, due: u64) -> TokioInstant {
        self.epoch + Duration::from_millis(due - START_MS)
    }
}

impl Timers for Queue {
    fn insert(&mut self, due: u64, item: u64) {
        let key = self.delayed.insert_at((due, item), self.at(due));
        self.keys.push(key);
    }

    fn rearm(&mut self, _from: u64, to: u64, item: u64) {
        // The value keeps the old instant; the engine would have to take it out and put it in again.
        let at = self.at(to);
        self.delayed.reset_at(&self.keys[item as usize], at);
    }

    fn cancel(&mut self, _due: u64, item: u64) {
        self.delayed.remove(&self.keys[item as usize]);
    }

    fn expire(&mut self, _now: u64, fired: &mut Vec<(u64, u64)>) {
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(expired)) = self.delayed.poll_expired(&mut context) {
            fired.push(expired.into_inner());
        }
    }
}

/// Nanoseconds per timer of each step, and bytes.
#[derive(Debug, Clone, Copy)]
struct Figures {
    insert: f64,
    rearm: f64,
    cancel: f64,
    expire: f64,
    bytes: f64,
}

/// The instant of a timer, as if drawn.
fn draw(item: u64, round: u64) -> u64 {
    let mixed = (item + round * 0x51_7cc1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24;
    START_MS + 1 + mixed % SPAN_MS
}

fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim().trim_end_matches("kB").trim().parse::<f64>().expect("a number") * 1024.0
}

/// Does the work and checks that every timer that was meant came, once. `tick` moves time by a step.
async fn measure(timers: &mut impl Timers, count: u64, mut tick: impl AsyncFnMut()) -> Figures {
    // What a message's state says about its timer: 0 when it has none.
    let mut meant: Vec<u64> = (0..count).map(|item| draw(item, 0)).collect();
    let per = |since: Instant, of: u64| since.elapsed().as_nanos() as f64 / of as f64;
    let before = resident();
    let started = Instant::now();
    for item in 0..count {
        timers.insert(meant[item as usize], item);
    }
    let insert = per(started, count);
    let bytes = (resident() - before) / count as f64;
    let started = Instant::now();
    for item in (0..count).step_by(10) {
        let from = std::mem::replace(&mut meant[item as usize], draw(item, 1));
        timers.rearm(from, meant[item as usize], item);
    }
    let rearm = per(started, count.div_ceil(10));
    let started = Instant::now();
    for item in (5..count).step_by(10) {
        let due = std::mem::replace(&mut meant[item as usize], 0);
        timers.cancel(due, item);
    }
    let cancel = per(started, count / 10);
    let (mut fired, mut came) = (Vec::new(), 0_u64);
    let mut spent = 0.0;
    let mut now = START_MS;
    while now <= START_MS + SPAN_MS {
        now += STEP_MS;
        tick().await;
        let started = Instant::now();
        timers.expire(now, &mut fired);
        for (_, item) in fired.drain(..) {
            let due = &mut meant[item as usize];
            if *due != 0 && *due <= now {
                *due = 0;
                came += 1;
            }
        }
        spent += started.elapsed().as_nanos() as f64;
    }
    assert!(meant.iter().all(|due| *due == 0), "some timers never came");
    assert_eq!(came, count - count / 10);
    Figures { insert, rearm, cancel, expire: spent / black_box(came) as f64, bytes }
}

/// Measures one structure in this process.
fn one(name: &str, count: u64) -> Figures {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(tokio::task::coop::unconstrained(async {
        match name {
            "wheel" => measure(&mut TimerWheel::new(START_MS), count, async || ()).await,
            "BTreeSet" => measure(&mut BTreeSet::new(), count, async || ()).await,
            "BTreeMap of lists" => measure(&mut BTreeMap::new(), count, async || ()).await,
            "BinaryHeap" => measure(&mut BinaryHeap::new(), count, async || ()).await,
            _queue => {
                let epoch = TokioInstant::now();
                let mut queue = Queue { delayed: DelayQueue::new(), keys: Vec::new(), epoch };
                let step = Duration::from_millis(STEP_MS);
                measure(&mut queue, count, async || tokio::time::advance(step).await).await
            }
        }
    }))
}

/// Measures one structure in a process of its own, so that no other's memory is in its figures.
fn apart(name: &str, count: u64) -> Figures {
    let program = std::env::current_exe().expect("a program");
    let child = Command::new(program).args(["--one", name, &count.to_string()]).output().expect("a child");
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    let text = String::from_utf8(child.stdout).expect("text");
    let figures: Vec<f64> = text.split_whitespace().map(|word| word.parse().expect("a figure")).collect();
    let [insert, rearm, cancel, expire, bytes] = figures.try_into().expect("five figures");
    Figures { insert, rearm, cancel, expire, bytes }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [flag, name, count] = &arguments[..]
        && flag == "--one"
    {
        let Figures { insert, rearm, cancel, expire, bytes } = one(name, count.parse().expect("a count"));
        println!("{insert} {rearm} {cancel} {expire} {bytes}");
        return;
    }
    let mut counts: Vec<u64> = arguments.iter().map(|word| word.parse().expect("a count")).collect();
    if counts.is_empty() {
        counts = vec![100_000, 1_000_000];
    }
    println!("ns per timer; in parentheses how many times as much as the wheel\n");
    println!(
        "| timers | held by | insert | arm anew | cancel | expire | insert + expire | bytes |\n\
         |--:|---|--:|--:|--:|--:|--:|--:|"
    );
    for count in counts {
        let mut wheel = None;
        for name in NAMES {
            let figures = apart(name, count);
            let Figures { insert, rearm, cancel, expire, bytes } = figures;
            let wheel = *wheel.get_or_insert(figures);
            let both = insert + expire;
            println!(
                "| {count} | {name} | {insert:.0} ({:.1}) | {rearm:.0} ({:.1}) | {cancel:.0} | {expire:.0} ({:.1}) | {both:.0} ({:.1}) | {bytes:.0} ({:.1}) |",
                insert / wheel.insert,
                rearm / wheel.rearm,
                expire / wheel.expire,
                both / (wheel.insert + wheel.expire),
                bytes / wheel.bytes,
            );
        }
    }
}
