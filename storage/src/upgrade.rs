//! Upgrades: from format 1, which kept numbers and bodies in clear and had no chain; from format 2, which
//! had no archives, and whose index of persons was always complete; from format 3, which had no small
//! workflows.
//!
//! Each is one transaction: either the whole file is of the new format, or it is what it was. The pages
//! that held clear text are free afterwards, not blank: the caller should rewrite the file.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use dunlin_workflows::id::PersonNumber;
use dunlin_workflows::message::Terms;
use dunlin_workflows::phone_number::PhoneNumber;
use redb::{Database, ReadableTable, Table, TableDefinition, WriteTransaction};

use crate::batch::tables::Tables;
use crate::chain::{self, Head};
use crate::error::{Fault, OpenError, ReadError};
use crate::journal::JournalSeq;
use crate::meta::{FORMAT_VERSION, Meta};
use crate::person::Person;
use crate::record::accepted::{AcceptedV1, AcceptedV2};
use crate::record::header::{Header, KIND_MESSAGE};
use crate::record::{RecordError, codec, row};
use crate::seal::{Entropy, Keyring};
use crate::{newcomers, switch, table};

/// Format 1: (digits of the recipient, message number).
const BY_RECIPIENT: TableDefinition<'static, (u64, u64), ()> = TableDefinition::new("by_recipient");

/// Record type of `accepted`.
const ACCEPTED: u8 = 1;

/// Records or rows that are changed at a time.
const CHUNK: usize = 4_096;

/// Makes a file of format `found` one of the newest format.
///
/// # Errors
/// A record or row that can't be read; then the file stays what it was.
pub(crate) fn from(
    found: u8,
    database: &Database,
    keys: &Arc<Keyring>,
    entropy: &Entropy,
) -> Result<(), OpenError> {
    match found {
        1 => from_1(database, keys, entropy),
        2 => from_2(database),
        3 => from_3(database),
        _newest => Ok(()),
    }
}

/// Format 2 had no archives: its journal is whole. Its index of persons is complete. Its first files had
/// no index of what is held while sending is switched off.
fn from_2(database: &Database) -> Result<(), OpenError> {
    let transaction = database.begin_write().map_err(Fault::from)?;
    Tables::new(&transaction).create_all()?;
    switch::fill(&transaction)?;
    let meta = Meta::of(&transaction).map_err(|_damaged| OpenError::Meta { key: "format" })?;
    Meta { format: FORMAT_VERSION, ..meta }.put(&transaction)?;
    index_is_complete(&transaction)?;
    transaction.commit().map_err(Fault::from)?;
    Ok(())
}

/// Format 3 had no small workflows.
fn from_3(database: &Database) -> Result<(), OpenError> {
    let transaction = database.begin_write().map_err(Fault::from)?;
    Tables::new(&transaction).create_instances()?;
    let meta = Meta::of(&transaction).map_err(|_damaged| OpenError::Meta { key: "format" })?;
    Meta { format: FORMAT_VERSION, ..meta }.put(&transaction)?;
    transaction.commit().map_err(Fault::from)?;
    Ok(())
}

fn from_1(database: &Database, keys: &Arc<Keyring>, entropy: &Entropy) -> Result<(), OpenError> {
    let transaction = database.begin_write().map_err(Fault::from)?;
    Tables::new(&transaction).create_all()?;
    let mut persons = Persons { keys, entropy, known: BTreeMap::new() };
    let head = seal_journal(&transaction, &mut persons)?;
    rewrite_rows(&transaction, &persons)?;
    persons.write(&transaction)?;
    switch::fill(&transaction)?;
    let mut heads = transaction.open_table(table::HEADS).map_err(Fault::from)?;
    heads.insert(chain::NEWEST, head.to_bytes().as_slice()).map_err(Fault::from)?;
    drop(heads);
    transaction.delete_table(BY_RECIPIENT).map_err(Fault::from)?;
    let meta = Meta::of(&transaction).map_err(|_damaged| OpenError::Meta { key: "format" })?;
    Meta { format: FORMAT_VERSION, index: keys.index(), ..meta }.put(&transaction)?;
    index_is_complete(&transaction)?;
    transaction.commit().map_err(Fault::from)?;
    Ok(())
}

/// Notes that every person so far is in the index.
fn index_is_complete(transaction: &WriteTransaction) -> Result<(), ReadError> {
    let mut tables = Tables::new(transaction);
    let last = tables.last_person()?;
    Ok(newcomers::set_indexed(tables.meta.open()?, last)?)
}

/// Seals the text in every record that begins a message, and chains all of them.
fn seal_journal(transaction: &WriteTransaction, persons: &mut Persons<'_>) -> Result<Head, OpenError> {
    let mut journal = transaction.open_table(table::JOURNAL).map_err(Fault::from)?;
    let mut head = Head::empty();
    loop {
        let records = chunk(&journal, head.seq.get())?;
        if records.is_empty() {
            return Ok(head);
        }
        for (position, old) in records {
            let seq = JournalSeq::new(position);
            let failed = |source| ReadError::Record { seq, source };
            let sealed = seal_record(seq, &old, persons).map_err(failed)?;
            if let Some(new) = &sealed {
                journal.insert(position, new.as_slice()).map_err(Fault::from)?;
            }
            head = head.extended(seq, sealed.as_deref().unwrap_or(&old));
        }
    }
}

/// The sealed form of a record that begins a message; `None` for every other.
fn seal_record(
    seq: JournalSeq,
    bytes: &[u8],
    persons: &mut Persons<'_>,
) -> Result<Option<Vec<u8>>, RecordError> {
    let (header, payload) = Header::take(seq.get(), bytes)?;
    if (header.kind, header.record_type, header.type_version) != (KIND_MESSAGE, ACCEPTED, 1) {
        return Ok(None);
    }
    let (request, encoding, segments) = codec::take::<AcceptedV1>(payload)?.open()?;
    let (number, person) = persons.meet(request.to)?;
    let sealed = person.seal(number, seq, &request)?;
    let mut payload = Vec::new();
    let terms = Terms { encoding, segments, ..request.terms(number, None) };
    codec::put(&AcceptedV2::new(&terms, &sealed), &mut payload)?;
    let mut new = Vec::new();
    // The header is written in its newest layout; nobody was named then.
    Header { type_version: 2, ..header }.put(seq.get(), &payload, &mut new)?;
    Ok(Some(new))
}

/// Names persons instead of phone numbers in the rows of messages, and indexes them.
fn rewrite_rows(transaction: &WriteTransaction, persons: &Persons<'_>) -> Result<(), OpenError> {
    let mut messages = transaction.open_table(table::MESSAGES).map_err(Fault::from)?;
    let mut by_person = transaction.open_table(table::BY_PERSON).map_err(Fault::from)?;
    let mut last = 0;
    loop {
        let rows = chunk(&messages, last)?;
        if rows.is_empty() {
            return Ok(());
        }
        for (number, old) in rows {
            last = number;
            let failed = |source| ReadError::Row { table: "messages", key: number.to_string(), source };
            let (person, new) =
                row::upgrade_message(number, &old, |to| persons.number(to)).map_err(failed)?;
            messages.insert(number, new.as_slice()).map_err(Fault::from)?;
            by_person.insert((person.get(), number), ()).map_err(Fault::from)?;
        }
    }
}

/// Entries that follow key `after`, in order.
fn chunk(table: &Table<'_, u64, &'static [u8]>, after: u64) -> Result<Vec<(u64, Vec<u8>)>, Fault> {
    let range = table.range(after.saturating_add(1)..)?.take(CHUNK);
    let entries = range.map(|entry| entry.map(|(key, value)| (key.value(), value.value().to_vec())));
    Ok(entries.collect::<Result<_, _>>()?)
}

/// Persons met in the journal, by the digits of their number.
struct Persons<'a> {
    keys: &'a Keyring,
    entropy: &'a Entropy,
    known: BTreeMap<u64, (PersonNumber, Person)>,
}

impl Persons<'_> {
    fn meet(&mut self, to: PhoneNumber) -> Result<(PersonNumber, &Person), RecordError> {
        let next = u64::try_from(self.known.len()).unwrap_or(u64::MAX).saturating_add(1);
        let (number, person) = match self.known.entry(to.digits()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let new =
                    Person::new(to, self.keys, self.entropy).map_err(|_no_entropy| RecordError::NoCipher)?;
                place.insert((PersonNumber::new(next), new))
            }
        };
        Ok((*number, person))
    }

    fn number(&self, digits: u64) -> Option<PersonNumber> {
        self.known.get(&digits).map(|(number, _)| *number)
    }

    fn write(&self, transaction: &WriteTransaction) -> Result<(), OpenError> {
        let mut persons = transaction.open_table(table::PERSONS).map_err(Fault::from)?;
        let mut hashes = transaction.open_table(table::PERSON_HASHES).map_err(Fault::from)?;
        for (number, person) in self.known.values() {
            let failed = |source| ReadError::Row { table: "persons", key: number.get().to_string(), source };
            let row = person.put(*number, self.keys).map_err(failed)?;
            persons.insert(number.get(), row.as_slice()).map_err(Fault::from)?;
            hashes.insert(&self.keys.blind(person.to), number.get()).map_err(Fault::from)?;
        }
        Ok(())
    }
}
