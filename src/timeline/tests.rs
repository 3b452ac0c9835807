//! Whole lives, as they are told.

use dunlin_storage::{ActorNumber, JournalSeq};
use dunlin_workflows::body::Body;
use dunlin_workflows::id::{Attempt, MessageId, PersonNumber};
use dunlin_workflows::message::{
    Cause, Counts, Failure, Hold, OnUnknown, Priority, ProviderStatus, Request, Verdict, Via,
};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::source::Source;

use super::*;

const BEGIN: i64 = 1_795_510_800_000;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(BEGIN.saturating_add(ms))
}

fn life(events: Vec<(i64, Source, Event)>) -> Vec<Entry> {
    let place = |(seq, (ms, source, event))| Entry {
        seq: JournalSeq::new(seq),
        at: at(ms),
        source,
        actor: ActorNumber::NOBODY,
        event,
    };
    (1..).zip(events).map(place).collect()
}

fn accepted(scheduled_for: Option<Timestamp>) -> Event {
    let body = Body::parse("Your code is 123456").unwrap();
    let request = Request {
        id: MessageId::from_bytes([7; 16]),
        to: PhoneNumber::parse("+4512345678", None).unwrap(),
        body,
        priority: Priority::High,
        scheduled_for,
        expires_at: Some(at(7_200_000)),
        on_unknown: OnUnknown::Hold,
        user_id: None,
        metadata: None,
        retry_of: None,
        kind: None,
        template: None,
        may_bypass: false,
        is_claimed: false,
    };
    Event::Accepted { terms: Box::new(request.terms(PersonNumber::new(1), None)) }
}

fn submitted(attempt: u32) -> Event {
    let sid = format!("SM{attempt:032x}").parse().unwrap();
    Event::Submitted {
        attempt: Attempt::new(attempt),
        sid,
        status: ProviderStatus::Queued,
        via: Via::Response,
    }
}

fn refused(http_status: u16, code: u32, verdict: Verdict) -> Event {
    let cause = Cause::Refused { http_status, code: Some(code) };
    let failure = Failure::classified(cause, "refused").0;
    Event::AttemptFailed { attempt: Attempt::new(1), failure, verdict }
}

fn told(life: &[Entry], now_ms: i64) -> String {
    let to = Recipient::Known(PhoneNumber::parse("+4512345678", None).unwrap());
    Timeline::of(life, &to, at(now_ms), &Rules::default()).to_string()
}

#[test]
fn delivered_after_a_schedule_and_a_busy_provider() {
    let attempt = Attempt::new(1);
    let verdict = Verdict::RetryAt { hold: Hold::ProviderLane, until: at(3_601_200), counts: Counts::No };
    let report = |status| Event::StatusReported { status, failure: None, via: Via::Callback };
    let life = life(vec![
        (0, Source::Api, accepted(Some(at(3_600_000)))),
        (0, Source::Api, Event::Held { hold: Hold::Scheduled, until: at(3_600_000) }),
        (3_600_000, Source::Timer, Event::BecameDue),
        (3_600_004, Source::Dispatcher, Event::AttemptStarted { attempt, counted: None }),
        (3_600_200, Source::Dispatcher, refused(429, 20429, verdict)),
        (3_601_203, Source::Timer, Event::BecameDue),
        (3_601_204, Source::Dispatcher, Event::AttemptStarted { attempt: attempt.next(), counted: None }),
        (3_601_386, Source::Dispatcher, submitted(2)),
        (3_602_000, Source::Webhook, report(ProviderStatus::Sent)),
        (3_604_100, Source::Webhook, report(ProviderStatus::Delivered)),
    ]);
    insta::assert_snapshot!(told(&life, 9_000_000));
}

#[test]
fn lost_outcome_waits_for_a_person() {
    let attempt = Attempt::new(1);
    let nothing = |lookups| Event::LookupFoundNothing { attempt, lookups };
    let until = at(601_000 + 86_400_000);
    let life = life(vec![
        (0, Source::Cli, accepted(None)),
        (0, Source::Cli, Event::BecameDue),
        (1, Source::Dispatcher, Event::AttemptStarted { attempt, counted: None }),
        (15_001, Source::Dispatcher, Event::OutcomeLost { attempt, detail: "no answer within 15 s".into() }),
        (45_100, Source::Lookup, nothing(1)),
        (135_100, Source::Lookup, nothing(2)),
        (601_000, Source::Lookup, nothing(3)),
        (601_000, Source::Lookup, Event::Held { hold: Hold::OutcomeUnknown, until }),
    ]);
    insta::assert_snapshot!(told(&life, 700_000));
}

#[test]
fn failure_says_why_and_what_to_do() {
    let life = life(vec![
        (0, Source::Api, accepted(None)),
        (0, Source::Api, Event::BecameDue),
        (3, Source::Dispatcher, Event::AttemptStarted { attempt: Attempt::new(1), counted: None }),
        (150, Source::Dispatcher, refused(400, 21610, Verdict::Failed)),
        (90_000, Source::Cli, Event::RetriedAs { id: MessageId::from_bytes([8; 16]) }),
    ]);
    insta::assert_snapshot!(told(&life, 100_000));
}

#[test]
fn damaged_life_is_told_as_far_as_it_makes_sense() {
    let life = life(vec![
        (0, Source::Api, accepted(None)),
        (0, Source::Api, Event::BecameDue),
        (5, Source::Dispatcher, submitted(1)),
    ]);
    insta::assert_snapshot!(told(&life, 1_000));
    insta::assert_snapshot!(told(&life[1..], 1_000));
}

#[test]
fn neither_the_number_nor_the_body_is_shown() {
    let told = told(&life(vec![(0, Source::Api, accepted(None))]), 0);
    assert!(!told.contains("12345678") && !told.contains("123456"), "{told}");
}
