//! The world: an event heap, virtual clocks, one machine with one disk, and the engine on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use dunlin::engine::ask::Ask;
use dunlin::engine::provider::Submission;
use dunlin_workflows::message::ProviderStatus;
use dunlin_workflows::rules::Rules;
use fastrand::Rng;

use crate::carrier::{Carrier, Wire};
use crate::clock::Time;
use crate::disk::{Disk, Loss};
use crate::machine::{NEW_STORE, Process};
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
    /// Somebody texts us.
    Text {
        n: usize,
        tries: u32,
    },
    /// Somebody says something about a user.
    Prefer(usize),
    /// Somebody asks for a code, or gives the one that they read.
    Prove {
        n: usize,
        tries: u32,
        gives: bool,
    },
    /// People look after what waits for them.
    Look,
    Blow(Blow),
    /// The operator stops the engine; it was drained before.
    Stop,
    Start,
    Calm,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) rng: Rng,
    pub(crate) time: Arc<Time>,
    pub(crate) disk: Disk,
    pub(crate) process: Option<Process>,
    /// The rules under which the newest records were written.
    pub(crate) rules: Rules,
    /// How often the engine was started.
    pub(crate) boot: u64,
    pub(crate) inbox: Vec<Ask>,
    pub(crate) carrier: Carrier,
    pub(crate) people: People,
    pub(crate) oracle: Oracle,
    pub(crate) trace: Trace,
    pub(crate) is_calm: bool,
    pub(crate) submissions: usize,
    pub(crate) wire: Wire,
    heap: BTreeMap<(u64, u64), Happening>,
    order: u64,
    /// When the engine takes its next turn.
    pub(crate) tick_at: Option<u64>,
    pub(crate) frozen_until: u64,
    /// Since then the engine was neither down nor frozen, and its clock did not jump.
    pub(crate) quiet_since: u64,
    /// What the disk does with unsynced writes when it is switched on again.
    pub(crate) loss: Loss,
    /// Whether a fault was injected since the last start, so that the engine may fail.
    pub(crate) may_fail: bool,
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
impl World {
    pub(crate) fn new(plan: Plan) -> Self {
        let disk = Disk::with(NEW_STORE.clone());
        let time = Arc::new(Time::from(plan.begin_ms));
        match plan.defect {
            Some(Defect::EffectsBeforeCommit) => disk.plant_late_syncs(),
            Some(Defect::WaitsOnWallClock) => time.plant_waits_on_wall(),
            Some(
                Defect::ServerErrorIsUnsent
                | Defect::RearmedTimerDropped
                | Defect::GateIsBlind
                | Defect::PreferencesForgotten
                | Defect::CounterForgotten
                | Defect::ProofForgotten
                | Defect::FlowForgotten,
            )
            | None => {}
        }
        let mut world = Self {
            rng: Rng::with_seed(plan.seed ^ 0x5eed),
            time,
            disk,
            process: None,
            rules: plan.rules[0].clone(),
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
        for n in 0..world.plan.texts.len() {
            let at = world.plan.texts[n].at;
            world.at(at, Happening::Text { n, tries: 0 });
        }
        for n in 0..world.plan.users.len() {
            let at = world.plan.users[n].at;
            world.at(at, Happening::Prefer(n));
        }
        for n in 0..world.plan.codes.wanted.len() {
            let at = world.plan.codes.wanted[n].at;
            world.at(at, Happening::Prove { n, tries: 0, gives: false });
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
            Happening::Text { n, tries } => self.text(n, tries),
            Happening::Prefer(n) => self.prefer(n),
            Happening::Prove { n, tries, gives } => self.prove(n, tries, gives),
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

    /// Reads what the journal gained, and has it judged.
    pub(crate) fn observe(&mut self, is_live: bool) {
        let Some(process) = &self.process else { return };
        let now_ms = self.now();
        let seen = self.oracle.seen();
        let reader = process.store.reader().unwrap();
        for raw in reader.journal(seen).unwrap() {
            let raw = raw.unwrap();
            let line =
                self.oracle.observe(&raw, &self.time, self.quiet_since, is_live, &self.rules, &self.carrier);
            self.trace.say(now_ms, line);
        }
    }

    pub(crate) fn deliver(&mut self) {
        for call in self.wire.take() {
            self.carry(call);
        }
    }

    /// After everything: the store is sound, and starting it again and again changes nothing.
    fn look_back(&mut self) {
        self.disk.heal();
        for _ in 0..2 {
            let Some(process) = &self.process else { break };
            let reader = process.store.reader().unwrap();
            let report =
                dunlin_storage::recovery::verify(&reader, Some(self.oracle.head()), |_, _| {}).unwrap();
            // A planted bug is for the judge to find.
            if !report.is_sound() && self.plan.defect.is_none() {
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
