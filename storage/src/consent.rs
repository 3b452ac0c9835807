//! Consent as stored: what is known of each person, who said so, and which of their texts were heard.
//!
//! All of it is computed from the journal, but for the hashes of erased numbers that were opted out: the
//! journal knows nobody's number.

use std::collections::BTreeSet;

use dunlin_workflows::consent::{self, Consent, How, Review, Standing};
use dunlin_workflows::id::{MessageNumber, PersonNumber, ProviderSid};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::timestamp::Timestamp;
use redb::ReadableTable;
use wincode::{SchemaRead, SchemaWrite};

use crate::actor::By;
use crate::batch::Batch;
use crate::batch::tables::Tables;
use crate::error::{BatchError, Fault, ReadError};
use crate::journal::JournalSeq;
use crate::person;
use crate::reader::Reader;
use crate::record::envelope::{put_row, take_row};
use crate::record::message::provider_sid;
use crate::record::tag::{Tagged, word};
use crate::record::{Event, PersonEvent, Record, RecordError};
use crate::table;

/// What is known of a person's consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConsentProjection {
    /// The fold of its events.
    pub consent: Consent,
    /// Position of the person's newest record.
    pub last_seq: JournalSeq,
}

/// A row of `consents`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct ConsentRowV1 {
    standing: StandingV1,
    review: Option<ReviewV1>,
    last_seq: u64,
}

/// Where somebody stands, first form: 1 unknown, 2 opted in, 3 opted out. What is not known is zero.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
struct StandingV1 {
    standing: u8,
    since_ms: i64,
    how: u8,
}

/// A text that waits to be read, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
struct ReviewV1 {
    text: [u8; 34],
    before: StandingV1,
}

impl From<Standing> for StandingV1 {
    fn from(standing: Standing) -> Self {
        let (name, since, how) = match standing {
            Standing::Unknown => return Self { standing: 1, since_ms: 0, how: 0 },
            Standing::OptedIn { since, how } => (2, since, how),
            Standing::OptedOut { since, how } => (3, since, how),
        };
        Self { standing: name, since_ms: since.as_millis(), how: how.tag() }
    }
}

impl TryFrom<StandingV1> for Standing {
    type Error = RecordError;

    fn try_from(row: StandingV1) -> Result<Self, Self::Error> {
        let since = Timestamp::from_millis(row.since_ms);
        match (row.standing, row.since_ms, row.how) {
            (1, 0, 0) => Ok(Self::Unknown),
            (2, _, how) => Ok(Self::OptedIn { since, how: word(how)? }),
            (3, _, how) => Ok(Self::OptedOut { since, how: word(how)? }),
            _otherwise => Err(RecordError::Value { what: "standing" }),
        }
    }
}

impl ConsentProjection {
    pub(crate) fn put(&self, person: PersonNumber) -> Result<Vec<u8>, RecordError> {
        let review = self
            .consent
            .review
            .map(|review| ReviewV1 { text: *review.text.as_bytes(), before: review.before.into() });
        let standing = self.consent.standing.into();
        let row = ConsentRowV1 { standing, review, last_seq: self.last_seq.get() };
        put_row("consents", &person.get().to_le_bytes(), 1, &row)
    }

    pub(crate) fn take(person: u64, bytes: &[u8]) -> Result<Self, ReadError> {
        let opened = || -> Result<Self, RecordError> {
            let row: ConsentRowV1 = take_row("consents", &person.to_le_bytes(), 1, bytes)?;
            let review = match row.review {
                Some(row) => Some(Review { text: provider_sid(&row.text)?, before: row.before.try_into()? }),
                None => None,
            };
            let consent = Consent { standing: row.standing.try_into()?, review };
            Ok(Self { consent, last_seq: JournalSeq::new(row.last_seq) })
        };
        opened().map_err(|source| ReadError::Row { table: "consents", key: person.to_string(), source })
    }
}

impl Batch<'_> {
    /// What is known of a person's consent, with what this batch changed.
    pub fn consent(&mut self, person: PersonNumber) -> Result<Consent, BatchError> {
        Ok(self.consent_row(person)?.map(|row| row.consent).unwrap_or_default())
    }

    fn consent_row(&mut self, person: PersonNumber) -> Result<Option<ConsentProjection>, BatchError> {
        let read = stored(&mut self.tables, person);
        self.noted(read)
    }

    /// Whether a person's number is known: they were met, and not erased since.
    pub fn is_known(&mut self, person: PersonNumber) -> Result<bool, BatchError> {
        Ok(self.open_person(person)?.is_some())
    }

    /// Whether a text of theirs was heard already.
    pub fn was_heard(&mut self, text: ProviderSid) -> Result<bool, BatchError> {
        let read = heard(&mut self.tables, text);
        self.noted(read)
    }

    /// Since when the number of a person who is new in this batch is opted out, if it was when it was erased.
    pub fn erased_opt_out(&mut self, person: PersonNumber) -> Result<Option<Timestamp>, BatchError> {
        let Some(hash) = self.new_persons.get(&person).copied() else { return Ok(None) };
        let read = erased_since(&mut self.tables, &hash);
        self.noted(read)
    }

    /// The newest messages to a person, those of this batch included, at most `limit` of the older ones.
    pub fn newest_to(
        &mut self,
        person: PersonNumber,
        limit: usize,
    ) -> Result<Vec<MessageNumber>, BatchError> {
        let begun: BTreeSet<MessageNumber> = self.begun_for(person).collect();
        let read = written_to(&mut self.tables, person, limit);
        let mut numbers = self.noted(read)?;
        numbers.extend(begun);
        Ok(numbers)
    }

    /// Records what happened to a person's consent, and what it made of it; `words` are what they wrote.
    ///
    /// # Errors
    /// [`BatchError::UnknownPerson`] when there is no such person, or not any more; an event too large to
    /// persist. Then nothing changed.
    pub fn record_consent(
        &mut self,
        person: PersonNumber,
        at: Timestamp,
        by: impl Into<By>,
        event: &consent::Event,
        after: &Consent,
        words: Option<&str>,
    ) -> Result<(), BatchError> {
        let previous = self.consent_row(person)?.map(|row| row.last_seq);
        let seq = self.last_seq().next();
        let Some(open) = self.open_person(person)? else {
            return Err(BatchError::UnknownPerson { person });
        };
        let sealed = words.map(|words| open.seal_words(person, seq, words)).transpose()?;
        let sealed = sealed.unwrap_or_default();
        let kept = PersonEvent::Consent(event.clone());
        let last_seq = self.append_person(person, previous, (at, by.into()), &kept, &sealed)?;
        self.told_of.insert(person);
        let row = ConsentProjection { consent: *after, last_seq };
        let remembered = match event {
            consent::Event::OptedOut { how: How::Memory, .. } => self.new_persons.get(&person).copied(),
            consent::Event::OptedOut { .. }
            | consent::Event::OptedIn { .. }
            | consent::Event::HelpAsked { .. }
            | consent::Event::OptOutSuspected { .. }
            | consent::Event::ReviewResolved { .. } => None,
        };
        let written = write(&mut self.tables, person, &row, event.heard(), remembered);
        self.noted(written)
    }

    /// Journals that a person is erased; of somebody who opted out the hash of the number is kept.
    pub(crate) fn record_erasure(
        &mut self,
        person: PersonNumber,
        when: (Timestamp, By),
        event: &PersonEvent,
        hash: &[u8; 16],
    ) -> Result<(), BatchError> {
        let row = self.consent_row(person)?;
        let last_seq = self.append_person(person, row.map(|row| row.last_seq), when, event, &[])?;
        let Some(row) = row else { return Ok(()) };
        let written = outlive(&mut self.tables, person, &ConsentProjection { last_seq, ..row }, hash);
        self.noted(written)
    }
}

fn stored(tables: &mut Tables<'_>, person: PersonNumber) -> Result<Option<ConsentProjection>, BatchError> {
    let row = tables.consents.open()?.get(person.get()).map_err(Fault::from)?;
    Ok(row.map(|bytes| ConsentProjection::take(person.get(), bytes.value())).transpose()?)
}

fn heard(tables: &mut Tables<'_>, text: ProviderSid) -> Result<bool, BatchError> {
    Ok(tables.heard_texts.open()?.get(text.as_bytes()).map_err(Fault::from)?.is_some())
}

fn erased_since(tables: &mut Tables<'_>, hash: &[u8; 16]) -> Result<Option<Timestamp>, BatchError> {
    let since = tables.erased_opt_outs.open()?.get(hash).map_err(Fault::from)?;
    Ok(since.map(|since| Timestamp::from_millis(since.value())))
}

fn written_to(
    tables: &mut Tables<'_>,
    person: PersonNumber,
    limit: usize,
) -> Result<Vec<MessageNumber>, BatchError> {
    let all = (person.get(), 0)..=(person.get(), u64::MAX);
    let newest = tables.by_person.open()?.range(all).map_err(Fault::from)?.rev().take(limit);
    let numbers = newest.map(|entry| entry.map(|(key, _)| MessageNumber::new(key.value().1)));
    Ok(numbers.collect::<Result<_, _>>().map_err(Fault::from)?)
}

fn write(
    tables: &mut Tables<'_>,
    person: PersonNumber,
    row: &ConsentProjection,
    text: Option<ProviderSid>,
    remembered: Option<[u8; 16]>,
) -> Result<(), BatchError> {
    let (number, seq) = (person.get(), row.last_seq.get());
    tables.consents.open()?.insert(number, row.put(person)?.as_slice()).map_err(Fault::from)?;
    tables.consent_records.open()?.insert(seq, number).map_err(Fault::from)?;
    if let Some(text) = text {
        tables.heard_texts.open()?.insert(text.as_bytes(), seq).map_err(Fault::from)?;
    }
    if row.consent.review.is_some() {
        tables.reviews.open()?.insert(number, ()).map_err(Fault::from)?;
    } else {
        tables.reviews.open()?.remove(number).map_err(Fault::from)?;
    }
    if let Some(hash) = remembered {
        tables.erased_opt_outs.open()?.remove(&hash).map_err(Fault::from)?;
    }
    Ok(())
}

fn outlive(
    tables: &mut Tables<'_>,
    person: PersonNumber,
    row: &ConsentProjection,
    hash: &[u8; 16],
) -> Result<(), BatchError> {
    tables.consents.open()?.insert(person.get(), row.put(person)?.as_slice()).map_err(Fault::from)?;
    if let Standing::OptedOut { since, .. } = row.consent.standing {
        tables.erased_opt_outs.open()?.insert(hash, since.as_millis()).map_err(Fault::from)?;
    }
    Ok(())
}

impl Reader {
    /// What is known of a person's consent.
    pub fn consent(&self, person: PersonNumber) -> Result<Consent, ReadError> {
        let table = self.open(table::CONSENTS)?;
        let row = table.get(person.get()).map_err(Fault::from)?;
        let row = row.map(|bytes| ConsentProjection::take(person.get(), bytes.value())).transpose()?;
        Ok(row.map(|row| row.consent).unwrap_or_default())
    }

    /// What is known of the consent of whoever has this number, also when they were erased. Needs the keys.
    pub fn consent_of(&self, to: PhoneNumber) -> Result<Consent, ReadError> {
        if let Some(person) = self.person_of(to)? {
            return self.consent(person);
        }
        let table = self.open(table::ERASED_OPT_OUTS)?;
        let Some(keyring) = self.keyring() else { return Ok(Consent::default()) };
        let since = table.get(&keyring.blind(to)).map_err(Fault::from)?;
        let since = since.map(|since| Timestamp::from_millis(since.value()));
        let standing =
            since.map_or(Standing::Unknown, |since| Standing::OptedOut { since, how: How::Memory });
        Ok(Consent { standing, review: None })
    }

    /// Records about consent after `after`, in order, at most `limit`; of one person only, when given.
    pub fn consent_records(
        &self,
        after: JournalSeq,
        limit: usize,
        of: Option<PersonNumber>,
    ) -> Result<Vec<Record>, ReadError> {
        let table = self.open(table::CONSENT_RECORDS)?;
        let mut records = Vec::new();
        for entry in table.range(after.next().get()..).map_err(Fault::from)? {
            let (seq, person) = entry.map_err(Fault::from)?;
            if of.is_none_or(|of| of.get() == person.value()) {
                records.push(self.record(JournalSeq::new(seq.value()))?);
            }
            if records.len() >= limit {
                break;
            }
        }
        Ok(records)
    }

    /// What a person wrote in a text that a record is about; `None` when there are no words, or they
    /// can't be read any more.
    pub fn words(&self, record: &Record) -> Result<Option<String>, ReadError> {
        let Event::Person { person, .. } = record.event else { return Ok(None) };
        if record.sealed.is_empty() {
            return Ok(None);
        }
        let Some(open) = self.person(person)? else { return Ok(None) };
        open.open_words(person, record.seq, &record.sealed).map(Some)
    }

    /// A person's phone number; `None` once they were erased, and without keys.
    pub fn number_of(&self, person: PersonNumber) -> Result<Option<PhoneNumber>, ReadError> {
        Ok(self.person(person)?.map(|open| open.to))
    }

    pub(crate) fn person(&self, number: PersonNumber) -> Result<Option<person::Person>, ReadError> {
        let Some(keyring) = self.keyring() else { return Ok(None) };
        person::find(&self.open(table::PERSONS)?, number, keyring)
    }

    /// Persons of whom a text waits to be read, after `after`, at most `limit`.
    pub fn reviews(&self, after: PersonNumber, limit: usize) -> Result<Vec<PersonNumber>, ReadError> {
        let table = self.open(table::REVIEWS)?;
        let range = table.range(after.get().saturating_add(1)..).map_err(Fault::from)?;
        let persons = range.take(limit).map(|entry| entry.map(|(key, _)| PersonNumber::new(key.value())));
        Ok(persons.collect::<Result<_, _>>().map_err(Fault::from)?)
    }

    /// The record of a text of theirs that was about consent.
    pub fn heard(&self, text: ProviderSid) -> Result<Option<Record>, ReadError> {
        let table = self.open(table::HEARD_TEXTS)?;
        let seq = table.get(text.as_bytes()).map_err(Fault::from)?;
        seq.map(|seq| self.record(JournalSeq::new(seq.value()))).transpose()
    }
}
