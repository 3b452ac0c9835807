//! What the world did to one message, taken out of its recorded life.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::consent::Standing;
use crate::id::Attempt;
use crate::message::{
    Cause, Command, Counts, Event, Failure, Hold, IllegalEvent, Message, Next, Outcome as Answered,
    ProviderStatus, Report, State, Suspicion, Terms, Verdict, Via, next,
};
use crate::policy::Ban;
use crate::provider_error::Retry;
use crate::rules::Rules;
use crate::timestamp::Timestamp;
use crate::what_if::Outcome;
use crate::what_if::course::Course;

/// What the world did to one message, and what came of it.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) terms: Terms,
    pub(super) accepted_at: Timestamp,
    /// What somebody asked for, and when. All of it was granted.
    pub(super) asked: Vec<(Timestamp, Command)>,
    /// When sending was switched off, as far as this message noticed: from, and until.
    pub(super) switched_off: Vec<(Timestamp, Timestamp)>,
    /// What forbade it in the end, if anything did.
    pub(super) ban: Option<Ban>,
    /// Whether the gate held or dropped it for something about its recipient other than an opt-out.
    pub(super) recipient_mattered: bool,
    /// When a timer was due that had not fired: the process was away, or late. From, and until.
    pub(super) asleep: Vec<(Timestamp, Timestamp)>,
    /// By attempt, also the one that was never started.
    pub(super) tries: BTreeMap<Attempt, Try>,
    pub(super) outcome: Outcome,
}

/// What the world did to one attempt.
#[derive(Debug, Default)]
pub(super) struct Try {
    /// How long the message waited for a slot, each time it was due.
    pub(super) waits: Vec<Wait>,
    /// What was heard of the attempt, in order.
    pub(super) answers: Vec<Answer>,
}

/// How long a due message waited for its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// This long.
    Took(Duration),
    /// Longer than this; then it was no longer due, or the recording ended.
    LongerThan(Duration),
}

/// Something that was heard of an attempt.
#[derive(Debug)]
pub(super) struct Answer {
    /// How long after the attempt's start.
    pub(super) after: Duration,
    /// What was heard.
    pub(super) command: Command,
    /// The randomness that spread the delay decided upon it.
    pub(super) jitter: u32,
}

impl Facts {
    /// The facts in `life`, which ends at `until` and was decided under `rules`.
    ///
    /// # Errors
    /// [`IllegalEvent`] for a life that does not fold.
    pub(super) fn of(
        life: &[(Timestamp, Event)],
        rules: &Rules,
        until: Timestamp,
    ) -> Result<Self, IllegalEvent> {
        let nothing = IllegalEvent { state: None, event: "nothing" };
        let ((began_at, begin), rest) = life.split_first().ok_or(nothing)?;
        let course = Course::begin(begin, *began_at)?;
        let Event::Accepted { terms } = begin else {
            return Err(IllegalEvent { state: None, event: begin.name() });
        };
        let mut reading = Reading {
            facts: Self {
                terms: terms.as_ref().clone(),
                accepted_at: *began_at,
                asked: Vec::new(),
                switched_off: Vec::new(),
                ban: None,
                recipient_mattered: false,
                asleep: Vec::new(),
                tries: BTreeMap::new(),
                outcome: course.outcome(),
            },
            rules,
            started_at: *began_at,
            rescheduled: false,
            asked: false,
        };
        let mut course = course;
        for (at, event) in rest {
            let before = course.message.clone();
            course.follow(event, *at)?;
            reading.note(&before, event, *at);
        }
        reading.close(&course.message, until);
        reading.facts.outcome = course.outcome();
        Ok(reading.facts)
    }

    /// Whether sending was on at `now`.
    pub(super) fn switched_on(&self, now: Timestamp) -> bool {
        !self.switched_off.iter().any(|(from, until)| *from <= now && now < *until)
    }

    /// Whether its recipient agreed at `now`, as far as this message noticed.
    pub(super) fn standing(&self, now: Timestamp) -> Standing {
        match self.ban {
            Some(Ban::OptedOut { since, how }) if since <= now => Standing::OptedOut { since, how },
            Some(_) | None => Standing::Unknown,
        }
    }

    /// When the message next noticed that sending was on, after `now`.
    pub(super) fn switched_on_after(&self, now: Timestamp) -> Option<Timestamp> {
        self.switched_off.iter().map(|(_, until)| *until).find(|until| now < *until)
    }

    /// The first instant from `at` on at which a timer would have fired.
    pub(super) fn awake(&self, at: Timestamp) -> Timestamp {
        let asleep = self.asleep.iter().filter(|(from, until)| *from <= at && at < *until);
        asleep.map(|(_, until)| *until).fold(at, Timestamp::max)
    }

    /// What is heard, and when, of the attempt that starts at `start`.
    pub(super) fn answers_to(&self, attempt: Attempt, start: Timestamp) -> VecDeque<(Timestamp, &Answer)> {
        let answers = self.tries.get(&attempt).map(|tried| tried.answers.as_slice()).unwrap_or_default();
        answers.iter().map(|answer| (start.plus(answer.after), answer)).collect()
    }

    /// How long the message waits for the slot of `attempt` when it is due for the time after `dues`
    /// others. A wait that ended without a slot is followed by the one that ended with it.
    pub(super) fn wait_of(&self, attempt: Attempt, dues: usize) -> Wait {
        let waits = self.tries.get(&attempt).map(|tried| tried.waits.as_slice()).unwrap_or_default();
        let here = waits.get(dues).or(waits.last()).copied().unwrap_or(Wait::LongerThan(Duration::ZERO));
        let took = waits.iter().skip(dues).chain(waits.last()).find_map(|wait| match wait {
            Wait::Took(took) => Some(*took),
            Wait::LongerThan(_) => None,
        });
        match (here, took) {
            (Wait::LongerThan(least), Some(took)) => Wait::Took(took.max(least)),
            (Wait::Took(_) | Wait::LongerThan(_), _) => here,
        }
    }
}

/// Facts being taken out of a life.
struct Reading<'a> {
    facts: Facts,
    rules: &'a Rules,
    /// When the newest attempt started.
    started_at: Timestamp,
    /// The event before this one changed the schedule, so that this one is the verdict upon it.
    rescheduled: bool,
    /// The event before this one was a question, so that this one may be the answer to it.
    asked: bool,
}

impl Reading<'_> {
    fn note(&mut self, before: &Message, event: &Event, at: Timestamp) {
        self.note_wait(before, event, at);
        self.note_sleep(before, at);
        self.note_switch(before, event, at);
        if let Some(command) = self.asked_for(before, event, at) {
            self.facts.asked.push((at, command));
        }
        self.note_recipient(event);
        if let Event::AttemptStarted { .. } | Event::AttemptSuspected { .. } = event {
            self.started_at = at;
        }
        if let Some((command, jitter)) = self.heard(before, event, at) {
            let answer = Answer { after: at.since(self.started_at), command, jitter };
            let answers = &mut self.facts.tries.entry(before.attempt).or_default().answers;
            // What was answered is heard before the question counts, which may end the watch.
            let asked = usize::from(self.asked);
            answers.insert(answers.len().saturating_sub(asked), answer);
        }
        self.rescheduled = matches!(event, Event::Rescheduled { .. });
        self.asked = matches!(event, Event::Polled { .. });
    }

    fn note_recipient(&mut self, event: &Event) {
        if let Event::Suppressed { ban } = event {
            self.facts.ban = Some(*ban);
            self.facts.recipient_mattered |= !matches!(ban, Ban::OptedOut { .. });
        }
        if let Event::Held { hold, .. } = event {
            self.facts.recipient_mattered |= hold.is_about_recipient();
        }
    }

    /// A due message that goes on got its slot, or lost the claim to it.
    fn note_wait(&mut self, before: &Message, event: &Event, at: Timestamp) {
        let State::Due { since } = before.state else { return };
        let waited = at.since(since);
        let wait = match event {
            Event::AttemptStarted { .. } => Wait::Took(waited),
            // Somebody claimed it anew before its slot came, or the slot came too late.
            Event::Held { hold: Hold::Claim, .. } | Event::Relinquished => Wait::LongerThan(waited),
            // The slot came, and with it the verdict that sending is off.
            Event::Held { .. } if !self.rescheduled => Wait::Took(waited),
            Event::Held { .. }
            | Event::BecameDue
            | Event::Canceled
            | Event::Expired
            | Event::Suppressed { .. } => Wait::LongerThan(waited),
            Event::Accepted { .. }
            | Event::AttemptSuspected { .. }
            | Event::Reclaimed
            | Event::Submitted { .. }
            | Event::AttemptFailed { .. }
            | Event::OutcomeLost { .. }
            | Event::LookupFoundNothing { .. }
            | Event::StatusReported { .. }
            | Event::Polled { .. }
            | Event::Unconfirmed
            | Event::Rescheduled { .. }
            | Event::GivenUp
            | Event::RetriedAs { .. }
            | Event::Remarked { .. }
            | Event::Bypassed { .. }
            | Event::Contradicted { .. } => return,
        };
        self.facts.tries.entry(before.attempt.next()).or_default().waits.push(wait);
    }

    /// A message that a timer should have moved on, and that still is where it was at `at`.
    fn note_sleep(&mut self, message: &Message, at: Timestamp) {
        let due = match next(message, self.rules) {
            Next::Wake { at } => Some(at),
            Next::Dispatch => message.expires_at,
            Next::Answer { .. } | Next::LookUp { .. } | Next::Poll { .. } | Next::Nothing => None,
        };
        if let Some(due) = due.filter(|due| *due < at) {
            self.facts.asleep.push((due, at));
        }
    }

    fn note_switch(&mut self, before: &Message, event: &Event, at: Timestamp) {
        let stays = matches!(event, Event::Rescheduled { .. } | Event::Contradicted { .. });
        if is_switched_off(before)
            && !stays
            && let Some((_, until)) = self.facts.switched_off.last_mut()
        {
            *until = at;
        }
        if let Event::Held { hold: Hold::SendingDisabled, .. } = event {
            self.facts.switched_off.push((at, Timestamp::MAX));
        }
    }

    /// What somebody asked for, when the event can be nothing but the answer.
    fn asked_for(&self, before: &Message, event: &Event, at: Timestamp) -> Option<Command> {
        if before.is_unconfirmed() {
            let verdict = matches!(
                event,
                Event::BecameDue
                    | Event::Held { .. }
                    | Event::Suppressed { .. }
                    | Event::AttemptSuspected { .. }
            );
            if verdict {
                return Some(Command::Confirm { suspicion: suspicion(event) });
            }
        }
        match event {
            Event::Canceled => Some(Command::Cancel),
            Event::AttemptSuspected { .. } => Some(Command::Confirm { suspicion: suspicion(event) }),
            Event::Held { hold: Hold::Claim, .. } | Event::Reclaimed => Some(Command::Reclaim),
            Event::Relinquished => Some(Command::Relinquish),
            Event::Suppressed { .. } => Some(Command::Reconsider),
            Event::Rescheduled { scheduled_for } => {
                Some(Command::Reschedule { scheduled_for: *scheduled_for })
            }
            Event::BecameDue if !self.rescheduled => match before.state {
                State::Held { hold: Hold::Backoff | Hold::ProviderLane | Hold::OutcomeUnknown, until }
                    if at < until =>
                {
                    Some(Command::Retry { id: self.facts.terms.id })
                }
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
            },
            Event::BecameDue
            | Event::Accepted { .. }
            | Event::Held { .. }
            | Event::AttemptStarted { .. }
            | Event::Submitted { .. }
            | Event::AttemptFailed { .. }
            | Event::OutcomeLost { .. }
            | Event::LookupFoundNothing { .. }
            | Event::StatusReported { .. }
            | Event::Polled { .. }
            | Event::Unconfirmed
            | Event::Expired
            | Event::GivenUp
            | Event::RetriedAs { .. }
            | Event::Remarked { .. }
            | Event::Bypassed { .. }
            | Event::Contradicted { .. } => None,
        }
    }

    /// What was heard of the newest attempt, and the randomness in what was decided upon it.
    fn heard(&self, before: &Message, event: &Event, at: Timestamp) -> Option<(Command, u32)> {
        match event {
            Event::Submitted { attempt, sid, status, via } => Some((taken(*attempt, *sid, *status, *via), 0)),
            Event::AttemptFailed { attempt, failure, verdict } => {
                let chance = self.chance(before, failure, *verdict, at);
                failed(before, *attempt, failure, chance).map(|command| (command, chance.jitter))
            }
            Event::OutcomeLost { attempt, detail } => {
                let outcome = Answered::Lost { detail: detail.clone() };
                Some((Command::Conclude { attempt: *attempt, outcome }, 0))
            }
            Event::LookupFoundNothing { attempt, .. } => {
                Some((Command::Resolve { attempt: *attempt, found: None }, 0))
            }
            Event::StatusReported { status, failure, via } => {
                let code = failure.as_ref().and_then(Failure::code);
                let report = Report { sid: before.sid?, status: *status, code, via: *via };
                Some((Command::Report { attempt: Some(before.attempt), report }, 0))
            }
            Event::Polled { .. } => Some((Command::Poll { answer: None }, 0)),
            Event::Accepted { .. }
            | Event::Held { .. }
            | Event::BecameDue
            | Event::AttemptStarted { .. }
            | Event::AttemptSuspected { .. }
            | Event::Relinquished
            | Event::Reclaimed
            | Event::Unconfirmed
            | Event::Rescheduled { .. }
            | Event::Canceled
            | Event::Expired
            | Event::Suppressed { .. }
            | Event::GivenUp
            | Event::RetriedAs { .. }
            | Event::Remarked { .. }
            | Event::Bypassed { .. }
            | Event::Contradicted { .. } => None,
        }
    }

    /// What of the recorded delay was chance, and what the provider's wish. A delay within what the
    /// backoff can be is the backoff's; a longer one is the provider's, and so is one shorter than
    /// the table of provider errors has it.
    fn chance(&self, before: &Message, failure: &Failure, verdict: Verdict, at: Timestamp) -> Chance {
        let Verdict::RetryAt { until, counts, .. } = verdict else { return Chance::default() };
        let failed = match (counts, failure.cause) {
            (Counts::Yes, _) => before.counted.max(1),
            (Counts::No, Cause::NotConnected) => before.attempt.get(),
            (Counts::No, Cause::Refused { .. } | Cause::Reported { .. } | Cause::OutcomeUnknown) => 1,
        };
        let wait = until.since(at);
        let least = self.rules.retry.backoff(failed, 0);
        if wait > self.rules.retry.backoff(failed, u32::MAX) {
            return Chance { jitter: 0, retry_after: Some(wait) };
        }
        let share = wait.saturating_sub(least).as_millis().saturating_mul(u128::from(u32::MAX));
        let jitter = share.div_ceil(least.as_millis().max(1));
        let hurried = match Failure::classified(failure.cause, &failure.detail).1 {
            Retry::LaneCooldown { after } => wait < after,
            Retry::Never | Retry::Unsent { .. } | Retry::MaybeLater { .. } | Retry::Lookup => false,
        };
        let retry_after = hurried.then_some(Duration::ZERO);
        Chance { jitter: u32::try_from(jitter).unwrap_or(u32::MAX), retry_after }
    }

    /// What the end of the recording leaves open: a timer that is due then had not fired.
    fn close(&mut self, message: &Message, until: Timestamp) {
        self.note_sleep(message, until.plus(Duration::from_millis(1)));
        if let Some((_, end)) = self.facts.asleep.last_mut().filter(|(_, end)| *end > until) {
            *end = Timestamp::MAX;
        }
        if let State::Due { since } = message.state {
            let wait = Wait::LongerThan(until.since(since));
            self.facts.tries.entry(message.attempt.next()).or_default().waits.push(wait);
        }
    }
}

/// What of a recorded delay was not the rules'.
#[derive(Debug, Clone, Copy, Default)]
struct Chance {
    jitter: u32,
    retry_after: Option<Duration>,
}

/// What somebody else may have done, as far as the event says; a name that they left is heard like an answer.
fn suspicion(event: &Event) -> Option<Suspicion> {
    let Event::AttemptSuspected { started_at, .. } = event else { return None };
    Some(Suspicion { since: *started_at, known: None })
}

fn is_switched_off(message: &Message) -> bool {
    matches!(message.state, State::Held { hold: Hold::SendingDisabled, .. })
}

fn taken(attempt: Attempt, sid: crate::id::ProviderSid, status: ProviderStatus, via: Via) -> Command {
    let report = Report { sid, status, code: None, via };
    match via {
        Via::Response => Command::Conclude { attempt, outcome: Answered::Taken { sid, status } },
        Via::Lookup => Command::Resolve { attempt, found: Some(report) },
        Via::Callback | Via::Poll => Command::Report { attempt: Some(attempt), report },
    }
}

/// What was heard when an attempt came to nothing; `None` when we gave it up ourselves.
fn failed(before: &Message, attempt: Attempt, failure: &Failure, chance: Chance) -> Option<Command> {
    match failure.cause {
        Cause::Refused { .. } | Cause::NotConnected => {
            let outcome = Answered::Refused {
                cause: failure.cause,
                detail: failure.detail.clone(),
                retry_after: chance.retry_after,
            };
            Some(Command::Conclude { attempt, outcome })
        }
        Cause::Reported { code } => {
            // The provider's word is kept as the failure's detail.
            let status = failure.detail.parse().unwrap_or(ProviderStatus::Failed);
            let report = Report { sid: before.sid?, status, code, via: Via::Callback };
            Some(Command::Report { attempt: Some(attempt), report })
        }
        Cause::OutcomeUnknown => None,
    }
}
