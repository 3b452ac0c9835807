//! A message in every state worth telling apart, each a step of a life that can happen.

use std::time::Duration;

use dunlin_workflows::body::Body;
use dunlin_workflows::id::{Attempt, MessageId, PersonNumber, ProviderSid};
use dunlin_workflows::message::{
    Cause, Custody, Failure, Hold, Message, OnUnknown, Outcome, Priority, ProviderStatus, Request, State,
};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::rules::Rules;
use dunlin_workflows::timestamp::Timestamp;

/// The instant that every sample is in its state.
pub(crate) const T: Timestamp = Timestamp::from_millis(1_700_000_000_000);
/// When a held sample is released.
const UNTIL_S: u64 = 60;
/// When a sample expires.
pub(crate) const EXPIRY_S: u64 = 3600;

/// The newest attempt of every sample that was tried.
pub(crate) const NEWEST: Attempt = Attempt::new(2);
/// The attempt before it.
pub(crate) const OLDER: Attempt = Attempt::new(1);

/// `seconds` after [`T`].
pub(crate) fn at(seconds: u64) -> Timestamp {
    T.plus(Duration::from_secs(seconds))
}

/// The sample's own name at the provider.
pub(crate) fn own_sid() -> ProviderSid {
    sid(1)
}

/// Another message's name at the provider.
pub(crate) fn foreign_sid() -> ProviderSid {
    sid(2)
}

/// The `n`th made-up SID.
pub(crate) fn sid(n: u32) -> ProviderSid {
    format!("SM{n:032x}").parse().unwrap()
}

/// The `n`th made-up message id.
pub(crate) fn id(n: u8) -> MessageId {
    MessageId::from_bytes([n; 16])
}

/// A wish to send at once, without a deadline.
pub(crate) fn wish() -> Request {
    Request {
        id: id(1),
        to: PhoneNumber::parse("+15558675310", None).unwrap(),
        body: Body::parse("Your table is ready").unwrap(),
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

/// The provider took it.
pub(crate) fn taken(sid: ProviderSid, status: ProviderStatus) -> Outcome {
    Outcome::Taken { sid, status }
}

/// No connection was made.
pub(crate) fn not_connected() -> Outcome {
    Outcome::Refused { cause: Cause::NotConnected, detail: "no route".into(), retry_after: None }
}

/// Too fast.
pub(crate) fn too_many() -> Outcome {
    Outcome::Refused {
        cause: Cause::Refused { http_status: 429, code: None },
        detail: "slow down".into(),
        retry_after: None,
    }
}

/// Nobody knows.
pub(crate) fn lost() -> Outcome {
    Outcome::Lost { detail: "timeout".into() }
}

fn never_tried(state: State) -> Message {
    Message {
        person: PersonNumber::new(1),
        priority: Priority::Normal,
        segments: 1,
        user: None,
        kind: None,
        template: None,
        may_bypass: false,
        custody: Custody::Own,
        on_unknown: OnUnknown::Hold,
        accepted_at: T,
        scheduled_for: None,
        expires_at: Some(at(EXPIRY_S)),
        attempt: Attempt::NONE,
        counted: 0,
        sid: None,
        failure: None,
        retried_as: None,
        changed_at: T,
        state,
    }
}

/// Tried twice, so that there is an older attempt to mistake for the newest.
fn tried(state: State) -> Message {
    Message { attempt: NEWEST, counted: 2, ..never_tried(state) }
}

/// Tried twice, and the provider took the second attempt.
fn with_provider(state: State) -> Message {
    Message { sid: Some(own_sid()), ..tried(state) }
}

fn held(hold: Hold) -> State {
    State::Held { hold, until: at(UNTIL_S) }
}

fn unknown(lookups: u8) -> State {
    State::Unknown { started_at: T, since: T, lookups }
}

/// `message`, whose newest attempt failed because of `cause`.
fn failed(cause: Cause, mut message: Message) -> Message {
    message.failure = Some(Failure::classified(cause, "no").0);
    message
}

fn resent(message: Message) -> Message {
    Message { on_unknown: OnUnknown::Resend, ..message }
}

const TOO_FAST: Cause = Cause::Refused { http_status: 429, code: Some(20429) };
const OVERFLOW: Cause = Cause::Reported { code: Some(30001) };
const HANDSET_OFF: Cause = Cause::Reported { code: Some(30003) };
const NO_SUCH_NUMBER: Cause = Cause::Refused { http_status: 400, code: Some(21211) };

fn waiting() -> Vec<(&'static str, Message)> {
    let due = State::Due { since: T };
    let backoff = held(Hold::Backoff);
    let switched_off = State::Held { hold: Hold::SendingDisabled, until: Timestamp::MAX };
    let scheduled = Message { scheduled_for: Some(at(UNTIL_S)), ..never_tried(held(Hold::Scheduled)) };
    let unconfirmed = State::Held { hold: Hold::Claim, until: Timestamp::MAX };
    let claimed = Message { custody: Custody::Claimed, ..never_tried(unconfirmed) };
    let cooled = Message { counted: 1, ..tried(held(Hold::ProviderLane)) };
    vec![
        ("accepted", never_tried(State::Accepted)),
        ("held: scheduled", scheduled),
        ("held: sending disabled", never_tried(switched_off)),
        ("held: provider lane, refused", failed(TOO_FAST, cooled)),
        ("held: backoff, refused", failed(TOO_FAST, tried(backoff))),
        ("held: backoff, taken and reported failed", failed(OVERFLOW, with_provider(backoff))),
        ("held: backoff, in doubt", failed(Cause::OutcomeUnknown, resent(tried(backoff)))),
        ("held: claim", claimed),
        ("held: outcome unknown", tried(held(Hold::OutcomeUnknown))),
        ("due, never tried", never_tried(due)),
        ("due, refused before", failed(TOO_FAST, tried(due))),
        ("due, in doubt", failed(Cause::OutcomeUnknown, resent(tried(due)))),
    ]
}

fn on_the_way() -> Vec<(&'static str, Message)> {
    let last_lookup = u8::try_from(Rules::default().lookups.len() - 1).unwrap();
    let submitted = |status| with_provider(State::Submitted { status, since: T, polls: 0 });
    vec![
        ("submitting", tried(State::Submitting { since: T })),
        ("unknown, not looked up yet", tried(unknown(0))),
        ("unknown, one search left, hold", tried(unknown(last_lookup))),
        ("unknown, one search left, resend", resent(tried(unknown(last_lookup)))),
        ("submitted: queued", submitted(ProviderStatus::Queued)),
        ("submitted: sending", submitted(ProviderStatus::Sending)),
        ("sent", with_provider(State::Sent { submitted_at: T, polls: 0 })),
        ("unconfirmed", with_provider(State::Unconfirmed { status: ProviderStatus::Sent })),
    ]
}

fn finals() -> Vec<(&'static str, Message)> {
    let again = Message { retried_as: Some(id(8)), ..with_provider(State::Failed) };
    vec![
        ("delivered", with_provider(State::Delivered)),
        ("undelivered", failed(HANDSET_OFF, with_provider(State::Undelivered))),
        ("failed: refused", failed(NO_SUCH_NUMBER, tried(State::Failed))),
        ("failed: reported", failed(OVERFLOW, with_provider(State::Failed))),
        ("failed: given up in doubt", failed(Cause::OutcomeUnknown, tried(State::Failed))),
        ("failed, and tried again as another", failed(OVERFLOW, again)),
        ("canceled, never tried", never_tried(State::Canceled)),
        ("expired, tried", tried(State::Expired)),
    ]
}

/// Every sample with its name. The life that leads to it stands in the name.
pub(crate) fn samples() -> Vec<(&'static str, Message)> {
    [waiting(), on_the_way(), finals()].concat()
}
