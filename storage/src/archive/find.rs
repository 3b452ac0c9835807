//! Reading across archives and the store: the whole journal, one record, one message.

use std::iter;
use std::sync::Arc;

use dunlin_workflows::id::{MessageId, MessageNumber, ProviderSid};
use dunlin_workflows::message::{self, Message};

use super::file::ArchiveFile;
use super::{Archives, Segment};
use crate::error::{Fault, ReadError};
use crate::journal::JournalSeq;
use crate::person::accepted;
use crate::projection::{self, Projection};
use crate::reader::{Entry, RawRecord, Reader};
use crate::record::{Event, Record};
use crate::table;

/// Records of a journal, in order or backwards.
type Records = Box<dyn Iterator<Item = Result<RawRecord, ReadError>>>;

/// Where a message was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Located {
    /// Its number.
    pub number: MessageNumber,
    /// Position of its newest record.
    pub last_seq: JournalSeq,
    /// It is in archives alone: it can be read, and nothing happens to it any more.
    pub is_archived: bool,
}

/// What a message's id is called among the names of an archive: the beginning of a hash.
pub(super) fn id_key(id: MessageId) -> u64 {
    key(b'i', id.as_bytes())
}

/// The same for a SID.
pub(super) fn sid_key(sid: ProviderSid) -> u64 {
    key(b's', sid.as_bytes())
}

fn key(kind: u8, name: &[u8]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[kind]).update(name);
    let hash = hasher.finalize();
    hash.as_bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

impl Reader {
    /// The journal after a position, in order, archives included. Take a chunk, then ask a new snapshot
    /// for the next.
    pub fn journal(
        &self,
        after: JournalSeq,
    ) -> Result<impl Iterator<Item = Result<RawRecord, ReadError>> + use<>, ReadError> {
        let segments = self.segments()?;
        let archived_to = segments.last().map_or(JournalSeq::START, Segment::last);
        let archives = Arc::clone(self.archives());
        let old = segments.into_iter().filter(move |segment| segment.last() > after);
        let old = old.flat_map(move |segment| in_order(&archives, &segment, after));
        let old = old.filter(move |record| record.as_ref().map_or(true, |record| record.seq > after));
        Ok(old.chain(self.stored_journal(after.max(archived_to))?))
    }

    /// The journal before a position, backwards, archives included.
    pub(crate) fn journal_back(&self, before: JournalSeq) -> Result<Records, ReadError> {
        let segments = self.segments()?;
        let archived_to = segments.last().map_or(JournalSeq::START, Segment::last);
        let archives = Arc::clone(self.archives());
        let range = archived_to.next().get().min(before.get())..before.get();
        let stored = self.open(table::JOURNAL)?.range(range).map_err(Fault::from)?.rev().map(|entry| {
            let (seq, bytes) = entry.map_err(Fault::from)?;
            Ok(RawRecord { seq: JournalSeq::new(seq.value()), bytes: bytes.value().to_vec() })
        });
        let old = segments.into_iter().rev().filter(move |segment| segment.first < before);
        let old = old.flat_map(move |segment| backwards(&archives, &segment));
        let old = old.filter(move |record| record.as_ref().map_or(true, |record| record.seq < before));
        Ok(Box::new(stored.chain(old)))
    }

    /// The journal record at this position, wherever it is.
    pub fn record(&self, seq: JournalSeq) -> Result<Record, ReadError> {
        match projection::record(&self.open(table::JOURNAL)?, seq) {
            Err(ReadError::Missing { .. }) => {}
            found => return found,
        }
        let raw = self.archived_record(seq)?.ok_or(ReadError::Missing { seq })?;
        Record::decode(seq, &raw.bytes).map_err(|source| ReadError::Record { seq, source })
    }

    /// The record at `seq` as its archive has it.
    pub(crate) fn archived_record(&self, seq: JournalSeq) -> Result<Option<RawRecord>, ReadError> {
        let Some(segment) = self.segment_of(seq)? else { return Ok(None) };
        self.archives().file(&segment)?.record(seq)
    }

    /// Whether an archive's bytes are those that were written.
    pub(crate) fn check_archive(&self, segment: &Segment) -> Result<(), ReadError> {
        self.archives().file(segment)?.check_digest()
    }

    /// Whether a message with this id is in archives alone.
    pub fn is_archived(&self, id: MessageId) -> Result<bool, ReadError> {
        Ok(self.locate_id(id)?.is_some_and(|located| located.is_archived))
    }

    /// The message with this public id, archives included.
    pub fn locate_id(&self, id: MessageId) -> Result<Option<Located>, ReadError> {
        if let Some(number) = self.number_of_id(id)? {
            return self.located(number);
        }
        for segment in self.segments()?.iter().rev() {
            for seq in self.archives().file(segment)?.named(id_key(id))? {
                let located = self.archived(seq)?;
                if let Some((number, true)) = located.map(|(number, held)| (number, held == id)) {
                    return Ok(Some(Located { number, last_seq: seq, is_archived: true }));
                }
            }
        }
        Ok(None)
    }

    /// The message that the provider knows, or knew in an earlier attempt, by this name, archives
    /// included.
    pub fn locate_sid(&self, sid: ProviderSid) -> Result<Option<Located>, ReadError> {
        if let Some(number) = self.number_of_sid(sid)? {
            return self.located(number);
        }
        for segment in self.segments()?.iter().rev() {
            for seq in self.archives().file(segment)?.named(sid_key(sid))? {
                let Event::Message { event, .. } = self.record(seq)?.event else { continue };
                let is_it = matches!(event, message::Event::Submitted { sid: held, .. } if held == sid);
                if let Some((_, id)) = self.archived(seq)?.filter(|_| is_it) {
                    return self.locate_id(id);
                }
            }
        }
        Ok(None)
    }

    fn located(&self, number: MessageNumber) -> Result<Option<Located>, ReadError> {
        let row = self.message(number)?;
        Ok(row.map(|row| Located { number, last_seq: row.last_seq, is_archived: false }))
    }

    /// Number and id of the message whose record is at `seq`.
    fn archived(&self, seq: JournalSeq) -> Result<Option<(MessageNumber, MessageId)>, ReadError> {
        let record = self.record(seq)?;
        let Event::Message { number, .. } = record.event else { return Ok(None) };
        let begun = self.record(self.beginning(&record)?)?;
        Ok(Some((number, accepted(begun)?.0.id)))
    }

    /// Position of the first record of the message that a record belongs to.
    pub(crate) fn beginning(&self, record: &Record) -> Result<JournalSeq, ReadError> {
        let (mut seq, mut previous) = (record.seq, record.previous);
        while let Some(before) = previous {
            seq = before;
            previous = self.record(before)?.previous;
        }
        Ok(seq)
    }

    /// Where a message is, and everything that happened to it, oldest first.
    pub fn whole(&self, located: Located) -> Result<(Projection, Vec<Entry>), ReadError> {
        let Located { number, last_seq, is_archived } = located;
        let life = self.life_until(number, last_seq)?;
        if !is_archived && let Some(row) = self.message(number)? {
            return Ok((row, life));
        }
        let mut entries = life.iter();
        let astray = || ReadError::NotAccepted { seq: last_seq };
        let first = entries.next().ok_or_else(astray)?;
        let mut message = Message::begin(&first.event, first.at).map_err(|_illegal| astray())?;
        for entry in entries {
            message.apply(&entry.event, entry.at).map_err(|_illegal| astray())?;
        }
        let projection = Projection { message, accepted_seq: first.seq, last_seq, timer: None };
        Ok((projection, life))
    }

    /// Everything that happened to a message up to its record at `last_seq`, oldest first.
    pub(crate) fn life_until(
        &self,
        number: MessageNumber,
        last_seq: JournalSeq,
    ) -> Result<Vec<Entry>, ReadError> {
        let mut next = Some(last_seq);
        let mut entries = Vec::new();
        while let Some(seq) = next {
            let record = self.record(seq)?;
            next = record.previous;
            match record.event {
                Event::Message { number: owner, event } if owner == number => {
                    let Record { at, source, actor, .. } = record;
                    entries.push(Entry { seq, at, source, actor, event });
                }
                Event::Message { .. }
                | Event::Lane { .. }
                | Event::Person { .. }
                | Event::Instance { .. } => {
                    return Err(ReadError::Foreign { seq, number });
                }
            }
        }
        entries.reverse();
        Ok(entries)
    }
}

/// The records of an archive, from the block on that may hold what follows `after`.
fn in_order(archives: &Archives, segment: &Segment, after: JournalSeq) -> Records {
    match archives.file(segment) {
        Ok(file) => {
            let blocks: Vec<u64> = file.blocks().collect();
            let passed = blocks.partition_point(|first| *first <= after.get()).saturating_sub(1);
            Box::new(blocks.into_iter().skip(passed).flat_map(move |first| records(&file, first)))
        }
        Err(error) => Box::new(iter::once(Err(error))),
    }
}

fn backwards(archives: &Archives, segment: &Segment) -> Records {
    match archives.file(segment) {
        Ok(file) => {
            let blocks = file.blocks().rev();
            Box::new(blocks.flat_map(move |first| {
                let mut records = records(&file, first);
                records.reverse();
                records
            }))
        }
        Err(error) => Box::new(iter::once(Err(error))),
    }
}

fn records(file: &ArchiveFile, first: u64) -> Vec<Result<RawRecord, ReadError>> {
    match file.unpacked(first) {
        Ok(records) => records.iter().cloned().map(Ok).collect(),
        Err(error) => vec![Err(error)],
    }
}
