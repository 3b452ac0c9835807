//! One journal record as a line of JSON: readable, and with its bytes, so that nothing is lost.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dunlin_storage::{Event, JournalSeq, RawRecord, Record};
use dunlin_workflows::id::MessageId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::timeline::written;
use crate::timeline::{event_fields, instance_fields};

/// One line of an export. Field by field it is for people and their tools; a replay reads only
/// `seq` and `record`.
#[derive(Debug, Serialize)]
pub struct ExportLine {
    seq: u64,
    #[serde(flatten)]
    readable: Readable,
    /// The record as it stands in the journal, base64.
    record: String,
}

/// What the bytes say.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Readable {
    Record {
        at: String,
        /// `message`, `lane`, `person`, or the kind of a small workflow.
        kind: &'static str,
        number: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        message_id: Option<String>,
        source: &'static str,
        #[serde(rename = "type")]
        event: &'static str,
        #[serde(flatten)]
        fields: Map<String, Value>,
    },
    Flawed {
        /// Why the bytes can't be read.
        flaw: String,
    },
}

impl ExportLine {
    /// The line of a record. `id` is the public name of the message that it belongs to.
    pub fn new(raw: &RawRecord, record: &Record, id: Option<MessageId>) -> Self {
        let (kind, number, event, fields) = match &record.event {
            Event::Message { number, event } => {
                ("message", number.get(), event.name(), event_fields::of_message(event))
            }
            Event::Person { person, event } => {
                ("person", person.get(), event.name(), event_fields::of_person(event))
            }
            Event::Instance { number, event } => {
                (event.kind().as_str(), *number, event.name(), instance_fields::of_instance(event))
            }
            Event::Lane { lane, event } => ("lane", lane.get(), event.name(), event_fields::of_lane(event)),
        };
        let readable = Readable::Record {
            at: written(record.at),
            kind,
            number,
            message_id: id.map(|id| id.to_string()),
            source: record.source.as_str(),
            event,
            fields,
        };
        Self::with(raw, readable)
    }

    /// The line of a record that can't be read, and why.
    pub fn flawed(raw: &RawRecord, flaw: &dunlin_storage::RecordError) -> Self {
        Self::with(raw, Readable::Flawed { flaw: flaw.to_string() })
    }

    fn with(raw: &RawRecord, readable: Readable) -> Self {
        Self { seq: raw.seq.get(), readable, record: STANDARD.encode(&raw.bytes) }
    }
}

/// The record in a line of an export.
///
/// # Errors
/// What is wrong with the line.
pub fn read(line: &[u8]) -> Result<RawRecord, String> {
    #[derive(Deserialize)]
    struct Bare {
        seq: u64,
        record: String,
    }
    let bare: Bare = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let bytes = STANDARD.decode(&bare.record).map_err(|error| format!("record is not base64: {error}"))?;
    Ok(RawRecord { seq: JournalSeq::new(bare.seq), bytes })
}
