//! A copy holds what its snapshot held, whatever happens to the store meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use dunlin_storage::recovery::verify;
use dunlin_storage::{BatchError, ReadOnlyStore, Reader, Store};

use crate::opening::{CACHE_BYTES, options};
use crate::story::{START_MS, tell};
use crate::verifying::assert_sound;
use dunlin_workflows::timestamp::Timestamp;

/// More rows than one transaction of a copy takes in.
const CURSORS: usize = 50_000;

fn rows(reader: &Reader) -> Vec<(String, u64)> {
    reader.sizes().unwrap().into_iter().map(|table| (table.name, table.rows)).collect()
}

#[test]
fn copy_of_many_transactions_is_whole_and_ends_where_its_snapshot_did() {
    let dir = tempfile::tempdir().unwrap();
    let (path, backup) = (dir.path().join("dunlin.redb"), dir.path().join("backup.redb"));
    let (store, _) = Store::open(&path, &options()).unwrap();
    tell(&store, 4);
    let fill = |batch: &mut dunlin_storage::Batch<'_>| {
        let end = batch.last_seq();
        (0..CURSORS).try_for_each(|n| batch.set_cursor(&format!("cursor {n}"), end))
    };
    store.commit(fill).unwrap();
    let before = rows(&store.reader().unwrap());
    let stop = AtomicBool::new(false);
    let head = thread::scope(|scope| {
        // Writing goes on; what it writes is in no row that is counted here.
        let writer = scope.spawn(|| {
            let mut commits = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                store.commit(|batch| batch.set_cursor("cursor 1", batch.last_seq())).unwrap();
                commits += 1;
            }
            commits
        });
        let head = store.copy_to(&backup, CACHE_BYTES);
        stop.store(true, Ordering::Relaxed);
        assert!(writer.join().unwrap() > 0);
        head.unwrap()
    });
    assert_eq!(head, store.head());
    let copy = ReadOnlyStore::open(&backup, CACHE_BYTES, None).unwrap();
    let reader = copy.reader().unwrap();
    assert_sound(&reader);
    assert_eq!(rows(&reader), before);
    assert_eq!(verify(&reader, Some(head), |_, _| {}).unwrap().head, Some(head));
}

#[test]
fn copy_of_a_closed_store_needs_no_keys_and_says_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (path, backup) = (dir.path().join("dunlin.redb"), dir.path().join("backup.redb"));
    let (store, _) = Store::open(&path, &options()).unwrap();
    tell(&store, 4);
    let head = store.head();
    store.close().unwrap();
    let closed = ReadOnlyStore::open(&path, CACHE_BYTES, None).unwrap();
    assert_eq!(closed.copy_to(&backup, CACHE_BYTES).unwrap(), head);
    drop(closed);
    let (copy, report) = Store::open(&backup, &options()).unwrap();
    assert_eq!((report.head, report.created_at), (head, Timestamp::from_millis(START_MS)));
    assert_sound(&copy.reader().unwrap());
}

#[test]
fn renewed_callback_key_holds_from_the_next_opening_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dunlin.redb");
    let (store, _) = Store::open(&path, &options()).unwrap();
    tell(&store, 4);
    store.renew_callback_key([9; 32]).unwrap();
    store.commit(|_| Ok::<_, BatchError>(())).unwrap();
    store.close().unwrap();
    let (store, report) = Store::open(&path, &options()).unwrap();
    assert_eq!(store.callback_key(), &[9; 32]);
    assert_eq!(report.created_at, Timestamp::from_millis(START_MS), "nothing else changed");
    assert_sound(&store.reader().unwrap());
}
