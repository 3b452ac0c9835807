//! What flowed in streams, and what was said to whom: counted in the transaction that sends, or not at all.

use std::time::Duration;

use dunlin_storage::recovery::verify;
use dunlin_storage::{Batch, BatchError, Event as Kept, JournalSeq, Reader, Record, Store};
use dunlin_workflows::body::Body;
use dunlin_workflows::message::Event;
use dunlin_workflows::policy::{Flow, Rate, Stream};
use dunlin_workflows::source::Source;
use redb::ReadableDatabase as _;

use crate::disk::Disk;
use crate::opening::options;
use crate::story::{Turn, at, carry_out, recipient, tell, turns};
use crate::verifying::assert_sound;

const RATE: Rate = Rate { per_minute: None, per_hour: None, per_day: Some(1000) };

fn starts(event: &Event) -> bool {
    matches!(event, Event::AttemptStarted { attempt, .. } if attempt.get() == 1)
}

/// What the engine does: the attempt, and its count.
fn carry_out_counting(batch: &mut Batch<'_>, turn: &Turn) -> Result<(), BatchError> {
    carry_out(batch, turn)?;
    for _ in turn.events.iter().filter(|event| starts(event)) {
        batch.change_flow(&Stream::All, |flow| flow.count(turn.at, RATE))?;
    }
    Ok(())
}

fn sent(reader: &Reader) -> u32 {
    let records = reader.journal(JournalSeq::START).unwrap().map(|raw| {
        let raw = raw.unwrap();
        Record::decode(raw.seq, &raw.bytes).unwrap().event
    });
    let started = records.filter(|event| matches!(event, Kept::Message { event, .. } if starts(event)));
    u32::try_from(started.count()).unwrap()
}

fn tell_counting(store: &Store) {
    for turn in turns() {
        if store.commit(|batch| carry_out_counting(batch, &turn)).is_err() {
            return;
        }
    }
}

#[test]
fn wherever_the_power_goes_what_was_counted_is_what_was_sent() {
    let total = {
        let disk = Disk::default();
        tell_counting(&disk.open(&options()).unwrap().0);
        disk.changes()
    };
    let created = {
        let disk = Disk::default();
        drop(disk.open(&options()).unwrap());
        disk.changes()
    };
    let mut most = 0;
    for change in (created..=total).step_by(3) {
        let disk = Disk::default();
        let (store, _) = disk.open(&options()).unwrap();
        disk.fail_at(change);
        tell_counting(&store);
        drop(store);
        let (store, _) = disk.lose_power().open(&options()).unwrap();
        let reader = store.reader().unwrap();
        let [_, _, counted] = reader.flow(&Stream::All).unwrap().counted(at(3600));
        assert_eq!(counted, sent(&reader), "change {change}");
        most = most.max(counted);
        assert_sound(&reader);
    }
    assert!(most > 1, "texts were sent: {most}");
}

#[test]
fn store_that_never_counted_reads_as_empty_and_is_copied() {
    let (store, _) = Disk::default().open(&options()).unwrap();
    tell(&store, 2);
    let reader = store.reader().unwrap();
    assert_eq!(reader.flow(&Stream::All).unwrap(), Flow::default());
    let person = reader.person_of(recipient(1)).unwrap().unwrap();
    assert_eq!(reader.said_last(person, &Body::parse("hello").unwrap()).unwrap(), None);
    assert_sound(&reader);
    let dir = tempfile::tempdir().unwrap();
    store.copy_to(&dir.path().join("copy.redb"), 1 << 20).unwrap();
}

#[test]
fn streams_in_which_nothing_matters_any_more_are_removed_and_no_others() {
    let (store, _) = Disk::default().open(&options()).unwrap();
    let (old, new) = (Stream::Sender("old".into()), Stream::Sender("new".into()));
    store
        .commit(|batch| {
            batch.change_flow(&old, |flow| flow.count(at(0), RATE))?;
            batch.change_flow(&new, |flow| flow.count(at(90_000), RATE))
        })
        .unwrap();
    let purge = |batch: &mut Batch<'_>| batch.purge_flows([0; 16], at(100_000), 10);
    assert_eq!(store.commit(purge).unwrap(), [0; 16], "it begins again");
    let reader = store.reader().unwrap();
    assert_eq!(reader.flow(&old).unwrap(), Flow::default());
    assert_ne!(reader.flow(&new).unwrap(), Flow::default());
}

#[test]
fn what_was_said_is_known_again_in_no_words_and_goes_with_the_person() {
    let disk = Disk::default();
    let (store, _) = disk.open(&options()).unwrap();
    tell(&store, 4);
    let body = Body::parse("The eagle has landed on the roof").unwrap();
    let person = store.reader().unwrap().person_of(recipient(1)).unwrap().unwrap();
    let since = at(0).minus(Duration::from_hours(1));
    store.commit(|batch| batch.say(person, &body, at(5), since)).unwrap();
    let reader = store.reader().unwrap();
    assert_eq!(reader.said_last(person, &body).unwrap(), Some(at(5)));
    assert_eq!(reader.said_last(person, &Body::parse("The eagle").unwrap()).unwrap(), None);
    assert_sound(&reader);
    assert!(!disk.bytes().windows(9).any(|window| window == b"The eagle"));
    store.commit(|batch| batch.erase(person, at(6), Source::Cli, None)).unwrap();
    assert_sound(&store.reader().unwrap());
}

#[test]
fn what_was_said_to_somebody_who_is_gone_and_a_damaged_row_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dunlin.redb");
    let usage = redb::TableDefinition::<u64, &[u8]>::new("usage");
    let (store, _) = Store::open(&path, &options()).unwrap();
    tell(&store, 4);
    let person = store.reader().unwrap().person_of(recipient(1)).unwrap().unwrap();
    let (body, since) = (Body::parse("hello").unwrap(), at(0).minus(Duration::from_hours(1)));
    store.commit(|batch| batch.say(person, &body, at(5), since)).unwrap();
    store.close().unwrap();
    let database = redb::Database::open(&path).unwrap();
    let read = database.begin_read().unwrap();
    let kept = read.open_table(usage).unwrap().get(person.get()).unwrap().unwrap().value().to_vec();
    drop((read, database));
    let (store, _) = Store::open(&path, &options()).unwrap();
    store.commit(|batch| batch.erase(person, at(6), Source::Cli, None)).unwrap();
    assert_sound(&store.reader().unwrap());
    store.close().unwrap();
    let database = redb::Database::open(&path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(usage).unwrap().insert(person.get(), kept.as_slice()).unwrap();
    write.open_table(usage).unwrap().insert(999, b"short".as_slice()).unwrap();
    write.commit().unwrap();
    drop(database);
    let (store, _) = Store::open(&path, &options()).unwrap();
    let report = verify(&store.reader().unwrap(), None, |_, _| {}).unwrap();
    let problems: Vec<String> = report.first.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 2, "{problems:#?}");
    let named = |what: &str| problems.iter().any(|problem| problem.contains(what));
    assert!(named("table usage") && named("row 999 of table usage"), "{problems:#?}");
}

#[test]
fn what_is_said_in_one_batch_is_known_of_those_who_have_a_row_and_those_who_have_none() {
    let disk = Disk::default();
    let (store, _) = disk.open(&options()).unwrap();
    tell(&store, turns().len());
    let reader = store.reader().unwrap();
    let persons = [0, 1, 2].map(|n| reader.person_of(recipient(n)).unwrap().unwrap());
    let (once, again) = (Body::parse("Once").unwrap(), Body::parse("Again").unwrap());
    let since = at(0).minus(Duration::from_hours(1));
    store.commit(|batch| batch.say(persons[1], &once, at(100), since)).unwrap();
    let said = store.commit(|batch| {
        for person in persons {
            batch.say(person, &again, at(101), since)?;
        }
        batch.said_last(persons[1], &once)
    });
    assert_eq!(said.unwrap(), Some(at(100)));
    let reader = store.reader().unwrap();
    for person in persons {
        assert_eq!(reader.said_last(person, &again).unwrap(), Some(at(101)));
        let known = (person == persons[1]).then_some(at(100));
        assert_eq!(reader.said_last(person, &once).unwrap(), known);
    }
    assert_sound(&reader);
}
