//! Damage of every kind is found, named, and never folded over in silence.

use std::convert::Infallible;

use dunlin_storage::recovery::{Flaw, Fold, Problem, Until, VerifyReport, Visitor, fold, verify};
use dunlin_storage::{JournalSeq, RawRecord, ReadOnlyStore, Reader, Record, Store};
use dunlin_workflows::id::MessageNumber;
use redb::{Database, ReadableTable, TableDefinition, WriteTransaction};

use crate::disk::Disk;
use crate::opening::{CACHE_BYTES, keys, options};
use crate::story::{at, tell, turns};

pub(crate) fn assert_sound(reader: &Reader) {
    let report = verify(reader, None, |_, _| {}).unwrap();
    assert!(report.is_sound(), "{:#?}", report.first);
}

/// Verifies a told store after `harm` changed the file behind its back.
fn verify_after(harm: impl FnOnce(&WriteTransaction)) -> VerifyReport {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dunlin.redb");
    let (store, _) = Store::open(&path, &options()).unwrap();
    tell(&store, 4);
    store.close().unwrap();
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    harm(&transaction);
    transaction.commit().unwrap();
    drop(database);
    let store = ReadOnlyStore::open(&path, CACHE_BYTES, Some(keys(1))).unwrap();
    verify(&store.reader().unwrap(), None, |_, _| {}).unwrap()
}

/// The texts of all problems that verifying finds after `harm`.
fn problems_after(harm: impl FnOnce(&WriteTransaction)) -> Vec<String> {
    let report = verify_after(harm);
    assert_eq!(report.problems, report.first.len() as u64);
    report.first.iter().map(ToString::to_string).collect()
}

const JOURNAL: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("journal");
const MESSAGES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("messages");
const TIMERS: TableDefinition<'_, (i64, u64), ()> = TableDefinition::new("timers");
const BY_STATE: TableDefinition<'_, (u8, u64), ()> = TableDefinition::new("by_state");
const BY_PERSON: TableDefinition<'_, (u64, u64), ()> = TableDefinition::new("by_person");

#[test]
fn sound_store_is_read_completely() {
    let report = verify_after(|_| {});
    assert!(report.is_sound(), "{:#?}", report.first);
    let events: usize = turns().iter().map(|turn| turn.events.len()).sum();
    assert_eq!(report.records, events as u64 + 3);
    assert_eq!((report.messages, report.lanes), (8, 1));
    assert_eq!(
        report.events.len(),
        18,
        "every event but unconfirmed, which is younger than the history: {:?}",
        report.events
    );
}

#[test]
fn damaged_record_is_named_with_its_position() {
    let problems = problems_after(|transaction| {
        let mut journal = transaction.open_table(JOURNAL).unwrap();
        let mut bytes = journal.get(3).unwrap().unwrap().value().to_vec();
        bytes[20] ^= 1;
        journal.insert(3, bytes.as_slice()).unwrap();
    });
    assert!(problems[0].starts_with("journal record 3: the checksum is"), "{problems:#?}");
}

#[test]
fn missing_record_is_named_with_its_position() {
    let problems = problems_after(|transaction| {
        transaction.open_table(JOURNAL).unwrap().remove(4).unwrap();
    });
    assert_eq!(problems[0], "journal record 5: position 4 should come next; records are missing");
}

#[test]
fn row_that_says_less_than_the_records_is_named() {
    let problems = problems_after(|transaction| {
        let mut journal = transaction.open_table(JOURNAL).unwrap();
        let last = journal.last().unwrap().map(|(seq, _)| seq.value()).unwrap();
        let first = (1..).map(JournalSeq::new).find_map(|seq| {
            let bytes = journal.get(seq.get()).unwrap().unwrap().value().to_vec();
            let record = Record::decode(seq, &bytes).unwrap();
            let of_7 =
                matches!(record.event, dunlin_storage::Event::Message { number, .. } if number.get() == 7);
            of_7.then_some(record)
        });
        let seq = JournalSeq::new(last + 1);
        let polled = dunlin_workflows::message::Event::Polled { polls: 1 };
        let first = first.unwrap();
        let event = dunlin_storage::Event::Message { number: MessageNumber::new(7), event: polled };
        let extra = Record { seq, previous: Some(first.seq), event, ..first };
        journal.insert(seq.get(), extra.encode().unwrap().as_slice()).unwrap();
    });
    assert!(problems[0].contains("it says that it follows"), "{problems:#?}");
    assert!(
        problems[1]
            .starts_with("message number 7: its row and its records differ in changed_at, state, last_seq"),
        "{problems:#?}"
    );
}

#[test]
fn row_that_is_missing_or_damaged_is_named() {
    let problems = problems_after(|transaction| {
        let mut messages = transaction.open_table(MESSAGES).unwrap();
        messages.remove(6).unwrap();
        let mut bytes = messages.get(1).unwrap().unwrap().value().to_vec();
        bytes[9] ^= 1;
        messages.insert(1, bytes.as_slice()).unwrap();
    });
    let found =
        |text: &str| assert!(problems.iter().any(|problem| problem.contains(text)), "{text}: {problems:#?}");
    found("row 1 of table messages: the checksum is");
    found("message number 6: its row is missing, its records end at 35");
    found("table messages: it holds 7 entries, 8 belong there");
    found("table by_state: its entry unknown 6 belongs to nothing");
}

#[test]
fn row_that_belongs_to_no_message_is_named() {
    let problems = problems_after(|transaction| {
        let mut messages = transaction.open_table(MESSAGES).unwrap();
        let bytes = messages.get(5).unwrap().unwrap().value().to_vec();
        messages.insert(9, bytes.as_slice()).unwrap();
    });
    assert!(
        problems.iter().any(|p| p.starts_with("row 9 of table messages: the checksum is")),
        "{problems:#?}"
    );
}

#[test]
fn entries_that_are_missing_or_stray_are_named() {
    let problems = problems_after(|transaction| {
        let mut timers = transaction.open_table(TIMERS).unwrap();
        timers.remove((at(40).as_millis(), 5)).unwrap();
        timers.insert((1, 1), ()).unwrap();
        timers.insert((2, 2), ()).unwrap();
        transaction.open_table(BY_STATE).unwrap().insert((8, 2), ()).unwrap();
        transaction.open_table(BY_PERSON).unwrap().insert((9, 1), ()).unwrap();
        let sids = TableDefinition::<&[u8; 34], u64>::new("provider_sids");
        transaction.open_table(sids).unwrap().insert(b"SM00000000000000000000000000000007", 1).unwrap();
        let totals = TableDefinition::<u8, u64>::new("totals");
        transaction.open_table(totals).unwrap().insert(2, 7).unwrap();
        let cursors = TableDefinition::<&str, u64>::new("cursors");
        transaction.open_table(cursors).unwrap().insert("supabase", 1_000).unwrap();
    });
    for expected in [
        "table provider_sids: its entry for message number 7 is missing or names another",
        "table timers: its entry for message number 5 is missing or names another",
        "table timers: it holds 3 entries, 2 belong there",
        "table timers: its entry 1 1 belongs to nothing",
        "table timers: its entry 2 2 belongs to nothing",
        "table by_state: it holds 9 entries, 8 belong there",
        "table by_state: its entry delivered 2 belongs to nothing",
        "table by_person: it holds 9 entries, 8 belong there",
        "table totals: it counts 7 messages as held, there are 1",
        "table cursors: \"supabase\" stands at 1000, after the journal's end",
    ] {
        assert!(problems.iter().any(|problem| problem == expected), "{expected}: {problems:#?}");
    }
}

#[test]
fn changed_lane_orphan_and_idempotency_rows_are_named() {
    let problems = problems_after(|transaction| {
        let lanes = TableDefinition::<u64, &[u8]>::new("lanes");
        transaction.open_table(lanes).unwrap().remove(1).unwrap();
        let ages = TableDefinition::<(i64, &[u8; 34], u64), ()>::new("orphan_age");
        let mut ages = transaction.open_table(ages).unwrap();
        ages.pop_first().unwrap().unwrap();
        let keys = TableDefinition::<&[u8; 16], &[u8]>::new("idempotency");
        transaction.open_table(keys).unwrap().insert(&[0xaa; 16], b"short".as_slice()).unwrap();
    });
    for expected in [
        "lane 1: its row and its records differ",
        "table orphan_age: it holds 2 entries, 3 belong there",
        "row aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa of table idempotency: the checksum is",
    ] {
        assert!(problems.iter().any(|problem| problem.starts_with(expected)), "{expected}: {problems:#?}");
    }
}

/// Remembers flaws, and how many records were folded.
#[derive(Default)]
struct Listener {
    happened: u64,
    flaws: Vec<(u64, Flaw)>,
}

impl Visitor for Listener {
    fn happened(&mut self, _record: &Record, _fold: &mut Fold) {
        self.happened += 1;
    }

    fn flawed(&mut self, seq: JournalSeq, flaw: Flaw) {
        self.flaws.push((seq.get(), flaw));
    }
}

fn told_records() -> Vec<RawRecord> {
    let (store, _) = Disk::default().open(&options()).unwrap();
    tell(&store, 4);
    store.reader().unwrap().journal(JournalSeq::START).unwrap().map(Result::unwrap).collect()
}

fn folded(records: Vec<RawRecord>, until: Until) -> (Fold, Listener) {
    let mut listener = Listener::default();
    let records = records.into_iter().map(Ok::<_, Infallible>);
    (fold(records, until, &mut listener).unwrap(), listener)
}

#[test]
fn records_fold_to_the_same_outside_the_store() {
    let records = told_records();
    let count = records.len() as u64;
    let (fold, listener) = folded(records, Until::End);
    assert_eq!((listener.happened, fold.last_seq.get()), (count, count));
    assert!(listener.flaws.is_empty(), "{:?}", listener.flaws);
    assert_eq!((fold.messages.len(), fold.lanes.len()), (8, 1));
}

#[test]
fn fold_stops_at_a_position_or_at_an_instant() {
    let (fold, _) = folded(told_records(), Until::Seq(JournalSeq::new(2)));
    assert_eq!(fold.last_seq.get(), 2);
    let (fold, _) = folded(told_records(), Until::Time(at(2)));
    assert_eq!(fold.last_seq.get(), 3, "two events at second 1, one at second 2");
}

#[test]
fn event_that_can_not_have_happened_is_named_and_changes_nothing() {
    let mut records = told_records();
    let first = Record::decode(records[0].seq, &records[0].bytes).unwrap();
    let twice = Record { seq: JournalSeq::new(2), previous: Some(JournalSeq::new(1)), ..first };
    records.truncate(1);
    records.push(RawRecord { seq: twice.seq, bytes: twice.encode().unwrap() });
    let (fold, listener) = folded(records, Until::End);
    assert!(matches!(listener.flaws[..], [(2, Flaw::Illegal(_))]), "{:?}", listener.flaws);
    assert_eq!(fold.messages.len(), 1);
}

#[test]
fn report_lists_the_first_problems_and_counts_all() {
    let report = verify_after(|transaction| {
        let mut timers = transaction.open_table(TIMERS).unwrap();
        for n in 0..500 {
            timers.insert((n, 1), ()).unwrap();
        }
    });
    assert_eq!(report.problems, 501);
    assert_eq!(report.first.len(), dunlin_storage::recovery::PROBLEMS_LISTED);
    assert!(matches!(report.first[0], Problem::WrongCount { table: "timers", .. }));
}
