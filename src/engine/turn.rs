//! One turn of the writer inside one transaction: decisions become records, states become effects.

use std::time::Duration;

use dunlin_storage::{ActorNumber, Batch, BatchError, By, Orphan};
use dunlin_workflows::actor::{Origin, Reason};
use dunlin_workflows::alarm::Watch;
use dunlin_workflows::body::Encoding;
use dunlin_workflows::consent;
use dunlin_workflows::id::{Attempt, MessageId, MessageNumber};
use dunlin_workflows::lane::{self, Lane, Silence};
use dunlin_workflows::message::{
    self, Command, Context, Custody, Event, Hold, Lease, Message, Next, Outcome, Rejection, Report, Request,
    State, StateName, Via,
};
use dunlin_workflows::policy::{self, Ban, Recipient, STRANGER};
use dunlin_workflows::recurrence;
use dunlin_workflows::rules::Rules;
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::{allowance, template, user, verification};

use crate::engine::answer::Waiting;
use crate::engine::dispatcher::{Dispatcher, Turn as Slot};
use crate::engine::doubts::Doubts;
use crate::engine::provider::Submission;
use crate::engine::regions::Regions;
use crate::engine::scheduler::Scheduler;
use crate::engine::verifications::{Verified, Verifying};
use crate::engine::verify_service::VerifyQuestion;

/// What the writer keeps in memory: all of it derived from the store.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) dispatcher: Dispatcher,
    pub(super) scheduler: Scheduler,
    pub(super) doubts: Doubts,
    pub(super) lane: Lane,
    pub(super) silence: Silence,
    /// Who counts failures.
    pub(super) watch: Watch,
    /// When the next timer of a small workflow is due.
    pub(super) instances_due: Option<Timestamp>,
    /// Who waits for the verification service.
    pub(super) waiting: Vec<Waiting>,
    /// Up to where streams in which nothing matters any more were looked for.
    pub(super) flows_purged: [u8; 16],
    pub(super) regions: Regions,
    pub(super) jitter: fastrand::Rng,
}

impl Memory {
    /// Whether one request is finding out if the provider listens again.
    pub(super) fn awaits_probe(&self) -> bool {
        self.lane.is_probing() && self.dispatcher.in_flight() > 0
    }

    /// An alarm that is over.
    pub(super) fn alarm_over(&self, rules: &Rules, now: Timestamp) -> Option<lane::Event> {
        self.watch.over(&self.lane, rules.alarm, now)
    }
}

/// One turn: the open transaction, the time, and what is to leave once it is durable.
pub(super) struct Turn<'a, 'b> {
    pub(super) batch: &'a mut Batch<'b>,
    pub(super) memory: &'a mut Memory,
    pub(super) rules: &'a Rules,
    pub(super) now: Timestamp,
    pub(super) now_ms: u64,
    /// Whether what was claimed may be sent now.
    pub(super) lease: Lease,
    /// Whether another daemon may ever get what was claimed.
    pub(super) lease_may_end: bool,
    /// What leaves, and whether only while the lease is in force.
    pub(super) submissions: &'a mut Vec<(Submission, Custody)>,
    pub(super) fetches: &'a mut Vec<MessageNumber>,
    pub(super) verifying: &'a Verifying,
    /// What the verification service is to be asked.
    pub(super) questions: &'a mut Vec<(u64, VerifyQuestion)>,
    /// What came of verifications whose answer somebody waits for.
    pub(super) settled: &'a mut Vec<Verified>,
}

/// Why a turn could not be carried out for one message: the domain's no, or the store's.
#[derive(Debug, thiserror::Error)]
pub(super) enum TurnError {
    #[error(transparent)]
    Rejected(#[from] Rejection),
    #[error(transparent)]
    Consent(#[from] consent::Rejection),
    #[error(transparent)]
    User(#[from] user::Rejection),
    #[error(transparent)]
    Verification(#[from] verification::Rejection),
    #[error(transparent)]
    Allowance(#[from] allowance::Rejection),
    #[error("{0}")]
    Forbidden(Ban),
    #[error("no code can go now")]
    Crowded { hold: Hold, until: Timestamp },
    #[error("sending is switched off")]
    SendingDisabled,
    #[error("the text of a code is too long")]
    Wording,
    #[error(transparent)]
    Recurrence(#[from] recurrence::Rejection),
    #[error(transparent)]
    Template(#[from] template::Rejection),
    #[error(transparent)]
    Store(#[from] BatchError),
    #[error("there is no such message")]
    NotFound,
    #[error("message {0} exists already")]
    IdTaken(MessageId),
    #[error("message {0} is here with another text or recipient")]
    Altered(MessageId),
    #[error("the idempotency key was used for something else")]
    KeyReused,
    #[error("the recipient was erased")]
    Erased,
    #[error(transparent)]
    Illegal(#[from] message::IllegalEvent),
}

impl Turn<'_, '_> {
    /// What a decision depends on, for somebody of whom that is known.
    fn context<'c>(&mut self, recipient: &'c Recipient) -> Context<'c>
    where
        Self: 'c,
    {
        Context {
            now: self.now,
            rules: self.rules,
            recipient,
            lease: self.lease,
            jitter: self.memory.jitter.u32(..),
        }
    }

    /// Accepts a wish; returns the message as it stood after the first verdict.
    pub(super) fn accept(
        &mut self,
        request: &Request,
        by: By,
    ) -> Result<(MessageNumber, Message, Encoding), TurnError> {
        let id = request.id;
        if self.batch.number_of_id(id)?.is_some() {
            return Err(TurnError::IdTaken(id));
        }
        let person = self.person(request.to, by)?;
        let user = request.user_id.as_ref().map(|user| self.user(user)).transpose()?;
        let request = self.worded(person, request)?;
        let request = request.as_ref();
        let terms = request.terms(person, user);
        let encoding = terms.encoding;
        let mut recipient = self.recipient(person, user, false)?;
        recipient.flows = self.flows(person, recipient.is_verified)?;
        recipient.same_text = self.same_text(person, request)?;
        let events = message::accept(terms, &self.context(&recipient))?;
        let mut message = None::<Message>;
        for event in &events {
            match &mut message {
                None => message = Some(Message::begin(event, self.now)?),
                Some(begun) => begun.apply(event, self.now)?,
            }
        }
        let message = message.ok_or(TurnError::NotFound)?;
        let timer = message::timer(&message, self.rules);
        let number = self.batch.create(self.now, by, request, &events, &message, timer)?;
        self.route(number, None, &message)?;
        self.stands_in_line(&recipient, &events)?;
        Ok((number, message, encoding))
    }

    /// On whose behalf something is recorded.
    pub(super) fn by(&mut self, origin: &Origin) -> Result<By, TurnError> {
        let actor = match &origin.actor {
            Some(name) => self.batch.actor(name)?,
            None => ActorNumber::NOBODY,
        };
        Ok(By { source: origin.source, actor })
    }

    /// Carries out a command of ours on one message; returns its state afterwards.
    pub(super) fn carry_out(
        &mut self,
        number: MessageNumber,
        command: &Command,
        source: Source,
    ) -> Result<State, TurnError> {
        self.obey(number, command, source.into(), None)
    }

    /// Carries out what somebody asked for, and keeps who and why; returns the state afterwards.
    pub(super) fn asked(
        &mut self,
        number: MessageNumber,
        command: &Command,
        origin: &Origin,
    ) -> Result<State, TurnError> {
        let by = self.by(origin)?;
        let state = self.obey(number, command, by, origin.reason.as_ref())?;
        // Whoever gets a claimed text after us looks up what was due by the time that the database knows. So nothing is sent by
        // another time before the database was told of it.
        let is_moved = matches!(command, Command::Reschedule { .. }) && by.source != Source::Sync;
        if !is_moved || !self.lease_may_end || state == State::Relinquished {
            return Ok(state);
        }
        self.carry_out(number, &Command::Reclaim, Source::Sync)
    }

    pub(super) fn obey(
        &mut self,
        number: MessageNumber,
        command: &Command,
        by: By,
        reason: Option<&Reason>,
    ) -> Result<State, TurnError> {
        let before = self.load(number)?.ok_or(TurnError::NotFound)?;
        let recipient = self.recipient_of(&before)?;
        let mut events = message::decide(&before, command, &self.context(&recipient))?;
        if events.is_empty() {
            return Ok(before.state);
        }
        if let Some(reason) = reason {
            events.insert(0, Event::Remarked { reason: reason.clone() });
        }
        if let (Command::Retry { .. }, State::Held { hold: Hold::FraudVelocity, .. }) =
            (command, before.state)
        {
            self.vouched(&recipient)?;
        }
        let after = self.record(number, &before, &events, by)?;
        self.stands_in_line(&recipient, &events)?;
        let suspected = events.iter().any(|event| matches!(event, Event::AttemptSuspected { .. }));
        if suspected && before.attempt == Attempt::NONE {
            let request = self.batch.request(number)?.ok_or(TurnError::Erased)?;
            self.goes(before.person, recipient, &request)?;
        }
        let state = after.state;
        self.claim_orphans(number, &before, after)?;
        Ok(state)
    }

    /// Whether a finalized message may be tried again as `id`, without doing it.
    pub(super) fn would_retry(&mut self, message: &Message, id: MessageId) -> Result<(), TurnError> {
        let recipient = self.recipient_of(message)?;
        message::decide(message, &Command::Retry { id }, &self.context(&recipient))?;
        Ok(())
    }

    /// Journals events and what they make of the message, and remembers what must happen next.
    fn record(
        &mut self,
        number: MessageNumber,
        before: &Message,
        events: &[Event],
        by: impl Into<By>,
    ) -> Result<Message, TurnError> {
        let mut after = before.clone();
        for event in events {
            after.apply(event, self.now)?;
        }
        let (timer, by) = (message::timer(&after, self.rules), by.into());
        self.batch.record(number, self.now, by, events, &after, timer)?;
        self.route(number, Some(before), &after)?;
        if events.iter().any(Event::says_opted_out) {
            self.refused(before, by)?;
        }
        self.heed(events)?;
        Ok(after)
    }

    /// A provider's name became known: callbacks that came before it are heard now.
    fn claim_orphans(
        &mut self,
        number: MessageNumber,
        before: &Message,
        mut after: Message,
    ) -> Result<(), TurnError> {
        let Some(sid) = after.sid.filter(|sid| before.sid != Some(*sid)) else {
            return Ok(());
        };
        for orphan in self.batch.take_orphans(sid)? {
            let report = Report { sid, status: orphan.status, code: orphan.code, via: Via::Callback };
            let heard = Command::Report { attempt: None, report };
            let recipient = self.recipient_of(&after)?;
            let events = message::decide(&after, &heard, &self.context(&recipient))?;
            if !events.is_empty() {
                after = self.record(number, &after, &events, Source::Webhook)?;
            }
        }
        Ok(())
    }

    /// Puts a message where its next step will be taken.
    fn route(
        &mut self,
        number: MessageNumber,
        before: Option<&Message>,
        after: &Message,
    ) -> Result<(), TurnError> {
        let timer = message::timer(after, self.rules);
        if let Some(due_at) = timer.filter(|_| before.and_then(|b| message::timer(b, self.rules)) != timer) {
            self.memory.scheduler.arm(due_at, number);
        }
        match message::next(after, self.rules) {
            Next::Dispatch => self.memory.dispatcher.enqueue(number, after, self.now_ms),
            // The search that it waits for is on its way or to come.
            Next::LookUp { .. } if before.is_some_and(|b| b.state == after.state) => return Ok(()),
            Next::LookUp { after: wait, .. } => {
                let lookups_before = before.map(|b| b.state.name());
                if lookups_before == Some(StateName::Unknown) {
                    self.memory.doubts.again(number, wait, self.now_ms);
                } else {
                    let request = self.batch.request(number)?.ok_or(TurnError::Erased)?;
                    self.memory.doubts.open(number, after.person, request.body, wait, self.now_ms);
                }
                return Ok(());
            }
            Next::Wake { .. } | Next::Answer { .. } | Next::Poll { .. } | Next::Nothing => {}
        }
        if before.is_some_and(|b| b.state.name() == StateName::Unknown) {
            for waiting in self.memory.doubts.close(number) {
                if let Some(message) = self.load(waiting)? {
                    self.memory.dispatcher.enqueue(waiting, &message, self.now_ms);
                }
            }
        }
        Ok(())
    }

    /// A message as it stands now, this turn included.
    pub(super) fn load(&mut self, number: MessageNumber) -> Result<Option<Message>, TurnError> {
        Ok(self.batch.load(number)?.map(|projection| projection.message.clone()))
    }

    /// A timer fired. What it meant is asked of the state, so a stale one does nothing.
    pub(super) fn fire(&mut self, number: MessageNumber) -> Result<(), TurnError> {
        let Some(message) = self.load(number)? else {
            return Ok(());
        };
        match message::next(&message, self.rules) {
            Next::Poll { at, .. } if at <= self.now => self.fetches.push(number),
            Next::Wake { .. } | Next::Dispatch => {
                self.carry_out(number, &Command::Wake, Source::Timer)?;
            }
            Next::Poll { .. } | Next::Answer { .. } | Next::LookUp { .. } | Next::Nothing => {}
        }
        Ok(())
    }

    /// What became of a submission: for the message, and for the lane.
    pub(super) fn conclude(
        &mut self,
        number: MessageNumber,
        attempt: Attempt,
        outcome: Outcome,
    ) -> Result<(), TurnError> {
        self.memory.dispatcher.release(number);
        let mut silence = self.memory.silence;
        let context = Context {
            now: self.now,
            rules: self.rules,
            recipient: &STRANGER,
            lease: self.lease,
            jitter: self.memory.jitter.u32(..),
        };
        let lane = self.memory.lane.hear(&outcome, &mut silence, &context);
        self.memory.silence = silence;
        if let Some(event) = lane {
            self.note_lane(&event, Source::Dispatcher)?;
        }
        self.carry_out(number, &Command::Conclude { attempt, outcome }, Source::Dispatcher)?;
        Ok(())
    }

    /// A signed callback, for a message that it names, that its SID names, or that is not known yet.
    pub(super) fn hear(
        &mut self,
        named: Option<(MessageNumber, Attempt)>,
        report: Report,
    ) -> Result<(), TurnError> {
        if let Some((number, attempt)) = named
            && self.load(number)?.is_some()
        {
            let heard = Command::Report { attempt: Some(attempt), report };
            self.carry_out(number, &heard, Source::Webhook)?;
            return Ok(());
        }
        if let Some(number) = self.batch.number_of_sid(report.sid)? {
            self.carry_out(number, &Command::Report { attempt: None, report }, Source::Webhook)?;
            return Ok(());
        }
        let orphan = Orphan { sid: report.sid, status: report.status, code: report.code, at: self.now };
        if let Some(evicted) = self.batch.put_orphan(&orphan)? {
            tracing::warn!(sid = %evicted.sid, "too many callbacks without a message; the oldest gave way");
        }
        Ok(())
    }

    /// A search ended: of what fits, the oldest that belongs to no other attempt is ours.
    pub(super) fn resolve(
        &mut self,
        number: MessageNumber,
        attempt: Attempt,
        matches: &[Report],
    ) -> Result<(), TurnError> {
        let mut found = None;
        for report in matches {
            if self.batch.number_of_sid(report.sid)?.is_none() {
                found = Some(*report);
            }
        }
        self.carry_out(number, &Command::Resolve { attempt, found }, Source::Lookup)?;
        Ok(())
    }

    /// Gives out slots until none is free, nobody is due, or the rate says wait. Returns that wait. Of a crowd that
    /// must wait for places among texts to others, some at a time learn it: between two turns urgent wishes are heard.
    pub(super) fn dispatch(&mut self) -> Result<Option<Duration>, TurnError> {
        for _ in 0..BEGUN_PER_TURN {
            if !self.memory.lane.is_open(self.now) || self.memory.awaits_probe() {
                return Ok(None);
            }
            match self.memory.dispatcher.next(self.now_ms) {
                Slot::Go(number) => self.begin(number)?,
                Slot::After(wait) => return Ok(Some(wait)),
                Slot::Nobody => return Ok(None),
            }
        }
        Ok(Some(Duration::ZERO))
    }

    /// Commits one attempt and prepares its submission; frees the slot when it is not due after all.
    fn begin(&mut self, number: MessageNumber) -> Result<(), TurnError> {
        let due = self.load(number)?.filter(|message| message.state.name() == StateName::Due);
        let Some(before) = due else {
            self.memory.dispatcher.release(number);
            return Ok(());
        };
        let Some(request) = self.batch.request(number)? else {
            self.memory.dispatcher.release(number);
            self.carry_out(number, &Command::Cancel, Source::Dispatcher)?;
            return Ok(());
        };
        if self.memory.doubts.keeps_back(number, before.person, &request.body) {
            self.memory.dispatcher.release(number);
            return Ok(());
        }
        let mut recipient = self.recipient_of(&before)?;
        recipient.same_text = self.same_text(before.person, &request)?;
        let events = message::decide(&before, &Command::Begin, &self.context(&recipient))?;
        let valid_until = policy::valid_until(&policy::Case::of(&before, &recipient, self.rules, self.now));
        let after = self.record(number, &before, &events, Source::Dispatcher)?;
        if after.state.name() != StateName::Submitting {
            self.memory.dispatcher.release(number);
            return self.stands_in_line(&recipient, &events);
        }
        if before.attempt == Attempt::NONE {
            self.goes(before.person, recipient, &request)?;
        }
        let validity = valid_until.map(|at| at.since(self.now).clamp(VALIDITY_MIN, VALIDITY_MAX));
        let (message, attempt) = (number, after.attempt);
        let submission = Submission { message, attempt, to: request.to, body: request.body, validity };
        self.submissions.push((submission, after.custody));
        Ok(())
    }
}

/// Most texts that are begun, or held instead, in one turn.
const BEGUN_PER_TURN: usize = 1024;

/// Shortest and longest time that the provider may be told to hold a text.
///
/// Source: <https://www.twilio.com/docs/messaging/api/message-resource>, `ValidityPeriod`, read 2026-11-23.
const VALIDITY_MIN: Duration = Duration::from_secs(1);
const VALIDITY_MAX: Duration = Duration::from_hours(10);
