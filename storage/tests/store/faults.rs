//! Failed and torn commits: a store that is not sure says so, and the next opening finds out.

use dunlin_storage::{BatchError, CommitError, FaultKind, ReadError, Store};

use crate::disk::{Disk, Full};
use crate::opening::options;
use crate::story::{carry_out, carry_out_rest, tell, turns};
use crate::verifying::assert_sound;

/// Tells the history turn by turn until the disk fails; gives how many turns were acknowledged.
fn tell_until_failure(store: &Store) -> usize {
    for (told, turn) in turns().iter().enumerate() {
        if store.commit(|batch| carry_out(batch, turn)).is_err() {
            return told;
        }
    }
    turns().len()
}

/// The journal's end after so many turns.
fn end_after(told: usize) -> u64 {
    turns().iter().take(told).map(|turn| turn.events.len() as u64).sum()
}

#[test]
fn failed_commit_poisons_the_store() {
    let disk = Disk::default();
    let (store, _) = disk.open(&options()).unwrap();
    tell(&store, 4);
    disk.fail_at(disk.changes() + 2);
    let failed = store.commit(carry_out_rest);
    assert!(matches!(failed, Err(CommitError::Ambiguous(_) | CommitError::Batch(_))), "{failed:?}");
    assert!(store.is_poisoned());
    assert!(matches!(store.commit(|_| Ok::<_, BatchError>(())), Err(CommitError::Poisoned)));
    assert!(matches!(store.reader(), Err(ReadError::Poisoned)));
    drop(store);
    let (store, _) = disk.restart().open(&options()).unwrap();
    let reader = store.reader().unwrap();
    assert!([3, 6].contains(&reader.orphan_count().unwrap()), "all of the batch or nothing");
    assert_sound(&reader);
}

/// The disk fails at every change in turn; then the power goes, or only the process dies.
#[test]
fn failure_at_any_point_loses_no_acknowledged_turn_and_invents_none() {
    let total = {
        let disk = Disk::default();
        let (store, _) = disk.open(&options()).unwrap();
        tell_until_failure(&store);
        disk.changes()
    };
    let created = {
        let disk = Disk::default();
        drop(disk.open(&options()).unwrap());
        disk.changes()
    };
    assert!(total > 200, "the history must write enough to fail at");
    for change in created..=total {
        let disk = Disk::default();
        let (store, _) = disk.open(&options()).unwrap();
        disk.fail_at(change);
        let told = tell_until_failure(&store);
        drop(store);
        for survivor in [disk.lose_power(), disk.restart()] {
            let (store, _) = survivor.open(&options()).unwrap();
            let reader = store.reader().unwrap();
            let end = reader.last_seq().unwrap().get();
            let whole = end == end_after(told) || end == end_after(told + 1);
            assert!(whole, "change {change}: {told} turns acknowledged, journal ends at {end}");
            assert_sound(&reader);
        }
    }
}

/// The disk is full from every change on in turn. The process goes on: it drops the store, opens it
/// again when there is room, and tells the rest of the history.
#[test]
fn full_disk_loses_nothing_and_the_same_process_goes_on_when_there_is_room() {
    let count = |so_far: fn(&Store) -> usize| {
        let disk = Disk::default();
        so_far(&disk.open(&options()).unwrap().0);
        disk.changes()
    };
    let (created, total) = (count(|_| 0), count(tell_until_failure));
    let mut noticed = [0, 0];
    for change in created..=total {
        for (full, noticed) in [Full::Entirely, Full::ForNewBlocks].into_iter().zip(&mut noticed) {
            let disk = Disk::default();
            let (store, _) = disk.open(&options()).unwrap();
            disk.fill_up_at(change, full);
            let told = tell_until_failure(&store);
            if told < turns().len() {
                *noticed += 1;
                assert_eq!(store.failure(), Some(FaultKind::NoRoom), "change {change}, {full:?}");
            }
            drop(store);
            // Whoever tries too early is told the same, or gets a store that says no once more.
            match disk.open(&options()) {
                Err(error) => assert_eq!(error.fault_kind(), Some(FaultKind::NoRoom), "{change}: {error}"),
                Ok((store, _)) if full == Full::Entirely => {
                    assert!(store.commit(|_| Ok::<_, BatchError>(())).is_err());
                    assert_eq!(store.failure(), Some(FaultKind::NoRoom));
                }
                Ok(_) => {}
            }
            disk.make_room();
            let (store, _) = disk.open(&options()).unwrap();
            let end = store.reader().unwrap().last_seq().unwrap().get();
            let durable = (told..=told + 1).find(|turns| end_after(*turns) == end);
            let durable = durable.unwrap_or_else(|| panic!("change {change}: {told} told, ends at {end}"));
            for turn in turns().iter().skip(durable) {
                store.commit(|batch| carry_out(batch, turn)).unwrap();
            }
            let reader = store.reader().unwrap();
            assert_eq!(reader.last_seq().unwrap().get(), end_after(turns().len()));
            assert_sound(&reader);
        }
    }
    assert!(noticed[0] > 200 && noticed[1] > 20, "{noticed:?}");
}

#[test]
fn failing_disk_is_not_taken_for_a_full_one() {
    let disk = Disk::default();
    let (store, _) = disk.open(&options()).unwrap();
    disk.fail_at(disk.changes() + 1);
    assert!(store.commit(carry_out_rest).is_err());
    assert_eq!(store.failure(), Some(FaultKind::Disk));
}

#[test]
fn fault_while_reading_poisons_even_when_it_is_hidden() {
    let disk = Disk::default();
    let (store, _) = disk.open(&options()).unwrap();
    tell(&store, 4);
    drop(store);
    let small_cache = dunlin_storage::OpenOptions { cache_bytes: 0, ..options() };
    let (store, _) = disk.open(&small_cache).unwrap();
    let hidden = store.commit(|batch| {
        disk.fail_reads();
        let _hidden = batch.load(dunlin_workflows::id::MessageNumber::new(3));
        Ok::<_, BatchError>(())
    });
    assert!(hidden.is_err());
    assert!(store.is_poisoned());
}
