//! Newcomers: the newest persons and users, whose hash is in memory and not in the file's index yet.
//!
//! A hash falls anywhere into `person_hashes` or `instance_names`, and costs a page of its own when it goes
//! there alone. So hashes are gathered here and go to their index some thousands at a time, in one sorted
//! run. A crash loses nothing: the row of a person holds their number, that of a user their id, both sealed,
//! and `meta` says up to whom an index is complete; opening hashes the numbers and ids of those after.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use dunlin_workflows::id::{PersonNumber, UserNumber};
use redb::{Database, ReadableTable, Table};

use crate::error::{Fault, ReadError};
use crate::person::Person;
use crate::reader::Reader;
use crate::seal::Keyring;
use crate::table;
use crate::user::UserKey;

/// How many persons, or users, are gathered before their hashes go to the index, unless a store is opened
/// with another number. Reading that many back takes some milliseconds, and about 300 kB.
pub const NEWCOMERS_MAX: usize = 4_096;

/// Name in `meta` of the last person whose hash is in the index.
const INDEXED: &str = "persons_indexed";

/// Name in `meta` of the last user whose name is in the index. Absent: all of them are.
const USERS_INDEXED: &str = "users_indexed";

/// A keyed hash of a phone number, see [`Keyring::blind`], or of a user id, see [`Keyring::blind_name`].
pub(crate) type Hash = [u8; 16];

/// Who is not in an index yet. Shared between the writer and snapshots; when an index takes its own in, the
/// writer begins new ones and older snapshots keep these.
#[derive(Debug, Clone, Default)]
pub(crate) struct Newcomers {
    pub(crate) persons: Arc<Gathered>,
    pub(crate) users: Arc<Gathered>,
}

/// Numbers of persons, or of users, by hash.
#[derive(Default)]
pub(crate) struct Gathered(RwLock<HashMap<Hash, u64>>);

impl Gathered {
    /// The number with this hash. A snapshot may be older: whether they are in it, its rows tell.
    pub(crate) fn get(&self, hash: &Hash) -> Option<u64> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(hash).copied()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// All of them, in the order of the index.
    pub(crate) fn all(&self) -> BTreeMap<Hash, u64> {
        let hashes = self.0.read().unwrap_or_else(PoisonError::into_inner);
        hashes.iter().map(|(hash, number)| (*hash, *number)).collect()
    }

    /// More of them.
    pub(crate) fn add(&self, more: impl IntoIterator<Item = (Hash, u64)>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).extend(more);
    }
}

impl fmt::Debug for Gathered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} gathered", self.len())
    }
}

impl Reader {
    /// The last person whose hash is in the index.
    pub(crate) fn indexed(&self) -> Result<PersonNumber, ReadError> {
        let value = self.open(table::META)?.get(INDEXED).map_err(Fault::from)?;
        let number = value.and_then(|value| value.value().try_into().ok()).map(u64::from_le_bytes);
        number.map(PersonNumber::new).ok_or(ReadError::Meta { key: INDEXED })
    }

    /// The last user whose name is in the index.
    pub(crate) fn users_indexed(&self) -> Result<UserNumber, ReadError> {
        users_indexed(&self.open(table::META)?).map(|last| last.unwrap_or(UserNumber::new(u64::MAX)))
    }

    /// Hashes the number of every person, and the id of every user, after the last one in the index.
    pub(crate) fn read_newcomers(&self, keyring: &Keyring) -> Result<Newcomers, ReadError> {
        let first = self.indexed()?.get().saturating_add(1);
        let mut persons = HashMap::new();
        for entry in self.open(table::PERSONS)?.range(first..).map_err(Fault::from)? {
            let (number, row) = entry.map_err(Fault::from)?;
            let person = Person::take(PersonNumber::new(number.value()), row.value(), keyring)?;
            persons.insert(keyring.blind(person.to), number.value());
        }
        let first = self.users_indexed()?.get().saturating_add(1);
        let mut users = HashMap::new();
        for entry in self.open(table::USER_KEYS)?.range(first..).map_err(Fault::from)? {
            let (number, row) = entry.map_err(Fault::from)?;
            let user = UserKey::take(UserNumber::new(number.value()), row.value(), keyring)?;
            users.insert(user.hash(keyring), number.value());
        }
        Ok(Newcomers { persons: gathered(persons), users: gathered(users) })
    }
}

fn gathered(hashes: HashMap<Hash, u64>) -> Arc<Gathered> {
    Arc::new(Gathered(RwLock::new(hashes)))
}

/// Notes that the index is complete up to a person.
pub(crate) fn set_indexed(
    meta: &mut Table<'_, &'static str, &'static [u8]>,
    last: PersonNumber,
) -> Result<(), Fault> {
    meta.insert(INDEXED, last.get().to_le_bytes().as_slice())?;
    Ok(())
}

/// Notes that the index of names is complete up to a user.
pub(crate) fn set_users_indexed(
    meta: &mut Table<'_, &'static str, &'static [u8]>,
    last: UserNumber,
) -> Result<(), Fault> {
    meta.insert(USERS_INDEXED, last.get().to_le_bytes().as_slice())?;
    Ok(())
}

/// Notes, durably, that every user so far is in the index, in a file that says nothing of it.
pub(crate) fn mark_users(database: &Database) -> Result<(), ReadError> {
    let transaction = database.begin_write().map_err(Fault::from)?;
    let mut meta = transaction.open_table(table::META).map_err(Fault::from)?;
    if users_indexed(&meta)?.is_some() {
        drop(meta);
        transaction.abort().map_err(Fault::from)?;
        return Ok(());
    }
    let users = transaction.open_table(table::USER_KEYS).map_err(Fault::from)?;
    let last = users.last().map_err(Fault::from)?.map_or(0, |(number, _)| number.value());
    set_users_indexed(&mut meta, UserNumber::new(last))?;
    drop((meta, users));
    transaction.commit().map_err(Fault::from)?;
    Ok(())
}

fn users_indexed(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
) -> Result<Option<UserNumber>, ReadError> {
    let Some(bytes) = meta.get(USERS_INDEXED).map_err(Fault::from)? else { return Ok(None) };
    let number = bytes.value().try_into().map_err(|_length| ReadError::Meta { key: USERS_INDEXED })?;
    Ok(Some(UserNumber::new(u64::from_le_bytes(number))))
}
