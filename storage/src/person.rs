//! Persons: who texts go to, known inside the file by a number that says nothing about them.
//!
//! A person's row holds their data key and their phone number, sealed together with the master key. Their
//! texts are sealed with the data key. When the row is gone, all of that is unreadable for good, and the
//! journal stays what it was.

use dunlin_workflows::actor::Reason;
use dunlin_workflows::id::{MessageNumber, PersonNumber};
use dunlin_workflows::message::{Request, Terms, Text};
use dunlin_workflows::phone_number::{PhoneNumber, Region};
use dunlin_workflows::timestamp::Timestamp;
use redb::ReadableTable;

use crate::actor::By;
use crate::batch::Batch;
use crate::error::{BatchError, Fault, ReadError};
use crate::journal::JournalSeq;
use crate::newcomers::Hash;
use crate::reader::Reader;
use crate::record::accepted::{TextV1, phone_number};
use crate::record::envelope::{put_bytes, take_bytes, take_row};
use crate::record::row::PersonRowV1;
use crate::record::{Event, PersonEvent, Record, RecordError};
use crate::seal::{self, Entropy, Key, KeyId, Keyring, Place};
use crate::table;

/// Name in `meta` of the highest number that was erased: nobody gets it again, although nothing else may
/// remember it.
const ERASED: &str = "persons_erased";

/// The form of a row of `persons`. The first is still read.
const ROW: u8 = 2;

/// The master key that a payload names first, and what is sealed with it.
pub(crate) fn wrapped_by(payload: &[u8]) -> Result<(KeyId, &[u8]), RecordError> {
    let too_short = RecordError::TooShort { length: payload.len(), envelope: size_of::<u32>() };
    let (master, sealed) = payload.split_first_chunk().ok_or(too_short)?;
    Ok((KeyId::new(u32::from_le_bytes(*master)), sealed))
}

/// What is written to a message's recipient, as far as it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// It is here.
    Open(Box<Text>),
    /// The person was erased; nobody can read it any more.
    Erased,
    /// The file was opened without keys.
    Locked,
}

impl Content {
    /// The text, if it can be read.
    pub fn text(self) -> Option<Text> {
        match self {
            Self::Open(text) => Some(*text),
            Self::Erased | Self::Locked => None,
        }
    }
}

/// A person whose data key is at hand.
pub(crate) struct Person {
    pub(crate) to: PhoneNumber,
    key: Key,
}

impl Person {
    /// A person with a new data key.
    pub(crate) fn new(to: PhoneNumber, keyring: &Keyring, entropy: &Entropy) -> Result<Self, BatchError> {
        let (_, wrapping) = keyring.wrapping();
        Ok(Self { to, key: wrapping.draw_wrapped(entropy)? })
    }

    /// The person's data key.
    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// The row of this person.
    pub(crate) fn put(&self, number: PersonNumber, keyring: &Keyring) -> Result<Vec<u8>, RecordError> {
        let (master, wrapping) = keyring.wrapping();
        let mut both = [self.key.bytes().as_slice(), &self.to.digits().to_le_bytes()].concat();
        sealed(wrapping, both_place(number, master), &mut both)?;
        let payload = [master.get().to_le_bytes().as_slice(), &both].concat();
        Ok(put_bytes("persons", &number.get().to_le_bytes(), ROW, &payload))
    }

    /// Opens the row of person `number`.
    pub(crate) fn take(number: PersonNumber, bytes: &[u8], keyring: &Keyring) -> Result<Self, ReadError> {
        let failed = |source| ReadError::Row { table: "persons", key: number.get().to_string(), source };
        let key = number.get().to_le_bytes();
        if bytes.first() == Some(&1) {
            let row: PersonRowV1 = take_row("persons", &key, 1, bytes).map_err(failed)?;
            let id = KeyId::new(row.master);
            let master = keyring.master(id).ok_or(ReadError::MasterKey { id })?;
            return Self::open_first(number, &row, (id, master)).map_err(failed);
        }
        let (version, payload) = take_bytes("persons", &key, bytes).map_err(failed)?;
        if version != ROW {
            return Err(failed(RecordError::UnknownVersion { name: "persons", version }));
        }
        let (id, both) = wrapped_by(payload).map_err(failed)?;
        let master = keyring.master(id).ok_or(ReadError::MasterKey { id })?;
        let open = || -> Result<Self, RecordError> {
            let both = opened(master, both_place(number, id), both, "data key")?;
            let what = "data key and phone number";
            let (key, digits) = both.split_first_chunk().ok_or(RecordError::Sealed { what })?;
            let digits = digits.try_into().map_err(|_length| RecordError::Sealed { what })?;
            Ok(Self { to: phone_number(u64::from_le_bytes(digits))?, key: master.unwrapped(*key) })
        };
        open().map_err(failed)
    }

    /// Opens a row of the first form, in which the number was sealed with the data key.
    fn open_first(
        number: PersonNumber,
        row: &PersonRowV1,
        (id, master): (KeyId, &Key),
    ) -> Result<Self, RecordError> {
        let key = opened(master, wrap_place(number, id), &row.wrapped, "data key")?;
        let key =
            master.unwrapped(key.try_into().map_err(|_length| RecordError::Sealed { what: "data key" })?);
        let digits = opened(&key, number_place(number), &row.number, "phone number")?;
        let digits = digits.try_into().map_err(|_length| RecordError::Sealed { what: "phone number" })?;
        Ok(Self { to: phone_number(u64::from_le_bytes(digits))?, key })
    }

    /// Seals the text of a request for the record at `seq`.
    pub(crate) fn seal(
        &self,
        number: PersonNumber,
        seq: JournalSeq,
        request: &Request,
    ) -> Result<Vec<u8>, RecordError> {
        let mut bytes = TextV1::put(request)?;
        sealed(&self.key, text_place(number, seq), &mut bytes)?;
        Ok(bytes)
    }

    /// Seals what they wrote, for the record at `seq`.
    pub(crate) fn seal_words(
        &self,
        number: PersonNumber,
        seq: JournalSeq,
        words: &str,
    ) -> Result<Vec<u8>, RecordError> {
        let mut bytes = words.as_bytes().to_vec();
        sealed(&self.key, words_place(number, seq), &mut bytes)?;
        Ok(bytes)
    }

    /// Opens what they wrote, in the record at `seq`.
    pub(crate) fn open_words(
        &self,
        number: PersonNumber,
        seq: JournalSeq,
        bytes: &[u8],
    ) -> Result<String, ReadError> {
        opened(&self.key, words_place(number, seq), bytes, "words")
            .and_then(|bytes| {
                String::from_utf8(bytes).map_err(|_not_utf8| RecordError::Sealed { what: "words" })
            })
            .map_err(|source| ReadError::Record { seq, source })
    }

    /// Opens the text in the record at `seq`.
    pub(crate) fn open(
        &self,
        number: PersonNumber,
        seq: JournalSeq,
        bytes: &[u8],
    ) -> Result<Text, ReadError> {
        opened(&self.key, text_place(number, seq), bytes, "text")
            .and_then(|bytes| TextV1::take(self.to, &bytes))
            .map_err(|source| ReadError::Record { seq, source })
    }
}

fn words_place(person: PersonNumber, seq: JournalSeq) -> Place {
    Place { field: *b"word", position: seq.get(), owner: person.get() }
}

fn sealed(key: &Key, place: Place, bytes: &mut Vec<u8>) -> Result<(), RecordError> {
    seal::seal(key, place, bytes).ok_or(RecordError::NoCipher)
}

fn opened(key: &Key, place: Place, bytes: &[u8], what: &'static str) -> Result<Vec<u8>, RecordError> {
    seal::open(key, place, bytes).ok_or(RecordError::Sealed { what })
}

fn both_place(person: PersonNumber, master: KeyId) -> Place {
    Place { field: *b"pers", position: person.get(), owner: u64::from(master.get()) }
}

fn wrap_place(person: PersonNumber, master: KeyId) -> Place {
    Place { field: *b"wrap", position: person.get(), owner: u64::from(master.get()) }
}

fn number_place(person: PersonNumber) -> Place {
    Place { field: *b"numb", position: person.get(), owner: person.get() }
}

fn text_place(person: PersonNumber, seq: JournalSeq) -> Place {
    Place { field: *b"text", position: seq.get(), owner: person.get() }
}

/// The highest number of a person that was ever erased; 0 when there is none.
pub(crate) fn last_erased(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
) -> Result<PersonNumber, ReadError> {
    let Some(bytes) = meta.get(ERASED).map_err(Fault::from)? else { return Ok(PersonNumber::new(0)) };
    let number = bytes.value().try_into().map_err(|_length| ReadError::Meta { key: ERASED })?;
    Ok(PersonNumber::new(u64::from_le_bytes(number)))
}

/// The person with this number, unless erased.
pub(crate) fn find(
    table: &impl ReadableTable<u64, &'static [u8]>,
    number: PersonNumber,
    keyring: &Keyring,
) -> Result<Option<Person>, ReadError> {
    let row = table.get(number.get()).map_err(Fault::from)?;
    row.map(|bytes| Person::take(number, bytes.value(), keyring)).transpose()
}

/// The terms and the sealed text in a record that begins a message.
pub(crate) fn accepted(record: Record) -> Result<(Terms, Vec<u8>), ReadError> {
    match record.event {
        Event::Message { event: dunlin_workflows::message::Event::Accepted { terms }, .. } => {
            Ok((*terms, record.sealed))
        }
        Event::Message { .. } | Event::Lane { .. } | Event::Person { .. } | Event::Instance { .. } => {
            Err(ReadError::NotAccepted { seq: record.seq })
        }
    }
}

impl Batch<'_> {
    /// The person with this phone number, who is new when there was none. Becomes durable with the
    /// first message to them, or the first word about their consent.
    pub fn person(&mut self, to: PhoneNumber) -> Result<PersonNumber, BatchError> {
        let hash = self.keyring.blind(to);
        if let Some(number) = self.met.get(&hash) {
            return Ok(*number);
        }
        let read = self.meet(hash, to);
        let number = self.noted(read)?;
        self.met.insert(hash, number);
        Ok(number)
    }

    fn meet(&mut self, hash: Hash, to: PhoneNumber) -> Result<PersonNumber, BatchError> {
        let gathered = self.newcomers.persons.get(&hash).map(PersonNumber::new);
        if let Some(number) = gathered.filter(|number| !self.erased.contains(number)) {
            return Ok(number);
        }
        if let Some(number) = self.tables.person_hashes.open()?.get(&hash).map_err(Fault::from)? {
            return Ok(PersonNumber::new(number.value()));
        }
        let last = match self.last_met.or(self.highest.person) {
            Some(last) => last,
            None => *self.highest.person.insert(self.tables.last_person()?),
        };
        let number = PersonNumber::new(last.get().saturating_add(1));
        self.last_met = Some(number);
        self.persons.insert(number, Person::new(to, &self.keyring, &self.entropy)?);
        self.new_persons.insert(number, hash);
        Ok(number)
    }

    /// What is written to the recipient of a message; `None` when there is no such message, or when
    /// the person was erased.
    pub fn request(&mut self, number: MessageNumber) -> Result<Option<Request>, BatchError> {
        let Some(seq) = self.load(number)?.map(|projection| projection.accepted_seq) else { return Ok(None) };
        let (terms, sealed) = accepted(self.record_at(seq)?)?;
        let Some(person) = self.open_person(terms.person)? else { return Ok(None) };
        let text = person.open(terms.person, seq, &sealed)?;
        Ok(Some(Request::of(&terms, text)))
    }

    /// Destroys a person's data key, and notes who asked for it: their number and texts can't be read
    /// any more, wherever else the journal is copied. The row's old bytes stay in free pages until the
    /// file is rewritten by [`compact`](crate::compact). Of somebody who opted out the keyed hash of the
    /// number is kept, so that they are not texted again.
    ///
    /// # Errors
    /// [`BatchError::UnknownPerson`] when there is no such person, or not any more.
    pub fn erase(
        &mut self,
        person: PersonNumber,
        at: Timestamp,
        by: impl Into<By>,
        reason: Option<&Reason>,
    ) -> Result<(), BatchError> {
        let Some(to) = self.open_person(person)?.map(|open| open.to) else {
            return Err(BatchError::UnknownPerson { person });
        };
        let hash = self.keyring.blind(to);
        let event = PersonEvent::Erased { reason: reason.cloned() };
        self.record_erasure(person, (at, by.into()), &event, &hash)?;
        let removed = self.forget(person, &hash);
        self.noted(removed)?;
        self.persons.remove(&person);
        self.met.remove(&hash);
        self.erased.insert(person);
        Ok(())
    }

    fn forget(&mut self, person: PersonNumber, hash: &Hash) -> Result<(), BatchError> {
        self.tables.persons.open()?.remove(person.get()).map_err(Fault::from)?;
        let meta = self.tables.meta.open()?;
        let last = last_erased(meta)?.max(person);
        meta.insert(ERASED, last.get().to_le_bytes().as_slice()).map_err(Fault::from)?;
        self.tables.person_hashes.open()?.remove(hash).map_err(Fault::from)?;
        self.forget_said(person)
    }

    /// A person's phone number; `None` once they were erased.
    pub fn number_of(&mut self, person: PersonNumber) -> Result<Option<PhoneNumber>, BatchError> {
        Ok(self.open_person(person)?.map(|open| open.to))
    }

    /// Where a person's number belongs; `None` when that is nowhere, or they were erased.
    pub fn region_of(&mut self, person: PersonNumber) -> Result<Option<Region>, BatchError> {
        Ok(self.open_person(person)?.and_then(|open| open.to.region()))
    }

    /// A person of this batch or of the file, with their data key.
    pub(crate) fn open_person(&mut self, number: PersonNumber) -> Result<Option<&Person>, BatchError> {
        if !self.persons.contains_key(&number) {
            let read = self.stored_person(number);
            let Some(person) = self.noted(read)? else { return Ok(None) };
            self.persons.insert(number, person);
        }
        Ok(self.persons.get(&number))
    }

    fn stored_person(&mut self, number: PersonNumber) -> Result<Option<Person>, BatchError> {
        Ok(find(self.tables.persons.open()?, number, &self.keyring)?)
    }
}

impl Reader {
    /// What was agreed about a message, and what is written to its recipient; `None` when there is no
    /// such message.
    pub fn content(&self, number: MessageNumber) -> Result<Option<(Terms, Content)>, ReadError> {
        let row = self.message(number)?;
        row.map(|row| self.content_at(row.accepted_seq)).transpose()
    }

    /// The same for the message that the record at `seq` began.
    pub fn content_at(&self, seq: JournalSeq) -> Result<(Terms, Content), ReadError> {
        let (terms, sealed) = accepted(self.record(seq)?)?;
        let Some(keyring) = self.keyring() else { return Ok((terms, Content::Locked)) };
        let content = match find(&self.open(table::PERSONS)?, terms.person, keyring)? {
            Some(person) => Content::Open(Box::new(person.open(terms.person, seq, &sealed)?)),
            None => Content::Erased,
        };
        Ok((terms, content))
    }

    /// What was agreed about the message that a record belongs to; `None` when it belongs to none. Needs
    /// no keys.
    pub fn terms_of(&self, record: &Record) -> Result<Option<Terms>, ReadError> {
        let Event::Message { number, .. } = record.event else { return Ok(None) };
        let seq = match self.message(number)? {
            Some(row) => row.accepted_seq,
            None => self.beginning(record)?,
        };
        Ok(Some(accepted(self.record(seq)?)?.0))
    }

    /// What was asked for; `None` when there is no such message, or its text can't be read any more.
    pub fn request(&self, number: MessageNumber) -> Result<Option<Request>, ReadError> {
        let content = self.content(number)?;
        Ok(content.and_then(|(terms, content)| content.text().map(|text| Request::of(&terms, text))))
    }

    /// The person with this phone number, if texts were sent to them. Needs the keys.
    pub fn person_of(&self, to: PhoneNumber) -> Result<Option<PersonNumber>, ReadError> {
        let Some(keyring) = self.keyring() else { return Ok(None) };
        let hash = keyring.blind(to);
        if let Some(number) = self.newcomers().persons.get(&hash)
            && self.open(table::PERSONS)?.get(number).map_err(Fault::from)?.is_some()
        {
            return Ok(Some(PersonNumber::new(number)));
        }
        let number = self.open(table::PERSON_HASHES)?.get(&hash).map_err(Fault::from)?;
        Ok(number.map(|number| PersonNumber::new(number.value())))
    }
}
