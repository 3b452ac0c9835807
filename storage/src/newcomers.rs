//! Newcomers: the newest persons, whose hash is in memory and not in the file's index yet.
//!
//! A hash falls anywhere into `person_hashes`, and costs a page of its own when it goes there alone.
//! So hashes are gathered here and go to the index some thousands at a time, in one sorted run. A
//! crash loses nothing: the row of a person holds their number, sealed, and `meta` says up to which
//! person the index is complete; opening hashes the numbers of those after.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{PoisonError, RwLock};

use dunlin_workflows::id::PersonNumber;
use redb::Table;

use crate::error::{Fault, ReadError};
use crate::person::Person;
use crate::reader::Reader;
use crate::seal::Keyring;
use crate::table;

/// How many newcomers are gathered before their hashes go to the index, unless a store is opened
/// with another number. Reading that many back takes some milliseconds, and about 300 kB.
pub const NEWCOMERS_MAX: usize = 4_096;

/// Name in `meta` of the last person whose hash is in the index.
const INDEXED: &str = "persons_indexed";

/// A keyed hash of a phone number, see [`Keyring::blind`].
pub(crate) type Hash = [u8; 16];

/// Persons who are not in the index yet, by hash. Shared between the writer and snapshots; when the
/// index takes them in, the writer begins new ones and older snapshots keep these.
#[derive(Default)]
pub(crate) struct Newcomers(RwLock<HashMap<Hash, PersonNumber>>);

impl Newcomers {
    /// The newcomer with this hash. A snapshot may be older: whether they are in it, its rows tell.
    pub(crate) fn get(&self, hash: &Hash) -> Option<PersonNumber> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(hash).copied()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// All of them, in the order of the index.
    pub(crate) fn all(&self) -> BTreeMap<Hash, PersonNumber> {
        let hashes = self.0.read().unwrap_or_else(PoisonError::into_inner);
        hashes.iter().map(|(hash, number)| (*hash, *number)).collect()
    }

    /// More of them.
    pub(crate) fn add(&self, more: impl IntoIterator<Item = (Hash, PersonNumber)>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).extend(more);
    }
}

impl fmt::Debug for Newcomers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} newcomers", self.len())
    }
}

impl Reader {
    /// The last person whose hash is in the index.
    pub(crate) fn indexed(&self) -> Result<PersonNumber, ReadError> {
        let value = self.open(table::META)?.get(INDEXED).map_err(Fault::from)?;
        let number = value.and_then(|value| value.value().try_into().ok()).map(u64::from_le_bytes);
        number.map(PersonNumber::new).ok_or(ReadError::Meta { key: INDEXED })
    }

    /// Hashes the number of every person after the last one in the index.
    pub(crate) fn read_newcomers(&self, keyring: &Keyring) -> Result<Newcomers, ReadError> {
        let first = self.indexed()?.get().saturating_add(1);
        let mut hashes = HashMap::new();
        for entry in self.open(table::PERSONS)?.range(first..).map_err(Fault::from)? {
            let (number, row) = entry.map_err(Fault::from)?;
            let number = PersonNumber::new(number.value());
            let person = Person::take(number, row.value(), keyring)?;
            hashes.insert(keyring.blind(person.to), number);
        }
        Ok(Newcomers(RwLock::new(hashes)))
    }
}

/// Notes that the index is complete up to a person.
pub(crate) fn set_indexed(
    meta: &mut Table<'_, &'static str, &'static [u8]>,
    last: PersonNumber,
) -> Result<(), Fault> {
    meta.insert(INDEXED, last.get().to_le_bytes().as_slice())?;
    Ok(())
}
