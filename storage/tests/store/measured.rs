//! A store that leaves out seals or chain is used while it is measured, and by nobody afterwards.

use std::fs;
use std::path::Path;

use dunlin_storage::recovery::{Problem, verify};
use dunlin_storage::{OpenError, ReadOnlyStore, Store, Without, compact};
use redb::{Database, TableDefinition};

use crate::opening::{CACHE_BYTES, options};
use crate::sealing::{holds, in_clear};
use crate::story::tell;
use crate::verifying::assert_sound;

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// Makes a store without these at `path`, and tells it the whole story.
fn told(path: &Path, without: Without) {
    let (store, report) = Store::measured(path, &options(), without).unwrap();
    assert!(report.created);
    tell(&store, 4);
    store.close().unwrap();
}

fn assert_refused(path: &Path) {
    let opened = Store::open(path, &options()).map(drop);
    let looked_at = ReadOnlyStore::open(path, CACHE_BYTES, None).map(drop);
    for error in [opened.unwrap_err(), looked_at.unwrap_err()] {
        assert!(matches!(error, OpenError::Measured { .. }), "{error}");
        assert!(error.to_string().contains("delete it"), "{error}");
    }
}

#[test]
fn file_without_seals_or_chain_is_refused_ever_after() {
    for without in Without::ALL {
        let dir = tempfile::tempdir().unwrap();
        let (path, copy) = (dir.path().join("dunlin.redb"), dir.path().join("copy.redb"));
        told(&path, without);
        assert_refused(&path);
        ReadOnlyStore::open_measured(&path, CACHE_BYTES).unwrap().copy_to(&copy, CACHE_BYTES).unwrap();
        assert_refused(&copy);
        compact(&path, CACHE_BYTES).unwrap();
        assert_refused(&path);
    }
}

#[test]
fn existing_store_never_becomes_one_without() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dunlin.redb");
    let (store, _) = Store::open(&path, &options()).unwrap();
    tell(&store, 4);
    store.close().unwrap();
    let before = fs::read(&path).unwrap();
    for without in Without::ALL {
        let error = Store::measured(&path, &options(), without).map(drop).unwrap_err();
        assert!(matches!(error, OpenError::Io { .. }), "{error}");
    }
    assert!(fs::read(&path).unwrap() == before);
    assert_sound(&Store::open(&path, &options()).unwrap().0.reader().unwrap());
}

#[test]
fn only_the_cryptography_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole.redb");
    let (store, _) = Store::open(&whole, &options()).unwrap();
    tell(&store, 4);
    store.close().unwrap();
    let sizes = |path: &Path| {
        ReadOnlyStore::open_measured(path, CACHE_BYTES).unwrap().reader().unwrap().sizes().unwrap()
    };
    for without in Without::ALL {
        let path = dir.path().join(without.as_str());
        told(&path, without);
        assert_eq!(sizes(&path), sizes(&whole), "{without:?}");
        let bytes = fs::read(&path).unwrap();
        let clear = (1..=8).any(|n| in_clear(n).iter().any(|form| holds(&bytes, form)));
        assert_eq!(clear, without != Without::Chain, "{without:?}");
        let reader = ReadOnlyStore::open_measured(&path, CACHE_BYTES).unwrap().reader().unwrap();
        let report = verify(&reader, None, |_, _| {}).unwrap();
        let broken = matches!(report.first.as_slice(), [Problem::Head { .. }]);
        assert_eq!((report.is_sound(), broken), (without == Without::Seals, without != Without::Seals));
    }
}

#[test]
fn forged_format_does_not_make_ordinary_keys_open_what_is_not_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dunlin.redb");
    told(&path, Without::Seals);
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(META).unwrap().insert("format", [2].as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = Store::open(&path, &options()).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::MissingKeys { .. }), "{error}");
}
