//! Users, the first of the small workflows: what holds for every kind, and what holds for them.

use dunlin_storage::{
    ArchiveRequest, Batch, BatchError, By, CommitError, InstanceKind, JournalSeq, Store, Told, Users,
};
use dunlin_workflows::id::{PersonNumber, UserNumber};
use dunlin_workflows::message::UserId;
use dunlin_workflows::source::Source;
use dunlin_workflows::user::{Event, Preferences, User};

use crate::disk::Disk;
use crate::opening::{keys, options};
use crate::story::{at, recipient, tell};
use crate::verifying::assert_sound;

const ID: &str = "7c1d6a52-0b1e-4a0e-9a55-8a3f0f6f2f11";

fn user_id(text: &str) -> UserId {
    text.parse().unwrap()
}

/// What the engine does with events about a user.
fn told(batch: &mut Batch<'_>, id: &UserId, events: &[Event]) -> Result<UserNumber, BatchError> {
    let number = match batch.user(id)? {
        Some(number) => number,
        None => batch.meet_user(id)?,
    };
    let mut after = batch.instance::<Users>(number.get())?.unwrap_or_default();
    for event in events {
        after.apply(event, at(0));
        let by = By::from(Source::Api);
        let told = Told::<Users> { at: at(0), by, event, after: &after, secret: None };
        batch.record_instance(number.get(), &told)?;
    }
    Ok(number)
}

fn tells(store: &Store, id: &str, events: &[Event]) -> Result<UserNumber, CommitError<BatchError>> {
    store.commit(|batch| told(batch, &user_id(id), events))
}

fn verify(store: &Store, id: &str, n: u64) -> Result<UserNumber, CommitError<BatchError>> {
    store.commit(|batch| {
        let person = batch.person(recipient(n))?;
        told(batch, &user_id(id), &[Event::NumberVerified { person }])
    })
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn what_is_told_of_a_user_reads_back_and_their_id_is_nowhere_in_clear() {
    let disk = Disk::default();
    let (store, _) = disk.open(&options()).unwrap();
    let preferences = Preferences { daily_limit: Some(3), ..Preferences::default() };
    let user = tells(&store, ID, &[Event::Met, Event::PreferencesChanged { preferences }]).unwrap();
    verify(&store, ID, 5).unwrap();
    assert!(!holds(&disk.bytes(), ID.as_bytes()));
    let reader = store.reader().unwrap();
    let person = reader.person_of(recipient(5)).unwrap().unwrap();
    let state = reader.user_state(user).unwrap().unwrap();
    assert_eq!((state.preferences, state.version), (Some(preferences), 2));
    assert_eq!(state.verified(), Some(person));
    assert_eq!(reader.owner_of(person).unwrap(), Some(user));
    assert_eq!(reader.user_of(&user_id(ID)).unwrap(), Some(user));
    assert_eq!(reader.user_id(user).unwrap(), Some(user_id(ID)));
    let history = reader.instance_history::<Users>(user.get(), 10).unwrap();
    let names: Vec<&str> = history.iter().map(|entry| entry.event.name()).collect();
    assert_eq!(names, ["number_verified", "preferences_changed", "user_met"], "newest first");
    assert_sound(&reader);
}

#[test]
fn users_of_whom_nothing_was_told_have_numbers_of_their_own_and_no_record() {
    let disk = Disk::default();
    let (store, _) = disk.open(&options()).unwrap();
    let meet = |store: &Store, ids: &[&str]| -> Vec<u64> {
        let met = store.commit(|batch| {
            ids.iter().map(|id| told(batch, &user_id(id), &[]).map(UserNumber::get)).collect::<Result<_, _>>()
        });
        met.unwrap()
    };
    assert_eq!(meet(&store, &["one", "two", "one"]), [1, 2, 1]);
    verify(&store, "two", 5).unwrap();
    assert_eq!(meet(&store, &["three", "two"]), [3, 2]);
    drop(store);
    let (store, _) = disk.lose_power().open(&options()).unwrap();
    assert_eq!(meet(&store, &["four", "three"]), [4, 3]);
    let reader = store.reader().unwrap();
    let told_of = [1, 2, 3, 4].map(|n| reader.user_state(UserNumber::new(n)).unwrap().is_some());
    assert_eq!(told_of, [false, true, false, false]);
    assert_eq!(reader.last_seq().unwrap().get(), 1);
    assert_sound(&reader);
}

#[test]
fn number_belongs_to_one_user_and_goes_on_when_the_first_lets_go() {
    let (store, _) = Disk::default().open(&options()).unwrap();
    let first = verify(&store, "first", 5).unwrap();
    let refused = verify(&store, "second", 5).unwrap_err();
    let CommitError::Refused(BatchError::Claimed { kind: InstanceKind::User, number, .. }) = refused else {
        panic!("{refused}");
    };
    assert_eq!(number, first.get());
    tells(&store, "first", &[Event::NumberChanged { person: None }]).unwrap();
    let second = verify(&store, "second", 5).unwrap();
    let reader = store.reader().unwrap();
    let person = reader.person_of(recipient(5)).unwrap().unwrap();
    assert_eq!(reader.owner_of(person).unwrap(), Some(second));
    assert_eq!(reader.user_state(first).unwrap().unwrap().number, None);
    assert_sound(&reader);
}

#[test]
fn erased_user_is_found_by_nothing_and_their_number_is_not_given_again() {
    let disk = Disk::default();
    let (store, _) = disk.open(&options()).unwrap();
    let user = verify(&store, ID, 5).unwrap();
    let erased = store.commit(|batch| {
        told(batch, &user_id(ID), &[Event::Erased { reason: None }])?;
        batch.forget_user(user)?;
        let person = batch.person(recipient(5))?;
        batch.erase(person, at(1), Source::Cli, None)?;
        Ok::<PersonNumber, BatchError>(person)
    });
    let erased = erased.unwrap();
    let reader = store.reader().unwrap();
    assert_eq!(reader.user_of(&user_id(ID)).unwrap(), None);
    assert_eq!(reader.user_id(user).unwrap(), None);
    assert_eq!(reader.owner_of(erased).unwrap(), None);
    assert_eq!(reader.user_state(user).unwrap().map(|user| user.is_erased), Some(true));
    assert_sound(&reader);
    drop(reader);
    let again = verify(&store, ID, 6).unwrap();
    assert_ne!(again, user);
    let reader = store.reader().unwrap();
    assert!(reader.person_of(recipient(6)).unwrap().unwrap() > erased, "numbers of persons go on");
    assert_sound(&reader);
}

#[test]
fn users_outlive_a_reopening_an_archive_and_a_new_master_key() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dunlin.redb");
    let (store, _) = Store::open(&path, &options()).unwrap();
    tell(&store, 3);
    let user = verify(&store, ID, 5).unwrap();
    tell_once_more(&store);
    store.archive(ArchiveRequest::everything(at(10_000)), &|| true).unwrap();
    let before = store.reader().unwrap().user_state(user).unwrap();
    store.close().unwrap();
    let rotated = std::sync::Arc::new(keys(1).rotated(&dunlin_storage::Entropy::seeded(9)).unwrap());
    let newer = dunlin_storage::OpenOptions { keys: std::sync::Arc::clone(&rotated), ..options() };
    let (store, _) = Store::open(&path, &newer).unwrap();
    store.rewrap(|_| {}).unwrap();
    store.close().unwrap();
    let alone = std::sync::Arc::new(rotated.without_retired());
    let (store, _) = Store::open(&path, &dunlin_storage::OpenOptions { keys: alone, ..options() }).unwrap();
    let reader = store.reader().unwrap();
    assert_eq!(reader.user_state(user).unwrap(), before);
    assert_eq!(reader.user_id(user).unwrap(), Some(user_id(ID)));
    assert_eq!(reader.instance_history::<Users>(user.get(), 10).unwrap().len(), 1);
    assert_sound(&reader);
}

/// The newest record never goes to an archive: something must come after what is to go.
fn tell_once_more(store: &Store) {
    tells(store, "another", &[Event::Met]).unwrap();
}

#[test]
fn every_table_about_users_is_verified() {
    type Damage = fn(&redb::WriteTransaction);
    fn open<'a, K: redb::Key + 'static, V: redb::Value + 'static>(
        transaction: &'a redb::WriteTransaction,
        name: &'static str,
    ) -> redb::Table<'a, K, V> {
        transaction.open_table(redb::TableDefinition::new(name)).unwrap()
    }
    let damages: [(&str, Damage); 4] = [
        ("instances", |transaction| {
            let mut table = open::<(u8, u64), &[u8]>(transaction, "instances");
            let row = table.remove((4, 1)).unwrap().unwrap().value().to_vec();
            table.insert((4, 9), row.as_slice()).unwrap();
        }),
        ("instance_names", |transaction| {
            open::<(u8, &[u8; 16]), u64>(transaction, "instance_names").pop_first().unwrap();
        }),
        ("instance_claims", |transaction| {
            open::<(u8, u64), u64>(transaction, "instance_claims").insert((4, 1), 9).unwrap();
        }),
        ("user_keys", |transaction| {
            open::<u64, &[u8]>(transaction, "user_keys").remove(1).unwrap();
        }),
    ];
    for (table, damage) in damages {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dunlin.redb");
        // The index takes in every name at once.
        let (store, _) =
            Store::open(&path, &dunlin_storage::OpenOptions { newcomers_max: 1, ..options() }).unwrap();
        verify(&store, ID, 5).unwrap();
        store.close().unwrap();
        let database = redb::Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        damage(&transaction);
        transaction.commit().unwrap();
        drop(database);
        let (store, _) = Store::open(&path, &options()).unwrap();
        let report = dunlin_storage::recovery::verify(&store.reader().unwrap(), None, |_, _| {}).unwrap();
        let told: Vec<String> = report.first.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|problem| problem.contains(&format!("table {table}:"))), "{table}: {told:?}");
    }
}

#[test]
fn crash_at_any_change_leaves_all_of_a_user_or_nothing() {
    let disk = Disk::default();
    let (store, _) = disk.open(&options()).unwrap();
    let (before, untold) = (disk.changes(), store.reader().unwrap().last_seq().unwrap());
    assert_eq!(untold, JournalSeq::START);
    verify(&store, ID, 5).unwrap();
    let changes = disk.changes() - before;
    drop(store);
    let mut whole = 0;
    for change in 1..=changes {
        let disk = Disk::default();
        let (store, _) = disk.open(&options()).unwrap();
        disk.fail_at(disk.changes() + change);
        let told = verify(&store, ID, 5).is_ok();
        drop(store);
        let disk = disk.lose_power();
        let (store, _) = disk.open(&options()).unwrap();
        let reader = store.reader().unwrap();
        let user = reader.user_of(&user_id(ID)).unwrap();
        let state = user.map(|user| reader.user_state(user).unwrap().unwrap());
        assert!(state.is_some() || !told, "change {change}: acknowledged and lost");
        assert_eq!(state.is_some(), state.as_ref().and_then(User::verified).is_some());
        whole += u64::from(state.is_some());
        assert_sound(&reader);
    }
    assert!(whole < changes);
}
