//! A segment: a stretch of the journal that is in an archive, as the store knows it.

use redb::{ReadableTable, WriteTransaction};

use crate::chain::Head;
use crate::error::{Fault, ReadError};
use crate::journal::JournalSeq;
use crate::reader::Reader;
use crate::record::envelope::{put_row, take_row};
use crate::record::row::SegmentRowV1;
use crate::table;

/// A stretch of the journal that is in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Position of its first record.
    pub first: JournalSeq,
    /// The head of the chain before it.
    pub before: Head,
    /// The head of the chain after it; its position is that of the last record.
    pub after: Head,
    /// Bytes of the archive.
    pub bytes: u64,
    /// BLAKE3 of the archive.
    pub digest: [u8; 32],
}

impl Segment {
    /// Position of its last record.
    pub fn last(&self) -> JournalSeq {
        self.after.seq
    }

    /// The archive's name: the first position, the last, and the beginning of the digest, so that
    /// archives of different histories never bear the same.
    pub fn file_name(&self) -> String {
        let [a, b, c, d, ..] = self.digest;
        let (first, last) = (self.first.get(), self.last().get());
        format!("journal-{first:012}-{last:012}-{a:02x}{b:02x}{c:02x}{d:02x}.dunlin")
    }

    pub(super) fn put(&self, transaction: &WriteTransaction) -> Result<(), ReadError> {
        let key = self.first.get();
        let row = SegmentRowV1 {
            before: self.before.to_bytes(),
            after: self.after.to_bytes(),
            bytes: self.bytes,
            digest: self.digest,
        };
        let failed = |source| ReadError::Row { table: "archives", key: key.to_string(), source };
        let row = put_row("archives", &key.to_le_bytes(), 1, &row).map_err(failed)?;
        let mut table = transaction.open_table(table::ARCHIVES).map_err(Fault::from)?;
        table.insert(key, row.as_slice()).map_err(Fault::from)?;
        Ok(())
    }

    fn take(key: u64, bytes: &[u8]) -> Result<Self, ReadError> {
        let failed = |source| ReadError::Row { table: "archives", key: key.to_string(), source };
        let row: SegmentRowV1 = take_row("archives", &key.to_le_bytes(), 1, bytes).map_err(failed)?;
        let head = |bytes: &[u8]| Head::from_bytes(bytes).ok_or(ReadError::Head);
        let (before, after) = (head(&row.before)?, head(&row.after)?);
        Ok(Self { first: JournalSeq::new(key), before, after, bytes: row.bytes, digest: row.digest })
    }
}

impl Reader {
    /// What is in archives, oldest first. Together they begin at position 1 and have no gap.
    pub fn segments(&self) -> Result<Vec<Segment>, ReadError> {
        let rows = self.open(table::ARCHIVES)?.range::<u64>(..).map_err(Fault::from)?;
        rows.map(|row| {
            let (key, bytes) = row.map_err(Fault::from)?;
            Segment::take(key.value(), bytes.value())
        })
        .collect()
    }

    /// The segment that holds position `seq`.
    pub(super) fn segment_of(&self, seq: JournalSeq) -> Result<Option<Segment>, ReadError> {
        let mut rows = self.open(table::ARCHIVES)?.range::<u64>(..=seq.get()).map_err(Fault::from)?;
        let Some(row) = rows.next_back() else { return Ok(None) };
        let (key, bytes) = row.map_err(Fault::from)?;
        let segment = Segment::take(key.value(), bytes.value())?;
        Ok((segment.last() >= seq).then_some(segment))
    }

    /// Position of the last record that is in an archive.
    pub(crate) fn archived_to(&self) -> Result<JournalSeq, ReadError> {
        let table = self.open(table::ARCHIVES)?;
        let Some((key, bytes)) = table.last().map_err(Fault::from)? else { return Ok(JournalSeq::START) };
        Ok(Segment::take(key.value(), bytes.value())?.last())
    }
}
