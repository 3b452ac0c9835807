//! A journal written as an export: one line of JSON a record.

use std::collections::BTreeMap;
use std::io::{self, Write};

use dunlin_storage::{Event, JournalSeq, Record};
use dunlin_workflows::id::{MessageId, MessageNumber};
use dunlin_workflows::message;

use crate::replay::export_line::ExportLine;
use crate::replay::recording::{Recording, RecordingError};

/// A journal can't be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It can't be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The export can't be written.
    #[error("the export can't be written: {0}")]
    Write(#[from] io::Error),
}

/// Writes the records from position `from` on, those that can't be read included; gives their number.
///
/// # Errors
/// When the recording can't be read or `out` not be written.
pub fn export(recording: &Recording, from: JournalSeq, out: &mut impl Write) -> Result<u64, ExportError> {
    let mut ids: BTreeMap<MessageNumber, MessageId> = BTreeMap::new();
    let mut written: u64 = 0;
    for raw in recording.records(JournalSeq::START)? {
        let raw = raw?;
        let record = Record::decode(raw.seq, &raw.bytes);
        let id = record.as_ref().ok().and_then(|record| named(&mut ids, record));
        if raw.seq < from {
            continue;
        }
        let line = match &record {
            Ok(record) => ExportLine::new(&raw, record, id),
            Err(flaw) => ExportLine::flawed(&raw, flaw),
        };
        serde_json::to_writer(&mut *out, &line).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
        written = written.saturating_add(1);
    }
    out.flush()?;
    Ok(written)
}

/// The public name of the message that a record belongs to, remembered from the record that began it.
fn named(ids: &mut BTreeMap<MessageNumber, MessageId>, record: &Record) -> Option<MessageId> {
    let Event::Message { number, event } = &record.event else { return None };
    if let message::Event::Accepted { terms } = event {
        ids.insert(*number, terms.id);
    }
    ids.get(number).copied()
}
