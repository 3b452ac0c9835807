//! When failures are an alarm, and when they are not.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers, and an overflow fails the test")]

use proptest::prelude::*;

use super::*;
use crate::id::Attempt;
use crate::lane::{self, Lane};
use crate::message::{Cause, Counts, Event, Hold, Verdict};

const RULES: AlarmRules = AlarmRules { failures: Some(3), window: Duration::from_mins(1) };
const TOKEN_REFUSED: u32 = 20003;
const FILTERED: u32 = 30007;
const LANDLINE: u32 = 30006;
const HANDSET_OFF: u32 = 30003;

fn at(seconds: u64) -> Timestamp {
    Timestamp::EPOCH.plus(Duration::from_secs(seconds))
}

fn failed(code: u32) -> Event {
    let (failure, _) = Failure::classified(Cause::Refused { http_status: 400, code: Some(code) }, "");
    Event::AttemptFailed { attempt: Attempt::NONE, failure, verdict: Verdict::Failed }
}

/// A lane, and who watches it.
#[derive(Default)]
struct Scene {
    lane: Lane,
    watch: Watch,
}

impl Scene {
    fn fails(&mut self, code: u32, now: Timestamp) -> Option<&'static str> {
        let event = self.watch.hear(&failed(code), &self.lane, RULES, now);
        self.take(event.as_ref())
    }

    fn rests(&mut self, code: u32, now: Timestamp) -> Option<&'static str> {
        let (failure, _) = Failure::classified(Cause::Refused { http_status: 400, code: Some(code) }, "");
        self.lane.apply(&lane::Event::Cooled { until: now.plus(Duration::from_hours(1)), failure });
        let event = self.watch.rested(&self.lane, RULES, now);
        self.take(event.as_ref())
    }

    fn passes(&mut self, now: Timestamp) -> Option<&'static str> {
        let event = self.watch.over(&self.lane, RULES, now);
        self.take(event.as_ref())
    }

    fn take(&mut self, event: Option<&lane::Event>) -> Option<&'static str> {
        let event = event?;
        self.lane.apply(event);
        Some(event.name())
    }
}

#[test]
fn failures_for_one_reason_within_the_window_are_an_alarm_once_until_there_were_none_for_a_window() {
    let mut scene = Scene::default();
    assert_eq!([0, 59].map(|now| scene.fails(FILTERED, at(now))), [None, None]);
    assert_eq!(scene.fails(TOKEN_REFUSED, at(59)), None, "another reason");
    assert_eq!(scene.fails(FILTERED, at(60)), None, "the first is a window ago");
    assert_eq!(scene.fails(FILTERED, at(61)), Some("failures_repeated"));
    let alarm = scene.lane.alarms[0].clone();
    assert_eq!((alarm.reason(), alarm.count, alarm.since), (Reason::Code(FILTERED), 3, at(59)));
    assert_eq!([62, 63, 120].map(|now| scene.fails(FILTERED, at(now))), [None; 3], "it is known");
    assert_eq!(scene.passes(at(179)), None);
    assert_eq!(scene.passes(at(180)), Some("failures_ended"));
    assert_eq!(scene.lane, Lane::default());
    assert_eq!([190, 191, 192].map(|now| scene.fails(FILTERED, at(now)).is_some()), [false, false, true]);
}

#[test]
fn people_who_are_not_reached_are_no_alarm_however_many() {
    let mut scene = Scene::default();
    for code in [LANDLINE, HANDSET_OFF, 21610, 21211, 20429] {
        assert_eq!((0..100).find_map(|now| scene.fails(code, at(now))), None, "{code}");
    }
    let wait = Verdict::RetryAt { hold: Hold::Backoff, until: at(9), counts: Counts::No };
    let (failure, _) = Failure::classified(Cause::NotConnected, "refused");
    let lost = Event::AttemptFailed { attempt: Attempt::NONE, failure, verdict: wait };
    let heard = [0, 1, 2].map(|now| scene.watch.hear(&lost, &Lane::default(), RULES, at(now)).is_some());
    assert_eq!(heard, [false, false, true], "nor must one be final to count");
}

#[test]
fn lane_that_rests_again_for_what_somebody_must_mend_is_an_alarm_until_it_is_open() {
    let mut scene = Scene::default();
    assert_eq!(scene.rests(TOKEN_REFUSED, at(0)), None, "it may pass");
    assert_eq!(
        scene.rests(TOKEN_REFUSED, at(300)),
        Some("failures_repeated"),
        "nothing else fails meanwhile"
    );
    assert_eq!(scene.passes(at(100_000)), None, "however long it rests");
    scene.lane.apply(&lane::Event::Warmed);
    assert_eq!(scene.lane.alarms.len(), 1, "warming ends no alarm by itself");
    assert_eq!(scene.passes(at(100_000)), Some("failures_ended"));
    for now in 0..9 {
        assert_eq!(scene.rests(20429, at(now)), None, "slowing down is no failure");
    }
}

#[test]
fn alarm_in_force_outlives_a_restart_and_is_not_made_twice() {
    let mut scene = Scene::default();
    assert!((0..3).any(|now| scene.fails(FILTERED, at(now)).is_some()));
    scene.watch = Watch::resume(&scene.lane, at(1000));
    assert_eq!((1000..1010).find_map(|now| scene.fails(FILTERED, at(now))), None);
    assert_eq!(scene.passes(at(1060)), None);
    assert_eq!(scene.passes(at(1069)), Some("failures_ended"));
    assert!((0..3).any(|now| scene.fails(FILTERED, at(9000 + now)).is_some()));
    assert_eq!(scene.passes(at(1500)), Some("failures_ended"), "the clock was set back, and is right now");
    let off = AlarmRules { failures: None, ..RULES };
    assert!((0..3).any(|now| scene.fails(FILTERED, at(2000 + now)).is_some()));
    assert!(scene.watch.over(&scene.lane, off, at(2003)).is_some(), "switched off, nothing stays in force");
    assert_eq!(scene.watch.hear(&failed(TOKEN_REFUSED), &scene.lane, off, at(2003)), None);
}

proptest! {
    /// Whatever fails when: an alarm has as many failures within its window, is made once, and everything in memory is bounded.
    #[test]
    fn alarms_and_their_ends_alternate_and_memory_is_bounded(
        steps in prop::collection::vec((0_u32..200, 0_u64..40), 1..400),
    ) {
        let mut scene = Scene::default();
        let mut log: Vec<(u32, u64)> = Vec::new();
        let mut now = 0;
        for (which, wait) in steps {
            now += wait;
            let code = if which < 100 { 99_000 + which % 3 } else { 90_000 + which };
            let was = scene.lane.alarms.clone();
            log.push((code, now));
            if let Some(event) = scene.fails(code, at(now)) {
                prop_assert_eq!(event, "failures_repeated");
                prop_assert!(was.iter().all(|alarm| alarm.reason() != Reason::Code(code)));
                let within = log.iter().filter(|(known, then)| *known == code && now - then < 60).count();
                prop_assert!(within >= 3, "{within}");
            }
            while let Some(event) = scene.passes(at(now)) {
                prop_assert_eq!(event, "failures_ended");
            }
            for alarm in &scene.lane.alarms {
                let newest = log.iter().rev().find(|(known, _)| Reason::Code(*known) == alarm.reason());
                prop_assert!(newest.is_some_and(|(_, then)| now - then < 60));
            }
            prop_assert!(scene.lane.alarms.len() <= Alarm::MAX && scene.watch.is_bounded(RULES));
        }
    }
}
