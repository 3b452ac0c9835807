//! Whether archives are what the store says, and the store has what it needs beside them.

use std::collections::BTreeMap;

use dunlin_workflows::id::MessageNumber;

use super::problem::{Problem, VerifyReport};
use crate::chain::Head;
use crate::error::{Fault, ReadError};
use crate::journal::JournalSeq;
use crate::projection::{self, Projection};
use crate::reader::Reader;
use crate::record::Record;
use crate::table;

/// Reads every archive once, and gives the heads at their ends.
pub(super) fn check(
    reader: &Reader,
    report: &mut VerifyReport,
) -> Result<BTreeMap<JournalSeq, Head>, ReadError> {
    let mut end = Head::empty();
    let mut ends = BTreeMap::new();
    for segment in reader.segments()? {
        if segment.before != end || segment.first != end.seq.next() {
            report.add(Problem::ArchiveGap { end, first: segment.first });
        }
        match reader.check_archive(&segment) {
            Err(error @ ReadError::Archive { .. }) => report.add(Problem::Archive { why: error.to_string() }),
            checked => checked?,
        }
        end = segment.after;
        ends.insert(end.seq, end);
    }
    Ok(ends)
}

/// Compares the records that are in the store and in archives, and looks for those that messages in the
/// store lack.
pub(super) fn compare_kept(reader: &Reader, report: &mut VerifyReport) -> Result<(), ReadError> {
    let archived_to = reader.archived_to()?;
    for raw in reader.stored_journal(JournalSeq::START)? {
        let raw = raw?;
        if raw.seq > archived_to {
            break;
        }
        match reader.archived_record(raw.seq) {
            Ok(Some(copy)) if copy.bytes == raw.bytes => {}
            Ok(_other) => report.add(Problem::DifferentCopy { seq: raw.seq }),
            // It was reported as a whole.
            Err(ReadError::Archive { .. }) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    let pruned_to = reader.pruned()?.to;
    let journal = reader.open(table::JOURNAL)?;
    for entry in reader.open(table::MESSAGES)?.range::<u64>(..).map_err(Fault::from)? {
        let (key, bytes) = entry.map_err(Fault::from)?;
        let Ok(row) = Projection::take(key.value(), bytes.value()) else { continue };
        if row.accepted_seq > pruned_to {
            // Messages are numbered in the order in which they were accepted.
            break;
        }
        let mut next = Some(row.last_seq);
        while let Some(seq) = next {
            next = match projection::record(&journal, seq) {
                Ok(Record { previous, .. }) => previous,
                Err(ReadError::Missing { seq }) => {
                    report.add(Problem::MissingCopy { number: MessageNumber::new(key.value()), seq });
                    None
                }
                Err(error) if error.is_fault() => return Err(error),
                // The fold reported it.
                Err(_unreadable) => None,
            };
        }
    }
    Ok(())
}
