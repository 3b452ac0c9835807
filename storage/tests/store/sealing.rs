//! Nobody reads a person's number or texts without the keys, or after an erasure.

use std::fs;
use std::sync::Arc;

use dunlin_storage::{
    BatchError, By, Content, Entropy, Keyring, OpenError, OpenOptions, ReadOnlyStore, Store, compact,
};
use dunlin_workflows::id::{MessageNumber, PersonNumber};
use dunlin_workflows::source::Source;

use crate::disk::Disk;
use crate::opening::{CACHE_BYTES, keys, options};
use crate::story::{asked, at, person, recipient, tell};
use crate::verifying::assert_sound;

pub(crate) fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Every form in which the number or the text of a message could stand in a file.
pub(crate) fn in_clear(n: u8) -> Vec<Vec<u8>> {
    let request = asked(n);
    let digits = request.to.digits();
    let mut forms = vec![
        digits.to_string().into_bytes(),
        digits.to_le_bytes().to_vec(),
        digits.to_be_bytes().to_vec(),
        request.body.as_str().as_bytes().to_vec(),
    ];
    forms.extend(request.user_id.map(|user| user.as_str().as_bytes().to_vec()));
    forms.extend(request.metadata.map(|notes| notes.as_str().as_bytes().to_vec()));
    forms
}

#[test]
fn no_number_body_user_or_note_stands_in_the_file() {
    let disk = Disk::default();
    let (store, _) = disk.open(&options()).unwrap();
    tell(&store, 2);
    let bytes = disk.bytes();
    for n in 1..=8 {
        for form in in_clear(n) {
            assert!(!holds(&bytes, &form), "message {n}: {form:?}");
        }
    }
    assert!(holds(&bytes, b"connection refused"), "the search finds what is there");
}

#[test]
fn file_of_format_1_that_was_upgraded_and_compacted_holds_nothing_in_clear() {
    let old = fs::read("tests/fixtures/store-v1.redb").unwrap();
    assert!(in_clear(2).iter().any(|form| holds(&old, form)));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dunlin.redb");
    fs::write(&path, old).unwrap();
    Store::open(&path, &options()).unwrap().0.close().unwrap();
    compact(&path, CACHE_BYTES).unwrap();
    let new = fs::read(&path).unwrap();
    for n in 1..=8 {
        assert!(!in_clear(n).iter().any(|form| holds(&new, form)), "message {n}");
    }
    let (store, report) = Store::open(&path, &options()).unwrap();
    assert_eq!(report.upgraded_from, None);
    assert_sound(&store.reader().unwrap());
}

#[test]
fn missing_and_wrong_keys_are_refused_by_name() {
    let disk = Disk::default();
    drop(disk.open(&options()).unwrap());
    let needed = keys(1).current();
    let error = disk.open(&OpenOptions { keys: keys(2), ..options() }).unwrap_err();
    match &error {
        OpenError::MissingKeys { missing, given } => {
            assert_eq!((missing.as_slice(), given.as_slice()), (&[needed][..], &[keys(2).current()][..]));
        }
        other => panic!("{other}"),
    }
    assert!(error.to_string().contains(&needed.to_string()), "{error}");
    let (ours, theirs) = (keys(1).to_text(), keys(2).to_text());
    let index = |text: &str| text.lines().find(|line| line.starts_with("index")).unwrap().to_owned();
    let mixed: Keyring = ours.replace(&index(&ours), &index(&theirs)).parse().unwrap();
    let error = disk.open(&OpenOptions { keys: Arc::new(mixed), ..options() }).unwrap_err();
    assert!(matches!(error, OpenError::OtherIndexKey { .. }), "{error}");
}

#[test]
fn without_keys_a_life_can_be_read_and_its_text_can_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dunlin.redb");
    let (store, _) = Store::open(&path, &options()).unwrap();
    tell(&store, 4);
    store.close().unwrap();
    let reader = ReadOnlyStore::open(&path, CACHE_BYTES, None).unwrap().reader().unwrap();
    assert_sound(&reader);
    let (terms, content) = reader.content(MessageNumber::new(2)).unwrap().unwrap();
    assert_eq!((terms.id, content), (asked(2).id, Content::Locked));
    assert_eq!(reader.request(MessageNumber::new(2)).unwrap(), None);
}

#[test]
fn erased_person_is_gone_from_the_file_and_everything_else_still_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dunlin.redb");
    let (store, _) = Store::open(&path, &options()).unwrap();
    tell(&store, 4);
    let second = person(recipient(2));
    assert_eq!(store.reader().unwrap().person_of(recipient(2)).unwrap(), Some(second));
    let head = store.head();
    let erase = |store: &Store| {
        store.commit(|batch| {
            let actor = batch.actor(&"ada".parse().unwrap())?;
            let by = By { source: Source::Cli, actor };
            batch.erase(second, at(200), by, Some(&"asked by mail".parse().unwrap()))
        })
    };
    erase(&store).unwrap();
    assert_ne!(store.head(), head, "the erasure itself is on record");
    assert_eq!(store.reader().unwrap().person_of(recipient(2)).unwrap(), None);
    let row = {
        let database_row = store.reader().unwrap();
        database_row.content(MessageNumber::new(2)).unwrap().unwrap().1
    };
    assert_eq!(row, Content::Erased);
    assert!(store.reader().unwrap().request(MessageNumber::new(1)).unwrap().is_some(), "others stay");
    store.close().unwrap();
    compact(&path, CACHE_BYTES).unwrap();
    let (store, _) = Store::open(&path, &options()).unwrap();
    assert_sound(&store.reader().unwrap());
    let again = erase(&store).unwrap_err();
    assert!(again.to_string().contains("person 2 is not known"), "{again}");
}

/// The wrapped key must not survive in a free page, where the master key could still open it.
#[test]
fn wrapped_key_of_an_erased_person_is_nowhere_in_the_compacted_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dunlin.redb");
    let (store, _) = Store::open(&path, &options()).unwrap();
    tell(&store, 4);
    store.close().unwrap();
    let persons = redb::TableDefinition::<u64, &[u8]>::new("persons");
    let row = {
        let database = redb::Database::open(&path).unwrap();
        let transaction = redb::ReadableDatabase::begin_read(&database).unwrap();
        transaction.open_table(persons).unwrap().get(2).unwrap().unwrap().value().to_vec()
    };
    let wrapped = &row[row.len() - 56..];
    assert!(holds(&fs::read(&path).unwrap(), wrapped));
    let (store, _) = Store::open(&path, &options()).unwrap();
    store.commit(|batch| batch.erase(PersonNumber::new(2), at(200), Source::Cli, None)).unwrap();
    store.close().unwrap();
    compact(&path, CACHE_BYTES).unwrap();
    assert!(!holds(&fs::read(&path).unwrap(), wrapped));
}

#[test]
fn rotation_wraps_every_key_anew_and_then_needs_the_new_master_alone() {
    let disk = Disk::default();
    let (store, _) = disk.open(&options()).unwrap();
    tell(&store, 4);
    drop(store);
    let rotated = Arc::new(keys(1).rotated(&Entropy::seeded(9)).unwrap());
    let (store, _) = disk.open(&OpenOptions { keys: Arc::clone(&rotated), ..options() }).unwrap();
    let mut steps = Vec::new();
    assert_eq!(store.rewrap(|done| steps.push(done)).unwrap(), 3);
    assert_eq!(steps, [3]);
    drop(store);
    let alone = Arc::new(rotated.without_retired());
    let (store, _) = disk.open(&OpenOptions { keys: alone, ..options() }).unwrap();
    let reader = store.reader().unwrap();
    assert_sound(&reader);
    for n in 1..=8 {
        assert_eq!(reader.request(MessageNumber::new(u64::from(n))).unwrap(), Some(asked(n)));
    }
    drop((reader, store));
    assert!(matches!(disk.open(&options()), Err(OpenError::MissingKeys { .. })), "the old master is retired");
}

#[test]
fn copy_of_a_store_that_goes_on_is_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let (path, backup) = (dir.path().join("dunlin.redb"), dir.path().join("backup.redb"));
    let (store, _) = Store::open(&path, &options()).unwrap();
    tell(&store, 4);
    let head = store.head();
    store.copy_to(&backup, CACHE_BYTES).unwrap();
    store.commit(|batch| batch.set_cursor("later", batch.last_seq())).unwrap();
    assert!(store.copy_to(&backup, CACHE_BYTES).is_err(), "no copy replaces another");
    let rows = |store: &Store| -> Vec<(String, u64)> {
        let sizes = store.reader().unwrap().sizes().unwrap();
        sizes.into_iter().map(|size| (size.name, size.rows)).collect()
    };
    let (copy, report) = Store::open(&backup, &options()).unwrap();
    let (ours, theirs) = (rows(&store), rows(&copy));
    let without_later = ours.into_iter().map(|(name, rows)| {
        let later = u64::from(name == "cursors");
        (name, rows - later)
    });
    assert_eq!(theirs, without_later.collect::<Vec<_>>(), "every table is copied");
    assert_eq!((report.head, report.repaired), (head, false));
    assert_sound(&copy.reader().unwrap());
    let unknown = copy.commit(|batch| batch.erase(PersonNumber::new(99), at(1), Source::Cli, None));
    assert!(matches!(unknown, Err(dunlin_storage::CommitError::Refused(BatchError::UnknownPerson { .. }))));
}
