//! A batch is all or nothing, and writes a message once however often it changes.

use std::cell::Cell;

use dunlin_storage::{BatchError, CommitError, JournalSeq};
use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::message::{Event, Message, StateName};
use dunlin_workflows::source::Source;

use crate::disk::Disk;
use crate::opening::options;
use crate::story::{accepted, at, carry_out, carry_out_rest, id, request, sid, tell, turns};
use crate::verifying::assert_sound;

#[test]
fn refused_batch_leaves_nothing() {
    let (store, _) = Disk::default().open(&options()).unwrap();
    tell(&store, 3);
    let before = store.reader().unwrap().last_seq().unwrap();
    let refused = store.commit(|batch| {
        let number = batch.next_number()?;
        let asked = request(0);
        let event = accepted(&asked);
        let message = Message::begin(&event, at(99)).unwrap();
        batch.person(asked.to)?;
        batch.create(at(99), Source::Api, &asked, &[event], &message, Some(at(100)))?;
        batch.record(number, at(99), Source::Api, &[Event::BecameDue], &message, None)?;
        batch.set_cursor("exports", JournalSeq::new(12))?;
        batch.take_orphans(sid(20))?;
        Err::<(), _>(BatchError::UnknownMessage { number })
    });
    assert!(matches!(refused, Err(CommitError::Refused(_))));
    let reader = store.reader().unwrap();
    assert_eq!(reader.last_seq().unwrap(), before);
    assert_eq!(reader.number_of_id(id(0)).unwrap(), None);
    assert_eq!(reader.cursor("exports").unwrap(), JournalSeq::new(10));
    assert_eq!(reader.orphan_count().unwrap(), 3);
    assert_sound(&reader);
    assert!(!store.is_poisoned());
}

#[test]
fn batch_reads_what_it_changed() {
    let (store, _) = Disk::default().open(&options()).unwrap();
    store
        .commit(|batch| {
            let seventh: Vec<_> = turns().into_iter().filter(|turn| turn.number <= 7).collect();
            seventh.iter().try_for_each(|turn| carry_out(batch, turn))?;
            let number = MessageNumber::new(7);
            assert_eq!(batch.number_of_id(id(7))?, Some(number));
            assert_eq!(batch.number_of_sid(sid(7))?, Some(number));
            assert_eq!(batch.number_of_sid(sid(9))?, None);
            assert_eq!(batch.request(number)?, Some(request(7)));
            assert_eq!(batch.load(number)?.unwrap().message.state.name(), StateName::Submitted);
            assert_eq!(batch.next_number()?, MessageNumber::new(8));
            Ok::<_, BatchError>(())
        })
        .unwrap();
}

/// However a history is cut into batches, the same file content comes of it.
#[test]
fn size_of_batches_makes_no_difference() {
    let lives = |together| {
        let (store, _) = Disk::default().open(&options()).unwrap();
        tell(&store, together);
        let reader = store.reader().unwrap();
        assert_sound(&reader);
        let records: Vec<_> = reader.journal(JournalSeq::START).unwrap().map(Result::unwrap).collect();
        let rows: Vec<_> = (1..=8).map(|n| reader.message(MessageNumber::new(n)).unwrap().unwrap()).collect();
        (records, rows, reader.totals().unwrap())
    };
    let one_by_one = lives(1);
    assert_eq!(lives(2), one_by_one);
    assert_eq!(lives(1_000), one_by_one);
}

#[test]
fn message_that_does_not_exist_can_not_be_recorded_of() {
    let (store, _) = Disk::default().open(&options()).unwrap();
    let number = MessageNumber::new(5);
    let message = Message::begin(&accepted(&request(1)), at(1)).unwrap();
    let refused =
        store.commit(|batch| batch.record(number, at(1), Source::Api, &[Event::BecameDue], &message, None));
    assert!(matches!(refused, Err(CommitError::Refused(BatchError::UnknownMessage { .. }))));
}

#[test]
fn message_must_begin_with_its_acceptance() {
    let (store, _) = Disk::default().open(&options()).unwrap();
    let message = Message::begin(&accepted(&request(1)), at(1)).unwrap();
    let refused = store
        .commit(|batch| batch.create(at(1), Source::Api, &request(1), &[Event::BecameDue], &message, None));
    assert!(matches!(refused, Err(CommitError::Refused(BatchError::BeginsWith { event: "became_due" }))));
}

#[test]
fn taken_id_is_refused_in_the_same_batch_and_in_a_later_one() {
    let (store, _) = Disk::default().open(&options()).unwrap();
    let event = accepted(&request(1));
    let message = Message::begin(&event, at(1)).unwrap();
    let events = [event];
    let create = |batch: &mut dunlin_storage::Batch<'_>| {
        batch.person(request(1).to)?;
        batch.create(at(1), Source::Api, &request(1), &events, &message, None)
    };
    store.commit(create).unwrap();
    let later = store.commit(create);
    assert!(matches!(later, Err(CommitError::Batch(BatchError::IdTaken { .. }))), "{later:?}");
    assert!(!store.is_poisoned());
    let other = accepted(&request(2));
    let message = Message::begin(&other, at(1)).unwrap();
    let twice = [other];
    let same_batch = store.commit(|batch| {
        batch.person(request(2).to)?;
        batch.create(at(1), Source::Api, &request(2), &twice, &message, None)?;
        batch.create(at(1), Source::Api, &request(2), &twice, &message, None)
    });
    assert!(matches!(same_batch, Err(CommitError::Refused(BatchError::IdTaken { .. }))));
    assert_eq!(store.reader().unwrap().message_count().unwrap(), 1);
}

#[test]
fn event_too_large_to_persist_changes_nothing() {
    let (store, _) = Disk::default().open(&options()).unwrap();
    tell(&store, 5);
    let number = MessageNumber::new(6);
    let kept = Cell::new(false);
    store
        .commit(|batch| {
            let message = batch.load(number)?.unwrap().message.clone();
            let end = batch.last_seq();
            let small = Event::Polled { polls: 1 };
            let huge = Event::OutcomeLost { attempt: message.attempt, detail: "x".repeat(70_000).into() };
            let refused = batch.record(number, at(99), Source::Api, &[small, huge], &message, None);
            assert!(matches!(refused, Err(BatchError::Record(_))), "{refused:?}");
            kept.set(batch.last_seq() == end);
            Ok::<_, BatchError>(())
        })
        .unwrap();
    assert!(kept.get(), "neither of the two events was kept");
    assert_sound(&store.reader().unwrap());
}

#[test]
fn rest_of_the_history_can_be_told_twice() {
    let (store, _) = Disk::default().open(&options()).unwrap();
    tell(&store, 5);
    store.commit(carry_out_rest).unwrap();
    let reader = store.reader().unwrap();
    assert_eq!(reader.orphan_count().unwrap(), 6);
    assert_sound(&reader);
}
