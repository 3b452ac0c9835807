//! Journal records of a batch that are not written yet: appended in one sorted run at its end.

use std::ops::Bound;

use redb::Table;

use crate::error::Fault;
use crate::journal::JournalSeq;
use crate::record::{Place, RecordError};

/// Journal records that follow the end of the journal, back to back in one buffer.
pub(crate) struct Pending {
    /// The journal's end before this batch.
    start: JournalSeq,
    /// The journal's end with this batch.
    last: JournalSeq,
    bytes: Vec<u8>,
    /// Where each record ends in `bytes`.
    ends: Vec<usize>,
    payload: Vec<u8>,
}

impl Pending {
    /// Nothing yet, after `last`.
    pub(crate) fn new(last: JournalSeq) -> Self {
        Self { start: last, last, bytes: Vec::new(), ends: Vec::new(), payload: Vec::new() }
    }

    /// The journal's end with this batch.
    pub(crate) fn last(&self) -> JournalSeq {
        self.last
    }

    /// Appends one record, written by `put` (scratch space, buffer); a failed `put` leaves nothing.
    pub(crate) fn append(
        &mut self,
        place: Place,
        put: impl FnOnce(Place, &mut Vec<u8>, &mut Vec<u8>) -> Result<(), RecordError>,
    ) -> Result<JournalSeq, RecordError> {
        let length = self.bytes.len();
        let seq = self.last.next();
        if let Err(error) = put(Place { seq, ..place }, &mut self.payload, &mut self.bytes) {
            self.bytes.truncate(length);
            return Err(error);
        }
        self.ends.push(self.bytes.len());
        self.last = seq;
        Ok(seq)
    }

    /// Takes back every record after `last`.
    pub(crate) fn truncate(&mut self, last: JournalSeq) {
        let kept = last.get().saturating_sub(self.start.get());
        self.ends.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
        self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
        self.last = last;
    }

    /// The bytes of the record at `seq`, when it is one of these.
    pub(crate) fn get(&self, seq: JournalSeq) -> Option<&[u8]> {
        let index = usize::try_from(seq.get().checked_sub(self.start.next().get())?).ok()?;
        let end = *self.ends.get(index)?;
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.bytes.get(start..end)
    }

    /// Every record, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (JournalSeq, &[u8])> {
        let first = self.start.next().get();
        let seqs = (first..).map(JournalSeq::new).take(self.ends.len());
        seqs.map(|seq| (seq, self.get(seq).unwrap_or_default()))
    }

    /// Writes the records behind the journal's end.
    pub(crate) fn write(&self, journal: &mut Table<'_, u64, &'static [u8]>) -> Result<(), Fault> {
        let mut cursor = journal.upper_bound_mut(Bound::<u64>::Unbounded)?;
        for (seq, bytes) in self.iter() {
            cursor.insert_before(seq.get(), bytes)?;
        }
        cursor.close()?;
        Ok(())
    }
}
