//! One of the daemons that share a database: the engine on a disk of its own, and the loop that speaks with the database.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dunlin::clock::Clock;
use dunlin::engine::EngineConfig;
use dunlin::engine::ask::{Ask, AskError, SyncAsk};
use dunlin::engine::lease::LeaseHandle;
use dunlin::engine::stepper::Stepper;
use dunlin::engine::sync::{Claimed, Standing};
use dunlin_storage::{Claim, Event, JournalSeq, PullCursor, Record, Store};
use dunlin_workflows::body::Body;
use dunlin_workflows::id::{MessageId, MessageNumber};
use dunlin_workflows::message::{
    self, Hold, Lease, OnUnknown, Priority, ProviderStatus, Report, Request, STATES, State, StateName,
    Suspicion, Via,
};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::timestamp::Timestamp;
use tokio::sync::oneshot;

use crate::carrier::Wire;
use crate::clock::{BEGIN_MS, Time};
use crate::disk::{Disk, Loss};
use crate::machine::{NEW_STORE, options};
use crate::shared_database::{Database, Offer, Told};
use crate::sharing::Defect;

/// How long a lease is.
pub(crate) const LEASE_MS: u64 = 30_000;

/// What the loop does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Beat,
    Pull,
    Acknowledge,
    Push,
}

/// What became of a question to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Luck {
    Answered,
    /// The database did it, and the answer is lost.
    Unanswered,
    /// It never came there.
    Unheard,
}

pub(crate) struct Sharer {
    pub(crate) n: usize,
    pub(crate) time: Arc<Time>,
    pub(crate) wire: Wire,
    pub(crate) boot: u64,
    pub(crate) inbox: Vec<Ask>,
    disk: Disk,
    running: Option<(Stepper, Arc<Store>)>,
    lease: LeaseHandle,
    step: Step,
    /// Until when the lease that was asked for last is ours, by both clocks.
    granted: Option<(u64, Timestamp)>,
    defect: Option<Defect>,
}

impl Sharer {
    pub(crate) fn new(n: usize, defect: Option<Defect>) -> Self {
        Self {
            n,
            time: Arc::new(Time::default()),
            wire: Wire::default(),
            boot: 0,
            inbox: Vec::new(),
            disk: Disk::with(NEW_STORE.clone()),
            running: None,
            lease: LeaseHandle::lapsed(),
            step: Step::Beat,
            granted: None,
            defect,
        }
    }

    pub(crate) fn start(&mut self, config: impl FnOnce(LeaseHandle) -> EngineConfig) {
        self.boot += 1;
        self.time.process_starts();
        self.lease = LeaseHandle::lapsed();
        (self.step, self.granted) = (Step::Beat, None);
        let clock: Arc<dyn Clock> = Arc::clone(&self.time) as Arc<dyn Clock>;
        let seed = self.boot * 2 + self.n as u64;
        let (store, _) = Store::open_with_backend(self.disk.clone(), &options(clock.wall(), seed)).unwrap();
        let store = Arc::new(store);
        let config = config(self.lease.clone());
        let mut stepper =
            Stepper::recover(Arc::clone(&store), clock, config, Box::new(self.wire.clone())).unwrap();
        stepper.begin().unwrap();
        self.running = Some((stepper, store));
    }

    /// The process is killed; what it wrote is durable, or is not.
    pub(crate) fn kill(&mut self, loss: Loss) {
        self.disk.switch_off();
        self.running = None;
        self.inbox.clear();
        self.wire.take();
        self.disk.switch_on(loss);
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub(crate) fn turn(&mut self) {
        if let Some((stepper, _)) = &mut self.running {
            stepper.turn(&mut self.inbox).unwrap();
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.running.as_ref().unwrap().1
    }

    fn ask<T>(&mut self, ask: impl FnOnce(oneshot::Sender<T>) -> SyncAsk) -> T {
        let (reply, mut answer) = oneshot::channel();
        self.inbox.push(Ask::Sync(ask(reply)));
        self.turn();
        answer.try_recv().unwrap()
    }

    /// One step of the loop. What is not answered is asked again, from the beginning.
    pub(crate) fn speak(&mut self, database: &mut Database, luck: Luck) {
        let (mono, wall) = (self.time.monotonic_ms(), self.time.wall());
        if luck == Luck::Unheard {
            self.step = Step::Beat;
            return;
        }
        let answered = luck == Luck::Answered;
        self.step = match self.step {
            Step::Beat => {
                database.heartbeat(self.n, self.time.now(), LEASE_MS);
                if answered {
                    let end = wall.plus(Duration::from_millis(LEASE_MS));
                    self.granted = Some((mono + LEASE_MS, end));
                    self.lease.extend(mono + LEASE_MS, end, &*self.time);
                }
                if answered { Step::Pull } else { Step::Beat }
            }
            Step::Pull => self.pull(database, answered),
            Step::Acknowledge => self.acknowledge(database, answered),
            Step::Push => {
                self.push(database);
                Step::Beat
            }
        };
    }

    fn pull(&mut self, database: &mut Database, answered: bool) -> Step {
        let cursor = self.store().reader().unwrap().pull_cursor().unwrap();
        let cursor = cursor.map_or(0, |cursor| cursor.as_str().parse().unwrap());
        let pulled = database.pull(self.n, self.time.now(), cursor);
        if !answered {
            return Step::Beat;
        }
        let gone: Vec<MessageId> =
            pulled.changes.iter().filter(|(_, ours)| !ours).map(|(row, _)| database.rows[*row].id).collect();
        self.ask(|reply| SyncAsk::Relinquish { ids: gone, reply });
        let claims: Vec<Claimed> = pulled.offers.iter().map(|offer| self.claimed(database, offer)).collect();
        let ids: Vec<MessageId> = claims.iter().map(|claim| claim.request.id).collect();
        let standings: Vec<Result<Standing, AskError>> = self.ask(|reply| SyncAsk::Claim { claims, reply });
        assert!(standings.iter().all(Result::is_ok), "{standings:?}");
        if self.defect == Some(Defect::ConfirmedBeforeAcknowledged) {
            self.ask(|reply| SyncAsk::Confirm { ids, reply });
        }
        let cursor = PullCursor::new(&pulled.cursor.to_string()).unwrap();
        self.ask(|reply| SyncAsk::Pulled { cursor, reply });
        // The lease may be used only once everything was learned that went to somebody else.
        if database.has_more(pulled.cursor) { Step::Pull } else { Step::Acknowledge }
    }

    fn claimed(&self, database: &Database, offer: &Offer) -> Claimed {
        let row = &database.rows[offer.row];
        let due = Timestamp::from_millis(BEGIN_MS).plus(Duration::from_millis(row.due_ms));
        let known = offer.known.map(|(sid, status)| Report { sid, status, code: None, via: Via::Lookup });
        let suspicious = offer.may_have_been_sent && self.defect != Some(Defect::SuspicionForgotten);
        let request = Request {
            id: row.id,
            to: PhoneNumber::from_digits(row.to).unwrap(),
            body: Body::parse(row.body.as_str()).unwrap(),
            priority: Priority::Normal,
            scheduled_for: Some(due),
            expires_at: None,
            on_unknown: if row.resends { OnUnknown::Resend } else { OnUnknown::Hold },
            user_id: None,
            metadata: None,
            retry_of: None,
            kind: None,
            template: None,
            may_bypass: false,
            is_claimed: false,
        };
        let suspicion = suspicious.then_some(Suspicion { since: due, known });
        Claimed { request: request.into(), claim: Claim { token: offer.token, suspicion } }
    }

    /// Everything was pulled: what is not answered yet is acknowledged, and what is held for want of a lease goes on.
    fn acknowledge(&mut self, database: &mut Database, answered: bool) -> Step {
        let open = self.store().reader().unwrap().open_claims(MessageNumber::new(0), 1000).unwrap();
        let (mut accepted, mut lost) = (Vec::new(), Vec::new());
        for claim in &open {
            let row = database.rows.iter().position(|row| row.id == claim.id).unwrap();
            let stands = database.acknowledge(self.n, row, claim.claim.token);
            if stands { accepted.push(claim.id) } else { lost.push(claim.id) }
        }
        if !answered {
            return Step::Beat;
        }
        self.ask(|reply| SyncAsk::Relinquish { ids: lost, reply });
        self.ask(|reply| SyncAsk::Confirm { ids: accepted, reply });
        let (mono, wall) = self.granted.unwrap();
        let still = self.time.monotonic_ms() < mono && self.time.wall() < wall;
        if still && self.lease.standing(&*self.time) == Lease::Lapsed {
            self.lease.until(mono, wall);
            let held = self.store().reader().unwrap().unconfirmed(MessageNumber::new(0), 10_000).unwrap();
            let ids = held.messages.into_iter().map(|(_, id)| id).collect();
            self.ask(|reply| SyncAsk::Confirm { ids, reply });
        }
        if self.defect == Some(Defect::LeaseIgnored) {
            self.lease.grant();
        }
        Step::Push
    }

    /// Tells of every text as it stands.
    fn push(&self, database: &mut Database) {
        let reader = self.store().reader().unwrap();
        for row in 0..database.rows.len() {
            let Some(number) = reader.number_of_id(database.rows[row].id).unwrap() else { continue };
            let message = reader.message(number).unwrap().unwrap().message;
            let name = message.state.name();
            let known = message.sid.zip(match message.state {
                State::Submitted { status, .. } => Some(status),
                State::Sent { .. } => Some(ProviderStatus::Sent),
                _ => None,
            });
            let is_finished = name.is_settled() && name != StateName::Relinquished;
            let told = Told { is_tried: message.attempt.get() > 0, is_finished, known };
            database.push(self.n, row, told);
        }
    }

    /// Counts what the journal tells of messages.
    pub(crate) fn count_events(&self, events: &mut BTreeMap<&'static str, usize>) {
        let (mut claimed, mut suspected) = (0, None);
        for raw in self.store().reader().unwrap().journal(JournalSeq::START).unwrap() {
            let raw = raw.unwrap();
            let Event::Message { number, event } = Record::decode(raw.seq, &raw.bytes).unwrap().event else {
                continue;
            };
            *events.entry(event.name()).or_default() += 1;
            match &event {
                message::Event::Accepted { .. } => claimed += 1,
                message::Event::Held { hold: Hold::Claim, .. } if claimed > 0 => claimed -= 1,
                message::Event::Held { hold: Hold::Claim, .. } => {
                    *events.entry("held again by claim").or_default() += 1;
                }
                message::Event::Submitted { .. } if suspected == Some(number) => {
                    *events.entry("followed by name").or_default() += 1;
                }
                _other => {}
            }
            suspected = matches!(event, message::Event::AttemptSuspected { .. }).then_some(number);
        }
    }

    /// Messages that are not settled.
    pub(crate) fn unsettled(&self) -> Vec<(MessageNumber, StateName)> {
        let reader = self.store().reader().unwrap();
        let open = STATES.into_iter().map(|(state, _)| state).filter(|state| !state.is_settled());
        open.flat_map(|state| {
            let numbers = reader.numbers_in(state, MessageNumber::new(0), 1000).unwrap();
            numbers.into_iter().map(move |number| (number, state))
        })
        .collect()
    }
}
