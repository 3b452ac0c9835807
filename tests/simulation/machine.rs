//! The machine: one disk, and the engine on it, which starts, takes turns and ends.

use std::sync::{Arc, LazyLock};

use dunlin::clock::Clock;
use dunlin::engine::stepper::Stepper;
use dunlin_storage::{Entropy, Keyring, OpenOptions, Store};
use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::rules::Rules;
use dunlin_workflows::timestamp::Timestamp;

use crate::disk::{Disk, Loss, mixed};
use crate::plan::Defect;
use crate::world::{Happening, World};

/// The engine looks around at least this often; the world skips the looks that would find nothing.
pub(crate) const LOOK_MS: u64 = 500;
/// The world skips no more than this at once.
const LOOK_LATEST_MS: u64 = 6 * 3_600_000;

/// The engine while it runs.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) stepper: Stepper,
    pub(crate) store: Arc<Store>,
    pub(crate) rules: Rules,
}

/// A store that was just created. The daemon gives a new file its name when it is complete, so
/// nobody ever opens half of one.
pub(crate) static NEW_STORE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let disk = Disk::default();
    let (store, _) = Store::open_with_backend(disk.clone(), &options(Timestamp::EPOCH, 0)).unwrap();
    store.close().unwrap();
    disk.image()
});

/// The keys of the house. The entropy of a start is its own, or two persons would share a key.
static KEYS: LazyLock<Arc<Keyring>> =
    LazyLock::new(|| Arc::new(Keyring::generate(&Entropy::seeded(1)).unwrap()));

pub(crate) fn options(now: Timestamp, seed: u64) -> OpenOptions {
    OpenOptions {
        now,
        cache_bytes: 1 << 20,
        callback_key: [7; 32],
        keys: Arc::clone(&KEYS),
        entropy: Entropy::seeded(seed),
        check_integrity: false,
        // Few, so that the index takes persons in again and again, and crashes meet it.
        newcomers_max: 3,
    }
}

impl World {
    pub(crate) fn turn(&mut self) {
        if self.now() < self.frozen_until {
            self.tick_at = Some(self.frozen_until);
            return;
        }
        let mut asks = std::mem::take(&mut self.inbox);
        let Some(process) = &mut self.process else {
            self.tick_at = None;
            return;
        };
        match process.stepper.turn(&mut asks) {
            Ok(wait) => {
                let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
                self.observe(true);
                self.deliver();
                self.hear_answers();
                self.tick_at = Some(self.now() + self.sleep(wait_ms).min(LOOK_LATEST_MS));
            }
            Err(halted) => self.die(&halted.to_string()),
        }
    }

    /// The real loop looks around twice a second. Looks that would find nothing are skipped: nothing
    /// is due before the nearest timer on disk, whatever memory knows of it.
    fn sleep(&self, wait_ms: u64) -> u64 {
        let Some(process) = self.process.as_ref().filter(|_| wait_ms > LOOK_MS) else { return wait_ms };
        let now = self.time.wall();
        let after = (now, MessageNumber::new(u64::MAX));
        let timers =
            process.store.reader().and_then(|reader| reader.timers_between(after, Timestamp::MAX, 1));
        let nearest = timers.ok().and_then(|timers| timers.first().map(|(at, _)| at.since(now)));
        nearest.map_or(wait_ms, |wait| wait_ms.min(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The process ends, by whatever was done to it.
    pub(crate) fn die(&mut self, why: &str) {
        self.say(|| format!("-- the engine ends: {why}"));
        if !self.may_fail && !self.disk.is_off() {
            self.oracle.breach(format!("the engine ended for no reason: {why}"));
        }
        self.disk.switch_off();
        self.drop_process();
        let down =
            if self.is_calm { 100 } else { self.rng.choice([50, 1000, 60_000, 900_000]).unwrap_or(50) };
        self.after(down, Happening::Start);
    }

    pub(crate) fn drop_process(&mut self) {
        self.process = None;
        self.tick_at = None;
        self.inbox.clear();
        self.wire.take();
        self.hear_answers();
    }

    pub(crate) fn start(&mut self) {
        if self.process.is_some() {
            return;
        }
        self.disk.switch_on(self.loss);
        self.loss = Loss::Torn(self.rng.u64(..));
        self.may_fail = false;
        if let Some(after) = self.plan.crash_again.filter(|_| self.boot == 1) {
            self.disk.die_after(after);
        }
        if self.chance(self.plan.odds.dies_while_opening) {
            let after = self.rng.u64(1..25);
            self.disk.die_after(after);
        }
        self.boot += 1;
        self.time.process_starts();
        (self.frozen_until, self.quiet_since) = (0, self.now());
        let boot = self.boot;
        self.say(|| format!("-- start {boot}"));
        match self.open() {
            Ok(process) => {
                self.process = Some(process);
                self.recovered();
            }
            Err(why) => self.die(&why),
        }
    }

    fn open(&mut self) -> Result<Process, String> {
        match self.plan.defect {
            Some(Defect::CounterForgotten) => self.empty(redb::TableDefinition::<u64, &[u8]>::new("usage")),
            Some(Defect::FlowForgotten) => {
                self.empty(redb::TableDefinition::<&[u8; 16], &[u8]>::new("flows"));
            }
            _ => {}
        }
        let opened = Store::open_with_backend(
            self.disk.clone(),
            &options(self.time.wall(), mixed(self.plan.seed, self.boot)),
        );
        let (store, _) = opened.map_err(|error| error.to_string())?;
        let store = Arc::new(store);
        let config = self.plan.config(self.boot - 1, self.is_calm);
        let rules = config.rules.clone();
        let wire = Box::new(self.wire.clone());
        let clock: Arc<dyn Clock> = self.time.clone();
        let stepper = Stepper::recover(Arc::clone(&store), clock, config, wire);
        Ok(Process { stepper: stepper.map_err(|error| error.to_string())?, store, rules })
    }

    /// The planted bug: what was counted is in memory only.
    fn empty<K: redb::Key + 'static>(&self, counted: redb::TableDefinition<'static, K, &'static [u8]>) {
        let Ok(database) = redb::Builder::new().create_with_backend(self.disk.clone()) else { return };
        let Ok(transaction) = database.begin_write() else { return };
        let forgotten =
            transaction.open_table(counted).is_ok_and(|mut table| table.retain(|_, _| false).is_ok());
        if forgotten && transaction.commit().is_err() {
            self.disk.switch_off();
        }
    }

    /// The store was opened: what was acknowledged must be there, and what was in flight is lost now.
    fn recovered(&mut self) {
        let Some(process) = &mut self.process else { return };
        let Ok(reader) = process.store.reader() else { return };
        for raw in reader.journal(dunlin_storage::JournalSeq::START).unwrap() {
            let Ok(raw) = raw else { break };
            if raw.seq > self.oracle.seen() {
                break;
            }
            self.oracle.compare(&raw);
        }
        self.oracle.reaches(reader.last_seq().unwrap());
        self.oracle.finds_everybody(&reader);
        drop(reader);
        // What the last process committed without knowing, it committed under its own rules.
        self.observe(false);
        let Some(process) = &mut self.process else { return };
        self.rules = process.rules.clone();
        match process.stepper.begin() {
            Ok(()) => {
                self.observe(true);
                self.tick_at = Some(self.now());
            }
            Err(halted) => self.die(&halted.to_string()),
        }
    }
}
