//! What holds for what flows in a stream, whatever the rate and whoever comes when.

#![expect(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test that fails may panic")]

use std::collections::BTreeSet;
use std::time::Duration;

use dunlin_workflows::policy::{Flow, Rate};
use dunlin_workflows::timestamp::Timestamp;
use proptest::prelude::*;

/// A minute, an hour and a day, and their buckets, in milliseconds.
const SPANS: [(i64, i64); 3] = [(60_000, 1_000), (3_600_000, 60_000), (86_400_000, 1_800_000)];

const START_MS: i64 = 1_795_435_200_123;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(START_MS + ms)
}

fn limits(rate: Rate) -> impl Iterator<Item = ((i64, i64), usize)> {
    let limits = [rate.per_minute, rate.per_hour, rate.per_day];
    let spans = SPANS.into_iter().zip(limits);
    spans.filter_map(|(span, limit)| Some((span, usize::try_from(limit?).unwrap())))
}

fn rate() -> impl Strategy<Value = Rate> {
    let limit = |most| prop::option::of(0_u32..most);
    (limit(5), limit(12), limit(30)).prop_map(|(per_minute, per_hour, per_day)| Rate {
        per_minute,
        per_hour,
        per_day,
    })
}

/// Steps of a clock, short and long, seldom back.
fn steps() -> impl Strategy<Value = Vec<i64>> {
    let step = prop_oneof![
        6 => 0_i64..3_000,
        4 => 0_i64..90_000,
        2 => 0_i64..4_000_000,
        1 => -7_200_000_i64..0,
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn never_are_there_more_than_the_limit_in_any_window(rate in rate(), steps in steps()) {
        let (mut flow, mut now, mut went) = (Flow::default(), 0, Vec::new());
        for step in steps {
            if step < 0 {
                // By a clock that was set back nobody can tell what happened within an hour.
                went.clear();
            }
            now += step;
            if flow.full_until(at(now), rate, true).is_some() {
                continue;
            }
            flow.count(at(now), rate);
            went.push(now);
            for ((length, _), limit) in limits(rate) {
                let inside = went.iter().filter(|then| **then > now - length).count();
                prop_assert!(inside <= limit, "{} within {} ms", inside, length);
            }
        }
    }

    #[test]
    fn place_is_free_at_most_one_bucket_late(rate in rate(), steps in steps()) {
        let (mut flow, mut now, mut went) = (Flow::default(), 0, Vec::new());
        for step in steps {
            now += step.max(0);
            let is_free = limits(rate).all(|((length, bucket), limit)| {
                went.iter().filter(|then| **then > now - length - bucket).count() < limit
            });
            let full_until = flow.full_until(at(now), rate, true);
            prop_assert!(!is_free || full_until.is_none(), "held until {:?} at {}", full_until, now);
            if full_until.is_none() {
                flow.count(at(now), rate);
                went.push(now);
            }
        }
    }

    #[test]
    fn hold_ends_and_then_there_is_a_place_unless_none_may_go(rate in rate(), steps in steps()) {
        let (mut flow, mut now, mut latest) = (Flow::default(), 0_i64, 0);
        let zero = limits(rate).any(|(_, limit)| limit == 0);
        for step in steps {
            now += step;
            latest = now.max(latest);
            let Some(until) = flow.full_until(at(now), rate, true) else {
                flow.count(at(now), rate);
                continue;
            };
            prop_assert!(until > at(now), "it has an end that is to come");
            prop_assert!(until <= at(now).plus(Duration::from_hours(49)));
            if zero {
                prop_assert!(flow.full_until(until, rate, true).is_some(), "zero means none");
                continue;
            }
            // What a clock that was set back left ahead may still come into the window: then it waits again.
            let mut looked = until;
            while let Some(again) = flow.full_until(looked, rate, true) {
                prop_assert!(again > looked && again <= at(latest).plus(Duration::from_hours(25)), "for ever");
                looked = again;
            }
        }
    }

    /// However many wait: each looks again about once, and they go as fast as the rate allows.
    #[test]
    fn line_lets_everybody_look_when_there_is_a_place(per_minute in 1_u32..200, many in 1_u32..600) {
        let rate = Rate { per_minute: Some(per_minute), ..Rate::NONE };
        let mut flow = Flow::default();
        let mut looks: BTreeSet<(Timestamp, u32)> = (0..many).map(|n| (at(0), n)).collect();
        let (mut looked, mut last) = (0, at(0));
        while let Some((now, n)) = looks.pop_first() {
            looked += 1;
            match flow.full_until(now, rate, true) {
                None => {
                    flow.count(now, rate);
                    last = now;
                }
                Some(until) => {
                    flow.line_up(until, now, rate);
                    looks.insert((until, n));
                }
            }
        }
        prop_assert!(looked <= many * 2 + many / 20, "{} texts looked {} times", many, looked);
        let least = u64::from((many - 1) / per_minute) * 60;
        let took = last.since(at(0)).as_secs();
        prop_assert!(took >= least, "{} s", took);
        prop_assert!(took <= u64::from(many.div_ceil(per_minute)) * 63 + 2, "{} s for {} at {}", took, many, per_minute);
    }
}

#[test]
fn whoever_comes_while_others_wait_stands_behind_them_until_nothing_moves() {
    let rate = Rate { per_minute: Some(2), ..Rate::NONE };
    let mut flow = Flow::default();
    flow.count(at(0), rate);
    flow.count(at(0), rate);
    let mut last = at(0);
    for _ in 0..4 {
        let until = flow.full_until(at(10), rate, false).unwrap();
        assert!(until > last, "one after the other");
        flow.line_up(until, at(10), rate);
        last = until;
    }
    let free = at(61_000);
    assert_eq!(flow.full_until(free, rate, true), None, "whose turn has come finds a place");
    assert!(flow.full_until(free, rate, false).unwrap() > last, "whoever is new does not take it");
    // All who waited were canceled.
    assert_eq!(flow.full_until(at(123_000), rate, false), None);
}

#[test]
fn clock_that_was_set_right_again_locks_nobody_out() {
    let rate = Rate { per_minute: Some(1), ..Rate::NONE };
    let mut flow = Flow::default();
    let wrong = at(365 * 86_400_000);
    flow.count(wrong, rate);
    let until = flow.full_until(wrong, rate, false).unwrap();
    flow.line_up(until, wrong, rate);
    assert_eq!(flow.full_until(at(0), rate, false), None);
    flow.count(at(0), rate);
    assert!(flow.full_until(at(5), rate, false).unwrap() <= at(62_000));
}
