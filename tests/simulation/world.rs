//! The world: an event heap, virtual clocks, one machine with one disk, and the engine on it.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use dunlin::clock::Clock;
use dunlin::engine::ask::Ask;
use dunlin::engine::provider::Submission;
use dunlin::engine::stepper::Stepper;
use dunlin_storage::{OpenOptions, Store};
use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::message::ProviderStatus;
use dunlin_workflows::rules::Rules;
use dunlin_workflows::timestamp::Timestamp;
use fastrand::Rng;

use crate::carrier::{Carrier, Wire};
use crate::clock::Time;
use crate::disk::{Disk, Loss};
use crate::oracle::Oracle;
use crate::people::People;
use crate::plan::{Act, Blow, Defect, Plan};
use crate::trace::Trace;

/// What will happen.
#[derive(Debug)]
pub(crate) enum Happening {
    /// The provider answers the process that asked.
    Answer {
        boot: u64,
        ask: Box<Ask>,
    },
    /// The provider takes a submission.
    Take {
        submission: Box<Submission>,
        answers: bool,
    },
    /// The provider learns more of a message that it took.
    Says {
        taken: usize,
        rest: Vec<(u64, ProviderStatus, Option<u32>)>,
    },
    /// The provider calls back.
    Callback {
        taken: usize,
        said: (ProviderStatus, Option<u32>),
        named: bool,
        tries: u32,
    },
    /// Somebody wishes, or repeats the wish.
    Wish(usize),
    /// Somebody does something about a text.
    Act(usize, Act),
    /// People look after what waits for them.
    Look,
    Blow(Blow),
    /// The operator stops the engine; it was drained before.
    Stop,
    Start,
    Calm,
}

/// The engine while it runs.
#[derive(Debug)]
pub(crate) struct Process {
    stepper: Stepper,
    pub(crate) store: Arc<Store>,
    pub(crate) rules: Rules,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) rng: Rng,
    pub(crate) time: Arc<Time>,
    pub(crate) disk: Disk,
    pub(crate) process: Option<Process>,
    /// How often the engine was started.
    pub(crate) boot: u64,
    pub(crate) inbox: Vec<Ask>,
    pub(crate) carrier: Carrier,
    pub(crate) people: People,
    pub(crate) oracle: Oracle,
    pub(crate) trace: Trace,
    pub(crate) is_calm: bool,
    pub(crate) submissions: usize,
    wire: Wire,
    heap: BTreeMap<(u64, u64), Happening>,
    order: u64,
    /// When the engine takes its next turn.
    tick_at: Option<u64>,
    frozen_until: u64,
    /// Since then the engine was neither down nor frozen, and its clock did not jump.
    quiet_since: u64,
    /// What the disk does with unsynced writes when it is switched on again.
    loss: Loss,
    /// Whether a fault was injected since the last start, so that the engine may fail.
    may_fail: bool,
}

/// How a world ended.
#[derive(Debug)]
pub(crate) struct Ending {
    /// Hash of the whole journal and of everything the provider took.
    pub(crate) hash: u64,
    pub(crate) broken: Vec<String>,
    pub(crate) trace: String,
    pub(crate) changes: u64,
    pub(crate) counts: Counts,
}

/// What a world was made of.
#[derive(Debug, Default, Clone)]
pub(crate) struct Counts {
    pub(crate) starts: u64,
    pub(crate) records: u64,
    pub(crate) taken: u64,
    pub(crate) virtual_ms: u64,
    pub(crate) turns: u64,
    /// How often each event was recorded.
    pub(crate) events: BTreeMap<&'static str, u64>,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.starts += other.starts;
        self.records += other.records;
        self.taken += other.taken;
        self.virtual_ms += other.virtual_ms;
        self.turns += other.turns;
        for (event, count) in &other.events {
            *self.events.entry(event).or_default() += count;
        }
    }
}

/// No world lasts longer.
const LONGEST_MS: u64 = 40 * 24 * 3_600_000;
/// The engine looks around at least this often; the world skips the looks that would find nothing.
const LOOK_MS: u64 = 500;
/// The world skips no more than this at once.
const LOOK_LATEST_MS: u64 = 6 * 3_600_000;

/// A store that was just created. The daemon gives a new file its name when it is complete, so
/// nobody ever opens half of one.
static NEW_STORE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let disk = Disk::default();
    let (store, _) = Store::open_with_backend(disk.clone(), &options(Timestamp::EPOCH)).unwrap();
    store.close().unwrap();
    disk.image()
});

fn options(now: Timestamp) -> OpenOptions {
    OpenOptions { now, cache_bytes: 1 << 20, callback_key: [7; 32], check_integrity: false }
}

impl World {
    pub(crate) fn new(plan: Plan) -> Self {
        let disk = Disk::with(NEW_STORE.clone());
        let time = Arc::new(Time::default());
        match plan.defect {
            Some(Defect::EffectsBeforeCommit) => disk.plant_late_syncs(),
            Some(Defect::WaitsOnWallClock) => time.plant_waits_on_wall(),
            Some(Defect::ServerErrorIsUnsent | Defect::RearmedTimerDropped) | None => {}
        }
        let mut world = Self {
            rng: Rng::with_seed(plan.seed ^ 0x5eed),
            time,
            disk,
            process: None,
            boot: 0,
            inbox: Vec::new(),
            carrier: Carrier::default(),
            people: People::new(&plan),
            oracle: Oracle::default(),
            trace: Trace::default(),
            is_calm: false,
            submissions: 0,
            wire: Wire::default(),
            heap: BTreeMap::new(),
            order: 0,
            tick_at: None,
            frozen_until: 0,
            quiet_since: 0,
            loss: Loss::Nothing,
            may_fail: false,
            plan,
        };
        world.at(0, Happening::Start);
        for n in 0..world.plan.wishes.len() {
            let at = world.plan.wishes[n].at;
            world.at(at, Happening::Wish(n));
            for (after, act) in world.plan.wishes[n].acts.clone() {
                world.at(at + after, Happening::Act(n, act));
            }
        }
        for (at, blow) in world.plan.blows.clone() {
            world.at(at, Happening::Blow(blow));
        }
        world.at(world.plan.calm_at, Happening::Calm);
        world
    }

    pub(crate) fn now(&self) -> u64 {
        self.time.now()
    }

    pub(crate) fn at(&mut self, at_ms: u64, what: Happening) {
        self.order += 1;
        self.heap.insert((at_ms.max(self.now()), self.order), what);
    }

    pub(crate) fn after(&mut self, wait_ms: u64, what: Happening) {
        self.at(self.now() + wait_ms, what);
    }

    pub(crate) fn say(&mut self, line: impl FnOnce() -> String) {
        self.trace.say(self.time.now(), line);
    }

    /// Whether something with these odds happens. Nothing bad happens in the calm.
    pub(crate) fn chance(&mut self, per_mille: u32) -> bool {
        !self.is_calm && self.rng.u32(0..1000) < per_mille
    }

    /// Lives until everything is settled, or something is broken.
    pub(crate) fn live(mut self) -> Ending {
        let mut turns = 0;
        while self.oracle.broken.is_empty() && !self.is_over() {
            let next = self.heap.first_key_value().map(|((at, _), _)| *at);
            match (next, self.tick_at) {
                (Some(at), tick) if tick.is_none_or(|tick| at <= tick) => {
                    self.time.advance(at);
                    if let Some((_, happening)) = self.heap.pop_first() {
                        self.happen(happening);
                    }
                }
                (_, Some(tick)) => {
                    self.time.advance(tick);
                    turns += 1;
                    self.turn();
                }
                (_, None) => break,
            }
            if self.now() > LONGEST_MS {
                self.oracle.breach("the world does not come to rest".into());
            }
        }
        self.end(turns)
    }

    fn is_over(&mut self) -> bool {
        if !self.is_calm || !self.heap.is_empty() || !self.inbox.is_empty() {
            return false;
        }
        self.oracle.is_settled() && self.people.is_answered()
    }

    fn end(mut self, turns: u64) -> Ending {
        if self.oracle.broken.is_empty() {
            self.look_back();
        }
        let counts = Counts {
            starts: self.boot,
            records: self.oracle.records(),
            taken: self.carrier.taken.len() as u64,
            virtual_ms: self.now(),
            turns,
            events: std::mem::take(&mut self.oracle.events),
        };
        Ending {
            hash: self.oracle.hash(&self.carrier),
            broken: std::mem::take(&mut self.oracle.broken),
            trace: self.trace.text(),
            changes: self.disk.changes(),
            counts,
        }
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Answer { boot, ask } if boot == self.boot && self.process.is_some() => self.ask(*ask),
            Happening::Answer { .. } => {}
            Happening::Take { submission, answers } => self.take(&submission, answers),
            Happening::Says { taken, rest } => self.says(taken, rest),
            Happening::Callback { taken, said, named, tries } => self.call_back(taken, said, named, tries),
            Happening::Wish(n) => self.wish(n),
            Happening::Act(n, act) => self.act(n, act),
            Happening::Look => self.look(),
            Happening::Blow(blow) => self.blow(blow),
            Happening::Stop => self.stop(),
            Happening::Start => self.start(),
            Happening::Calm => self.calm(),
        }
    }

    /// Puts a question in front of the writer.
    pub(crate) fn ask(&mut self, ask: Ask) {
        self.inbox.push(ask);
        // Others may come in the meantime and share the turn.
        let soon = self.now() + self.rng.u64(0..3);
        self.tick_at = Some(self.tick_at.map_or(soon, |tick| tick.min(soon)));
    }

    fn turn(&mut self) {
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

    /// Reads what the journal gained, and has it judged.
    pub(crate) fn observe(&mut self, is_live: bool) {
        let Some(process) = &self.process else { return };
        let now_ms = self.now();
        let seen = self.oracle.seen();
        let reader = process.store.reader().unwrap();
        for raw in reader.journal(seen).unwrap() {
            let raw = raw.unwrap();
            let line = self.oracle.observe(
                &raw,
                &self.time,
                self.quiet_since,
                is_live,
                &process.rules,
                &self.carrier,
            );
            self.trace.say(now_ms, line);
        }
    }

    fn deliver(&mut self) {
        for call in self.wire.take() {
            self.carry(call);
        }
    }

    /// The process ends, by whatever was done to it.
    fn die(&mut self, why: &str) {
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

    fn drop_process(&mut self) {
        self.process = None;
        self.tick_at = None;
        self.inbox.clear();
        self.wire.take();
        self.hear_answers();
    }

    fn start(&mut self) {
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
        let opened = Store::open_with_backend(self.disk.clone(), &options(self.time.wall()));
        let (store, _) = opened.map_err(|error| error.to_string())?;
        let store = Arc::new(store);
        let config = self.plan.config(self.boot - 1, self.is_calm);
        let rules = config.rules.clone();
        let wire = Box::new(self.wire.clone());
        let clock: Arc<dyn Clock> = self.time.clone();
        let stepper = Stepper::recover(Arc::clone(&store), clock, config, wire);
        Ok(Process { stepper: stepper.map_err(|error| error.to_string())?, store, rules })
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
        drop(reader);
        self.observe(false);
        let Some(process) = &mut self.process else { return };
        match process.stepper.begin() {
            Ok(()) => {
                self.observe(true);
                self.tick_at = Some(self.now());
            }
            Err(halted) => self.die(&halted.to_string()),
        }
    }

    fn blow(&mut self, blow: Blow) {
        if self.is_calm {
            return;
        }
        self.say(|| format!("-- {blow:?}"));
        match blow {
            Blow::PowerLoss(after) => self.disk.die_after(after),
            Blow::Kill if self.process.is_some() => {
                self.loss = Loss::Nothing;
                self.disk.switch_off();
                self.die("killed");
            }
            Blow::Restart if self.process.is_some() => {
                self.ask(Ask::Drain);
                let patience = self.rng.u64(0..20_000);
                self.after(patience, Happening::Stop);
            }
            Blow::Kill | Blow::Restart => {}
            Blow::SyncFails | Blow::DiskFull => {
                self.may_fail = true;
                if blow == Blow::DiskFull { self.disk.fill() } else { self.disk.fail_next_sync() }
            }
            Blow::Freeze(ms) => {
                self.frozen_until = self.frozen_until.max(self.now() + ms);
                self.quiet_since = self.frozen_until;
            }
            Blow::Jump(ms) => {
                self.time.jump(ms);
                self.quiet_since = self.quiet_since.max(self.now());
                let noticed = self.now() + self.rng.u64(0..LOOK_MS);
                self.tick_at = self.tick_at.map(|tick| tick.min(noticed));
            }
        }
    }

    fn stop(&mut self) {
        if self.process.is_some() && !self.disk.is_off() && !self.is_frozen() {
            self.say(|| "-- the engine stops".into());
            self.drop_process();
            self.loss = Loss::Nothing;
            self.after(50, Happening::Start);
        }
    }

    /// Faults end, the clock is set right, and the engine is started again with the last rules.
    fn calm(&mut self) {
        self.say(|| "-- calm".into());
        self.is_calm = true;
        self.frozen_until = 0;
        self.time.jump(-self.time.off_ms());
        if self.process.is_some() {
            self.disk.switch_off();
            self.loss = Loss::Nothing;
            self.drop_process();
        }
        self.after(50, Happening::Start);
        if self.plan.people_decide {
            self.after(3_600_000, Happening::Look);
        }
    }

    /// After everything: the store is sound, and starting it again and again changes nothing.
    fn look_back(&mut self) {
        self.disk.heal();
        for _ in 0..2 {
            let Some(process) = &self.process else { break };
            let reader = process.store.reader().unwrap();
            let report = dunlin_storage::recovery::verify(&reader, |_, _| {}).unwrap();
            if !report.is_sound() {
                self.oracle.breach(format!("the store is not sound: {:?}", report.first));
            }
            self.oracle.judge_ends(&reader, &self.carrier, &self.people);
            drop(reader);
            let records = self.oracle.records();
            self.disk.switch_off();
            self.loss = Loss::All;
            self.drop_process();
            self.start();
            self.turn();
            if self.oracle.records() != records {
                self.oracle.breach("starting again changed something".into());
            }
        }
    }

    pub(crate) fn is_frozen(&self) -> bool {
        self.now() < self.frozen_until
    }
}
