//! What is told of the journal: one event a record that somebody outside waits for.
//!
//! An event says how things stood when its record was new, and its name is a hash of that record. So whatever is told
//! again, after a crash or because its answer was lost, is the same under the same name; and a journal that a restored
//! backup continued otherwise makes other names.

use dunlin_storage::{Event, JournalSeq, PersonEvent, RawRecord, ReadError, Reader, Record};
use dunlin_workflows::consent;
use dunlin_workflows::id::{MessageNumber, PersonNumber};
use dunlin_workflows::lane;
use dunlin_workflows::message::{self, Milestone};
use dunlin_workflows::timestamp::Timestamp;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::message_json::MessageJson;
use crate::timeline::event_fields::{alarm_json, of_person};
use crate::timeline::written;

/// One event, as it is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Notice {
    /// Its name, the same however often it is told.
    pub(super) id: String,
    /// Such as `message.delivered`.
    pub(super) kind: String,
    /// All of it, as JSON.
    pub(super) body: String,
}

/// What a stretch of the journal has to tell.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// Each with its position, and the message that it is about.
    pub(super) found: Vec<(JournalSeq, Option<MessageNumber>, Notice)>,
    /// The last position that was looked at.
    pub(super) until: JournalSeq,
    /// Whether there may be more after it.
    pub(super) is_full: bool,
}

/// Most records that are looked at together.
const RECORDS_MAX: usize = 4096;

impl Notices {
    /// What follows `after`, at most `most` events.
    ///
    /// # Errors
    /// The store can't be read.
    pub(super) fn read(reader: &Reader, after: JournalSeq, most: usize) -> Result<Self, ReadError> {
        let mut told = Self { until: after, ..Self::default() };
        let mut looked_at = 0_usize;
        for raw in reader.journal(after)? {
            if told.found.len() >= most || looked_at >= RECORDS_MAX {
                told.is_full = true;
                break;
            }
            let raw = raw?;
            let record = Record::decode(raw.seq, &raw.bytes)
                .map_err(|source| ReadError::Record { seq: raw.seq, source })?;
            if let Some(Told { about, kind, body }) = of(reader, &record)? {
                told.found.push((raw.seq, about, Notice { id: name(&raw, &kind), kind, body }));
            }
            told.until = raw.seq;
            looked_at = looked_at.saturating_add(1);
        }
        Ok(told)
    }
}

/// `evt_` and the first half of the SHA-256 of position, record and kind.
fn name(raw: &RawRecord, kind: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(raw.seq.get().to_le_bytes());
    hash.update(&raw.bytes);
    hash.update(kind);
    let half = hash.finalize().first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes));
    format!("evt_{half:032x}")
}

/// What a record has to tell.
struct Told {
    about: Option<MessageNumber>,
    kind: String,
    body: String,
}

impl Told {
    fn new(about: Option<MessageNumber>, kind: String, at: Timestamp, data: &impl Serialize) -> Self {
        let envelope = Envelope { kind: &kind, timestamp: written(at), data };
        let body = serde_json::to_string(&envelope).unwrap_or_default();
        Self { about, kind, body }
    }
}

/// The form of every event.
#[derive(Serialize)]
struct Envelope<'a, T> {
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: String,
    data: &'a T,
}

/// What a record has to tell, if anything.
fn of(reader: &Reader, record: &Record) -> Result<Option<Told>, ReadError> {
    match &record.event {
        Event::Message { number, event } => of_message(reader, *number, event, record),
        Event::Person { person, event } => of_consent(reader, *person, event, record.at),
        Event::Lane { event, .. } => Ok(of_lane(event, record.at)),
        Event::Instance { .. } => Ok(None),
    }
}

/// Failures that repeat, and that they do not any more.
fn of_lane(event: &lane::Event, at: Timestamp) -> Option<Told> {
    let (kind, alarm) = match event {
        lane::Event::FailuresRepeated(alarm) => ("failures.repeated", alarm),
        lane::Event::FailuresEnded(alarm) => ("failures.ended", alarm),
        lane::Event::Cooled { .. } | lane::Event::Warmed => return None,
    };
    Some(Told::new(None, kind.to_owned(), at, &alarm_json(alarm)))
}

/// A message that came to a milestone with this record, as it was then. What it says and to which number is not told: its
/// id, `user_id` and `metadata` lead the product to both, and whoever else reads its server's log learns of neither.
fn of_message(
    reader: &Reader,
    number: MessageNumber,
    event: &message::Event,
    record: &Record,
) -> Result<Option<Told>, ReadError> {
    if !Milestone::may_follow(event) {
        return Ok(None);
    }
    let as_of = reader.as_of(number, record.seq)?;
    let reached = Milestone::of(&as_of.after).filter(|now| Milestone::of(&as_of.before) != Some(*now));
    let Some(milestone) = reached else { return Ok(None) };
    let (terms, content) = reader.content_at(as_of.accepted_seq)?;
    let data = MessageJson::new(reader, &terms, &content, &as_of.after)?.without_text();
    let kind = format!("message.{}", milestone.as_str());
    Ok(Some(Told::new(Some(number), kind, record.at, &data)))
}

/// What somebody said about being texted. It is about their number, so that is told, unless they were erased.
fn of_consent(
    reader: &Reader,
    person: PersonNumber,
    event: &PersonEvent,
    at: Timestamp,
) -> Result<Option<Told>, ReadError> {
    let kind = match event {
        PersonEvent::Consent(consent::Event::OptedOut { .. }) => "consent.opted_out",
        PersonEvent::Consent(consent::Event::OptedIn { .. }) => "consent.opted_in",
        PersonEvent::Consent(_) | PersonEvent::Erased { .. } => return Ok(None),
    };
    let mut data = of_person(event);
    data.insert("to".to_owned(), json!(reader.number_of(person)?.map(|to| to.to_string())));
    Ok(Some(Told::new(None, kind.to_owned(), at, &data)))
}
