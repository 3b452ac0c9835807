//! Archiving: which records go, and the steps in which they do.

use std::thread;
use std::time::Duration;

use dunlin_workflows::timestamp::Timestamp;

use super::{ArchiveError, Segment, prune, writer};
use crate::chain::Head;
use crate::error::ReadError;
use crate::journal::JournalSeq;
use crate::reader::Reader;
use crate::record::Record;
use crate::store::Store;

/// Most records of an archive.
const RECORDS_MAX: u64 = 1 << 20;
/// Records that one transaction of pruning looks at, unless asked otherwise.
const PRUNED_AT_ONCE: u64 = 512;
/// Pause between two such transactions, in which others get their turn.
const PRUNE_PAUSE: Duration = Duration::from_millis(5);

/// What to archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveRequest {
    /// Only records up to this instant.
    pub until: Timestamp,
    /// An archive that would not be full is left for later unless its first record is from this
    /// instant or before: so that there is no file for every hour.
    pub partly_until: Timestamp,
    /// Most records of an archive, at most 1,048,576.
    pub records_max: u64,
    /// Archived records that one transaction looks at to take out of the store what is settled: bounds
    /// how long others wait for it. 512 is plenty.
    pub at_once: u64,
}

/// What was archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Archived {
    /// New archives.
    pub archives: u64,
    /// Their records.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Messages that are in archives alone since.
    pub messages: u64,
}

impl ArchiveRequest {
    /// Everything up to `until`, in archives as large as they may be.
    pub fn everything(until: Timestamp) -> Self {
        Self { until, partly_until: until, records_max: RECORDS_MAX, at_once: PRUNED_AT_ONCE }
    }
}

impl Store {
    /// Moves old records to archives, and takes what is settled out of the store. Blocks, in small
    /// steps between which others write; a crash at any point loses nothing, and the next call goes on.
    /// Ends early once `goes_on` says no.
    ///
    /// # Errors
    /// [`ArchiveError`]; what was archived before stays so.
    pub fn archive(
        &self,
        request: ArchiveRequest,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Archived, ArchiveError> {
        let mut done = Archived::default();
        loop {
            done.messages = done.messages.saturating_add(self.prune(request.at_once, goes_on)?);
            let Some(segment) = self.archive_one(request, goes_on)? else { return Ok(done) };
            let records = segment.last().get().saturating_sub(segment.before.seq.get());
            done.archives = done.archives.saturating_add(1);
            done.records = done.records.saturating_add(records);
            done.bytes = done.bytes.saturating_add(segment.bytes);
        }
    }

    fn archive_one(
        &self,
        request: ArchiveRequest,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Option<Segment>, ArchiveError> {
        let directory = self.archives().directory.clone().ok_or(ArchiveError::NoPlace)?;
        let reader = self.reader()?;
        let before = reader.segments()?.last().map_or_else(Head::empty, |segment| segment.after);
        let Some(last) = stretch(&reader, before.seq, request)? else { return Ok(None) };
        let segment = writer::write(&reader, &directory, before, last, goes_on)?;
        drop(reader);
        self.write(|transaction| segment.put(transaction))?;
        Ok(Some(segment))
    }

    fn prune(&self, at_once: u64, goes_on: &dyn Fn() -> bool) -> Result<u64, ArchiveError> {
        let last = self.reader()?.archived_to()?;
        if self.reader()?.pruned()?.to < last {
            self.index_sids()?;
        }
        let mut gone = 0_u64;
        loop {
            let pruned = self.reader()?.pruned()?;
            if pruned.to >= last {
                return Ok(gone);
            }
            if !goes_on() {
                return Err(ArchiveError::Interrupted);
            }
            let (_, messages) = self.write(|transaction| prune::step(transaction, last, at_once.max(1)))?;
            gone = gone.saturating_add(messages);
            thread::sleep(PRUNE_PAUSE);
        }
    }
}

/// The last record that goes into the next archive, if it is time for one. The journal's newest
/// record never does, so that positions go on from it; nor what a shared database has not learned of yet.
fn stretch(
    reader: &Reader,
    before: JournalSeq,
    request: ArchiveRequest,
) -> Result<Option<JournalSeq>, ReadError> {
    let newest = reader.last_seq()?;
    let told = reader.pushed()?.unwrap_or(newest);
    let full = before.get().saturating_add(request.records_max.clamp(1, RECORDS_MAX));
    let mut last = None;
    let mut is_old = false;
    for raw in reader.stored_journal(before)? {
        let raw = raw?;
        let unreadable = |source| ReadError::Record { seq: raw.seq, source };
        let at = Record::decode(raw.seq, &raw.bytes).map_err(unreadable)?.at;
        if raw.seq >= newest || raw.seq > told || at > request.until {
            break;
        }
        is_old |= last.is_none() && at <= request.partly_until;
        last = Some(raw.seq);
        if raw.seq.get() >= full {
            return Ok(last);
        }
    }
    Ok(last.filter(|_| is_old))
}
