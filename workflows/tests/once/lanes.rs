//! A refusal that means everybody cools the lane once, for as long as it must; success warms it.

use std::time::Duration;

use dunlin_workflows::lane::{Event, Lane};
use dunlin_workflows::message::{Cause, Context, Failure};
use dunlin_workflows::rules::Rules;
use dunlin_workflows::timestamp::Timestamp;

use crate::samples::{T, at};

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
    let event = lane.hear(Some((failure, retry_after)), &Context { now, rules: &rules, jitter: 0 })?;
    lane.apply(&event);
    Some(lane.cool_until.since(now))
}

fn succeed(lane: &mut Lane, now: Timestamp) -> Option<Event> {
    let rules = Rules::default();
    let event = lane.hear(None, &Context { now, rules: &rules, jitter: 0 });
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
