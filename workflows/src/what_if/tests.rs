//! Lives made up of chance are decided twice; lives made up by hand are decided otherwise.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers, and an overflow fails the test")]

use std::time::Duration;

use proptest::prelude::*;

use crate::body::Body;
use crate::id::{Attempt, MessageId, PersonNumber, ProviderSid};
use crate::message::{
    Cause, Command, Context, Event, Lease, Message, Next, OnUnknown, Outcome as Answered, Priority,
    ProviderStatus, Report, Request, State, StateName, Via, accept, decide, next,
};
use crate::phone_number::PhoneNumber;
use crate::policy::STRANGER;
use crate::rules::{Redeliver, RetryRules, Rules, Sending};
use crate::timestamp::Timestamp;
use crate::what_if::{Change, Comparison, Outcome, Redecided, Why, redecide};

const BEGIN: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A message and everything that happened to it, told by somebody who plays the world.
struct Told {
    rules: Rules,
    now: Timestamp,
    jitter: u32,
    message: Option<Message>,
    life: Vec<(Timestamp, Event)>,
}

impl Told {
    fn accept(rules: Rules, request: &Request) -> Self {
        let mut told = Self { rules, now: BEGIN, jitter: 0, message: None, life: Vec::new() };
        let events = accept(request.terms(PersonNumber::new(1), None), &told.context()).unwrap();
        told.fold(events);
        told
    }

    fn context(&self) -> Context<'_> {
        Context {
            now: self.now,
            rules: &self.rules,
            recipient: &STRANGER,
            lease: Lease::InForce,
            jitter: self.jitter,
        }
    }

    fn fold(&mut self, events: Vec<Event>) {
        for event in events {
            match &mut self.message {
                None => self.message = Some(Message::begin(&event, self.now).unwrap()),
                Some(message) => message.apply(&event, self.now).unwrap(),
            }
            self.life.push((self.now, event));
        }
    }

    fn message(&self) -> &Message {
        self.message.as_ref().unwrap()
    }

    fn at(&mut self, ms: i64, command: &Command) -> &mut Self {
        self.now = Timestamp::from_millis(BEGIN.as_millis().saturating_add(ms));
        self.now_do(command)
    }

    fn now_do(&mut self, command: &Command) -> &mut Self {
        let events = decide(self.message(), command, &self.context()).unwrap_or_default();
        self.fold(events);
        self
    }

    fn attempt(&self) -> Attempt {
        self.message().attempt
    }

    fn compare(&self, change: &Change) -> Comparison {
        let lives = [self.life.as_slice()];
        redecide(lives, &self.rules, change, self.now).remove(0).unwrap()
    }
}

fn request() -> Request {
    Request {
        id: MessageId::from_bytes([1; 16]),
        to: PhoneNumber::parse("+4512345678", None).unwrap(),
        body: Body::parse("hello").unwrap(),
        priority: Priority::Normal,
        scheduled_for: None,
        expires_at: None,
        on_unknown: OnUnknown::Hold,
        user_id: None,
        metadata: None,
        retry_of: None,
        kind: None,
        template: None,
        may_bypass: false,
        is_claimed: false,
    }
}

fn sid(number: u32) -> ProviderSid {
    format!("SM{number:032x}").parse().unwrap()
}

fn taken(number: u32) -> Answered {
    Answered::Taken { sid: sid(number), status: ProviderStatus::Queued }
}

fn refused(http_status: u16, code: Option<u32>, retry_after: Option<Duration>) -> Answered {
    Answered::Refused { cause: Cause::Refused { http_status, code }, detail: "refused".into(), retry_after }
}

fn same(rules: &Rules) -> Change {
    Change { rules: rules.clone(), segments_per_second: None, expires_after: None }
}

fn redecided(outcome: &Redecided) -> Option<(StateName, u32)> {
    match outcome {
        Redecided::As(Outcome { state, attempts, .. }) => Some((*state, *attempts)),
        Redecided::Undetermined { .. } => None,
    }
}

/// Numbers that decide what the world does; they end in zeros.
struct Dice(std::vec::IntoIter<u32>);

impl Dice {
    fn below(&mut self, sides: u32) -> u32 {
        self.0.next().unwrap_or(0) % sides
    }

    fn ms(&mut self, most: u32) -> i64 {
        i64::from(self.below(most)) + 1
    }

    fn one_in(&mut self, sides: u32) -> bool {
        self.below(sides) == 1
    }
}

fn rules(dice: &mut Dice) -> Rules {
    let redeliver = if dice.one_in(3) { Redeliver::On } else { Redeliver::Off };
    let base = Duration::from_millis(u64::from(dice.below(20_000)) + 1);
    let cap = base * (dice.below(10) + 1);
    let retry = RetryRules { base, cap, attempts_max: dice.below(4) + 1, redeliver };
    Rules { retry, unknown_hold: Duration::from_hours(1), ..Rules::default() }
}

/// A life in which the world does whatever the dice say, at one thing per millisecond at most.
fn lived(mut dice: Dice) -> Told {
    let mut wish = request();
    let scheduled =
        dice.one_in(3).then(|| BEGIN.plus(Duration::from_millis(u64::from(dice.below(90_000)) + 1)));
    wish.scheduled_for = scheduled;
    wish.expires_at = dice
        .one_in(3)
        .then(|| scheduled.unwrap_or(BEGIN).plus(Duration::from_millis(u64::from(dice.below(300_000)) + 1)));
    wish.on_unknown = if dice.one_in(2) { OnUnknown::Resend } else { OnUnknown::Hold };
    let mut rules = rules(&mut dice);
    rules.sending = if dice.one_in(6) { Sending::Disabled } else { Sending::Enabled };
    let mut told = Told::accept(rules, &wish);
    for _ in 0..40 {
        told.jitter = dice.below(u32::MAX);
        let Some((at, command)) = coming(&told, &mut dice) else { break };
        let room = at.as_millis() - told.now.as_millis();
        if room > 2 && dice.one_in(5) {
            let before =
                told.now.as_millis() + i64::from(dice.below(u32::try_from(room - 2).unwrap_or(1 << 30))) + 1;
            told.now = Timestamp::from_millis(before);
            interrupt(&mut told, &mut dice);
        } else {
            told.now = at;
            told.now_do(&command);
        }
    }
    told
}

/// What comes next by itself, and when.
fn coming(told: &Told, dice: &mut Dice) -> Option<(Timestamp, Command)> {
    let message = told.message();
    let attempt = told.attempt();
    let after =
        |from: Timestamp, ms: i64| Timestamp::from_millis(from.as_millis().saturating_add(ms)).max(told.now);
    let late = if dice.one_in(4) { dice.ms(20_000) } else { 0 };
    match next(message, &told.rules) {
        Next::Nothing => None,
        Next::Wake { at: Timestamp::MAX } => {
            Some((after(told.now, dice.ms(60_000)), Command::Poll { answer: None }))
        }
        Next::Wake { at } => Some((after(at, late), Command::Wake)),
        Next::Dispatch => {
            let slot = after(told.now, dice.ms(40_000));
            match message.expires_at {
                Some(expires_at) if expires_at <= slot => Some((after(expires_at, late), Command::Wake)),
                Some(_) | None => Some((slot, Command::Begin)),
            }
        }
        Next::Answer { .. } => {
            let outcome = match dice.below(8) {
                0 | 1 => taken(attempt.get()),
                2 => refused(
                    429,
                    Some(20429),
                    dice.one_in(2).then(|| Duration::from_secs(dice.below(90).into())),
                ),
                3 => refused(400, Some(21610), None),
                4 => refused(503, None, None),
                5 => refused(400, Some(21611), Some(Duration::from_millis(dice.below(9_000).into()))),
                6 => Answered::Refused {
                    cause: Cause::NotConnected,
                    detail: "no connection".into(),
                    retry_after: None,
                },
                _ => Answered::Lost { detail: "timeout".into() },
            };
            Some((after(told.now, dice.ms(15_000)), Command::Conclude { attempt, outcome }))
        }
        Next::LookUp { after: wait, .. } => {
            let State::Unknown { since, .. } = message.state else { return None };
            let at = after(since.plus(wait), dice.ms(500));
            let found = dice.one_in(4).then(|| report(attempt, dice));
            let adopted = dice.one_in(6).then(|| report(attempt, dice));
            match adopted {
                Some(report) => {
                    Some((after(told.now, 1), Command::Report { attempt: Some(attempt), report }))
                }
                None => Some((at, Command::Resolve { attempt, found })),
            }
        }
        Next::Poll { .. } => {
            let report = report(attempt, dice);
            let command = match dice.below(3) {
                0 => Command::Poll { answer: Some(report) },
                1 => Command::Poll { answer: None },
                _ => Command::Report { attempt: Some(attempt), report },
            };
            Some((after(told.now, dice.ms(60_000)), command))
        }
    }
}

fn report(attempt: Attempt, dice: &mut Dice) -> Report {
    let (status, code) = match dice.below(6) {
        0 => (ProviderStatus::Sent, None),
        1 => (ProviderStatus::Delivered, None),
        2 => (ProviderStatus::Failed, Some(30001)),
        3 => (ProviderStatus::Undelivered, Some(30003)),
        4 => (ProviderStatus::Undelivered, Some(30006)),
        _ => (ProviderStatus::Queued, None),
    };
    Report { sid: sid(attempt.get()), status, code, via: Via::Callback }
}

/// Somebody asks for something before it comes.
fn interrupt(told: &mut Told, dice: &mut Dice) {
    let later = told.now.plus(Duration::from_millis(u64::from(dice.below(60_000))));
    match dice.below(5) {
        0 => told.now_do(&Command::Cancel),
        1 => told.now_do(&Command::Reschedule { scheduled_for: Some(later) }),
        2 => told.now_do(&Command::Reschedule { scheduled_for: None }),
        3 => told.now_do(&Command::Retry { id: MessageId::from_bytes([2; 16]) }),
        _ => {
            told.rules.sending = match told.rules.sending {
                Sending::Enabled => Sending::Disabled,
                Sending::Disabled => Sending::Enabled,
            };
            let restarted = matches!(next(told.message(), &told.rules), Next::Wake { at: Timestamp::MAX });
            if restarted { told.now_do(&Command::Wake) } else { told }
        }
    };
}

fn life() -> impl Strategy<Value = Told> {
    prop::collection::vec(any::<u32>(), 0..160).prop_map(|dice| lived(Dice(dice.into_iter())))
}

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{:?}", self.rules)?;
        for (at, event) in &self.life {
            writeln!(f, "{:>8} {event:?}", at.as_millis() - BEGIN.as_millis())?;
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_same_rules_give_the_same_outcome(told in life()) {
        let comparison = told.compare(&same(&told.rules));
        prop_assert_eq!(comparison.redecided, Redecided::As(comparison.recorded));
    }

    #[test]
    fn no_attempt_is_made_up(told in life(), other in prop::collection::vec(any::<u32>(), 8), rate in prop::option::of(1_u32..5)) {
        let rules = rules(&mut Dice(other.into_iter()));
        let change = Change { segments_per_second: rate, expires_after: None, rules };
        let comparison = told.compare(&change);
        if let Redecided::As(outcome) = comparison.redecided {
            prop_assert!(outcome.attempts <= comparison.recorded.attempts);
            prop_assert!(outcome.since <= told.now);
        }
    }
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Due at once, started 100 ms later, delivered one second after that.
fn delivered() -> Told {
    let mut told = Told::accept(Rules::default(), &request());
    let attempt = Attempt::new(1);
    let report = Report { sid: sid(1), status: ProviderStatus::Delivered, code: None, via: Via::Callback };
    told.at(100, &Command::Begin)
        .at(200, &Command::Conclude { attempt, outcome: taken(1) })
        .at(1_100, &Command::Report { attempt: Some(attempt), report });
    told
}

/// Refused for a while at its first attempt, delivered at its second, eleven seconds later.
fn delivered_at_last() -> Told {
    let mut told = Told::accept(Rules::default(), &request());
    let not_connected =
        Answered::Refused { cause: Cause::NotConnected, detail: "no connection".into(), retry_after: None };
    let second = Attempt::new(2);
    let report = Report { sid: sid(2), status: ProviderStatus::Delivered, code: None, via: Via::Callback };
    told.at(0, &Command::Begin)
        .at(1_000, &Command::Conclude { attempt: Attempt::new(1), outcome: not_connected })
        .at(3_500, &Command::Wake)
        .at(4_000, &Command::Begin)
        .at(4_500, &Command::Conclude { attempt: second, outcome: taken(2) })
        .at(11_000, &Command::Report { attempt: Some(second), report });
    assert_eq!(told.message().state, State::Delivered);
    told
}

#[test]
fn slower_rate_makes_the_deadline_bite() {
    let crowd: Vec<Told> = (0..10).map(|_| delivered()).collect();
    let rules = Rules::default();
    let change =
        Change { rules: rules.clone(), segments_per_second: Some(1), expires_after: Some(seconds(5)) };
    let lives = crowd.iter().map(|told| told.life.as_slice());
    let outcomes: Vec<_> = redecide(lives, &rules, &change, BEGIN.plus(seconds(60)))
        .into_iter()
        .map(|comparison| redecided(&comparison.unwrap().redecided).unwrap())
        .collect();
    // The bucket is empty at 100 ms: they could start at 1.1, 2.1, 3.1, 4.1, and the fifth at 5.1.
    assert_eq!(outcomes, [[(StateName::Delivered, 1); 4].as_slice(), &[(StateName::Expired, 0); 6]].concat());
}

#[test]
fn a_rate_alone_moves_messages_and_changes_none() {
    let told = delivered();
    let change = Change { segments_per_second: Some(1), ..same(&told.rules) };
    let lives = [told.life.as_slice()];
    let comparison = redecide(lives, &told.rules, &change, BEGIN.plus(seconds(60))).remove(0).unwrap();
    assert!(!comparison.is_changed());
    let later = Outcome { since: BEGIN.plus(Duration::from_millis(2_100)), ..comparison.recorded };
    assert_eq!(comparison.redecided, Redecided::As(later));
}

#[test]
fn fewer_attempts_end_earlier() {
    let mut told = Told::accept(Rules::default(), &request());
    told.at(0, &Command::Begin)
        .at(1_000, &Command::Conclude { attempt: Attempt::new(1), outcome: refused(400, Some(14107), None) })
        .at(61_000, &Command::Wake)
        .at(61_100, &Command::Begin)
        .at(61_500, &Command::Conclude { attempt: Attempt::new(2), outcome: taken(2) });
    let mut change = same(&told.rules);
    change.rules.retry.attempts_max = 1;
    let comparison = told.compare(&change);
    assert!(comparison.is_changed());
    assert_eq!(redecided(&comparison.redecided), Some((StateName::Failed, 1)));
}

#[test]
fn longer_delay_runs_into_the_deadline() {
    let told = delivered_at_last();
    let mut change = Change { expires_after: Some(seconds(10)), ..same(&told.rules) };
    assert!(!told.compare(&change).is_changed());
    change.rules.retry.base = seconds(40);
    let Redecided::As(outcome) = told.compare(&change).redecided else { panic!("it was told") };
    let expired = Outcome { state: StateName::Expired, attempts: 1, since: BEGIN.plus(seconds(10)) };
    assert_eq!(outcome, expired);
}

#[test]
fn what_was_never_asked_is_not_answered() {
    let mut told = Told::accept(Rules::default(), &request());
    let attempt = Attempt::new(1);
    let report =
        Report { sid: sid(1), status: ProviderStatus::Undelivered, code: Some(30003), via: Via::Callback };
    told.at(0, &Command::Begin)
        .at(500, &Command::Conclude { attempt, outcome: taken(1) })
        .at(9_000, &Command::Report { attempt: Some(attempt), report });
    told.now = BEGIN.plus(seconds(3 * 3600));
    let mut change = same(&told.rules);
    change.rules.retry.redeliver = Redeliver::On;
    let Redecided::Undetermined { why, at } = told.compare(&change).redecided else { panic!("nobody knows") };
    assert_eq!(why, Why::AttemptNeverMade { attempt: Attempt::new(2) });
    assert_eq!(why.to_string(), "attempt 2 was never made");
    assert!(at > BEGIN.plus(seconds(1_800)));
}

#[test]
fn cancel_that_now_comes_too_late_leaves_the_end_open() {
    let mut told = delivered_at_last();
    // Withdrawn while it waited for its second attempt, which then was never made.
    let waiting =
        told.life.iter().position(|(_, event)| matches!(event, Event::AttemptFailed { .. })).unwrap();
    told.life.truncate(waiting + 1);
    told.life.push((BEGIN.plus(seconds(3)), Event::Canceled));
    let mut change = same(&told.rules);
    assert_eq!(redecided(&told.compare(&change).redecided), Some((StateName::Canceled, 1)));
    change.rules.retry.base = seconds(1);
    assert!(matches!(
        told.compare(&change).redecided,
        Redecided::Undetermined { why: Why::AttemptNeverMade { .. }, .. }
    ));
}

#[test]
fn life_that_does_not_fold_is_an_error_in_its_place() {
    let good = delivered();
    let broken = [(BEGIN, Event::Canceled)];
    let lives = [broken.as_slice(), good.life.as_slice(), &[]];
    let compared = redecide(lives, &good.rules, &same(&good.rules), good.now);
    assert_eq!(compared.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true, false]);
}
