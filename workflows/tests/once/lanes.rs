//! A refusal that means everybody cools the lane once, for as long as it must; success warms it.

use std::time::Duration;

use dunlin_workflows::lane::{Event, Lane, Silence};
use dunlin_workflows::message::{Cause, Context, Failure, Lease, Outcome, ProviderStatus};
use dunlin_workflows::policy::STRANGER;
use dunlin_workflows::rules::Rules;
use dunlin_workflows::timestamp::Timestamp;

use crate::samples::{T, at, lost, not_connected, sid, taken};

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn failure(http_status: u16, code: Option<u32>) -> Failure {
    Failure::classified(Cause::Refused { http_status, code }, "refused").0
}

/// Lets the lane hear a refusal; says how long it rests from `now`, or `None` when it heard nothing new.
fn refuse(
    lane: &mut Lane,
    failure: &Failure,
    retry_after: Option<Duration>,
    now: Timestamp,
) -> Option<Duration> {
    let rules = Rules::default();
    let outcome = Outcome::Refused { cause: failure.cause, detail: failure.detail.clone(), retry_after };
    let context = Context { now, rules: &rules, recipient: &STRANGER, lease: Lease::InForce, jitter: 0 };
    let event = lane.hear(&outcome, &mut Silence::default(), &context)?;
    lane.apply(&event);
    Some(lane.cool_until.since(now))
}

fn succeed(lane: &mut Lane, now: Timestamp) -> Option<Event> {
    let rules = Rules::default();
    let context = Context { now, rules: &rules, recipient: &STRANGER, lease: Lease::InForce, jitter: 0 };
    let event = lane.hear(&taken(sid(1), ProviderStatus::Queued), &mut Silence::default(), &context);
    if let Some(event) = &event {
        lane.apply(event);
    }
    event
}

#[test]
fn burst_of_refusals_in_flight_counts_once() {
    for retry_after in [None, Some(seconds(30))] {
        let mut lane = Lane::default();
        for n in 0..16 {
            let now = T.plus(Duration::from_millis(n * 50));
            let heard = refuse(&mut lane, &failure(429, None), retry_after, now);
            assert_eq!(heard.is_some(), n == 0, "refusal {n}");
        }
        assert_eq!(lane.streak, 1);
    }
}

#[test]
fn retry_after_is_kept_to_and_a_longer_one_extends_the_rest() {
    let mut lane = Lane::default();
    assert_eq!(refuse(&mut lane, &failure(429, None), Some(seconds(90)), T), Some(seconds(90)));
    assert!(!lane.is_open(at(89)) && lane.is_open(at(90)));
    assert_eq!(refuse(&mut lane, &failure(429, None), Some(seconds(10)), at(1)), None);
    assert_eq!(refuse(&mut lane, &failure(429, None), None, at(1)), None);
    assert_eq!(refuse(&mut lane, &failure(429, None), Some(seconds(300)), at(1)), Some(seconds(300)));
}

#[test]
fn refusals_after_each_rest_double_it_until_a_success_forgets_them() {
    let mut lane = Lane::default();
    let mut now = T;
    let mut rests = Vec::new();
    for _ in 0..4 {
        let rest = refuse(&mut lane, &failure(429, None), None, now).unwrap();
        rests.push(rest);
        now = now.plus(rest);
    }
    assert_eq!(rests, [2_500, 5_000, 10_000, 20_000].map(Duration::from_millis));
    assert_eq!(succeed(&mut lane, now), Some(Event::Warmed));
    assert_eq!(lane, Lane::default());
    assert_eq!(succeed(&mut lane, now), None, "a warm lane has nothing to say");
}

#[test]
fn success_that_was_in_flight_does_not_end_the_rest() {
    let mut lane = Lane::default();
    refuse(&mut lane, &failure(429, None), Some(seconds(60)), T).unwrap();
    assert_eq!(succeed(&mut lane, at(59)), None);
    assert_eq!(succeed(&mut lane, at(60)), Some(Event::Warmed));
}

#[test]
fn bad_credentials_rest_as_long_as_the_table_says() {
    let mut lane = Lane::default();
    assert_eq!(refuse(&mut lane, &failure(401, Some(20003)), None, T), Some(seconds(300)));
}

#[test]
fn refusal_that_means_one_message_leaves_the_lane_open() {
    let country = 21408;
    let unverified_recipient = 21608;
    for code in [country, unverified_recipient, 21211, 21610, 21617, 21656] {
        let mut lane = Lane::default();
        assert_eq!(refuse(&mut lane, &failure(400, Some(code)), None, T), None, "{code}");
    }
    for cause in [Cause::NotConnected, Cause::OutcomeUnknown, Cause::Reported { code: Some(30002) }] {
        let mut lane = Lane::default();
        assert_eq!(refuse(&mut lane, &Failure::classified(cause, "no").0, None, T), None, "{cause:?}");
    }
}

/// Lets the lane hear `outcome` and remembers the silence; says whether the lane cooled or warmed.
fn listen(lane: &mut Lane, silence: &mut Silence, outcome: &Outcome, now: Timestamp) -> Option<Event> {
    let rules = Rules::default();
    let event = lane.hear(
        outcome,
        silence,
        &Context { now, rules: &rules, recipient: &STRANGER, lease: Lease::InForce, jitter: 0 },
    );
    if let Some(event) = &event {
        lane.apply(event);
    }
    event
}

fn answered_503() -> Outcome {
    let cause = Cause::Refused { http_status: 503, code: None };
    Outcome::Refused { cause, detail: "unavailable".into(), retry_after: None }
}

#[test]
fn outage_cools_the_lane_after_a_few_requests_and_one_at_a_time_finds_its_end() {
    for outcome in [lost(), not_connected(), answered_503()] {
        let (mut lane, mut silence, mut now) = (Lane::default(), Silence::default(), T);
        for _ in 0..4 {
            assert_eq!(listen(&mut lane, &mut silence, &outcome, now), None);
        }
        assert!(listen(&mut lane, &mut silence, &outcome, now).is_some());
        assert_eq!(listen(&mut lane, &mut silence, &outcome, now), None, "it was on the wire before");
        assert!(lane.is_probing() && !lane.is_open(now));
        let mut rests = Vec::new();
        for _ in 0..12 {
            rests.push(lane.cool_until.since(now));
            now = lane.cool_until;
            assert!(listen(&mut lane, &mut silence, &outcome, now).is_some(), "a probe is enough");
        }
        assert!(rests.is_sorted() && rests.last() == Some(&Duration::from_mins(5)), "{rests:?}");
        let answer = Outcome::Refused {
            cause: Cause::Refused { http_status: 400, code: Some(21211) },
            detail: "no such number".into(),
            retry_after: None,
        };
        let now = lane.cool_until;
        assert_eq!(listen(&mut lane, &mut silence, &answer, now), Some(Event::Warmed), "it listens");
        assert!(!lane.is_probing());
    }
}

#[test]
fn answers_between_failures_keep_the_lane_open() {
    let (mut lane, mut silence) = (Lane::default(), Silence::default());
    for n in 0..40 {
        let outcome = if n % 4 == 3 { taken(sid(n), ProviderStatus::Queued) } else { lost() };
        assert_eq!(listen(&mut lane, &mut silence, &outcome, T), None, "{n}");
    }
}
