//! Nothing is lost, nothing overtakes its own message, and one refusal keeps nobody else waiting for ever.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers, and an overflow fails the test")]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn seq(n: u64) -> JournalSeq {
    JournalSeq::new(n)
}

fn message(n: u64) -> MessageNumber {
    MessageNumber::new(n)
}

/// A window with records 1 to `count`, each about a message of its own.
fn full(count: u64) -> Window<u64> {
    let mut window = Window::new(JournalSeq::START);
    (1..=count).for_each(|n| window.push(seq(n), Some(message(n)), n));
    window
}

/// Everything that goes at this instant.
fn go(window: &mut Window<u64>, now_ms: u64) -> Vec<u64> {
    std::iter::from_fn(|| window.next(now_ms)).map(|(_, n)| n).collect()
}

#[test]
fn what_is_about_one_message_goes_one_after_the_other_and_others_beside_it() {
    let mut window = Window::new(seq(10));
    for (n, about) in [(11, 1), (12, 1), (13, 2), (14, 0), (15, 0)] {
        window.push(seq(n), (about > 0).then(|| message(about)), n);
    }
    assert_eq!(go(&mut window, 0), [11, 13, 14, 15]);
    window.told(seq(13));
    assert_eq!(window.told_to(), seq(10));
    window.told(seq(11));
    assert_eq!((window.told_to(), go(&mut window, 0)), (seq(11), vec![12]));
    for n in [12, 15, 14] {
        window.told(seq(n));
    }
    window.read_up_to(seq(40));
    assert_eq!((window.told_to(), window.len()), (seq(40), 0));
}

#[test]
fn receiver_that_is_away_is_asked_by_one_at_a_time_with_growing_waits() {
    let mut window = full(100);
    let first = go(&mut window, 0);
    assert_eq!(first.len(), FLYING_MAX);
    for n in &first {
        window.refused(seq(*n), Scope::Everything, None, 5);
    }
    let mut asked = Vec::new();
    let mut now_ms = 5;
    for _ in 0..9 {
        let due = window.next_due_ms().unwrap();
        asked.push((due - now_ms) / 1000);
        assert_eq!(go(&mut window, due - 1), [0_u64; 0]);
        let probe = go(&mut window, due);
        assert_eq!(probe.len(), 1, "a burst is one refusal, and one finds out");
        now_ms = due;
        window.refused(seq(probe[0]), Scope::Everything, None, now_ms);
    }
    assert_eq!(asked, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    now_ms += 60_000;
    let probe = go(&mut window, now_ms);
    window.told(seq(probe[0]));
    assert_eq!(go(&mut window, now_ms + 60_000).len(), FLYING_MAX, "it is back");
}

#[test]
fn wait_that_was_asked_for_is_kept_to_whatever_else_is_taken() {
    let mut window = full(3);
    assert_eq!(go(&mut window, 0), [1, 2, 3]);
    window.refused(seq(1), Scope::Everything, Some(Duration::from_secs(30)), 0);
    window.told(seq(2));
    window.told(seq(3));
    window.push(seq(4), Some(message(4)), 4);
    assert_eq!(go(&mut window, 29_999), [0_u64; 0]);
    assert_eq!(go(&mut window, 30_000), [1, 4]);
}

#[test]
fn one_that_is_refused_for_itself_keeps_nobody_waiting_but_the_cursor() {
    let mut window = full(40);
    let mut told = 0;
    for now_ms in (0..10_000).step_by(100) {
        for n in go(&mut window, now_ms) {
            if n == 1 {
                window.refused(seq(1), Scope::This, None, now_ms);
            } else {
                window.told(seq(n));
                told += 1;
            }
        }
    }
    assert_eq!((told, window.told_to(), window.troubled()), (39, JournalSeq::START, Some((&1, 4))));
    window.read_up_to(seq(SPAN_MAX + 1));
    assert_eq!(window.room(), 0, "what is told again after a crash is bounded");
}

proptest! {
    /// Whatever is refused when: everything is told in the end, each message's in order, and the cursor never passes
    /// what is not told.
    #[test]
    fn everything_is_told_in_order_for_each_message(
        about in prop::collection::vec(prop::option::of(0_u64..5), 1..120),
        fates in prop::collection::vec((0_u8..4, 0_u64..90), 0..200),
    ) {
        let mut window = Window::new(JournalSeq::START);
        for (n, about) in (1..).zip(&about) {
            window.push(seq(n), about.map(message), n);
        }
        let (mut told, mut flying) = (Vec::new(), Vec::new());
        let (mut now_ms, mut fates) = (0, fates.into_iter());
        while told.len() < about.len() {
            flying.extend(go(&mut window, now_ms));
            let Some(n) = flying.pop() else {
                let due = window.next_due_ms();
                prop_assert!(due.is_some_and(|due| due > now_ms), "nobody will wake it: {due:?} at {now_ms}");
                now_ms = due.unwrap();
                continue;
            };
            match fates.next() {
                Some((0, wait)) => window.refused(seq(n), Scope::This, None, now_ms + wait),
                Some((1, wait)) => window.refused(seq(n), Scope::Everything, None, now_ms + wait),
                Some((2, wait)) => {
                    window.refused(seq(n), Scope::Everything, Some(Duration::from_secs(wait)), now_ms);
                }
                Some(_) | None => {
                    window.told(seq(n));
                    told.push(n);
                }
            }
            let first = (1..=999).find(|n| !told.contains(n)).unwrap();
            prop_assert_eq!(window.told_to(), seq(first - 1));
        }
        let mut newest = BTreeMap::new();
        for n in told {
            if let Some(about) = about[usize::try_from(n - 1).unwrap()] {
                prop_assert!(newest.insert(about, n).is_none_or(|before| before < n));
            }
        }
    }
}
