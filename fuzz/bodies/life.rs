//! Lives that commands and time make: any commands at any time, under any rules.
//!
//! Input: a [`Tape`] of rules, a wish, which `&` before it makes a claimed one, and steps, each a letter and what it takes.

use std::time::Duration;

use dunlin_workflows::alarm::AlarmRules;
use dunlin_workflows::id::Attempt;
use dunlin_workflows::kind::Kinds;
use dunlin_workflows::message::{
    Cause, Command, Context, Custody, Event, Hold, Lease, Message, Next, OnUnknown, Outcome, State,
    Suspicion, Terms, accept, decide, next, timer,
};
use dunlin_workflows::policy::{Limits, STRANGER};
use dunlin_workflows::rules::{Redeliver, RetryRules, Rules, Sending};
use dunlin_workflows::timestamp::Timestamp;

use super::tape::{START, Tape};

/// What is decided: the code under test, or another that should be caught.
pub type Decide =
    fn(&Message, &Command, &Context<'_>) -> Result<Vec<Event>, dunlin_workflows::message::Rejection>;

/// What must happen next: the code under test, or another that should be caught.
pub type Wake = fn(&Message, &Rules) -> Next;

/// Somebody will wake every open message, nothing is sent twice by itself, and an end is an end.
pub fn life(input: &[u8]) {
    judge(input, decide, next);
}

/// Judges decisions by one life.
pub fn judge(input: &[u8], decide: Decide, next: Wake) {
    let mut tape = Tape(input);
    let rules = rules(&mut tape);
    let is_claimed = tape.is_next(b'&');
    let terms = Terms { is_claimed, ..tape.terms() };
    let context =
        Context { now: START, rules: &rules, recipient: &STRANGER, lease: Lease::InForce, jitter: 0 };
    let accepted = accept(terms.clone(), &context);
    assert_eq!(accepted, accept(terms.clone(), &context), "the same wish is judged the same");
    let Ok(events) = accepted else {
        let never = |at: Timestamp| at <= START || terms.scheduled_for.is_some_and(|due| at <= due);
        assert!(terms.expires_at.is_some_and(never), "a wish that could be sent is refused");
        return;
    };
    let mut events = events.into_iter();
    let first = events.next().expect("an acceptance begins a life");
    let message = Message::begin(&first, START).expect("an acceptance begins a life");
    let journal = vec![(first, START)];
    let lease = Lease::InForce;
    let mut life = Life { message, journal, now: START, rules, lease, is_confirmed: false, decide, next };
    for event in events {
        life.fold(event, None);
    }
    life.somebody_wakes_it();
    while !tape.is_over() {
        life.step(&mut tape);
    }
    life.replays();
}

/// A message, everything that happened to it, and the clock.
#[derive(Debug)]
struct Life {
    message: Message,
    journal: Vec<(Event, Timestamp)>,
    now: Timestamp,
    rules: Rules,
    lease: Lease,
    /// Whether the database said that it is ours, since it was claimed.
    is_confirmed: bool,
    decide: Decide,
    next: Wake,
}

impl Life {
    fn step(&mut self, tape: &mut Tape<'_>) {
        match tape.letter(b"wbCLRrPcsty.<!$FVA=") {
            b'.' => self.now = self.now.plus(tape.duration()),
            b'<' => self.now = self.now.minus(tape.duration()),
            b'!' => {
                // The daemon's own course: to the timer, and what it is for.
                if let Some(at) = timer(&self.message, &self.rules) {
                    self.now = self.now.max(at);
                    self.ask(&self.due(), 0);
                }
            }
            b'$' => {
                let on = self.rules.sending == Sending::Disabled;
                self.rules.sending = if on { Sending::Enabled } else { Sending::Disabled };
            }
            b'=' => {
                let holds = self.lease == Lease::InForce;
                self.lease = if holds { Lease::Lapsed } else { Lease::InForce };
            }
            letter => {
                let command = command(letter, tape, self.message.attempt);
                let jitter = u32::from(tape.byte()).wrapping_mul(0x0101_0101);
                self.ask(&command, jitter);
            }
        }
    }

    /// What a timer that fires is for.
    fn due(&self) -> Command {
        match (self.next)(&self.message, &self.rules) {
            Next::Poll { .. } => Command::Poll { answer: None },
            Next::Wake { .. }
            | Next::Dispatch
            | Next::Answer { .. }
            | Next::LookUp { .. }
            | Next::Nothing => Command::Wake,
        }
    }

    fn ask(&mut self, command: &Command, jitter: u32) {
        let before = self.message.clone();
        let context =
            Context { now: self.now, rules: &self.rules, recipient: &STRANGER, lease: self.lease, jitter };
        let decided = (self.decide)(&before, command, &context);
        assert_eq!(decided, (self.decide)(&before, command, &context), "the same is decided the same");
        let Ok(events) = decided else { return };
        for event in events {
            self.fold(event, Some(command));
        }
        let ended = before.state.name().is_final();
        assert!(!ended || self.message.state == before.state, "{:?} is final", before.state);
        self.somebody_wakes_it();
    }

    fn fold(&mut self, event: Event, command: Option<&Command>) {
        let from = self.message.clone();
        if let Err(illegal) = self.message.apply(&event, self.now) {
            panic!("{command:?} decided what can't happen: {illegal}");
        }
        let in_doubt =
            matches!(from.state, State::Submitting { .. } | State::Unknown { .. }) || from.is_parked();
        if let Event::AttemptStarted { attempt, .. } = event {
            assert_eq!(attempt, from.attempt.next(), "attempts count up by one");
            assert!(matches!(from.state, State::Due { .. }), "{:?} was submitted", from.state);
            assert!(from.expires_at.is_none_or(|at| self.now < at), "sent after its deadline");
            assert!(from.scheduled_for.is_none_or(|at| at <= self.now), "sent before its time");
            assert_eq!(self.rules.sending, Sending::Enabled, "sending is off");
            if from.custody != Custody::Own {
                assert_eq!(from.custody, Custody::Claimed, "another daemon has it");
                assert!(self.is_confirmed, "sent before it was confirmed");
                assert_eq!(self.lease, Lease::InForce, "sent without a lease");
            }
        }
        let freed =
            matches!(self.message.state, State::Due { .. } | State::Held { hold: Hold::Scheduled, .. });
        let asked = matches!(command, Some(Command::Retry { .. }));
        assert!(!in_doubt || !freed || asked, "nobody asked to send again what may have been taken");
        if let (
            State::Unknown { lookups, .. },
            State::Held { hold: Hold::Backoff, .. },
            Some(Command::Resolve { .. }),
        ) = (from.state, self.message.state, command)
        {
            assert_eq!(from.on_unknown, OnUnknown::Resend, "held for a person, and sent again");
            let searched = usize::from(lookups);
            assert!(searched >= self.rules.lookups.len(), "sent again after {searched} searches");
        }
        let confirms = matches!(command, Some(Command::Confirm { .. })) && from.is_unconfirmed();
        let waits = self.message.is_unconfirmed() || self.message.state == State::Relinquished;
        self.is_confirmed = (self.is_confirmed || confirms) && !waits;
        self.journal.push((event, self.now));
    }

    /// An open message has a timer, a place in the queue, an answer on the way or a search to come; and
    /// a timer that fires finds something to do.
    fn somebody_wakes_it(&self) {
        let state = self.message.state;
        let timer = timer(&self.message, &self.rules);
        match (self.next)(&self.message, &self.rules) {
            Next::Dispatch => assert!(matches!(state, State::Due { .. })),
            Next::Answer { attempt } => {
                assert!(matches!(state, State::Submitting { .. }) && attempt == self.message.attempt);
            }
            Next::LookUp { attempt, .. } => {
                assert!(matches!(state, State::Unknown { .. }) && attempt == self.message.attempt);
            }
            Next::Wake { .. } | Next::Poll { .. } => {
                let waits = matches!(state, State::Held { hold: Hold::SendingDisabled | Hold::Claim, .. });
                assert!(timer.is_some() || waits, "nobody wakes {state:?}");
            }
            Next::Nothing => assert!(state.name().is_settled(), "nobody wakes {state:?}"),
        }
        let Some(at) = timer else { return };
        let context = Context {
            now: self.now.max(at),
            rules: &self.rules,
            recipient: &STRANGER,
            lease: Lease::InForce,
            jitter: 0,
        };
        let woken = (self.decide)(&self.message, &self.due(), &context);
        assert!(woken.is_ok_and(|events| !events.is_empty()), "the timer of {state:?} finds nothing to do");
    }

    fn replays(&self) {
        let mut events = self.journal.iter();
        let mut again = events.next().and_then(|(event, at)| Message::begin(event, *at).ok());
        for (event, at) in events {
            again.as_mut().expect("begun").apply(event, *at).expect("it was legal the first time");
        }
        assert_eq!(again.as_ref(), Some(&self.message), "the fold of the journal is the message");
    }
}

fn rules(tape: &mut Tape<'_>) -> Rules {
    let mut rising = |most: u8| {
        let mut sum = Duration::ZERO;
        let count = tape.number() % most;
        (0..count)
            .map(|_| {
                sum += tape.duration() + Duration::from_millis(1);
                sum
            })
            .collect::<Vec<_>>()
    };
    let (lookups, polls) = (rising(4), rising(6));
    Rules {
        sending: tape.pick(&[Sending::Enabled, Sending::Disabled]),
        retry: RetryRules {
            base: tape.duration(),
            cap: tape.duration(),
            attempts_max: u32::from(tape.number()) + 1,
            redeliver: tape.pick(&[Redeliver::Off, Redeliver::On]),
        },
        lookups,
        unknown_hold: tape.duration(),
        polls,
        limits: Limits::default(),
        kinds: Kinds::default(),
        alarm: AlarmRules::default(),
    }
}

fn command(letter: u8, tape: &mut Tape<'_>, newest: Attempt) -> Command {
    match letter {
        b'w' => Command::Wake,
        b'b' => Command::Begin,
        b'C' => Command::Conclude { attempt: tape.attempt(newest), outcome: outcome(tape) },
        b'L' => Command::Lose,
        b'R' => Command::Resolve {
            attempt: tape.attempt(newest),
            found: (!tape.is_absent()).then(|| tape.report()),
        },
        b'r' => Command::Report {
            attempt: (!tape.is_absent()).then(|| tape.attempt(newest)),
            report: tape.report(),
        },
        b'P' => Command::Poll { answer: (!tape.is_absent()).then(|| tape.report()) },
        b'c' => Command::Cancel,
        b'F' => {
            let since = tape.instant();
            let known = since.filter(|_| !tape.is_absent()).map(|_| tape.report());
            Command::Confirm { suspicion: since.map(|since| Suspicion { since, known }) }
        }
        b'V' => Command::Relinquish,
        b'A' => Command::Reclaim,
        b's' => Command::Reschedule { scheduled_for: tape.instant() },
        _ => Command::Retry { id: tape.id() },
    }
}

fn outcome(tape: &mut Tape<'_>) -> Outcome {
    match tape.letter(b"trl") {
        b't' => Outcome::Taken { sid: tape.sid(), status: tape.status() },
        b'r' => {
            let cause = match tape.cause() {
                Cause::Refused { http_status, code } => Cause::Refused { http_status, code },
                Cause::Reported { .. } | Cause::NotConnected | Cause::OutcomeUnknown => Cause::NotConnected,
            };
            let retry_after = (!tape.is_absent()).then(|| tape.duration());
            Outcome::Refused { cause, detail: "no".into(), retry_after }
        }
        _ => Outcome::Lost { detail: "no answer in time".into() },
    }
}
