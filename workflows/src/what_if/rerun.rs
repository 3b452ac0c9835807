//! One message in virtual time: decided anew, with the recorded world around it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::kind::Kinds;
use crate::message::{
    Command, Context, Event, Hold, Lease, Message, Next, State, StateName, Terms, accept, decide, next,
};
use crate::policy::{Limits, Recipient};
use crate::rules::{Rules, Sending};
use crate::timestamp::Timestamp;
use crate::what_if::course::Course;
use crate::what_if::facts::{Answer, Facts, Wait};
use crate::what_if::pace::Pace;
use crate::what_if::{Change, Redecided, Why};
use crate::zone::LegalHours;

/// The other rules, once with sending on and once with it off.
#[derive(Debug)]
pub(super) struct Books {
    on: Rules,
    off: Rules,
    expires_after: Option<Duration>,
}

impl Books {
    pub(super) fn of(change: &Change) -> Self {
        // What is about recipients is not re-decided: it is not recorded with the message.
        let limits = Limits { legal_hours: LegalHours::Off, ..Limits::default() };
        let with = |sending| Rules {
            sending,
            limits: limits.clone(),
            kinds: Kinds::default(),
            ..change.rules.clone()
        };
        Self { on: with(Sending::Enabled), off: with(Sending::Disabled), expires_after: change.expires_after }
    }
}

/// One message on its way under other rules.
#[derive(Debug)]
pub(super) struct Rerun<'a> {
    facts: &'a Facts,
    books: &'a Books,
    /// Where it is; an error once that can't be told.
    course: Result<Course, (Why, Timestamp)>,
    now: Timestamp,
    /// What somebody will ask for.
    asked: VecDeque<&'a (Timestamp, Command)>,
    /// What will be heard of the newest attempt.
    answers: VecDeque<(Timestamp, &'a Answer)>,
    slot: Slot,
    /// How many times it was due since the newest attempt.
    dues: usize,
    /// The newest timer that changed nothing: it does not fire again.
    idle: Option<Timestamp>,
}

/// When a due message gets its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    /// Never: it is not due, or the rate has no room before its deadline.
    None,
    /// Then, as far as the recorded waits go.
    Ready(Timestamp),
    /// Then, by the rate.
    Reserved(Timestamp),
    /// After then, and nobody knows when.
    Unrecorded(Timestamp),
}

/// What happens next.
enum Act<'a> {
    /// Something is heard of an attempt.
    Hear(&'a Answer),
    /// Somebody asks for something.
    Ask(&'a Command),
    /// A timer fires.
    Wake,
    /// A slot is free.
    Slot,
}

impl<'a> Rerun<'a> {
    /// Accepts the wish anew.
    pub(super) fn start(facts: &'a Facts, books: &'a Books) -> Self {
        let mut rerun = Self {
            facts,
            books,
            course: accepted(facts, books).map_err(|why| (why, facts.accepted_at)),
            now: facts.accepted_at,
            asked: facts.asked.iter().collect(),
            answers: VecDeque::new(),
            slot: Slot::None,
            dues: 0,
            idle: None,
        };
        rerun.line_up();
        rerun
    }

    /// When the next thing happens; `None` when nothing will.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.next().map(|(at, _)| at).filter(|at| *at < Timestamp::MAX)
    }

    /// The earliest of what may happen. At one instant the world comes first: what was granted was
    /// granted before the message went on.
    fn next(&self) -> Option<(Timestamp, Act<'a>)> {
        let message = &self.course.as_ref().ok()?.message;
        let heard = self.answers.front().map(|(at, answer)| (*at, Act::Hear(answer)));
        let asked = self.asked.front().map(|(at, command)| (*at, Act::Ask(command)));
        let wake = self.wake_at(message).map(|at| (at, Act::Wake));
        let slot = match self.slot {
            Slot::None => None,
            Slot::Ready(at) => Some((self.facts.awake(at), Act::Slot)),
            Slot::Reserved(at) => Some((at, Act::Slot)),
            Slot::Unrecorded(after) => Some((after.plus(Duration::from_millis(1)), Act::Slot)),
        };
        let acts = [heard, asked, wake, slot].into_iter().flatten();
        acts.map(|(at, act)| (at.max(self.now), act)).min_by_key(|(at, _)| *at)
    }

    /// When its timer fires, as late as timers were then, or the switch that holds it is turned.
    fn wake_at(&self, message: &Message) -> Option<Timestamp> {
        let timer = match next(message, &self.books.on) {
            Next::Wake { at } => Some(at),
            Next::Dispatch => message.expires_at,
            Next::Answer { .. } | Next::LookUp { .. } | Next::Poll { .. } | Next::Nothing => None,
        };
        let switch = match message.state {
            State::Held { hold: Hold::SendingDisabled, .. } => self.facts.switched_on_after(self.now),
            State::Held { .. }
            | State::Accepted
            | State::Due { .. }
            | State::Submitting { .. }
            | State::Unknown { .. }
            | State::Submitted { .. }
            | State::Sent { .. }
            | State::Unconfirmed { .. }
            | State::Relinquished
            | State::Delivered
            | State::Undelivered
            | State::Failed
            | State::Canceled
            | State::Expired
            | State::Suppressed { .. } => None,
        };
        let fresh = |at: &Timestamp| self.idle.is_none_or(|idle| idle < *at);
        timer.map(|at| self.facts.awake(at.max(self.now))).filter(fresh).into_iter().chain(switch).min()
    }

    /// Does what happens at `at`, which [`Rerun::next_at`] said.
    pub(super) fn step(&mut self, at: Timestamp, pace: Option<&mut Pace>) {
        let Some((_, act)) = self.next() else { return };
        self.now = at;
        match act {
            Act::Hear(answer) => {
                self.answers.pop_front();
                self.carry_out(&answer.command, answer.jitter);
            }
            Act::Ask(command) => {
                self.asked.pop_front();
                self.carry_out(command, 0);
            }
            Act::Wake => {
                if !self.carry_out(&Command::Wake, 0) {
                    self.idle = Some(at);
                }
            }
            Act::Slot => self.take_slot(pace),
        }
    }

    fn take_slot(&mut self, pace: Option<&mut Pace>) {
        let Ok(Course { message, .. }) = &self.course else { return };
        let attempt = message.attempt.next();
        match self.slot {
            Slot::Unrecorded(_) => {
                self.course = Err((Why::AttemptNeverMade { attempt }, self.now));
                return;
            }
            Slot::Ready(_) => {
                let start = match pace {
                    Some(pace) => pace.reserve(message.segments, self.now, message.expires_at),
                    None => Some(self.now),
                };
                self.slot = start.map_or(Slot::None, Slot::Reserved);
            }
            Slot::Reserved(_) | Slot::None => {}
        }
        if self.slot == Slot::Reserved(self.now) {
            self.carry_out(&Command::Begin, 0);
        }
    }

    /// Decides, and folds what was decided. Says whether anything was. A rejection is an answer too:
    /// whoever asked would have been told no.
    fn carry_out(&mut self, command: &Command, jitter: u32) -> bool {
        let Ok(course) = &mut self.course else { return false };
        let rules = if self.facts.switched_on(self.now) { &self.books.on } else { &self.books.off };
        let recipient = Recipient::standing(self.facts.standing(self.now));
        let context = Context { now: self.now, rules, recipient: &recipient, lease: Lease::InForce, jitter };
        let events = decide(&course.message, command, &context).unwrap_or_default();
        for event in &events {
            if let Err(illegal) = course.follow(event, self.now) {
                self.course = Err((Why::Illegal { illegal }, self.now));
                return true;
            }
            if let Event::AttemptStarted { attempt, .. } | Event::AttemptSuspected { attempt, .. } = event {
                self.dues = 0;
                self.answers = self.facts.answers_to(*attempt, self.now);
                if attempt.get() > self.facts.outcome.attempts {
                    self.course = Err((Why::AttemptNeverMade { attempt: *attempt }, self.now));
                    return true;
                }
            }
        }
        if course.message.state.name() != StateName::Due || events.contains(&Event::BecameDue) {
            self.line_up();
        }
        !events.is_empty()
    }

    /// A message that becomes due waits as long as it did; one that is not due waits for no slot.
    fn line_up(&mut self) {
        let Ok(Course { message, .. }) = &self.course else { return };
        let State::Due { since } = message.state else {
            self.slot = Slot::None;
            return;
        };
        self.slot = match self.facts.wait_of(message.attempt.next(), self.dues) {
            Wait::Took(wait) => Slot::Ready(since.plus(wait)),
            Wait::LongerThan(wait) => Slot::Unrecorded(since.plus(wait)),
        };
        self.dues = self.dues.saturating_add(1);
    }

    /// What became of it.
    pub(super) fn end(self) -> Redecided {
        let course = match self.course {
            Ok(course) => course,
            Err((why, at)) => return Redecided::Undetermined { why, at },
        };
        let outcome = course.outcome();
        let searching = outcome.state == StateName::Unknown && self.answers.is_empty();
        if searching && self.facts.outcome.state != StateName::Unknown {
            let why = Why::SearchNeverMade { attempt: course.message.attempt };
            return Redecided::Undetermined { why, at: self.now };
        }
        Redecided::As(outcome)
    }
}

/// The message as accepted under other rules.
fn accepted(facts: &Facts, books: &Books) -> Result<Course, Why> {
    let at = facts.accepted_at;
    if facts.recipient_mattered {
        return Err(Why::RecipientMattered);
    }
    let mut terms = Terms { kind: None, ..facts.terms.clone() };
    if let Some(deadline) = books.expires_after {
        terms.expires_at = Some(terms.scheduled_for.unwrap_or(at).max(at).plus(deadline));
    }
    let rules = if facts.switched_on(at) { &books.on } else { &books.off };
    let recipient = Recipient::standing(facts.standing(at));
    let context = Context { now: at, rules, recipient: &recipient, lease: Lease::InForce, jitter: 0 };
    let events = accept(terms, &context).map_err(|rejection| Why::NotAccepted { rejection })?;
    Course::of(&events, at).map_err(|illegal| Why::Illegal { illegal })
}
