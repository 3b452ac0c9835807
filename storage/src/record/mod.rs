//! Journal records: a fixed header around an opaque payload, and types of their own for payloads.
//!
//! The core may rename and reshape its events freely; what is on disk changes only by adding a
//! number or a version here. `FORMAT.md` describes every byte.

pub(crate) mod accepted;
pub(crate) mod codec;
pub(crate) mod envelope;
mod error;
pub(crate) mod failure;
pub(crate) mod header;
pub(crate) mod lane;
#[cfg(test)]
mod laws;
pub(crate) mod message;
pub(crate) mod person;
pub(crate) mod row;
pub(crate) mod short_row;
#[cfg(test)]
pub(crate) mod strategy;
#[cfg(test)]
mod strategy_of_messages;
#[cfg(test)]
mod strategy_of_recurrences;
#[cfg(test)]
mod strategy_of_templates;
pub(crate) mod tag;

use dunlin_workflows::id::{MessageNumber, PersonNumber};
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::{lane as lanes, message as messages};

pub use codec::PAYLOAD_BYTES_MAX;
pub use error::RecordError;
pub use header::{FIELDS, HEADER_BYTES, HEADER_VERSION};
pub use message::MESSAGE_RECORD_TYPES;
pub use person::{PERSON_RECORD_TYPES, PersonEvent};

use crate::actor::{ActorNumber, By};
use crate::instance::{InstanceEvent, InstanceKind};
use crate::journal::{JournalSeq, LaneNumber};
use header::{Header, KIND_INSTANCE_MIN, KIND_LANE, KIND_MESSAGE, KIND_PERSON};
use tag::{Tagged, word};

/// One journal record, read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its position in the journal.
    pub seq: JournalSeq,
    /// Position of the previous record of the same message, lane or person.
    pub previous: Option<JournalSeq>,
    /// When it happened.
    pub at: Timestamp,
    /// Which way it came.
    pub source: Source,
    /// On whose behalf.
    pub actor: ActorNumber,
    /// What happened, and to whom.
    pub event: Event,
    /// The text of an accepted message, what a person wrote about their consent, or what an instance's event
    /// says about somebody, sealed; empty for every other event.
    pub sealed: Vec<u8>,
}

/// What happened, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Something happened to a message.
    Message {
        /// Which message.
        number: MessageNumber,
        /// What.
        event: messages::Event,
    },
    /// Something happened to a lane.
    Lane {
        /// Which lane.
        lane: LaneNumber,
        /// What.
        event: lanes::Event,
    },
    /// Something happened to a person.
    Person {
        /// Which person.
        person: PersonNumber,
        /// What.
        event: PersonEvent,
    },
    /// Something happened to an instance of a small workflow.
    Instance {
        /// Which of its kind.
        number: u64,
        /// What, and of which kind it is.
        event: InstanceEvent,
    },
}

/// Everything of a record but its event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) seq: JournalSeq,
    pub(crate) previous: Option<JournalSeq>,
    pub(crate) at: Timestamp,
    pub(crate) by: By,
}

/// Appends the record of a message's event. `payload` is scratch space, reused between calls.
pub(crate) fn put_message(
    place: Place,
    number: MessageNumber,
    event: &messages::Event,
    sealed: &[u8],
    payload: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<(), RecordError> {
    payload.clear();
    let (record_type, type_version) = message::put_event(event, sealed, payload)?;
    place.header(KIND_MESSAGE, record_type, type_version, number.get()).put(place.seq.get(), payload, out)
}

/// Appends the record of a lane's event. `payload` is scratch space, reused between calls.
pub(crate) fn put_lane(
    place: Place,
    lane: LaneNumber,
    event: &lanes::Event,
    payload: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<(), RecordError> {
    payload.clear();
    let (record_type, type_version) = lane::put_event(event, payload)?;
    place.header(KIND_LANE, record_type, type_version, lane.get()).put(place.seq.get(), payload, out)
}

/// Appends the record of a person's event. `payload` is scratch space, reused between calls.
pub(crate) fn put_person(
    place: Place,
    person: PersonNumber,
    event: &PersonEvent,
    sealed: &[u8],
    payload: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<(), RecordError> {
    payload.clear();
    let (record_type, type_version) = person::put_event(event, sealed, payload)?;
    place.header(KIND_PERSON, record_type, type_version, person.get()).put(place.seq.get(), payload, out)
}

/// Appends the record of an instance's event: what is sealed, then the event's own form. `payload` is
/// scratch space, reused between calls.
pub(crate) fn put_instance(
    place: Place,
    number: u64,
    event: &InstanceEvent,
    sealed: &[u8],
    payload: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<(), RecordError> {
    payload.clear();
    codec::put(&sealed.to_vec(), payload)?;
    let (record_type, type_version) = event.put(payload)?;
    let kind = event.kind().number();
    place.header(kind, record_type, type_version, number).put(place.seq.get(), payload, out)
}

/// What is sealed in the payload of an instance's record, and the rest of it.
fn take_sealed(payload: &[u8]) -> Result<(Vec<u8>, &[u8]), RecordError> {
    let ends =
        || RecordError::Payload { why: format!("it ends within what is sealed, after {}", payload.len()) };
    let (length, rest) = payload.split_first_chunk().ok_or_else(ends)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_too_long| ends())?;
    let (sealed, form) = rest.split_at_checked(length).ok_or_else(ends)?;
    Ok((sealed.to_vec(), form))
}

impl Place {
    fn header(self, kind: u8, record_type: u8, type_version: u8, number: u64) -> Header {
        Header {
            kind,
            record_type,
            type_version,
            source: self.by.source.tag(),
            actor: self.by.actor.get(),
            at_ms: self.at.as_millis(),
            number,
            previous: self.previous.map_or(0, JournalSeq::get),
        }
    }
}

impl Record {
    /// Reads the record at position `seq`, checking all of it.
    ///
    /// # Errors
    /// [`RecordError`] for bytes that are damaged, that belong to another position, or that a newer
    /// version wrote.
    pub fn decode(seq: JournalSeq, bytes: &[u8]) -> Result<Self, RecordError> {
        let (header, payload) = Header::take(seq.get(), bytes)?;
        let (record_type, version) = (header.record_type, header.type_version);
        let (event, sealed) = match header.kind {
            KIND_MESSAGE => {
                let (event, sealed) = message::take_event(record_type, version, payload)?;
                (Event::Message { number: MessageNumber::new(header.number), event }, sealed)
            }
            KIND_LANE => {
                let event = lane::take_event(record_type, version, payload)?;
                (Event::Lane { lane: LaneNumber::new(header.number), event }, Vec::new())
            }
            KIND_PERSON => {
                let (event, sealed) = person::take_event(record_type, version, payload)?;
                (Event::Person { person: PersonNumber::new(header.number), event }, sealed)
            }
            number => {
                let kind = InstanceKind::of(number).filter(|_| number >= KIND_INSTANCE_MIN);
                let kind = kind.ok_or(RecordError::Unknown { what: "record kind", number })?;
                let (sealed, form) = take_sealed(payload)?;
                let event = kind.take_event(record_type, version, form)?;
                (Event::Instance { number: header.number, event }, sealed)
            }
        };
        if header.previous >= seq.get() {
            return Err(RecordError::Value { what: "previous position" });
        }
        Ok(Self {
            seq,
            previous: (header.previous > 0).then(|| JournalSeq::new(header.previous)),
            at: Timestamp::from_millis(header.at_ms),
            source: word(header.source)?,
            actor: ActorNumber::new(header.actor),
            event,
            sealed,
        })
    }

    /// The bytes of the record, as they stand in the journal.
    ///
    /// # Errors
    /// [`RecordError::TooLong`] when the event holds more than [`PAYLOAD_BYTES_MAX`] bytes.
    pub fn encode(&self) -> Result<Vec<u8>, RecordError> {
        let by = By { source: self.source, actor: self.actor };
        let place = Place { seq: self.seq, previous: self.previous, at: self.at, by };
        let (mut payload, mut out) = (Vec::new(), Vec::new());
        match &self.event {
            Event::Message { number, event } => {
                put_message(place, *number, event, &self.sealed, &mut payload, &mut out)?;
            }
            Event::Lane { lane, event } => put_lane(place, *lane, event, &mut payload, &mut out)?,
            Event::Person { person, event } => {
                put_person(place, *person, event, &self.sealed, &mut payload, &mut out)?;
            }
            Event::Instance { number, event } => {
                put_instance(place, *number, event, &self.sealed, &mut payload, &mut out)?;
            }
        }
        Ok(out)
    }
}
