//! Old stretches of the journal move to archives: everything can be read as before, and whatever may
//! still change stays in the store.

use std::fs;
use std::path::PathBuf;
use std::thread;

use dunlin_storage::recovery::{NEWEST_RECORDS, Problem, verify};
use dunlin_storage::{
    ArchiveRequest, AuditFilter, Batch, Content, Entry, JournalSeq, LaneNumber, Located, Projection,
    RawRecord, ReadOnlyStore, Reader, Store,
};
use dunlin_workflows::id::{MessageNumber, PersonNumber};
use dunlin_workflows::message::{Event, Message, Request};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;

use crate::opening::{CACHE_BYTES, keys, options};
use crate::story::{Turn, asked, at, carry_out, carry_out_rest, id, lane_events, request, sid, tell, turns};
use crate::verifying::assert_sound;

const EVERYTHING: ArchiveRequest = ArchiveRequest {
    until: Timestamp::MAX,
    partly_until: Timestamp::MAX,
    records_max: 1 << 20,
    at_once: 512,
};

struct Place {
    dir: tempfile::TempDir,
    store: Store,
}

impl Place {
    fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(&dir.path().join("dunlin.redb"), &options()).unwrap();
        Self { dir, store }
    }

    fn told() -> Self {
        let place = Self::empty();
        tell(&place.store, 4);
        place
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("dunlin.redb")
    }

    fn archives(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.dir.path().join("archives")).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    }

    fn reader(&self) -> Reader {
        self.store.reader().unwrap()
    }
}

fn journal(reader: &Reader) -> Vec<RawRecord> {
    reader.journal(JournalSeq::START).unwrap().map(Result::unwrap).collect()
}

/// Every message of the story with its whole life, by id.
fn messages(reader: &Reader) -> Vec<(MessageNumber, Projection, Vec<Entry>)> {
    let located = (1..=8).map(|n| reader.locate_id(id(n)).unwrap().unwrap());
    located
        .map(|located| {
            let (row, life) = reader.whole(located).unwrap();
            (located.number, row, life)
        })
        .collect()
}

fn audit(reader: &Reader, before: Option<JournalSeq>) -> Vec<JournalSeq> {
    let page = reader.audit(&AuditFilter { before, limit: 7, ..AuditFilter::default() }).unwrap();
    page.records.iter().map(|record| record.seq).collect()
}

/// However large the archives are, they and the store hold the same history as the store did.
#[test]
fn archived_history_reads_as_before_in_archives_of_every_size() {
    let place = Place::told();
    let (before, lives, head) = (journal(&place.reader()), messages(&place.reader()), place.store.head());
    let backwards: Vec<JournalSeq> = before.iter().rev().map(|record| record.seq).collect();
    for records_max in 1..=before.len() as u64 {
        let place = Place::told();
        place.store.archive(ArchiveRequest { records_max, ..EVERYTHING }, &|| true).unwrap();
        let reader = place.reader();
        assert_eq!(journal(&reader), before);
        for (read, last) in (1..).zip(&before) {
            let rest: Vec<_> = reader.journal(last.seq).unwrap().map(Result::unwrap).collect();
            assert_eq!(rest, before[read..], "after {}", last.seq);
        }
        assert_eq!(messages(&reader), lives);
        assert_eq!(reader.locate_sid(sid(8)).unwrap().unwrap().number, MessageNumber::new(8));
        for (end, chunk) in backwards.chunks(7).enumerate() {
            let before = end.checked_sub(1).and_then(|end| backwards.get(end * 7 + 6)).copied();
            assert_eq!(audit(&reader, before), chunk, "{records_max} a file");
        }
        let report = verify(&reader, Some(head), |_, _| {}).unwrap();
        assert!(report.is_sound(), "{records_max} a file: {:#?}", report.first);
        assert_eq!(report.messages + report.archived, 8);
        assert!(report.archived > 0);
        drop(reader);
        place.store.close().unwrap();
        let (store, report) = Store::open(&place.dir.path().join("dunlin.redb"), &options()).unwrap();
        assert_eq!(report.head, head);
        store.commit(|batch| batch.set_cursor("goes on", batch.last_seq())).unwrap();
        assert_sound(&store.reader().unwrap());
    }
}

/// Whenever it happens, and whatever comes afterwards.
#[test]
fn store_goes_on_after_it_was_archived_at_any_time() {
    let turns = turns();
    for then in 0..=turns.len() {
        let place = Place::empty();
        let (first, rest) = turns.split_at(then);
        let tell = |turns: &[Turn]| {
            for turn in turns {
                let number = MessageNumber::new(turn.number);
                let is_new = first.iter().all(|told| told.number != turn.number);
                let is_there = place.reader().message(number).unwrap().is_some();
                // To a message that is in archives alone nothing happens any more.
                if is_new || is_there || std::ptr::eq(turns.as_ptr(), first.as_ptr()) {
                    place.store.commit(|batch| carry_out(batch, turn)).unwrap();
                }
            }
        };
        tell(first);
        place.store.archive(EVERYTHING, &|| true).unwrap();
        assert_sound(&place.reader());
        tell(rest);
        place.store.commit(carry_out_rest).unwrap();
        assert_sound(&place.reader());
        let (before, lives) = (journal(&place.reader()), messages(&place.reader()));
        place.store.archive(EVERYTHING, &|| true).unwrap();
        assert_sound(&place.reader());
        assert_eq!((journal(&place.reader()), messages(&place.reader())), (before, lives));
    }
}

#[test]
fn settled_message_is_in_archives_alone_and_an_open_one_stays() {
    let place = Place::told();
    let open = |reader: &Reader| -> Vec<MessageNumber> {
        let rows = (1..=8).filter_map(|n| Some((n, reader.message(MessageNumber::new(n)).unwrap()?)));
        let open = rows.filter(|(_, row)| !row.message.state.name().is_settled());
        open.map(|(n, _)| MessageNumber::new(n)).collect()
    };
    let before = open(&place.reader());
    place.store.archive(EVERYTHING, &|| true).unwrap();
    let reader = place.reader();
    assert_eq!(open(&reader), before);
    assert!(reader.message_count().unwrap() <= before.len() as u64 + 1, "the newest stays as well");
    let gone: Vec<Located> = (1..=8)
        .map(|n| reader.locate_id(id(n)).unwrap().unwrap())
        .filter(|located| located.is_archived)
        .collect();
    assert!(!gone.is_empty());
    for located in gone {
        assert_eq!(reader.message(located.number).unwrap(), None);
        assert_eq!(reader.whole(located).unwrap().1.last().unwrap().seq, located.last_seq);
    }
    assert_eq!(reader.locate_id(id(99)).unwrap(), None);
}

/// What was sealed for a person who is gone must never meet another person's key.
#[test]
fn number_of_an_erased_person_is_not_given_again_after_their_messages_were_archived() {
    let place = Place::told();
    let (number, row, _) = messages(&place.reader()).pop().unwrap();
    let person = row.message.person;
    place.store.commit(|batch| batch.erase(person, at(99), Source::Cli, None)).unwrap();
    // The newest message stays, so there must be one after theirs.
    let newest = Request { id: id(30), ..asked(1) };
    let begun = [accepted_by(&newest, person_of(&place.store, newest.to))];
    let message = Message::begin(&begun[0], at(99)).unwrap();
    place.store.commit(|batch| batch.create(at(99), Source::Api, &newest, &begun, &message, None)).unwrap();
    place.store.archive(EVERYTHING, &|| true).unwrap();
    assert_eq!(place.reader().message(number).unwrap(), None);
    let next = person_of(&place.store, request(77).to);
    assert!(next > person, "{next:?} after {person:?}");
    let located = place.reader().locate_id(id(8)).unwrap().unwrap();
    let (row, _) = place.reader().whole(located).unwrap();
    assert_eq!(place.reader().content_at(row.accepted_seq).unwrap().1, Content::Erased);
}

fn person_of(store: &Store, to: PhoneNumber) -> PersonNumber {
    store.commit(|batch| batch.person(to)).unwrap()
}

fn accepted_by(request: &Request, person: PersonNumber) -> Event {
    Event::Accepted { terms: Box::new(request.terms(person, None)) }
}

#[test]
fn young_records_stay_and_a_small_archive_waits() {
    let place = Place::told();
    let nothing = ArchiveRequest { until: Timestamp::EPOCH, ..EVERYTHING };
    assert_eq!(place.store.archive(nothing, &|| true).unwrap().archives, 0);
    let waits = ArchiveRequest { partly_until: Timestamp::EPOCH, ..EVERYTHING };
    assert_eq!(place.store.archive(waits, &|| true).unwrap().archives, 0);
    let full = ArchiveRequest { records_max: 5, ..waits };
    let records = journal(&place.reader()).len() as u64;
    assert_eq!(place.store.archive(full, &|| true).unwrap().archives, (records - 1) / 5);
    assert_sound(&place.reader());
}

/// A crash finds what some commit left, and every one of them is sound: each step is one commit.
#[test]
fn whoever_looks_in_the_middle_finds_everything() {
    let place = Place::told();
    let (before, lives) = (journal(&place.reader()), messages(&place.reader()));
    let step_by_step = ArchiveRequest { records_max: 9, at_once: 1, ..EVERYTHING };
    thread::scope(|scope| {
        let archiving = scope.spawn(|| place.store.archive(step_by_step, &|| true).unwrap());
        let mut looked = 0;
        while !archiving.is_finished() {
            let reader = place.reader();
            assert_sound(&reader);
            assert_eq!((journal(&reader), messages(&reader)), (before.clone(), lives.clone()));
            looked += 1;
        }
        assert!(looked > 3);
    });
}

#[test]
fn missing_archive_is_named_with_the_remedy() {
    let place = Place::told();
    place.store.archive(EVERYTHING, &|| true).unwrap();
    place.store.close().unwrap();
    let place = Place { store: Place::empty().store, dir: place.dir };
    let archive = place.archives().remove(0);
    fs::rename(&archive, archive.with_extension("moved")).unwrap();
    // What the engine needs is in the store.
    drop(Store::open(&place.path(), &options()).unwrap());
    let store = ReadOnlyStore::open(&place.path(), CACHE_BYTES, Some(keys(1))).unwrap();
    let error = verify(&store.reader().unwrap(), None, |_, _| {}).unwrap_err().to_string();
    assert!(error.contains("is missing; put it back"), "{error}");
    assert!(error.contains(archive.file_name().unwrap().to_str().unwrap()), "{error}");
}

#[test]
fn every_damaged_byte_of_an_archive_is_noticed() {
    let place = Place::told();
    place.store.archive(EVERYTHING, &|| true).unwrap();
    let archive = place.archives().remove(0);
    let whole = fs::read(&archive).unwrap();
    place.store.close().unwrap();
    for index in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[index] ^= 0x10;
        fs::write(&archive, damaged).unwrap();
        let path = place.dir.path().join("dunlin.redb");
        let store = ReadOnlyStore::open(&path, CACHE_BYTES, None).unwrap();
        match verify(&store.reader().unwrap(), None, |_, _| {}) {
            Err(error) => assert!(error.to_string().starts_with("archive "), "byte {index}: {error}"),
            Ok(report) => {
                let named = |problem: &Problem| matches!(problem, Problem::Archive { .. });
                assert!(report.first.iter().any(named), "byte {index}: {:#?}", report.first);
            }
        }
    }
}

#[test]
fn what_an_interrupted_run_left_is_removed() {
    let place = Place::told();
    let draft = place.dir.path().join("archives/.draft-1");
    fs::create_dir(place.dir.path().join("archives")).unwrap();
    fs::write(&draft, "half").unwrap();
    place.store.archive(EVERYTHING, &|| true).unwrap();
    assert!(!draft.exists());
    assert_sound(&place.reader());
}

/// What can't be read is not moved to where nobody looks at it again.
#[test]
fn damaged_record_is_not_archived() {
    let place = Place::told();
    // Opening reads the newest records.
    let cooled = lane_events().remove(0);
    let cool = |batch: &mut Batch<'_>| {
        let mut lane = batch.lane(LaneNumber::FIRST)?;
        lane.apply(&cooled);
        batch.record_lane(LaneNumber::FIRST, at(99), Source::Dispatcher, &cooled, &lane)
    };
    place.store.commit(|batch| (0..NEWEST_RECORDS).try_for_each(|_| cool(batch))).unwrap();
    place.store.close().unwrap();
    let path = place.dir.path().join("dunlin.redb");
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let journal = redb::TableDefinition::<u64, &[u8]>::new("journal");
    transaction.open_table(journal).unwrap().insert(3, b"damaged".as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let (store, _) = Store::open(&path, &options()).unwrap();
    let error = store.archive(EVERYTHING, &|| true).unwrap_err().to_string();
    assert!(error.starts_with("journal record 3: "), "{error}");
    assert_eq!(store.reader().unwrap().segments().unwrap(), []);
}
