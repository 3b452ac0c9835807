//! Who is held while sending is switched off is found without reading everybody who waits.

use dunlin_storage::recovery::{NEWEST_RECORDS, verify};
use dunlin_storage::{LaneNumber, ReadOnlyStore, Store};
use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::message::{Event, Hold, Message, Request};
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;
use redb::{Database, TableDefinition, WriteTransaction};

use crate::opening::{CACHE_BYTES, keys, options};
use crate::story::{accepted, at, lane_events, request};
use crate::verifying::assert_sound;

const SWITCHED_OFF: TableDefinition<'_, u64, ()> = TableDefinition::new("switched_off");

/// Accepts message `n`, which is held.
fn hold(store: &Store, n: u8, hold: Hold, until: Timestamp) {
    let request = Request { expires_at: Some(at(9_000)), ..request(n) };
    let events = [accepted(&request), Event::Held { hold, until }];
    let mut message = Message::begin(&events[0], at(1)).unwrap();
    message.apply(&events[1], at(1)).unwrap();
    let timer = Some(until.min(at(9_000)));
    store
        .commit(|batch| {
            batch.person(request.to)?;
            batch.create(at(1), Source::Api, &request, &events, &message, timer)
        })
        .unwrap();
}

fn numbers(store: &Store) -> Vec<u64> {
    let held = store.reader().unwrap().switched_off(MessageNumber::new(0), 10).unwrap();
    held.into_iter().map(MessageNumber::get).collect()
}

/// A file with three held messages, the second and third by the switch, changed by `harm`.
fn file_after(harm: impl FnOnce(&WriteTransaction)) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dunlin.redb");
    let (store, _) = Store::open(&path, &options()).unwrap();
    hold(&store, 1, Hold::Scheduled, at(5_000));
    hold(&store, 2, Hold::SendingDisabled, Timestamp::MAX);
    hold(&store, 4, Hold::SendingDisabled, Timestamp::MAX);
    assert_eq!(numbers(&store), [2, 3]);
    store.close().unwrap();
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    harm(&transaction);
    transaction.commit().unwrap();
    drop(database);
    (dir, path)
}

#[test]
fn message_is_listed_while_the_switch_holds_it() {
    let (_dir, path) = file_after(|_| {});
    let (store, _) = Store::open(&path, &options()).unwrap();
    let second = MessageNumber::new(2);
    let after_it = store.reader().unwrap().switched_off(second, 10).unwrap();
    assert_eq!(after_it, [MessageNumber::new(3)]);
    store
        .commit(|batch| {
            let mut message = batch.load(second)?.unwrap().message.clone();
            message.apply(&Event::BecameDue, at(2)).unwrap();
            batch.record(second, at(2), Source::Timer, &[Event::BecameDue], &message, Some(at(9_000)))
        })
        .unwrap();
    assert_eq!(numbers(&store), [3]);
    assert_sound(&store.reader().unwrap());
}

#[test]
fn file_of_format_2_from_before_the_index_gets_it_when_it_is_opened() {
    let (_dir, path) = file_after(|transaction| {
        assert!(transaction.delete_table(SWITCHED_OFF).unwrap());
        let meta = TableDefinition::<&str, &[u8]>::new("meta");
        transaction.open_table(meta).unwrap().insert("format", [2].as_slice()).unwrap();
    });
    let (store, report) = Store::open(&path, &options()).unwrap();
    assert_eq!(report.upgraded_from, Some(2));
    assert_eq!(numbers(&store), [2, 3]);
    assert_sound(&store.reader().unwrap());
}

#[test]
fn index_that_differs_from_the_rows_is_named() {
    for (what, listed) in [("missing", false), ("stray", true)] {
        let (_dir, path) = file_after(|transaction| {
            let mut index = transaction.open_table(SWITCHED_OFF).unwrap();
            if listed {
                index.insert(1, ()).unwrap();
            } else {
                index.remove(2).unwrap();
            }
        });
        let looking = ReadOnlyStore::open(&path, CACHE_BYTES, Some(keys(1))).unwrap();
        let report = verify(&looking.reader().unwrap(), None, |_, _| {}).unwrap();
        assert!(report.first.iter().any(|problem| problem.to_string().contains("switched_off")), "{what}");
        let error = looking.check().unwrap_err().to_string();
        assert!(error.starts_with("table switched_off is wrong about message number"), "{what}: {error}");
    }
}

/// Opening reads what a crash can have hurt, and no more: the rest is checked when it is met.
#[test]
fn damage_in_an_old_row_is_named_when_the_row_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dunlin.redb");
    let (store, _) = Store::open(&path, &options()).unwrap();
    hold(&store, 1, Hold::Scheduled, at(5_000));
    let cooled = lane_events().first().unwrap().clone();
    store
        .commit(|batch| {
            (0..NEWEST_RECORDS).try_for_each(|_| {
                let mut lane = batch.lane(LaneNumber::FIRST)?;
                lane.apply(&cooled);
                batch.record_lane(LaneNumber::FIRST, at(2), Source::Dispatcher, &cooled, &lane)
            })
        })
        .unwrap();
    store.close().unwrap();
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let messages = TableDefinition::<u64, &[u8]>::new("messages");
    transaction.open_table(messages).unwrap().insert(1, b"damaged".as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(database);

    let (store, report) = Store::open(&path, &options()).unwrap();
    assert_eq!(report.messages, 1);
    let read = store.reader().unwrap().message(MessageNumber::new(1)).unwrap_err();
    assert!(read.to_string().starts_with("row 1 of table messages: "), "{read}");
    let refused = store.commit(|batch| batch.load(MessageNumber::new(1)).map(|_| ())).unwrap_err();
    assert!(refused.to_string().contains("row 1 of table messages"), "{refused}");
    let report = verify(&store.reader().unwrap(), None, |_, _| {}).unwrap();
    assert!(report.first.iter().any(|problem| problem.to_string().contains("row 1 of table messages")));
}
