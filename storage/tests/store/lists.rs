//! Lists, lives, timers and totals say what happened.

use dunlin_storage::{Filter, Reader, Store};
use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::message::{STATES, StateName};
use dunlin_workflows::timestamp::Timestamp;

use crate::disk::Disk;
use crate::opening::options;
use crate::story::{at, person, recipient, sid, tell, turns};

fn told() -> Store {
    let (store, _) = Disk::default().open(&options()).unwrap();
    tell(&store, 6);
    store
}

/// Every number that the filter lets through, read page by page.
fn pages(reader: &Reader, filter: &Filter) -> Vec<u64> {
    let mut filter = filter.clone();
    let mut numbers = Vec::new();
    loop {
        let page = reader.list(&filter).unwrap();
        assert!(page.messages.len() <= filter.limit);
        numbers.extend(page.messages.iter().map(|(number, _)| number.get()));
        filter.before = page.next;
        if page.next.is_none() {
            return numbers;
        }
    }
}

#[test]
fn pages_of_any_size_hold_every_message_once_newest_first() {
    let store = told();
    let reader = store.reader().unwrap();
    let states =
        [vec![], vec![StateName::Held], vec![StateName::Delivered, StateName::Canceled, StateName::Unknown]];
    for states in states {
        for person in [None, Some(person(recipient(1)))] {
            let all: Vec<u64> = (1..=8)
                .rev()
                .filter(|n| {
                    let message = reader.message(MessageNumber::new(*n)).unwrap().unwrap().message;
                    (states.is_empty() || states.contains(&message.state.name()))
                        && person.is_none_or(|person| person == message.person)
                })
                .collect();
            for limit in 1..=9 {
                let filter = Filter { states: states.clone(), person, limit, ..Filter::default() };
                assert_eq!(pages(&reader, &filter), all, "{filter:?}");
            }
        }
    }
}

#[test]
fn bounds_exclude_their_own_number() {
    let store = told();
    let reader = store.reader().unwrap();
    let number = |n| Some(MessageNumber::new(n));
    let filter = Filter { before: number(6), after: number(3), limit: 9, ..Filter::default() };
    assert_eq!(pages(&reader, &filter), [5, 4]);
    let nothing = Filter { before: number(4), after: number(3), limit: 9, ..Filter::default() };
    assert!(pages(&reader, &nothing).is_empty());
}

#[test]
fn life_is_every_event_with_its_time_and_source_oldest_first() {
    let store = told();
    let reader = store.reader().unwrap();
    for n in 1..=8 {
        let expected: Vec<_> = turns()
            .into_iter()
            .filter(|turn| turn.number == n)
            .flat_map(|turn| turn.events.into_iter().map(move |event| (turn.at, turn.source, event)))
            .collect();
        let life = reader.life(MessageNumber::new(n)).unwrap();
        assert!(life.is_sorted_by_key(|entry| entry.seq));
        let life: Vec<_> = life.into_iter().map(|entry| (entry.at, entry.source, entry.event)).collect();
        assert_eq!(life, expected, "message {n}");
    }
    assert!(reader.life(MessageNumber::new(9)).unwrap().is_empty());
}

#[test]
fn timers_come_in_order_from_any_position() {
    let store = told();
    let reader = store.reader().unwrap();
    let first = (Timestamp::from_millis(i64::MIN), MessageNumber::new(0));
    let all = reader.timers_between(first, Timestamp::MAX, 100).unwrap();
    let numbers: Vec<u64> = all.iter().map(|(_, number)| number.get()).collect();
    assert_eq!(numbers, [5, 7], "the backoff of 5, then the first question about 7");
    let one = reader.timers_between(first, Timestamp::MAX, 1).unwrap();
    assert_eq!(one, all[..1]);
    assert_eq!(reader.timers_between(one[0], Timestamp::MAX, 100).unwrap(), all[1..]);
    assert_eq!(reader.timers_between(first, at(40), 100).unwrap(), all[..1], "until is included");
    assert!(reader.timers_between(all[1], at(0), 100).unwrap().is_empty());
}

#[test]
fn totals_count_every_message_once() {
    let store = told();
    let reader = store.reader().unwrap();
    let totals = reader.totals().unwrap();
    for (state, total) in totals {
        let numbers = reader.numbers_in(state, MessageNumber::new(0), 100).unwrap();
        assert_eq!(numbers.len() as u64, total, "{state:?}");
    }
    assert_eq!(totals.len(), STATES.len());
    assert_eq!(totals.iter().map(|(_, total)| total).sum::<u64>(), 8);
}

#[test]
fn sizes_name_every_table() {
    let store = told();
    let sizes = store.reader().unwrap().sizes().unwrap();
    let page = include_str!("../../FORMAT.md");
    assert_eq!(sizes.len(), 34);
    for size in &sizes {
        assert!(page.contains(&format!("| `{}` | ", size.name)), "{} is not described", size.name);
    }
    assert!(sizes.iter().any(|size| size.name == "messages" && size.rows == 8 && size.stored_bytes > 0));
}

#[test]
fn message_is_found_by_the_sid_of_any_attempt() {
    let store = told();
    let reader = store.reader().unwrap();
    for n in [1, 7, 8] {
        assert_eq!(reader.number_of_sid(sid(n)).unwrap(), Some(MessageNumber::new(u64::from(n))));
    }
    assert_eq!(reader.number_of_sid(sid(5)).unwrap(), None);
}
