//! Persons whose hash is not in the file's index yet are found like all others.

use std::collections::BTreeSet;
use std::fs;

use dunlin_storage::{
    ArchiveRequest, Batch, BatchError, By, CommitError, OpenOptions, ReadOnlyStore, Reader, Store, Told,
    Users, compact,
};
use dunlin_workflows::id::{MessageNumber, PersonNumber, UserNumber};
use dunlin_workflows::message::{Event, Message, Request, UserId};
use dunlin_workflows::source::Source;
use dunlin_workflows::user::{self, User};

use crate::disk::Disk;
use crate::opening::{CACHE_BYTES, keys, options};
use crate::story::{at, recipient, request, sid, tell, timer};
use crate::verifying::assert_sound;

/// Options under which the index takes in so many at a time.
fn gathering(newcomers_max: usize) -> OpenOptions {
    OpenOptions { newcomers_max, ..options() }
}

fn accept(batch: &mut Batch<'_>, to: u64) -> Result<PersonNumber, BatchError> {
    let n = u8::try_from(batch.next_number()?.get()).unwrap();
    let request = Request { to: recipient(to), ..request(n) };
    let person = batch.person(request.to)?;
    let events = [Event::Accepted { terms: Box::new(request.terms(person, None)) }, Event::BecameDue];
    let mut message = Message::begin(&events[0], at(1)).unwrap();
    message.apply(&events[1], at(1)).unwrap();
    batch.create(at(1), Source::Api, &request, &events, &message, timer(&message))?;
    Ok(person)
}

/// Accepts a text to a recipient; gives their number.
fn text(store: &Store, to: u64) -> u64 {
    store.commit(|batch| accept(batch, to)).unwrap().get()
}

/// The numbers of recipients 1 to 5; 0 for those who are nobody.
fn found(reader: &Reader) -> [u64; 5] {
    [1, 2, 3, 4, 5].map(|to| reader.person_of(recipient(to)).unwrap().map_or(0, PersonNumber::get))
}

fn in_index(reader: &Reader) -> u64 {
    let sizes = reader.sizes().unwrap();
    sizes.iter().find(|size| size.name == "person_hashes").map(|size| size.rows).unwrap()
}

#[test]
fn snapshot_finds_exactly_its_persons_before_and_after_the_index_took_them_in() {
    let disk = Disk::default();
    let (store, _) = disk.open(&gathering(3)).unwrap();
    let nobody = store.reader().unwrap();
    text(&store, 1);
    text(&store, 2);
    let two = store.reader().unwrap();
    assert_eq!(in_index(&two), 0);
    text(&store, 3);
    let three = store.reader().unwrap();
    assert_eq!(in_index(&three), 3);
    text(&store, 4);
    let four = store.reader().unwrap();
    assert_eq!(in_index(&four), 3);
    assert_eq!(found(&nobody), [0; 5]);
    assert_eq!(found(&two), [1, 2, 0, 0, 0]);
    assert_eq!(found(&three), [1, 2, 3, 0, 0]);
    assert_eq!(found(&four), [1, 2, 3, 4, 0]);
    for to in 1..=4 {
        assert_eq!(text(&store, to), to, "nobody is met twice");
    }
    assert_sound(&store.reader().unwrap());
}

#[test]
fn whoever_was_met_in_vain_leaves_no_gap_in_the_numbers() {
    let disk = Disk::default();
    let (store, _) = disk.open(&options()).unwrap();
    assert_eq!(text(&store, 1), 1);
    let met = store.commit(|batch| batch.person(recipient(2))).unwrap();
    let refused = store.commit(|batch| {
        let person = accept(batch, 3)?;
        Err::<(), _>(BatchError::UnknownPerson { person })
    });
    assert!(
        matches!(refused, Err(CommitError::Refused(BatchError::UnknownPerson { person })) if person == met)
    );
    assert_eq!(text(&store, 4), 2, "neither is in the file");
    drop(store);
    let (store, _) = disk.open(&options()).unwrap();
    assert_eq!(text(&store, 5), 3);
    assert_eq!(found(&store.reader().unwrap()), [1, 0, 0, 2, 3]);
    assert_sound(&store.reader().unwrap());
}

#[test]
fn newcomers_are_found_again_after_a_power_loss_and_in_a_copy() {
    let disk = Disk::default();
    let (store, _) = disk.open(&gathering(3)).unwrap();
    for to in 1..=4 {
        text(&store, to);
    }
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("copy.redb");
    store.copy_to(&copy, CACHE_BYTES).unwrap();
    // Another version may gather more, or fewer.
    for max in [1, 2, 100] {
        let (store, _) = disk.lose_power().open(&gathering(max)).unwrap();
        assert_eq!(found(&store.reader().unwrap()), [1, 2, 3, 4, 0]);
        assert_eq!((text(&store, 4), text(&store, 5)), (4, 5));
        assert_eq!(found(&store.reader().unwrap()), [1, 2, 3, 4, 5]);
        assert_sound(&store.reader().unwrap());
    }
    compact(&copy, CACHE_BYTES).unwrap();
    let looking = |keys| ReadOnlyStore::open(&copy, CACHE_BYTES, keys).unwrap().reader().unwrap();
    assert_eq!(found(&looking(Some(keys(1)))), [1, 2, 3, 4, 0]);
    assert_sound(&looking(None));
}

#[test]
fn newcomer_who_was_erased_is_nobody_and_their_number_is_not_given_again() {
    let disk = Disk::default();
    let (store, _) = disk.open(&gathering(100)).unwrap();
    text(&store, 1);
    text(&store, 2);
    let before = store.reader().unwrap();
    let erase =
        |person| store.commit(|batch| batch.erase(PersonNumber::new(person), at(2), Source::Cli, None));
    erase(2).unwrap();
    assert_eq!(found(&before), [1, 2, 0, 0, 0], "an older snapshot stays what it is");
    assert_eq!(found(&store.reader().unwrap()), [1, 0, 0, 0, 0]);
    let (after, _) = disk.lose_power().open(&gathering(100)).unwrap();
    assert_eq!(found(&after.reader().unwrap()), [1, 0, 0, 0, 0]);
    assert_eq!((text(&store, 3), text(&store, 2)), (3, 4), "a new person, not the one of before");
    let met_again = store.commit(|batch| {
        batch.erase(PersonNumber::new(3), at(3), Source::Cli, None)?;
        accept(batch, 3)
    });
    assert_eq!(met_again.unwrap().get(), 5);
    let reader = store.reader().unwrap();
    assert_eq!(found(&reader), [1, 4, 5, 0, 0]);
    assert_sound(&reader);
    drop((before, reader));
}

#[test]
fn refused_batch_leaves_no_newcomer_behind() {
    let disk = Disk::default();
    let (store, _) = disk.open(&gathering(100)).unwrap();
    let refused = store.commit(|batch| {
        accept(batch, 1)?;
        Err::<(), _>(BatchError::UnknownPerson { person: PersonNumber::new(7) })
    });
    assert!(refused.is_err());
    let unwritable = store.commit(|batch| {
        accept(batch, 1)?;
        batch.erase(PersonNumber::new(7), at(2), Source::Cli, None)
    });
    assert!(unwritable.is_err());
    assert_eq!(found(&store.reader().unwrap()), [0; 5]);
    assert_eq!((text(&store, 2), text(&store, 1)), (1, 2));
    assert_sound(&store.reader().unwrap());
}

/// The disk fails at every change in turn, also while the index takes persons in.
#[test]
fn whoever_is_in_the_journal_is_found_after_a_failure_at_any_point() {
    let all = |store: &Store| -> u64 {
        (1..=5).take_while(|to| store.commit(|b| accept(b, *to)).is_ok()).count() as u64
    };
    let (created, total) = {
        let disk = Disk::default();
        let (store, _) = disk.open(&gathering(2)).unwrap();
        let created = disk.changes();
        assert_eq!(all(&store), 5);
        (created, disk.changes())
    };
    for change in created..=total {
        let disk = Disk::default();
        let (store, _) = disk.open(&gathering(2)).unwrap();
        disk.fail_at(change);
        let told = all(&store);
        drop(store);
        for survivor in [disk.lose_power(), disk.restart()] {
            let (store, _) = survivor.open(&gathering(2)).unwrap();
            let reader = store.reader().unwrap();
            let persons = reader.person_count().unwrap();
            assert!(persons == told || persons == told + 1, "change {change}: {told} told, {persons} there");
            assert_eq!(found(&reader), [1, 2, 3, 4, 5].map(|to| if to <= persons { to } else { 0 }));
            assert_sound(&reader);
        }
    }
}

#[test]
fn file_without_a_mark_of_its_index_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dunlin.redb");
    Store::open(&path, &options()).unwrap().0.close().unwrap();
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta = redb::TableDefinition::<&str, &[u8]>::new("meta");
    transaction.open_table(meta).unwrap().remove("persons_indexed").unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = Store::open(&path, &options()).unwrap_err().to_string();
    assert!(error.contains("\"persons_indexed\" is missing"), "{error}");
    assert!(fs::exists(&path).unwrap());
}

fn user_id(n: u64) -> UserId {
    format!("user-{n}").parse().unwrap()
}

/// Names a user; gives their number.
fn name(store: &Store, n: u64) -> Result<u64, CommitError<BatchError>> {
    store.commit(|batch| {
        if let Some(known) = batch.user(&user_id(n))? {
            return Ok(known.get());
        }
        Ok(batch.meet_user(&user_id(n))?.get())
    })
}

/// The numbers of users 1 to 5; 0 for those who were never named.
fn named(reader: &Reader) -> [u64; 5] {
    [1, 2, 3, 4, 5].map(|n| reader.user_of(&user_id(n)).unwrap().map_or(0, UserNumber::get))
}

fn names_in_index(reader: &Reader) -> u64 {
    let sizes = reader.sizes().unwrap();
    sizes.iter().find(|size| size.name == "instance_names").map(|size| size.rows).unwrap()
}

#[test]
fn users_are_found_by_every_snapshot_that_has_them_and_after_a_power_loss() {
    let disk = Disk::default();
    let (store, _) = disk.open(&gathering(3)).unwrap();
    let nobody = store.reader().unwrap();
    assert_eq!((name(&store, 1).unwrap(), name(&store, 2).unwrap()), (1, 2));
    let two = store.reader().unwrap();
    assert_eq!(names_in_index(&two), 0);
    name(&store, 3).unwrap();
    assert_eq!(names_in_index(&store.reader().unwrap()), 3);
    name(&store, 4).unwrap();
    assert_eq!((named(&nobody), named(&two)), ([0; 5], [1, 2, 0, 0, 0]));
    for max in [1, 2, 100] {
        let (store, _) = disk.lose_power().open(&gathering(max)).unwrap();
        assert_eq!(named(&store.reader().unwrap()), [1, 2, 3, 4, 0]);
        assert_eq!((name(&store, 4).unwrap(), name(&store, 5).unwrap()), (4, 5), "nobody is met twice");
        assert_eq!(named(&store.reader().unwrap()), [1, 2, 3, 4, 5]);
        assert_sound(&store.reader().unwrap());
    }
    drop((nobody, two));
}

#[test]
fn user_who_was_forgotten_is_nobody_wherever_their_name_was() {
    for max in [1, 2, 100] {
        let disk = Disk::default();
        let (store, _) = disk.open(&gathering(max)).unwrap();
        (1..=3).for_each(|n| assert_eq!(name(&store, n).unwrap(), n));
        let before = store.reader().unwrap();
        let forgotten = store.commit(|batch| {
            let after = User { is_erased: true, ..User::default() };
            let event = user::Event::Erased { reason: None };
            let told = Told::<Users> {
                at: at(2),
                by: By::from(Source::Cli),
                event: &event,
                after: &after,
                secret: None,
            };
            batch.record_instance(2, &told)?;
            batch.forget_user(UserNumber::new(2))?;
            batch.user(&user_id(2))
        });
        assert_eq!(forgotten.unwrap(), None);
        assert_eq!(named(&before), [1, 2, 3, 0, 0], "an older snapshot stays what it is");
        assert_eq!(named(&store.reader().unwrap()), [1, 0, 3, 0, 0]);
        assert_sound(&store.reader().unwrap());
        let (after, _) = disk.lose_power().open(&gathering(max)).unwrap();
        assert_eq!(named(&after.reader().unwrap()), [1, 0, 3, 0, 0]);
        assert_eq!(name(&after, 2).unwrap(), 4, "a new user, not the one of before");
        assert_sound(&after.reader().unwrap());
    }
}

/// The first files of format 4 had every name in the index and said nothing of it.
#[test]
fn file_without_a_mark_of_its_users_has_all_of_them_in_the_index() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dunlin.redb");
    let (store, _) = Store::open(&path, &gathering(1)).unwrap();
    (1..=3).for_each(|n| assert_eq!(name(&store, n).unwrap(), n));
    store.close().unwrap();
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta = redb::TableDefinition::<&str, &[u8]>::new("meta");
    transaction.open_table(meta).unwrap().remove("users_indexed").unwrap();
    transaction.commit().unwrap();
    drop(database);
    let looked = ReadOnlyStore::open(&path, CACHE_BYTES, Some(keys(1))).unwrap().reader().unwrap();
    assert_eq!(named(&looked), [1, 2, 3, 0, 0]);
    assert_sound(&looked);
    drop(looked);
    for named_now in [4, 5] {
        let (store, _) = Store::open(&path, &gathering(100)).unwrap();
        assert_eq!(name(&store, named_now).unwrap(), named_now);
        assert_eq!(names_in_index(&store.reader().unwrap()), 3);
        drop(store);
    }
    let (store, _) = Store::open(&path, &gathering(100)).unwrap();
    assert_eq!(named(&store.reader().unwrap()), [1, 2, 3, 4, 5]);
    assert_sound(&store.reader().unwrap());
}

/// The disk fails at every change in turn, also while the index takes users in.
#[test]
fn whoever_was_named_is_found_after_a_failure_at_any_point() {
    let all = |store: &Store| (1..=5).take_while(|n| name(store, *n).is_ok()).count() as u64;
    let (created, total) = {
        let disk = Disk::default();
        let (store, _) = disk.open(&gathering(2)).unwrap();
        let created = disk.changes();
        assert_eq!(all(&store), 5);
        (created, disk.changes())
    };
    for change in created..=total {
        let disk = Disk::default();
        let (store, _) = disk.open(&gathering(2)).unwrap();
        disk.fail_at(change);
        let told = all(&store);
        drop(store);
        for survivor in [disk.lose_power(), disk.restart()] {
            let (store, _) = survivor.open(&gathering(2)).unwrap();
            let reader = store.reader().unwrap();
            let there = named(&reader).into_iter().filter(|number| *number > 0).count() as u64;
            assert!(there == told || there == told + 1, "change {change}: {told} told, {there} there");
            assert_eq!(named(&reader), [1, 2, 3, 4, 5].map(|n| if n <= there { n } else { 0 }));
            assert_sound(&reader);
        }
    }
}

/// Which message each name of the provider's leads to.
fn by_sid(reader: &Reader) -> Vec<Option<MessageNumber>> {
    (1..=40).map(|n| reader.number_of_sid(sid(n)).unwrap()).collect()
}

fn sids_in_index(reader: &Reader) -> u64 {
    let sizes = reader.sizes().unwrap();
    sizes.iter().find(|size| size.name == "provider_sids").map(|size| size.rows).unwrap()
}

#[test]
fn names_of_the_provider_are_found_by_every_snapshot_that_has_them_and_after_a_power_loss() {
    let mut all = BTreeSet::new();
    for max in [1, 2, 1_000] {
        let disk = Disk::default();
        let (store, _) = disk.open(&gathering(max)).unwrap();
        let before = store.reader().unwrap();
        tell(&store, 1);
        assert!(by_sid(&before).iter().all(Option::is_none), "a snapshot stays what it is");
        let reader = store.reader().unwrap();
        let known = by_sid(&reader);
        let count = u64::try_from(known.iter().flatten().count()).unwrap();
        let in_index = sids_in_index(&reader);
        assert!(count > 1 && in_index <= count && (max > 1 || in_index == count), "{max}: {in_index}");
        assert!(max < 1_000 || in_index == 0);
        assert_sound(&reader);
        drop((reader, before, store));
        let (store, _) = disk.lose_power().open(&gathering(max)).unwrap();
        assert_eq!(by_sid(&store.reader().unwrap()), known);
        all.insert(known);
    }
    assert_eq!(all.len(), 1);
}

#[test]
fn no_name_leads_to_a_message_that_left_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dunlin.redb");
    let (store, _) = Store::open(&path, &gathering(1_000)).unwrap();
    tell(&store, 1);
    let before = by_sid(&store.reader().unwrap());
    store.archive(ArchiveRequest::everything(at(10_000)), &|| true).unwrap();
    let after = by_sid(&store.reader().unwrap());
    assert!(after.iter().flatten().count() < before.iter().flatten().count());
    store.close().unwrap();
    let (store, _) = Store::open(&path, &gathering(1_000)).unwrap();
    let reader = store.reader().unwrap();
    assert_eq!(by_sid(&reader), after);
    for number in after.into_iter().flatten() {
        assert!(reader.message(number).unwrap().is_some());
    }
    assert_sound(&reader);
}
