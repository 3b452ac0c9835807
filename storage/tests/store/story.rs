//! One fixed history in which every event happens, for fixtures and comparisons.
//!
//! Events are written down, not decided: what the rules would decide today must not change what the
//! fixtures say about the past.

use dunlin_storage::{Batch, BatchError, Idempotency, JournalSeq, LaneNumber, Orphan, Store};
use dunlin_workflows::body::{Body, Encoding};
use dunlin_workflows::id::{Attempt, MessageId, MessageNumber, PersonNumber, ProviderSid};
use dunlin_workflows::lane;
use dunlin_workflows::message::{
    Cause, Counts, Event, Failure, Hold, Message, Metadata, OnUnknown, Priority, ProviderStatus, Request,
    State, Terms, Verdict, Via,
};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::provider_error::FailureClass;
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;

/// When the history begins: 2026-11-23T12:00:00Z.
pub(crate) const START_MS: i64 = 1_795_435_200_000;

/// One turn: what happened to one message at one instant.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    pub(crate) number: u64,
    pub(crate) at: Timestamp,
    pub(crate) source: Source,
    pub(crate) events: Vec<Event>,
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(START_MS + second * 1_000)
}

pub(crate) fn id(n: u8) -> MessageId {
    MessageId::from_bytes([n; 16])
}

pub(crate) fn sid(n: u8) -> ProviderSid {
    format!("SM{n:032x}").parse().unwrap()
}

pub(crate) fn recipient(n: u64) -> PhoneNumber {
    PhoneNumber::from_digits(15_005_550_000 + n).unwrap()
}

pub(crate) fn request(n: u8) -> Request {
    Request {
        id: id(n),
        to: recipient(u64::from(n % 3)),
        body: Body::parse(format!("Your table is ready, guest {n}")).unwrap(),
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

/// The number of a recipient in the file: they are met in the order 1, 2, 0.
pub(crate) fn person(to: PhoneNumber) -> PersonNumber {
    PersonNumber::new(if to == recipient(0) { 3 } else { to.digits() % 10 })
}

/// The acceptance of a request, judged the same whatever is in it.
pub(crate) fn accepted(request: &Request) -> Event {
    let encoding = if request.id == id(2) { Encoding::Ucs2 } else { Encoding::Gsm7 };
    Event::Accepted {
        terms: Box::new(Terms { encoding, segments: 1, ..request.terms(person(request.to), None) }),
    }
}

/// What was asked for as message `n` of the history.
pub(crate) fn asked(n: u8) -> Request {
    match n {
        2 => Request {
            body: Body::parse("Gr\u{fc}\u{df}e \u{1f426}").unwrap(),
            priority: Priority::High,
            scheduled_for: Some(at(3_600)),
            expires_at: Some(at(7_200)),
            on_unknown: OnUnknown::Resend,
            user_id: Some("user-42".parse().unwrap()),
            metadata: Some(Metadata::new(r#"{"order":7}"#).unwrap()),
            ..request(2)
        },
        3 => Request { retry_of: Some(id(2)), ..request(3) },
        4 => Request { expires_at: Some(at(30)), priority: Priority::Low, ..request(4) },
        5 => Request { priority: Priority::Urgent, ..request(5) },
        other => request(other),
    }
}

fn failure(cause: Cause, class: FailureClass, detail: &str) -> Failure {
    Failure { cause, class, detail: detail.into() }
}

fn started(n: u32) -> Event {
    Event::AttemptStarted { attempt: Attempt::new(n), counted: None }
}

fn submitted(attempt: u32, n: u8, via: Via) -> Event {
    Event::Submitted { attempt: Attempt::new(attempt), sid: sid(n), status: ProviderStatus::Queued, via }
}

fn reported(status: ProviderStatus, failure: Option<Failure>, via: Via) -> Event {
    Event::StatusReported { status, failure, via }
}

/// The timer that a message has in this history: its hold, its deadline, or a first question.
pub(crate) fn timer(message: &Message) -> Option<Timestamp> {
    match message.state {
        State::Held { until, .. } => Some(until).filter(|until| *until < Timestamp::MAX),
        State::Due { .. } => message.expires_at,
        State::Submitted { since, .. } => Some(since.plus(std::time::Duration::from_mins(10))),
        _ => None,
    }
}

/// The history, turn by turn.
pub(crate) fn turns() -> Vec<Turn> {
    let mut turns = Vec::new();
    let mut second = 0;
    let mut turn = |number: u64, source: Source, events: Vec<Event>| {
        second += 1;
        turns.push(Turn { number, at: at(second), source, events });
    };
    delivered(&mut turn);
    canceled(&mut turn);
    given_up(&mut turn);
    expired(&mut turn);
    waiting(&mut turn);
    in_doubt(&mut turn);
    undelivered(&mut turn);
    turns
}

/// Message 1 is delivered, and then contradicted.
fn delivered(turn: &mut impl FnMut(u64, Source, Vec<Event>)) {
    turn(1, Source::Api, vec![accepted(&asked(1)), Event::BecameDue]);
    turn(1, Source::Dispatcher, vec![started(1)]);
    turn(1, Source::Dispatcher, vec![submitted(1, 1, Via::Response)]);
    turn(1, Source::Webhook, vec![reported(ProviderStatus::Sent, None, Via::Callback)]);
    turn(
        1,
        Source::Lookup,
        vec![Event::Polled { polls: 1 }, reported(ProviderStatus::Delivered, None, Via::Poll)],
    );
    turn(1, Source::Webhook, vec![Event::Contradicted { sid: sid(1), status: ProviderStatus::Failed }]);
}

/// Message 2 is scheduled, rescheduled, and canceled.
fn canceled(turn: &mut impl FnMut(u64, Source, Vec<Event>)) {
    turn(
        2,
        Source::Import,
        vec![accepted(&asked(2)), Event::Held { hold: Hold::Scheduled, until: at(3_600) }],
    );
    turn(
        2,
        Source::Cli,
        vec![
            Event::Rescheduled { scheduled_for: Some(at(5_400)) },
            Event::Held { hold: Hold::Scheduled, until: at(5_400) },
        ],
    );
    turn(2, Source::Api, vec![Event::Canceled]);
}

/// Message 3 tries message 2 again, is refused, gets lost, and is given up.
fn given_up(turn: &mut impl FnMut(u64, Source, Vec<Event>)) {
    turn(3, Source::Api, vec![accepted(&asked(3)), Event::BecameDue]);
    turn(2, Source::Api, vec![Event::RetriedAs { id: id(3) }]);
    turn(3, Source::Dispatcher, vec![started(1)]);
    let refused = Cause::Refused { http_status: 429, code: Some(20429) };
    let wait = Verdict::RetryAt { hold: Hold::ProviderLane, until: at(60), counts: Counts::No };
    let too_fast = failure(refused, FailureClass::Rate, "too many requests");
    turn(
        3,
        Source::Dispatcher,
        vec![Event::AttemptFailed { attempt: Attempt::new(1), failure: too_fast, verdict: wait }],
    );
    turn(3, Source::Timer, vec![Event::BecameDue]);
    turn(3, Source::Dispatcher, vec![started(2)]);
    turn(
        3,
        Source::Recovery,
        vec![Event::OutcomeLost { attempt: Attempt::new(2), detail: "the process stopped".into() }],
    );
    turn(
        3,
        Source::Lookup,
        vec![
            Event::LookupFoundNothing { attempt: Attempt::new(2), lookups: 1 },
            Event::Held { hold: Hold::OutcomeUnknown, until: at(86_400) },
        ],
    );
    turn(3, Source::Timer, vec![Event::GivenUp]);
}

/// Message 4 expires while sending is switched off.
fn expired(turn: &mut impl FnMut(u64, Source, Vec<Event>)) {
    turn(
        4,
        Source::Api,
        vec![accepted(&asked(4)), Event::Held { hold: Hold::SendingDisabled, until: Timestamp::MAX }],
    );
    turn(4, Source::Timer, vec![Event::Expired]);
}

/// Message 5 could not be handed over and waits.
fn waiting(turn: &mut impl FnMut(u64, Source, Vec<Event>)) {
    turn(5, Source::Api, vec![accepted(&asked(5)), Event::BecameDue]);
    turn(5, Source::Dispatcher, vec![started(1)]);
    let unreachable = failure(Cause::NotConnected, FailureClass::Transient, "connection refused");
    let backoff = Verdict::RetryAt { hold: Hold::Backoff, until: at(40), counts: Counts::Yes };
    turn(
        5,
        Source::Dispatcher,
        vec![Event::AttemptFailed { attempt: Attempt::new(1), failure: unreachable, verdict: backoff }],
    );
}

/// Message 6 is in doubt, message 7 is with the provider.
fn in_doubt(turn: &mut impl FnMut(u64, Source, Vec<Event>)) {
    turn(6, Source::Api, vec![accepted(&asked(6)), Event::BecameDue]);
    turn(6, Source::Dispatcher, vec![started(1)]);
    turn(
        6,
        Source::Dispatcher,
        vec![Event::OutcomeLost { attempt: Attempt::new(1), detail: "timed out".into() }],
    );

    turn(7, Source::Api, vec![accepted(&asked(7)), Event::BecameDue]);
    turn(7, Source::Dispatcher, vec![started(1)]);
    turn(7, Source::Webhook, vec![submitted(1, 7, Via::Callback)]);
}

/// Message 8 is undelivered.
fn undelivered(turn: &mut impl FnMut(u64, Source, Vec<Event>)) {
    turn(8, Source::Api, vec![accepted(&asked(8)), Event::BecameDue]);
    turn(8, Source::Dispatcher, vec![started(1)]);
    turn(8, Source::Lookup, vec![submitted(1, 8, Via::Lookup)]);
    let gone = failure(Cause::Reported { code: Some(30003) }, FailureClass::Recipient, "undelivered");
    turn(8, Source::Webhook, vec![reported(ProviderStatus::Undelivered, Some(gone), Via::Callback)]);
}

/// What happens to the lane, after all messages.
pub(crate) fn lane_events() -> Vec<lane::Event> {
    let refused =
        failure(Cause::Refused { http_status: 401, code: None }, FailureClass::Configuration, "authenticate");
    vec![
        lane::Event::Cooled { until: at(90), failure: refused.clone() },
        lane::Event::Warmed,
        lane::Event::Cooled { until: at(95), failure: refused },
    ]
}

pub(crate) fn orphan(n: u8, second: i64) -> Orphan {
    Orphan { sid: sid(n), status: ProviderStatus::Delivered, code: Some(u32::from(n)), at: at(second) }
}

pub(crate) const KEY: [u8; 16] = [0xaa; 16];

pub(crate) fn answer() -> Idempotency {
    Idempotency { fingerprint: [0xbb; 16], first: MessageNumber::new(4), count: 2, at: at(20) }
}

/// Carries out one turn in a batch.
pub(crate) fn carry_out(batch: &mut Batch<'_>, turn: &Turn) -> Result<(), BatchError> {
    let number = MessageNumber::new(turn.number);
    let mut message = batch.load(number)?.map(|projection| projection.message.clone());
    let created = message.is_none();
    for event in &turn.events {
        match &mut message {
            Some(message) => message.apply(event, turn.at).unwrap(),
            None => message = Some(Message::begin(event, turn.at).unwrap()),
        }
    }
    let after = message.unwrap();
    if created {
        let request = asked(u8::try_from(turn.number).unwrap());
        assert_eq!(batch.person(request.to)?, after.person);
        let given = batch.create(turn.at, turn.source, &request, &turn.events, &after, timer(&after))?;
        assert_eq!(given, number);
    } else {
        batch.record(number, turn.at, turn.source, &turn.events, &after, timer(&after))?;
    }
    Ok(())
}

/// Carries out what is not about messages, in a batch.
pub(crate) fn carry_out_rest(batch: &mut Batch<'_>) -> Result<(), BatchError> {
    for event in lane_events() {
        let mut lane = batch.lane(LaneNumber::FIRST)?;
        lane.apply(&event);
        batch.record_lane(LaneNumber::FIRST, at(80), Source::Dispatcher, &event, &lane)?;
    }
    batch.put_orphan(&orphan(20, 81))?;
    batch.put_orphan(&orphan(20, 82))?;
    batch.put_orphan(&orphan(21, 83))?;
    batch.set_idempotency(&KEY, &answer())?;
    batch.set_cursor("exports", JournalSeq::new(10))
}

/// Carries out the whole history, `together` turns in each commit.
pub(crate) fn tell(store: &Store, together: usize) {
    for turns in turns().chunks(together) {
        store.commit(|batch| turns.iter().try_for_each(|turn| carry_out(batch, turn))).unwrap();
    }
    store.commit(carry_out_rest).unwrap();
}
