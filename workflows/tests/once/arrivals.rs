//! A text that may have arrived is not sent again, and one that never left is not given up.

use std::time::Duration;

use dunlin_workflows::id::{Attempt, PersonNumber, ProviderSid};
use dunlin_workflows::message::{
    Command, Context, Event, Hold, Lease, Message, OnUnknown, Outcome, ProviderStatus, Rejection, Report,
    State, StateName, Via, accept, decide,
};
use dunlin_workflows::policy::STRANGER;
use dunlin_workflows::rules::Rules;
use dunlin_workflows::timestamp::Timestamp;

use crate::samples::{
    EXPIRY_S, NEWEST, OLDER, T, at, foreign_sid, id, lost, not_connected, own_sid, samples, sid, taken,
    too_many, wish,
};

/// Carries out `command` and returns what happened.
fn ask(message: &mut Message, command: &Command, now: Timestamp) -> Result<Vec<Event>, Rejection> {
    let rules = Rules::default();
    let events = decide(
        message,
        command,
        &Context { now, rules: &rules, recipient: &STRANGER, lease: Lease::InForce, jitter: 0 },
    )?;
    for event in &events {
        message.apply(event, now).unwrap();
    }
    Ok(events)
}

fn said(sid: ProviderSid, status: ProviderStatus) -> Report {
    Report { sid, status, code: None, via: Via::Callback }
}

fn heard(attempt: Attempt, sid: ProviderSid, status: ProviderStatus) -> Command {
    Command::Report { attempt: Some(attempt), report: said(sid, status) }
}

/// Samples that wait for another attempt after one that the provider never named.
fn waiting_again() -> impl Iterator<Item = (&'static str, Message)> {
    samples().into_iter().filter(|(_, message)| {
        let waits = [StateName::Held, StateName::Due].contains(&message.state.name());
        waits && message.attempt == NEWEST && message.sid.is_none()
    })
}

/// A message that was accepted and is due.
fn due(on_unknown: OnUnknown) -> Message {
    let rules = Rules::default();
    let mut request = wish();
    request.on_unknown = on_unknown;
    let events = accept(
        request.terms(PersonNumber::new(1), None),
        &Context { now: T, rules: &rules, recipient: &STRANGER, lease: Lease::InForce, jitter: 0 },
    )
    .unwrap();
    let mut message = Message::begin(&events[0], T).unwrap();
    message.apply(&events[1], T).unwrap();
    message
}

#[test]
fn text_the_provider_has_after_all_is_not_sent_again() {
    for (name, message) in waiting_again() {
        for status in [ProviderStatus::Queued, ProviderStatus::Sent, ProviderStatus::Delivered] {
            let mut by_callback = message.clone();
            ask(&mut by_callback, &heard(NEWEST, own_sid(), status), at(1)).unwrap();
            assert_eq!(by_callback.sid, Some(own_sid()), "{name}");
            assert!(ask(&mut by_callback, &Command::Begin, at(2)).is_err(), "{name}");
            let mut by_answer = message.clone();
            let outcome = taken(own_sid(), status);
            ask(&mut by_answer, &Command::Conclude { attempt: NEWEST, outcome }, at(1)).unwrap();
            assert_eq!(by_answer.state, by_callback.state, "{name}");
        }
    }
}

#[test]
fn older_attempt_that_arrived_ends_the_message_wherever_it_is() {
    for (name, mut message) in samples().into_iter().filter(|(_, message)| message.attempt == NEWEST) {
        let before = message.clone();
        let events =
            ask(&mut message, &heard(OLDER, foreign_sid(), ProviderStatus::Delivered), at(1)).unwrap();
        if before.state.name().is_final() {
            assert_eq!(message.state, before.state, "{name}");
            assert_eq!(events.len(), 1, "{name}: what does not fit is kept");
        } else {
            assert_eq!(message.state, State::Delivered, "{name}");
        }
    }
}

#[test]
fn late_word_of_a_failed_attempt_does_not_stop_its_retry() {
    let (_, sample) =
        samples().into_iter().find(|(name, _)| name.ends_with("taken and reported failed")).unwrap();
    for status in [ProviderStatus::Queued, ProviderStatus::Failed, ProviderStatus::Undelivered] {
        let mut message = sample.clone();
        assert_eq!(ask(&mut message, &heard(NEWEST, own_sid(), status), at(1)), Ok(vec![]), "{status}");
    }
}

#[test]
fn second_text_of_one_attempt_is_never_hidden() {
    for (name, message) in samples().into_iter().filter(|(_, message)| message.sid.is_some()) {
        let mut after = message.clone();
        let events =
            ask(&mut after, &heard(NEWEST, foreign_sid(), ProviderStatus::Delivered), at(1)).unwrap();
        let kept = events.iter().any(|event| match event {
            Event::Contradicted { sid, .. } | Event::Submitted { sid, .. } => *sid == foreign_sid(),
            _ => false,
        });
        assert!(kept, "{name}");
    }
}

#[test]
fn closed_way_out_uses_up_no_attempts_and_waits_ever_longer() {
    let mut message = due(OnUnknown::Hold);
    let mut now = T;
    let mut waits = Vec::new();
    for n in 1..=40 {
        ask(&mut message, &Command::Begin, now).unwrap();
        let command = Command::Conclude { attempt: Attempt::new(n), outcome: not_connected() };
        ask(&mut message, &command, now).unwrap();
        let State::Held { hold: Hold::Backoff, until } = message.state else { panic!("{:?}", message.state) };
        waits.push(until.since(now));
        now = until;
        ask(&mut message, &Command::Wake, now).unwrap();
    }
    assert_eq!(message.counted, 0);
    assert!(waits.is_sorted());
    assert_eq!(waits.last().copied(), Some(Rules::default().retry.cap / 2));
}

#[test]
fn retry_after_the_deadline_is_refused_and_the_doubt_stays() {
    let (_, sample) = samples().into_iter().find(|(name, _)| *name == "held: outcome unknown").unwrap();
    let mut message = sample.clone();
    let refusal = ask(&mut message, &Command::Retry { id: id(9) }, at(EXPIRY_S));
    assert_eq!((refusal, message), (Err(Rejection::AlreadyExpired), sample));
}

/// What can happen around a lost attempt, `newest` being the newest one.
fn events_around(newest: Attempt) -> Vec<Command> {
    let conclude = |outcome: Outcome| Command::Conclude { attempt: newest, outcome };
    vec![
        Command::Wake,
        Command::Begin,
        conclude(lost()),
        conclude(too_many()),
        conclude(taken(sid(newest.get()), ProviderStatus::Queued)),
        Command::Resolve { attempt: newest, found: None },
        Command::Retry { id: id(9) },
        heard(newest, sid(newest.get()), ProviderStatus::Failed),
        heard(Attempt::new(1), sid(1), ProviderStatus::Delivered),
    ]
}

/// Tries every life of `left` more steps, an hour apart, and says how many there were.
fn live(message: &Message, now: Timestamp, arrived: bool, left: u32) -> u64 {
    if left == 0 {
        return 1;
    }
    let mut lives = 0;
    for command in events_around(message.attempt) {
        let mut after = message.clone();
        let Ok(events) = ask(&mut after, &command, now) else { continue };
        let sends = events.iter().any(|event| event.name() == "attempt_started");
        assert!(!(arrived && sends), "sent again after it arrived: {message:?}");
        let arrives = arrived || command == heard(Attempt::new(1), sid(1), ProviderStatus::Delivered);
        if arrives != arrived || after != *message {
            lives += live(&after, now.plus(Duration::from_hours(1)), arrives, left - 1);
        }
    }
    lives
}

/// Every life of eight steps that change something, from the first attempt on.
#[test]
fn nothing_is_sent_after_any_attempt_arrived() {
    let mut lives = 0;
    for on_unknown in [OnUnknown::Hold, OnUnknown::Resend] {
        let mut message = due(on_unknown);
        ask(&mut message, &Command::Begin, T).unwrap();
        lives += live(&message, at(1), false, 8);
    }
    assert!(lives > 1000, "{lives} lives");
}
