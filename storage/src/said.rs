//! What was said to each person lately, as keyed digests: enough to know the same text again, and nothing to read.

use std::collections::BTreeMap;

use dunlin_workflows::body::Body;
use dunlin_workflows::id::PersonNumber;
use dunlin_workflows::timestamp::Timestamp;
use redb::ReadableTable;
use wincode::{SchemaRead, SchemaWrite};

use crate::batch::Batch;
use crate::batch::tables::append;
use crate::error::{BatchError, Fault, ReadError};
use crate::person::{self, Person};
use crate::reader::Reader;
use crate::record::RecordError;
use crate::record::envelope::{put_row, take_row};
use crate::recovery::{Problem, VerifyReport};
use crate::table;

const TABLE: &str = "said";

/// Most texts of a person that are remembered; the oldest goes first.
const TEXTS_MAX: usize = 64;

/// What was said to a person: digests, and when each text went, in the order of their records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Said(pub(crate) Vec<(Digest, Timestamp)>);

/// What a batch knows of what was said lately.
pub(crate) type Sayings = BTreeMap<PersonNumber, Saying>;

/// What a batch knows of what was said to a person lately.
#[derive(Default)]
pub(crate) struct Saying {
    said: Said,
    is_changed: bool,
}

/// A text that only this person's key tells apart from others.
pub(crate) type Digest = [u8; 16];

/// A row of `said`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct SaidRowV1 {
    texts: Vec<([u8; 16], i64)>,
}

/// The digest of a text to a person.
pub(crate) fn digest(person: &Person, body: &Body) -> Digest {
    let key = blake3::derive_key("dunlin same text", person.key().bytes());
    let hash = blake3::keyed_hash(&key, body.as_str().as_bytes());
    let mut digest = Digest::default();
    digest.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
    digest
}

impl Said {
    /// When the text with this digest went last.
    fn last(&self, digest: &Digest) -> Option<Timestamp> {
        self.0.iter().filter(|(said, _)| said == digest).map(|(_, at)| *at).max()
    }

    /// One more text went at `at`; what went before `since` concerns nobody any more.
    fn say(&mut self, digest: Digest, at: Timestamp, since: Timestamp) {
        self.0.retain(|(said, then)| *then > since && *said != digest);
        self.0.push((digest, at));
        if self.0.len() > TEXTS_MAX {
            self.0.remove(0);
        }
    }
}

/// The row of a person.
pub(crate) fn put(person: PersonNumber, said: &Said) -> Result<Vec<u8>, RecordError> {
    let texts = said.0.iter().map(|(digest, at)| (*digest, at.as_millis())).collect();
    put_row(TABLE, &person.get().to_le_bytes(), 1, &SaidRowV1 { texts })
}

/// Reads the row of a person.
pub(crate) fn take(person: PersonNumber, bytes: &[u8]) -> Result<Said, ReadError> {
    let opened = || -> Result<Said, RecordError> {
        let row: SaidRowV1 = take_row(TABLE, &person.get().to_le_bytes(), 1, bytes)?;
        if row.texts.len() > TEXTS_MAX {
            return Err(RecordError::Value { what: "said" });
        }
        let at = |(digest, ms)| (digest, Timestamp::from_millis(ms));
        Ok(Said(row.texts.into_iter().map(at).collect()))
    };
    opened().map_err(|source| ReadError::Row { table: TABLE, key: person.get().to_string(), source })
}

impl Batch<'_> {
    /// When this text went last to a person, as far as it is remembered.
    pub fn said_last(&mut self, person: PersonNumber, body: &Body) -> Result<Option<Timestamp>, BatchError> {
        let Some(digest) = self.open_person(person)?.map(|known| digest(known, body)) else {
            return Ok(None);
        };
        Ok(self.saying(person)?.said.last(&digest))
    }

    /// This text goes to a person now; what went before `since` is forgotten.
    pub fn say(
        &mut self,
        person: PersonNumber,
        body: &Body,
        at: Timestamp,
        since: Timestamp,
    ) -> Result<(), BatchError> {
        let Some(digest) = self.open_person(person)?.map(|known| digest(known, body)) else { return Ok(()) };
        let saying = self.saying(person)?;
        saying.said.say(digest, at, since);
        saying.is_changed = true;
        Ok(())
    }

    /// Reads once what was said to a person. Whoever is new has no row.
    fn saying(&mut self, person: PersonNumber) -> Result<&mut Saying, BatchError> {
        if !self.said.contains_key(&person) && !self.new_persons.contains_key(&person) {
            let read = self.stored_said(person);
            let said = self.noted(read)?.unwrap_or_default();
            self.said.insert(person, Saying { said, is_changed: false });
        }
        Ok(self.said.entry(person).or_default())
    }

    fn stored_said(&mut self, person: PersonNumber) -> Result<Option<Said>, BatchError> {
        let row = self.tables.said.open()?.get(person.get()).map_err(Fault::from)?;
        Ok(row.map(|bytes| take(person, bytes.value())).transpose()?)
    }

    /// Writes what this batch says, but to nobody who is erased.
    pub(crate) fn write_said(&mut self) -> Result<(), BatchError> {
        let changed = self.said.iter().filter(|(_, saying)| saying.is_changed);
        let heard = changed.filter(|(person, _)| !self.erased.contains(person));
        let rows = heard.map(|(person, saying)| Ok((person.get(), put(*person, &saying.said)?)));
        let rows: Vec<_> = rows.collect::<Result<_, RecordError>>()?;
        if !rows.is_empty() {
            append(self.tables.said.open()?, rows.iter().map(|(person, row)| (*person, row.as_slice())))?;
        }
        Ok(())
    }
}

impl Reader {
    /// When this text went last to a person, as far as it is remembered. Needs the keys.
    pub fn said_last(&self, person: PersonNumber, body: &Body) -> Result<Option<Timestamp>, ReadError> {
        let Some(keyring) = self.keyring() else { return Ok(None) };
        let Some(said) = self.open_if_there(table::SAID)? else { return Ok(None) };
        let Some(row) = said.get(person.get()).map_err(Fault::from)? else { return Ok(None) };
        let Some(known) = person::find(&self.open(table::PERSONS)?, person, keyring)? else {
            return Ok(None);
        };
        Ok(take(person, row.value())?.last(&digest(&known, body)))
    }
}

/// Reports rows that can't be read, or are about somebody who is gone.
pub(crate) fn check(reader: &Reader, report: &mut VerifyReport) -> Result<(), ReadError> {
    let Some(said) = reader.open_if_there(table::SAID)? else { return Ok(()) };
    let persons = reader.open(table::PERSONS)?;
    for entry in said.range::<u64>(..).map_err(Fault::from)? {
        let (key, bytes) = entry.map_err(Fault::from)?;
        let person = key.value();
        if let Err(error) = take(PersonNumber::new(person), bytes.value()) {
            report.add(Problem::Unreadable { why: error.to_string() });
        }
        if persons.get(person).map_err(Fault::from)?.is_none() {
            report.add(Problem::StrayEntry { table: TABLE, key: person.to_string() });
        }
    }
    Ok(())
}
