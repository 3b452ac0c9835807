//! Orphans, idempotency keys and cursors.

use dunlin_storage::{Batch, BatchError, Idempotency, JournalSeq, ORPHANS_MAX, ORPHANS_PER_SID_MAX, Store};
use dunlin_workflows::id::MessageNumber;

use crate::disk::Disk;
use crate::opening::options;
use crate::story::{at, orphan, sid};
use crate::verifying::assert_sound;

fn store() -> Store {
    Disk::default().open(&options()).unwrap().0
}

fn commit<T>(store: &Store, decide: impl FnOnce(&mut Batch<'_>) -> Result<T, BatchError>) -> T {
    store.commit(decide).unwrap()
}

#[test]
fn orphans_are_taken_once_in_the_order_they_came() {
    let store = store();
    commit(&store, |batch| {
        batch.put_orphan(&orphan(1, 9))?;
        batch.put_orphan(&orphan(2, 5))?;
        batch.put_orphan(&orphan(1, 3))
    });
    assert_eq!(commit(&store, |batch| batch.take_orphans(sid(1))), [orphan(1, 9), orphan(1, 3)]);
    assert_eq!(commit(&store, |batch| batch.take_orphans(sid(1))), []);
    assert_eq!(store.reader().unwrap().orphan_count().unwrap(), 1);
    assert_sound(&store.reader().unwrap());
}

#[test]
fn too_many_orphans_of_one_sid_push_out_its_oldest() {
    let store = store();
    let most = i64::try_from(ORPHANS_PER_SID_MAX).unwrap();
    let evicted = commit(&store, |batch| {
        batch.put_orphan(&orphan(2, 0))?;
        (1..=most).try_for_each(|second| batch.put_orphan(&orphan(1, second)).map(drop))?;
        batch.put_orphan(&orphan(1, 99))
    });
    assert_eq!(evicted, Some(orphan(1, 1)));
    let kept = commit(&store, |batch| batch.take_orphans(sid(1)));
    assert_eq!(kept.len() as u64, ORPHANS_PER_SID_MAX);
    assert_eq!(kept.last(), Some(&orphan(1, 99)));
}

#[test]
fn too_many_orphans_push_out_the_oldest_of_all() {
    let store = store();
    let evicted = commit(&store, |batch| {
        for n in 0..ORPHANS_MAX {
            let mut one = orphan(0, i64::try_from(n).unwrap());
            one.sid = format!("MM{n:032x}").parse().unwrap();
            assert_eq!(batch.put_orphan(&one)?, None);
        }
        batch.put_orphan(&orphan(1, 50_000))
    });
    assert_eq!(evicted.unwrap().at, at(0));
    assert_eq!(store.reader().unwrap().orphan_count().unwrap(), ORPHANS_MAX);
    assert_sound(&store.reader().unwrap());
}

#[test]
fn old_orphans_are_purged_oldest_first_and_not_the_rest() {
    let store = store();
    commit(&store, |batch| (1..=6).try_for_each(|n| batch.put_orphan(&orphan(n, i64::from(n))).map(drop)));
    assert_eq!(commit(&store, |batch| batch.purge_orphans(at(5), 3)).len(), 3);
    assert_eq!(commit(&store, |batch| batch.purge_orphans(at(5), 3)), [orphan(4, 4)]);
    assert_eq!(store.reader().unwrap().orphan_count().unwrap(), 2);
    assert_sound(&store.reader().unwrap());
}

#[test]
fn idempotency_keys_are_remembered_until_purged() {
    let store = store();
    let answer = |n: u64| Idempotency {
        fingerprint: [9; 16],
        first: MessageNumber::new(n),
        count: 1,
        at: at(i64::try_from(n).unwrap()),
    };
    commit(&store, |batch| (1..=5).try_for_each(|n| batch.set_idempotency(&[n; 16], &answer(u64::from(n)))));
    assert_eq!(commit(&store, |batch| batch.idempotency(&[3; 16])), Some(answer(3)));
    assert_eq!(commit(&store, |batch| batch.purge_idempotency(at(4), 2)), 2);
    assert_eq!(commit(&store, |batch| batch.purge_idempotency(at(4), 2)), 1);
    let reader = store.reader().unwrap();
    assert_eq!(reader.idempotency(&[3; 16]).unwrap(), None);
    assert_eq!(reader.idempotency(&[4; 16]).unwrap(), Some(answer(4)));
    assert_sound(&reader);
}

#[test]
fn key_that_is_set_again_moves_with_its_time() {
    let store = store();
    let answer =
        |second| Idempotency { fingerprint: [1; 16], first: MessageNumber::new(1), count: 1, at: at(second) };
    commit(&store, |batch| batch.set_idempotency(&[1; 16], &answer(1)));
    commit(&store, |batch| batch.set_idempotency(&[1; 16], &answer(50)));
    assert_eq!(commit(&store, |batch| batch.purge_idempotency(at(10), 10)), 0);
    assert_sound(&store.reader().unwrap());
}

#[test]
fn cursor_starts_before_the_first_record() {
    let store = store();
    assert_eq!(store.reader().unwrap().cursor("metrics").unwrap(), JournalSeq::START);
    assert_eq!(commit(&store, |batch| batch.cursor("metrics")), JournalSeq::START);
}
