//! Newcomers: the newest persons, users and names of the provider's, which are in memory and not in the file's index yet.
//!
//! A hash falls anywhere into `person_hashes` or `instance_names`, and costs a page of its own when it goes
//! there alone. So hashes are gathered here and go to their index some thousands at a time, in one sorted
//! run. A crash loses nothing: the row of a person holds their number, that of a user their id, both sealed,
//! and `meta` says up to whom an index is complete; opening hashes the numbers and ids of those after. So it is with
//! the provider's names of messages, which are as random: the journal has them, from the position in `meta` on.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use dunlin_workflows::id::{MessageNumber, PersonNumber, ProviderSid, UserNumber};
use dunlin_workflows::message;
use redb::{Database, ReadableTable, Table, WriteTransaction};

use crate::error::{Fault, ReadError};
use crate::journal::JournalSeq;
use crate::person::Person;
use crate::reader::Reader;
use crate::record::{Event, Record};
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

/// Name in `meta` of the last record whose name of the provider's is in the index. Absent: all of them are.
const SIDS_INDEXED: &str = "sids_indexed";

/// Most records that opening looks through for names of the provider's, as a multiple of how many are gathered.
const RECORDS_PER_SID: u64 = 16;

/// What a record means that can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Nothing may run on this file.
    Refused,
    /// Somebody looks at the file to find just that.
    PassedOver,
}

/// A keyed hash of a phone number, see [`Keyring::blind`], or of a user id, see [`Keyring::blind_name`].
pub(crate) type Hash = [u8; 16];

/// Who is not in an index yet. Shared between the writer and snapshots; when an index takes its own in, the
/// writer begins new ones and older snapshots keep these.
#[derive(Debug, Clone, Default)]
pub(crate) struct Newcomers {
    pub(crate) persons: Arc<Gathered<Hash, u64>>,
    pub(crate) users: Arc<Gathered<Hash, u64>>,
    /// Messages by the names that the provider gave, and the positions of the records that say so.
    pub(crate) sids: Arc<Gathered<ProviderSid, (MessageNumber, JournalSeq)>>,
    /// The last record whose name of the provider's is in the index.
    pub(crate) sids_indexed: JournalSeq,
}

/// Numbers of persons, or of users, by hash; messages by a name.
pub(crate) struct Gathered<K, V>(RwLock<HashMap<K, V>>);

impl<K, V> Default for Gathered<K, V> {
    fn default() -> Self {
        Self(RwLock::new(HashMap::new()))
    }
}

impl<K: Copy + Ord + std::hash::Hash, V: Copy> Gathered<K, V> {
    /// What this leads to. A snapshot may be older: whether they are in it, its rows tell.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).copied()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// All of them, in the order of the index.
    pub(crate) fn all(&self) -> BTreeMap<K, V> {
        let gathered = self.0.read().unwrap_or_else(PoisonError::into_inner);
        gathered.iter().map(|(key, value)| (*key, *value)).collect()
    }

    /// More of them.
    pub(crate) fn add(&self, more: impl IntoIterator<Item = (K, V)>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).extend(more);
    }
}

impl<K, V> fmt::Debug for Gathered<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} gathered", self.0.read().unwrap_or_else(PoisonError::into_inner).len())
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
    pub(crate) fn read_newcomers(
        &self,
        keyring: &Keyring,
        unreadable: Unreadable,
    ) -> Result<Newcomers, ReadError> {
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
        let (persons, users) = (gathered(persons), gathered(users));
        Ok(Newcomers { persons, users, ..self.read_sids(unreadable)? })
    }

    /// The last record whose name of the provider's is in the index.
    pub(crate) fn sids_indexed(&self) -> Result<JournalSeq, ReadError> {
        match sids_indexed(&self.open(table::META)?)? {
            Some(seq) => Ok(seq),
            None => self.last_seq(),
        }
    }

    /// The provider's names in the records after the last one that is in the index. Needs no keys.
    pub(crate) fn read_sids(&self, unreadable: Unreadable) -> Result<Newcomers, ReadError> {
        let indexed = self.sids_indexed()?;
        let mut sids = HashMap::new();
        for raw in self.stored_journal(indexed)? {
            let raw = raw?;
            let record = match Record::decode(raw.seq, &raw.bytes) {
                Ok(record) => record,
                Err(source) if unreadable == Unreadable::Refused => {
                    return Err(ReadError::Record { seq: raw.seq, source });
                }
                Err(_told_by_whoever_reads_all) => continue,
            };
            if let Event::Message { number, event: message::Event::Submitted { sid, .. } } = record.event {
                sids.insert(sid, (number, raw.seq));
            }
        }
        Ok(Newcomers { sids: gathered(sids), sids_indexed: indexed, ..Newcomers::default() })
    }
}

impl Newcomers {
    /// Whether so many more names of the provider's, up to record `last`, are better gathered than indexed.
    pub(crate) fn gathers_sids(&self, more: usize, last: JournalSeq, max: usize) -> bool {
        let records = u64::try_from(max).unwrap_or(u64::MAX).saturating_mul(RECORDS_PER_SID);
        let is_near = last.get().saturating_sub(self.sids_indexed.get()) < records;
        self.sids.len().saturating_add(more) < max && is_near
    }
}

fn gathered<K, V>(found: HashMap<K, V>) -> Arc<Gathered<K, V>> {
    Arc::new(Gathered(RwLock::new(found)))
}

/// Takes names of the provider's into the index; gives the last record, up to which it is complete then.
pub(crate) fn index_sids(
    transaction: &WriteTransaction,
    sids: &BTreeMap<ProviderSid, (MessageNumber, JournalSeq)>,
) -> Result<JournalSeq, ReadError> {
    let mut index = transaction.open_table(table::PROVIDER_SIDS).map_err(Fault::from)?;
    for (sid, (number, _)) in sids {
        index.insert(sid.as_bytes(), number.get()).map_err(Fault::from)?;
    }
    let journal = transaction.open_table(table::JOURNAL).map_err(Fault::from)?;
    let last = journal.last().map_err(Fault::from)?.map_or(0, |(seq, _)| seq.value());
    let mut meta = transaction.open_table(table::META).map_err(Fault::from)?;
    set_sids_indexed(&mut meta, JournalSeq::new(last))?;
    Ok(JournalSeq::new(last))
}

/// Notes that the index of the provider's names is complete up to a record.
pub(crate) fn set_sids_indexed(
    meta: &mut Table<'_, &'static str, &'static [u8]>,
    last: JournalSeq,
) -> Result<(), Fault> {
    meta.insert(SIDS_INDEXED, last.get().to_le_bytes().as_slice())?;
    Ok(())
}

fn sids_indexed(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
) -> Result<Option<JournalSeq>, ReadError> {
    let Some(bytes) = meta.get(SIDS_INDEXED).map_err(Fault::from)? else { return Ok(None) };
    let seq = bytes.value().try_into().map_err(|_length| ReadError::Meta { key: SIDS_INDEXED })?;
    Ok(Some(JournalSeq::new(u64::from_le_bytes(seq))))
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

/// Notes, durably, that every user and every name of the provider's so far is in the index, in a file that says nothing of it.
pub(crate) fn mark(database: &Database) -> Result<(), ReadError> {
    let transaction = database.begin_write().map_err(Fault::from)?;
    let mut meta = transaction.open_table(table::META).map_err(Fault::from)?;
    let (has_users, has_sids) = (users_indexed(&meta)?.is_some(), sids_indexed(&meta)?.is_some());
    if has_users && has_sids {
        drop(meta);
        transaction.abort().map_err(Fault::from)?;
        return Ok(());
    }
    if !has_users {
        let users = transaction.open_table(table::USER_KEYS).map_err(Fault::from)?;
        let last = users.last().map_err(Fault::from)?.map_or(0, |(number, _)| number.value());
        set_users_indexed(&mut meta, UserNumber::new(last))?;
    }
    if !has_sids {
        let journal = transaction.open_table(table::JOURNAL).map_err(Fault::from)?;
        let last = journal.last().map_err(Fault::from)?.map_or(0, |(seq, _)| seq.value());
        set_sids_indexed(&mut meta, JournalSeq::new(last))?;
    }
    drop(meta);
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
