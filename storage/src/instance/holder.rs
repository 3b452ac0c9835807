//! Whose key seals what an instance's record says about somebody.

use dunlin_workflows::id::{PersonNumber, UserNumber};

use crate::batch::Batch;
use crate::error::{BatchError, ReadError};
use crate::journal::JournalSeq;
use crate::reader::Reader;
use crate::record::{Event, Record, RecordError};
use crate::seal::{self, Key, Place};
use crate::user::UserKey;

/// Whose key seals what a record says about them; once they are erased, nobody reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// A person, known by their phone number.
    Person(PersonNumber),
    /// A user, known by their user id.
    User(UserNumber),
}

impl Holder {
    fn place(self, seq: JournalSeq) -> Place {
        match self {
            Self::Person(person) => Place { field: *b"pins", position: seq.get(), owner: person.get() },
            Self::User(user) => Place { field: *b"uins", position: seq.get(), owner: user.get() },
        }
    }
}

/// Seals what the record at `seq` will say about its holder.
pub(super) fn seal(
    batch: &mut Batch<'_>,
    holder: Holder,
    seq: JournalSeq,
    plain: &[u8],
) -> Result<Vec<u8>, BatchError> {
    let mut bytes = plain.to_vec();
    let key = match holder {
        Holder::Person(person) => {
            batch.open_person(person)?.ok_or(BatchError::UnknownPerson { person })?.key().clone()
        }
        Holder::User(user) => batch.user_key(user)?.ok_or(BatchError::UnknownUser { user })?,
    };
    seal::seal(&key, holder.place(seq), &mut bytes).ok_or(RecordError::NoCipher)?;
    Ok(bytes)
}

/// The key with which something about a user was sealed in the record at `seq`.
fn key_of(user: &UserKey, seq: JournalSeq) -> Result<Key, ReadError> {
    let source = RecordError::Sealed { what: "secret of a user without a key" };
    user.key().cloned().ok_or(ReadError::Record { seq, source })
}

fn opened(key: &Key, holder: Holder, record: &Record) -> Result<Vec<u8>, ReadError> {
    let unreadable = RecordError::Sealed { what: "secret of an instance" };
    seal::open(key, holder.place(record.seq), &record.sealed)
        .ok_or(ReadError::Record { seq: record.seq, source: unreadable })
}

impl Batch<'_> {
    /// What the record at `seq` says about its holder; `None` when it says nothing, or they were erased.
    pub fn secret_at(&mut self, seq: JournalSeq, holder: Holder) -> Result<Option<Vec<u8>>, BatchError> {
        let record = self.record_at(seq)?;
        if !is_sealed(&record) {
            return Ok(None);
        }
        let key = match holder {
            Holder::Person(person) => self.open_person(person)?.map(|person| person.key().clone()),
            Holder::User(user) => self.open_user(user)?.map(|user| key_of(user, seq)).transpose()?,
        };
        Ok(key.map(|key| opened(&key, holder, &record)).transpose()?)
    }
}

impl Reader {
    /// What a record says about its holder; `None` when it says nothing, they were erased, or the file was
    /// opened without keys.
    pub fn secret(&self, record: &Record, holder: Holder) -> Result<Option<Vec<u8>>, ReadError> {
        if !is_sealed(record) {
            return Ok(None);
        }
        let key = match holder {
            Holder::Person(person) => self.person(person)?.map(|person| person.key().clone()),
            Holder::User(user) => self.user(user)?.map(|user| key_of(&user, record.seq)).transpose()?,
        };
        key.map(|key| opened(&key, holder, record)).transpose()
    }
}

fn is_sealed(record: &Record) -> bool {
    matches!(record.event, Event::Instance { .. }) && !record.sealed.is_empty()
}
