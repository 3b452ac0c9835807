//! Files and bytes of every format stay readable by every later version.
//!
//! `DUNLIN_WRITE_FIXTURE=1 cargo test -p dunlin-storage` writes the fixtures anew. Do that only before
//! a format is released; afterwards a difference is a broken promise.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use dunlin_storage::{
    ArchiveRequest, JournalSeq, LaneNumber, OpenError, OpenOptions, OpenReport, ReadOnlyStore, Reader,
    Record, Store,
};
use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::lane::Lane;
use dunlin_workflows::message::{Message, Request};
use dunlin_workflows::timestamp::Timestamp;

use crate::opening::{CACHE_BYTES, keys, options};
use crate::story::{KEY, START_MS, answer, asked, at, id, lane_events, orphan, sid, tell, timer, turns};
use crate::verifying::assert_sound;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn is_writing() -> bool {
    std::env::var_os("DUNLIN_WRITE_FIXTURE").is_some()
}

/// Every record of the history as lines of `position name hex`.
fn hex_of(reader: &Reader) -> String {
    let mut text = String::new();
    for raw in reader.journal(JournalSeq::START).unwrap() {
        let raw = raw.unwrap();
        let record = Record::decode(raw.seq, &raw.bytes).unwrap();
        let name = match &record.event {
            dunlin_storage::Event::Message { event, .. } => event.name(),
            dunlin_storage::Event::Lane { event, .. } => event.name(),
            dunlin_storage::Event::Person { event, .. } => event.name(),
            dunlin_storage::Event::Instance { event, .. } => event.name(),
        };
        write!(text, "{} {name} ", raw.seq).unwrap();
        raw.bytes.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap());
        text.push('\n');
    }
    text
}

#[test]
fn records_are_written_as_since_format_2() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(&dir.path().join("dunlin.redb"), &options()).unwrap();
    tell(&store, 3);
    let hex = hex_of(&store.reader().unwrap());
    let path = fixture("records-v2.txt");
    if is_writing() {
        fs::write(&path, &hex).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap();
    for (ours, theirs) in hex.lines().zip(golden.lines()) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(hex.lines().count(), golden.lines().count());
}

/// Half of the history is in an archive.
#[test]
fn file_of_format_4_opens_and_says_what_was_put_in() {
    let path = fixture("store-v4/dunlin.redb");
    if is_writing() {
        write_store(&path);
    }
    let (report, hex) = assert_fixture_opens(&path);
    assert_eq!((report.format, report.upgraded_from), (4, None));
    assert_eq!(hex, fs::read_to_string(fixture("records-v2.txt")).unwrap());
}

/// Half of the history is in an archive. The upgrade changes no record.
#[test]
fn file_of_format_3_is_upgraded_and_says_what_was_put_in() {
    let (report, hex) = assert_fixture_opens(&fixture("store-v3/dunlin.redb"));
    assert_eq!((report.format, report.upgraded_from, report.is_unclean), (4, Some(3), false));
    assert_eq!(hex, fs::read_to_string(fixture("records-v2.txt")).unwrap());
}

/// The upgrade changes no record.
#[test]
fn file_of_format_2_is_upgraded_and_says_what_was_put_in() {
    let (report, hex) = assert_fixture_opens(&fixture("store-v2.redb"));
    assert_eq!((report.format, report.upgraded_from, report.is_unclean), (4, Some(2), false));
    assert_eq!(hex, fs::read_to_string(fixture("records-v2.txt")).unwrap());
}

/// The upgrade seals what was in clear and changes no other record.
#[test]
fn file_of_format_1_is_upgraded_and_says_what_was_put_in() {
    let (report, new) = assert_fixture_opens(&fixture("store-v1.redb"));
    assert_eq!((report.format, report.upgraded_from, report.is_unclean), (4, Some(1), true));
    let old = fs::read_to_string(fixture("records-v1.txt")).unwrap();
    assert_eq!(old.lines().count(), new.lines().count());
    for (old, new) in old.lines().zip(new.lines()) {
        let is_sealed = old.contains(" accepted ");
        assert_eq!(old == new, !is_sealed, "{old}");
    }
}

#[test]
fn file_of_format_1_is_not_looked_at_without_the_upgrade() {
    let error = ReadOnlyStore::open(&fixture("store-v1.redb"), CACHE_BYTES, Some(keys(1))).unwrap_err();
    assert!(matches!(error, OpenError::OlderFormat { found: 1 }), "{error}");
}

/// Opens a copy of a fixture and compares it with the history; gives its records too.
fn assert_fixture_opens(path: &Path) -> (OpenReport, String) {
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("dunlin.redb");
    fs::copy(path, &copy).unwrap();
    copy_directory(&path.with_file_name("archives"), &dir.path().join("archives"));
    let options = OpenOptions { callback_key: [0; 32], check_integrity: true, ..options() };
    let (store, report) = Store::open(&copy, &options).unwrap();
    assert_eq!(report.created_at, Timestamp::from_millis(START_MS));
    assert_eq!(store.callback_key(), &[7; 32]);
    assert_eq!(store.head(), report.head);
    let reader = store.reader().unwrap();
    let hex = hex_of(&reader);
    assert_sound(&reader);
    for n in 1..=8 {
        assert_message(&reader, n);
    }
    let mut lane = Lane::default();
    for event in lane_events() {
        lane.apply(&event);
    }
    assert_eq!(reader.lane(LaneNumber::FIRST).unwrap(), lane);
    assert_eq!(reader.idempotency(&KEY).unwrap(), Some(answer()));
    let cursors = ["supabase", "exports"].map(|name| reader.cursor(name).unwrap());
    assert!(cursors.contains(&JournalSeq::new(10)), "what the story calls it, then and now");
    drop(reader);
    let orphans = store.commit(|batch| batch.take_orphans(sid(20))).unwrap();
    assert_eq!(orphans, [orphan(20, 81), orphan(20, 82)]);
    (report, hex)
}

/// Compares message `n` of the fixture with the history.
fn assert_message(reader: &Reader, n: u64) {
    let number = MessageNumber::new(n);
    let mut expected = None::<Message>;
    for turn in turns().iter().filter(|turn| turn.number == n) {
        for event in &turn.events {
            match &mut expected {
                Some(message) => message.apply(event, turn.at).unwrap(),
                None => expected = Some(Message::begin(event, turn.at).unwrap()),
            }
        }
    }
    let expected = expected.unwrap();
    let located = reader.locate_id(id(u8::try_from(n).unwrap())).unwrap().unwrap();
    assert_eq!(located.number, number);
    let (row, life) = reader.whole(located).unwrap();
    assert_eq!((row.timer, &row.message), (timer(&expected), &expected), "message {n}");
    assert_eq!(life.last().unwrap().seq, located.last_seq);
    let (terms, content) = reader.content_at(row.accepted_seq).unwrap();
    let request = Request::of(&terms, content.text().unwrap());
    assert_eq!(request, asked(u8::try_from(n).unwrap()), "message {n}");
    assert_eq!(reader.person_of(request.to).unwrap(), Some(row.message.person), "message {n}");
}

/// Writes the fixture as small as it gets.
fn write_store(path: &Path) {
    let dir = tempfile::tempdir().unwrap();
    let draft = dir.path().join("dunlin.redb");
    let (store, _) = Store::open(&draft, &options()).unwrap();
    tell(&store, 3);
    store.archive(ArchiveRequest::everything(at(40)), &|| true).unwrap();
    store.close().unwrap();
    let mut database = redb::Database::open(&draft).unwrap();
    while database.compact().unwrap() {}
    database.close().unwrap();
    let place = path.parent().unwrap();
    drop(fs::remove_dir_all(place));
    fs::create_dir_all(place).unwrap();
    fs::copy(&draft, path).unwrap();
    copy_directory(&dir.path().join("archives"), &place.join("archives"));
}

/// Copies the files of a directory, if there is one.
fn copy_directory(from: &Path, to: &Path) {
    let Ok(entries) = fs::read_dir(from) else { return };
    fs::create_dir_all(to).unwrap();
    for entry in entries {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
