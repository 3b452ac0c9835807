//! What is chosen to be tried again, and what stands in the way.

use std::time::Duration;

use super::*;
use crate::body::Body;
use crate::consent::{How, Standing};
use crate::id::{MessageId, PersonNumber};
use crate::message::{
    Cause, Context, Event, Failure, Lease, Message, OnUnknown, Priority, ProviderStatus, Request, Via,
};
use crate::phone_number::PhoneNumber;
use crate::policy::Recipient;
use crate::provider_error::FailureClass;
use crate::rules::Rules;
use crate::timestamp::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn message(cause: Cause) -> Message {
    let request = Request {
        id: MessageId::from_bytes([1; 16]),
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
    };
    let terms = Box::new(request.terms(PersonNumber::new(1), None));
    let mut message = Message::begin(&Event::Accepted { terms }, NOW).unwrap();
    let failure = Failure::classified(cause, "told so").0;
    let sid = "SM00000000000000000000000000000001".parse().unwrap();
    for event in [
        Event::BecameDue,
        Event::AttemptStarted { attempt: message.attempt.next(), counted: None },
        Event::Submitted {
            attempt: message.attempt.next(),
            sid,
            status: ProviderStatus::Queued,
            via: Via::Response,
        },
        Event::StatusReported { status: ProviderStatus::Failed, failure: Some(failure), via: Via::Callback },
    ] {
        message.apply(&event, NOW).unwrap();
    }
    message
}

fn in_the_way(message: &Message, named: bool, standing: Standing) -> Option<Obstacle> {
    let known = Recipient::standing(standing);
    let context =
        Context { now: NOW, rules: &Rules::default(), recipient: &known, lease: Lease::InForce, jitter: 0 };
    obstacle(message, Reason::of(message).unwrap(), named, None, &context)
}

#[test]
fn recovery_by_time_alone_takes_only_what_waiting_or_mending_helps() {
    for (code, expected) in [
        (Some(30008), None),
        (Some(30001), None),
        (None, None),
        (Some(21211), Some(Obstacle::WouldFailAgain)),
        (Some(30007), Some(Obstacle::WouldFailAgain)),
        (Some(21610), Some(Obstacle::WouldFailAgain)),
    ] {
        let message = message(Cause::Reported { code });
        assert_eq!(in_the_way(&message, false, Standing::Unknown), expected, "{code:?}");
        assert_eq!(
            in_the_way(&message, true, Standing::Unknown),
            None,
            "{code:?}: whoever names it means it"
        );
    }
    let lost = message(Cause::OutcomeUnknown);
    assert_eq!(in_the_way(&lost, false, Standing::Unknown), Some(Obstacle::MayHaveArrived));
}

#[test]
fn whoever_opted_out_or_was_tried_again_is_left_alone_however_they_are_named() {
    let mut failed = message(Cause::Reported { code: Some(30008) });
    let out = Standing::OptedOut { since: NOW, how: How::Keyword };
    assert_eq!(in_the_way(&failed, true, out), Some(Obstacle::Forbidden));
    failed.apply(&Event::RetriedAs { id: MessageId::from_bytes([2; 16]) }, NOW).unwrap();
    assert_eq!(in_the_way(&failed, true, Standing::Unknown), Some(Obstacle::AlreadyRetried));
}

#[test]
fn texts_whose_deadline_comes_before_their_turn_use_up_no_turn() {
    let pace = Pace::new(NOW, 60).unwrap();
    let at = |seconds| NOW.plus(Duration::from_secs(seconds));
    let texts = [("a", None), ("b", Some(at(1))), ("c", Some(at(2))), ("d", None)];
    let (going, too_late) = pace.spread(texts);
    assert_eq!((going, too_late), (vec![("a", at(0)), ("c", at(1)), ("d", at(2))], 1));
    assert_eq!((Pace::new(NOW, 0), Pace::new(NOW, RATE_MAX.saturating_add(1))), (None, None));
}

#[test]
fn every_reason_reads_back_from_its_word() {
    let reasons = [
        Reason::Code(30008),
        Reason::Http(503),
        Reason::NoCode,
        Reason::NotConnected,
        Reason::OutcomeUnknown,
        Reason::Expired,
    ];
    for reason in reasons {
        assert_eq!(reason.to_string().parse(), Ok(reason));
    }
    for wrong in ["", "-1", "http_", "http_99999", "timeout"] {
        assert!(wrong.parse::<Reason>().is_err(), "{wrong}");
    }
}

#[test]
fn a_selection_narrows_by_time_reason_and_class() {
    let failed = message(Cause::Reported { code: Some(30008) });
    let later = Some(NOW.plus(Duration::from_secs(1)));
    let takes = |selection: Selection| selection.takes(&failed).is_some();
    assert!(takes(Selection { since: Some(NOW), until: Some(NOW), ..Selection::default() }));
    assert!(!takes(Selection { since: later, ..Selection::default() }));
    assert!(!takes(Selection { reasons: vec![Reason::Expired], ..Selection::default() }));
    let classes = vec![FailureClass::Rate, FailureClass::Transient];
    assert!(takes(Selection { classes, ..Selection::default() }));
}
