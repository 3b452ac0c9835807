//! Opening creates a whole file or none, locks it, and refuses what it does not understand.

use std::fs;
use std::sync::Arc;

use dunlin_storage::{Entropy, Keyring, OpenError, OpenOptions, ReadOnlyStore, Store};
use dunlin_workflows::message::StateName;
use redb::{Database, TableDefinition};

use crate::disk::Disk;
use crate::story::{START_MS, tell};
use crate::verifying::assert_sound;
use dunlin_workflows::timestamp::Timestamp;

pub(crate) const CACHE_BYTES: usize = 4 << 20;

/// The keys of a seed.
pub(crate) fn keys(seed: u64) -> Arc<Keyring> {
    Arc::new(Keyring::generate(&Entropy::seeded(seed)).unwrap())
}

pub(crate) fn options() -> OpenOptions {
    OpenOptions {
        now: Timestamp::from_millis(START_MS),
        cache_bytes: CACHE_BYTES,
        callback_key: [7; 32],
        keys: keys(1),
        entropy: Entropy::seeded(1),
        check_integrity: false,
        newcomers_max: 2,
    }
}

#[test]
fn reopened_store_says_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dunlin.redb");
    let (store, created) = Store::open(&path, &options()).unwrap();
    assert!(created.created);
    tell(&store, 4);
    let life =
        |store: &Store, n| store.reader().unwrap().life(dunlin_workflows::id::MessageNumber::new(n)).unwrap();
    let before: Vec<_> = (1..=8).map(|n| life(&store, n)).collect();
    store.close().unwrap();

    let other_key = OpenOptions { callback_key: [8; 32], now: Timestamp::MAX, ..options() };
    let (store, report) = Store::open(&path, &other_key).unwrap();
    assert_eq!((1..=8).map(|n| life(&store, n)).collect::<Vec<_>>(), before);
    assert_eq!(store.callback_key(), &[7; 32], "the key of the file stays");
    assert!(!report.created && !report.repaired);
    assert_eq!(report.created_at, Timestamp::from_millis(START_MS));
    assert_eq!((report.messages, report.orphans, report.timers), (8, 3, 2));
    assert_eq!(report.open, [(StateName::Held, 1), (StateName::Unknown, 1), (StateName::Submitted, 1)]);
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["dunlin.redb"], "no draft is left behind");
}

#[test]
fn second_opener_is_told_that_the_file_is_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dunlin.redb");
    let (store, _) = Store::open(&path, &options()).unwrap();
    let second = Store::open(&path, &options()).unwrap_err();
    assert!(matches!(second, OpenError::InUse { .. }), "{second}");
    assert!(matches!(ReadOnlyStore::open(&path, CACHE_BYTES, None), Err(OpenError::InUse { .. })));
    store.close().unwrap();

    let looking = ReadOnlyStore::open(&path, CACHE_BYTES, None).unwrap();
    assert!(matches!(Store::open(&path, &options()), Err(OpenError::InUse { .. })));
    assert_sound(&looking.reader().unwrap());
    drop(looking);
    Store::open(&path, &options()).unwrap();
}

#[test]
fn draft_left_by_a_killed_creation_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dunlin.redb");
    let mine = dir.path().join(format!("dunlin.redb.creating-{}", std::process::id()));
    for draft in [mine.as_path(), &dir.path().join("dunlin.redb.creating-1")] {
        fs::write(draft, b"half a file").unwrap();
    }
    let (store, report) = Store::open(&path, &options()).unwrap();
    assert!(report.created);
    tell(&store, 4);
    assert!(!mine.exists());
}

#[test]
fn creation_does_not_replace_what_stands_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.txt");
    fs::write(&path, b"not a database, and precious").unwrap();
    assert!(Store::open(&path, &options()).is_err());
    assert_eq!(fs::read(&path).unwrap(), b"not a database, and precious");
}

#[test]
fn directory_that_does_not_exist_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = Store::open(&dir.path().join("no/such/dunlin.redb"), &options()).unwrap_err();
    assert!(matches!(error, OpenError::Io { .. }), "{error}");
    assert!(error.to_string().contains("no/such"), "{error}");
}

#[test]
fn database_of_something_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("other.redb");
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(TableDefinition::<u64, u64>::new("other")).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(matches!(Store::open(&path, &options()), Err(OpenError::NotDunlin { .. })));
}

#[test]
fn file_of_a_newer_version_is_refused_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dunlin.redb");
    Store::open(&path, &options()).unwrap().0.close().unwrap();
    set_meta(&path, "format", &[5]);
    let error = Store::open(&path, &options()).unwrap_err();
    assert!(matches!(error, OpenError::NewerFormat { found: 5, known: 4 }));
    assert!(error.to_string().ends_with("upgrade"), "{error}");
    set_meta(&path, "format", &[]);
    assert!(matches!(Store::open(&path, &options()), Err(OpenError::Meta { key: "format" })));
}

#[test]
fn store_that_was_not_closed_needs_repair_before_looking() {
    let disk = Disk::default();
    let (store, _) = disk.open(&options()).unwrap();
    tell(&store, 4);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dunlin.redb");
    let crashed = disk.lose_power();
    fs::write(&path, crashed.bytes()).unwrap();
    let error = ReadOnlyStore::open(&path, CACHE_BYTES, None).unwrap_err();
    assert!(matches!(error, OpenError::NeedsRepair { .. }), "{error}");
    let (store, report) = Store::open(&path, &options()).unwrap();
    assert!(report.repaired);
    store.close().unwrap();
    ReadOnlyStore::open(&path, CACHE_BYTES, None).unwrap().check().unwrap();
}

#[test]
fn damage_that_opening_looks_for_is_named() {
    let journal = TableDefinition::<u64, &[u8]>::new("journal");
    let by_state = TableDefinition::<(u8, u64), ()>::new("by_state");
    let damaged = open_after(|transaction| {
        transaction.open_table(journal).unwrap().insert(40, b"damaged".as_slice()).unwrap();
    });
    assert!(damaged.starts_with("journal record 40: 7 bytes are too few"), "{damaged}");
    let gap = open_after(|transaction| {
        transaction.open_table(journal).unwrap().remove(7).unwrap();
    });
    assert!(gap.contains("holds 46 records where 47 belong"), "{gap}");
    let strayed = open_after(|transaction| {
        transaction.open_table(by_state).unwrap().insert((3, 1), ()).unwrap();
    });
    assert!(strayed.starts_with("table by_state is wrong about message number 1"), "{strayed}");
}

/// What opening says about a told store after `harm` changed the file behind its back.
fn open_after(harm: impl FnOnce(&redb::WriteTransaction)) -> String {
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
    Store::open(&path, &options()).unwrap_err().to_string()
}

fn set_meta(path: &std::path::Path, key: &str, value: &[u8]) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta = TableDefinition::<&str, &[u8]>::new("meta");
    transaction.open_table(meta).unwrap().insert(key, value).unwrap();
    transaction.commit().unwrap();
}
