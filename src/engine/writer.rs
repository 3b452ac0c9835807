//! The single writer: gathers, commits, answers, releases, sleeps until something is due.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use dunlin_storage::{Batch, BatchError, CommitError, FaultKind, LaneNumber, ReadError, Reader, Store};
use dunlin_workflows::alarm::Watch;
use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::lane::{Lane, Silence};
use dunlin_workflows::message::{self, Command, Custody, Lease, Next, State, StateName};
use dunlin_workflows::source::Source;

use crate::clock::Clock;
use crate::engine::admission::Admission;
use crate::engine::answer::Answers;
use crate::engine::ask::Ask;
use crate::engine::courier::Effects;
use crate::engine::dispatcher::Dispatcher;
use crate::engine::doubts::Doubts;
use crate::engine::lease::LeaseHandle;
use crate::engine::progress::{Progress, Turned};
use crate::engine::provider::{Search, Submission};
use crate::engine::regions::Regions;
use crate::engine::scheduler::Scheduler;
use crate::engine::turn::{Memory, Turn, TurnError};
use crate::engine::{EngineConfig, StartError};

/// Most asks in one transaction: bounds how long the first of them waits for the last.
const ASKS_PER_TURN: usize = 1024;
/// How often few asks wait for more, and how long each time: a millisecond in all, with what the system adds.
const FEW_WAIT: (u8, Duration) = (20, Duration::from_micros(25));
/// Most timers handled in one transaction, so that a backlog after downtime does not starve callers.
const TIMERS_PER_TURN: usize = 1024;
/// Longest sleep: a suspended machine or a moved wall clock is noticed within this.
const SLEEP_MAX: Duration = Duration::from_millis(500);
/// Pause after a search that the provider could not answer.
const QUESTION_PAUSE: Duration = Duration::from_secs(15);
/// How long after an outcome was lost the provider may still have created the message.
const LATE_ACCEPT: Duration = Duration::from_mins(2);
/// Clock difference to the provider that a search forgives. Generous: what is found too much can only
/// be an equal text to the same number that another system sent meanwhile, and then nothing is sent twice.
const CLOCK_SKEW: Duration = Duration::from_mins(10);
/// How often expired idempotency keys and orphans are removed.
const HOUSEKEEPING_MS: u64 = 60_000;

/// How long what flowed in a stream is kept when it matters no more: a clock that goes wrong for a day forgets nothing.
const FLOWS_KEPT: Duration = Duration::from_hours(48);

/// How many messages are read at once when everything is re-derived.
const RECOVERED_AT_ONCE: usize = 4096;
/// Most idempotency keys and orphans removed in one transaction.
const FORGOTTEN_AT_ONCE: usize = 2000;
/// States whose next step no timer on disk takes: they are looked through when everything is re-derived.
/// Those who wait for their hour may be millions, and are not.
const STEPS_WITHOUT_TIMER: [StateName; 3] = [StateName::Due, StateName::Submitting, StateName::Unknown];

/// The single writer. Whatever it holds in memory is derived from the store.
#[derive(Debug)]
pub(super) struct Writer {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    config: EngineConfig,
    effects: Arc<dyn Effects>,
    admission: Arc<Admission>,
    progress: Arc<Progress>,
    memory: Memory,
    draining: bool,
    commits: u64,
    last_seq: u64,
    housekeeping_due_ms: u64,
    /// Timers that fired and found no room in the last turn.
    backlog: Vec<MessageNumber>,
}

impl Writer {
    /// Re-derives every effect from the store.
    pub(super) fn recover(
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
        config: EngineConfig,
        effects: Box<dyn Effects>,
        admission: Arc<Admission>,
        progress: Arc<Progress>,
    ) -> Result<Self, StartError> {
        let (now, now_ms) = (clock.wall(), clock.monotonic_ms());
        let mut memory = Memory {
            dispatcher: Dispatcher::new(config.limits, now_ms),
            scheduler: Scheduler::new(config.timer_horizon, now, config.rules.sending),
            doubts: Doubts::new(now_ms),
            lane: Lane::default(),
            silence: Silence::default(),
            watch: Watch::default(),
            instances_due: None,
            waiting: Vec::new(),
            flows_purged: [0; 16],
            regions: Regions::default(),
            jitter: fastrand::Rng::with_seed(config.seed),
        };
        let reader = store.reader()?;
        memory.lane = reader.lane(LaneNumber::FIRST)?;
        memory.watch = Watch::resume(&memory.lane, now);
        memory.instances_due = reader.next_instance_timer()?;
        let mut backlog = Vec::new();
        for state in STEPS_WITHOUT_TIMER {
            let mut after = MessageNumber::new(0);
            loop {
                let numbers = reader.numbers_in(state, after, RECOVERED_AT_ONCE)?;
                let Some(last) = numbers.last() else { break };
                after = *last;
                for number in numbers {
                    recover(&reader, number, &config, now_ms, &mut memory, &mut backlog)?;
                }
            }
        }
        let last_seq = reader.last_seq()?.get();
        drop(reader);
        Ok(Self {
            store,
            clock,
            config,
            effects: Arc::from(effects),
            admission,
            progress,
            memory,
            draining: false,
            commits: 0,
            last_seq,
            housekeeping_due_ms: now_ms,
            backlog,
        })
    }

    /// Turns until it is told to stop.
    ///
    /// # Errors
    /// Any failure of the store: what is durable can then be learned only by opening it again.
    pub(super) fn run(&mut self, inbox: &Receiver<Ask>) -> Result<(), CommitError<TurnError>> {
        let (mut asks, mut asks_before) = (Vec::new(), 0);
        let mut sleep = Duration::ZERO;
        self.lose_in_flight()?;
        loop {
            match inbox.recv_timeout(sleep) {
                Ok(ask) => asks.push(ask),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.store.settle().map_err(unreadable),
            }
            self.gather(inbox, &mut asks, asks_before);
            asks_before = asks.len();
            let stop = asks.iter().any(|ask| matches!(ask, Ask::Stop));
            let wait = self.turn(&mut asks)?;
            if stop {
                return self.store.settle().map_err(unreadable);
            }
            sleep = self.idle(wait).min(SLEEP_MAX);
        }
    }

    /// Takes what else was asked. What is decided now is written after the turn before, so while that is on its way to the
    /// disk few asks lose nothing by waiting until it is there, or as many came as it had: alone they would cost a whole
    /// commit.
    fn gather(&self, inbox: &Receiver<Ask>, asks: &mut Vec<Ask>, before: usize) {
        let (mut waits, wait) = FEW_WAIT;
        while asks.len() < ASKS_PER_TURN {
            if let Ok(ask) = inbox.try_recv() {
                asks.push(ask);
                continue;
            }
            if asks.is_empty() || asks.len() >= before || waits == 0 || !self.store.is_settling() {
                return;
            }
            match inbox.recv_timeout(wait) {
                Ok(ask) => asks.push(ask),
                Err(RecvTimeoutError::Timeout) => waits = waits.saturating_sub(1),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// What made it end.
    pub(super) fn failure(&self, error: &CommitError<TurnError>) -> FaultKind {
        self.store.failure().or(error.fault_kind()).unwrap_or(FaultKind::Engine)
    }

    /// What was in flight when the last process ended may or may not have been taken.
    pub(super) fn lose_in_flight(&mut self) -> Result<(), CommitError<TurnError>> {
        let backlog = std::mem::take(&mut self.backlog);
        for chunk in backlog.chunks(TIMERS_PER_TURN) {
            let mut asks = Vec::new();
            self.commit(&mut asks, chunk, Some(&Command::Lose))?;
        }
        Ok(())
    }

    /// One turn: everything that was asked or is due, in one transaction. Returns the rate's wait.
    pub(super) fn turn(&mut self, asks: &mut Vec<Ask>) -> Result<Option<Duration>, CommitError<TurnError>> {
        if self.store.is_poisoned() {
            return Err(CommitError::Poisoned);
        }
        let (now, now_ms) = (self.clock.wall(), self.clock.monotonic_ms());
        let mut fired = std::mem::take(&mut self.backlog);
        // Timers stay on disk until there is room for them, however many are due at once.
        if fired.len() < TIMERS_PER_TURN {
            self.memory.scheduler.advance(&self.store, now, &mut fired).map_err(unreadable)?;
        }
        self.backlog = fired.split_off(fired.len().min(TIMERS_PER_TURN));
        self.search(now_ms)?;
        let nobody_goes = self.draining
            || !self.memory.dispatcher.has_slot()
            || !self.memory.lane.is_open(now)
            || self.memory.awaits_probe();
        let nothing_new = asks.is_empty()
            && fired.is_empty()
            && now_ms < self.housekeeping_due_ms
            && self.memory.instances_due.is_none_or(|due| due > now)
            && self.memory.alarm_over(&self.config.rules, now).is_none();
        if nothing_new && (nobody_goes || self.memory.dispatcher.waiting() == 0) {
            self.store.settle().map_err(unreadable)?;
            self.publish(now_ms);
            return Ok(None);
        }
        self.commit(asks, &fired, None)
    }

    /// Starts the searches that are due. They only read, so nothing need be durable first.
    fn search(&mut self, now_ms: u64) -> Result<(), CommitError<TurnError>> {
        let mut due = Vec::new();
        self.memory.doubts.advance(now_ms, &mut due);
        if due.is_empty() || self.draining {
            return Ok(());
        }
        let reader = self.store.reader().map_err(unreadable)?;
        for number in due {
            let message = reader.message(number).map_err(unreadable)?.map(|row| row.message);
            let request = reader.request(number).map_err(unreadable)?;
            if let (Some(message), Some(request)) = (message, request)
                && let State::Unknown { started_at, since, .. } = message.state
            {
                // Had the wall clock jumped back in between, the loss would lie before the start, and a
                // window from one to the other would hold nothing: the text would be sent again.
                let search = Search {
                    to: request.to,
                    body: request.body,
                    created_from: started_at.min(since).minus(CLOCK_SKEW),
                    created_until: started_at.max(since).plus(LATE_ACCEPT).plus(CLOCK_SKEW),
                };
                self.effects.find(number, message.attempt, search);
            }
        }
        Ok(())
    }

    fn commit(
        &mut self,
        asks: &mut Vec<Ask>,
        fired: &[MessageNumber],
        lose: Option<&Command>,
    ) -> Result<Option<Duration>, CommitError<TurnError>> {
        let (now, now_ms) = (self.clock.wall(), self.clock.monotonic_ms());
        let lease = self.config.lease.standing(&*self.clock);
        let (mut fetches, mut wait) = (Vec::new(), None);
        let Self { store, clock, memory, config, effects, admission, progress, last_seq, commits, .. } = self;
        let draining = &mut self.draining;
        let housekeeping = now_ms >= self.housekeeping_due_ms;
        let decide = |batch: &mut Batch<'_>| {
            let mut answers = Answers::default();
            let mut submissions: Vec<(Submission, Custody)> = Vec::new();
            let (mut questions, mut settled) = (Vec::new(), Vec::new());
            let mut turn = Turn {
                batch,
                memory,
                rules: &config.rules,
                now,
                now_ms,
                lease,
                lease_may_end: config.lease.may_end(),
                submissions: &mut submissions,
                fetches: &mut fetches,
                verifying: &config.verifying,
                questions: &mut questions,
                settled: &mut settled,
            };
            for ask in asks.drain(..) {
                *draining |= matches!(ask, Ask::Drain);
                answers.answer(&mut turn, ask, QUESTION_PAUSE)?;
            }
            for number in fired {
                if let Some(lose) = lose {
                    turn.carry_out(*number, lose, Source::Recovery)?;
                }
                turn.fire(*number)?;
            }
            if lose.is_none() {
                turn.wake()?;
            }
            if !*draining && lose.is_none() {
                wait = turn.dispatch()?;
            }
            if housekeeping {
                let (keys_before, orphans_before) =
                    (now.minus(config.idempotency_retention), now.minus(config.orphan_retention));
                turn.batch.purge_idempotency(keys_before, FORGOTTEN_AT_ONCE)?;
                turn.batch.purge_orphans(orphans_before, FORGOTTEN_AT_ONCE)?;
                let purged = turn.memory.flows_purged;
                turn.memory.flows_purged =
                    turn.batch.purge_flows(purged, now.minus(FLOWS_KEPT), FORGOTTEN_AT_ONCE)?;
            }
            turn.note_instances()?;
            *last_seq = turn.batch.last_seq().get();
            answers.settle(&mut memory.waiting, settled);
            *commits = commits.saturating_add(1);
            Ok((answers, submissions, questions, turned(memory, admission, now_ms, *last_seq, *commits)))
        };
        let (effects, progress) = (Arc::clone(effects), Arc::clone(progress));
        let (still, clock) = (config.lease.clone(), Arc::clone(clock));
        store.commit_then(decide, move |(answers, submissions, questions, turned)| {
            leave(&*effects, submissions, &still, &*clock);
            for (number, question) in questions {
                effects.verify(number, question);
            }
            progress.publish(turned);
            answers.give();
        })?;
        if housekeeping {
            self.housekeeping_due_ms = now_ms.saturating_add(HOUSEKEEPING_MS);
        }
        self.fetch(&fetches)?;
        Ok(wait)
    }

    /// Asks the provider about messages whose callbacks stay away.
    fn fetch(&self, numbers: &[MessageNumber]) -> Result<(), CommitError<TurnError>> {
        if numbers.is_empty() || self.draining {
            return Ok(());
        }
        let reader = self.store.reader().map_err(unreadable)?;
        for number in numbers {
            let message = reader.message(*number).map_err(unreadable)?.map(|row| row.message);
            if let Some(sid) = message.and_then(|message| message.sid) {
                self.effects.fetch(*number, sid);
            }
        }
        Ok(())
    }

    /// How long nothing will be due: by a timer, a search, the rate or the lane.
    pub(super) fn idle(&self, rate: Option<Duration>) -> Duration {
        if !self.backlog.is_empty() {
            return Duration::ZERO;
        }
        let (now, now_ms) = (self.clock.wall(), self.clock.monotonic_ms());
        let timer = self.memory.scheduler.next_due().map(|at| at.since(now));
        let instances = self.memory.instances_due.map(|at| at.since(now));
        let search =
            self.memory.doubts.next_due_ms().map(|at| Duration::from_millis(at.saturating_sub(now_ms)));
        let waiting = self.memory.dispatcher.waiting() > 0;
        let lane =
            (waiting && !self.memory.lane.is_open(now)).then(|| self.memory.lane.cool_until.since(now));
        [timer, instances, search, rate, lane].into_iter().flatten().fold(Duration::MAX, Duration::min)
    }

    fn publish(&self, now_ms: u64) {
        self.progress.publish(turned(&self.memory, &self.admission, now_ms, self.last_seq, self.commits));
    }
}

/// Lets submissions leave that are durable now. The disk may have taken longer than the lease of what was claimed.
fn leave(
    effects: &dyn Effects,
    submissions: Vec<(Submission, Custody)>,
    lease: &LeaseHandle,
    clock: &dyn Clock,
) {
    for (submission, custody) in submissions {
        let may_leave = custody == Custody::Own || lease.standing(clock) == Lease::InForce;
        if may_leave { effects.submit(submission) } else { effects.keep(submission) }
    }
}

/// What is told of a turn.
fn turned(memory: &Memory, admission: &Admission, now_ms: u64, last_seq: u64, commits: u64) -> Turned {
    Turned {
        turned_at_ms: now_ms,
        last_seq,
        commits,
        in_flight: memory.dispatcher.in_flight(),
        waiting: memory.dispatcher.waiting(),
        oldest_wait_ms: memory.dispatcher.oldest_wait_ms(now_ms),
        unknown: memory.doubts.len(),
        queue_bytes: admission.waiting(),
        cool_until_ms: u64::try_from(memory.lane.cool_until.as_millis()).unwrap_or(0),
    }
}

/// Puts one open message where its next step will be taken.
fn recover(
    reader: &Reader,
    number: MessageNumber,
    config: &EngineConfig,
    now_ms: u64,
    memory: &mut Memory,
    backlog: &mut Vec<MessageNumber>,
) -> Result<(), ReadError> {
    let Some(message) = reader.message(number)?.map(|row| row.message) else {
        return Ok(());
    };
    match message::next(&message, &config.rules) {
        Next::Dispatch => memory.dispatcher.enqueue(number, &message, now_ms),
        Next::LookUp { after, .. } => {
            if let Some(request) = reader.request(number)? {
                memory.doubts.open(number, message.person, request.body, after, now_ms);
            }
        }
        // In flight when the process ended.
        Next::Answer { .. } => backlog.push(number),
        Next::Wake { .. } | Next::Poll { .. } | Next::Nothing => {}
    }
    Ok(())
}

fn unreadable(error: ReadError) -> CommitError<TurnError> {
    CommitError::Batch(BatchError::Read(error))
}
