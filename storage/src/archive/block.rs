//! A block of an archive: some hundred records, field by field, compressed.
//!
//! Records of one time are alike in their headers, so equal fields stand together, and what grows is
//! kept as a difference. The checksum of a record follows from the rest of it and is left out. Unpacking
//! gives every record back to the last bit.

use std::io;

use super::ArchiveFlaw;
use crate::journal::JournalSeq;
use crate::reader::RawRecord;
use crate::record::header::Header;
use crate::record::{PAYLOAD_BYTES_MAX, RecordError};

/// A block is closed when its payloads hold so many bytes.
const PAYLOADS_MAX: usize = 256 << 10;
/// A block is closed when it holds so many records.
const RECORDS_MAX: usize = 4_096;
/// Bytes that one record takes beside its payload.
const RECORD_BYTES: usize = 5 + 8 + 8 + 8 + 4 + 4;
/// Bytes of a block before it is compressed are never more than this.
pub(super) const PLAIN_MAX: usize = 4 + RECORDS_MAX * RECORD_BYTES + PAYLOADS_MAX + PAYLOAD_BYTES_MAX;
/// How hard to compress. A higher level takes three times as long and saves one byte in a hundred.
const LEVEL: i32 = 3;

/// Records that will be a block.
#[derive(Default)]
pub(super) struct Packing {
    first: u64,
    last: u64,
    count: u32,
    /// One field of every record after the other: layout, kind, type, version of the type, source.
    small: [Vec<u8>; 5],
    at: Vec<u8>,
    number: Vec<u8>,
    previous: Vec<u8>,
    actor: Vec<u8>,
    length: Vec<u8>,
    payloads: Vec<u8>,
    /// The last record's, for the differences.
    last_at: i64,
    last_number: u64,
}

impl Packing {
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Takes a record in. Says whether the block is full.
    ///
    /// # Errors
    /// When it is no sound record: nothing is archived that could not be read.
    pub(super) fn take(&mut self, seq: JournalSeq, bytes: &[u8]) -> Result<bool, RecordError> {
        let (header, payload) = Header::take(seq.get(), bytes)?;
        if self.is_empty() {
            self.first = seq.get();
        }
        self.last = seq.get();
        self.count = self.count.saturating_add(1);
        let layout = bytes.first().copied().unwrap_or_default();
        let Header { kind, record_type, type_version, source, .. } = header;
        for (column, field) in self.small.iter_mut().zip([layout, kind, record_type, type_version, source]) {
            column.push(field);
        }
        let previous = if header.previous == 0 { 0 } else { seq.get().wrapping_sub(header.previous) };
        let length = u32::try_from(payload.len())
            .map_err(|_too_long| RecordError::TooLong { length: payload.len() })?;
        self.at.extend_from_slice(&header.at_ms.wrapping_sub(self.last_at).to_le_bytes());
        self.number.extend_from_slice(&header.number.wrapping_sub(self.last_number).to_le_bytes());
        self.previous.extend_from_slice(&previous.to_le_bytes());
        self.actor.extend_from_slice(&header.actor.to_le_bytes());
        self.length.extend_from_slice(&length.to_le_bytes());
        self.payloads.extend_from_slice(payload);
        (self.last_at, self.last_number) = (header.at_ms, header.number);
        Ok(self.payloads.len() >= PAYLOADS_MAX || self.last.saturating_sub(self.first) >= LAST_INDEX)
    }

    /// The compressed block. Afterwards nothing is in it.
    pub(super) fn pack(&mut self) -> io::Result<Vec<u8>> {
        let mut plain = self.count.to_le_bytes().to_vec();
        let columns = [&self.at, &self.number, &self.previous, &self.actor, &self.length, &self.payloads];
        for column in self.small.iter().chain(columns) {
            plain.extend_from_slice(column);
        }
        *self = Self::default();
        zstd::bulk::compress(&plain, LEVEL)
    }
}

/// Position of the last record of a full block after its first.
const LAST_INDEX: u64 = 4_095;

/// The records of a block that begins at `first`.
///
/// # Errors
/// When the bytes are no block.
pub(super) fn unpack(first: JournalSeq, bytes: &[u8]) -> Result<Vec<RawRecord>, ArchiveFlaw> {
    let flaw = || ArchiveFlaw::Damaged { what: "block" };
    let plain = zstd::bulk::decompress(bytes, PLAIN_MAX).map_err(|_no_frame| flaw())?;
    let (count, rest) = plain.split_first_chunk::<4>().ok_or_else(flaw)?;
    let count = usize::try_from(u32::from_le_bytes(*count)).map_err(|_too_many| flaw())?;
    if count > RECORDS_MAX {
        return Err(flaw());
    }
    let mut rest = rest;
    let mut column = |width: usize| {
        let (column, after) = rest.split_at_checked(width.saturating_mul(count))?;
        rest = after;
        Some(column)
    };
    let layouts = column(1).ok_or_else(flaw)?;
    let kind = column(1).ok_or_else(flaw)?;
    let record_type = column(1).ok_or_else(flaw)?;
    let type_version = column(1).ok_or_else(flaw)?;
    let source = column(1).ok_or_else(flaw)?;
    let at = column(8).ok_or_else(flaw)?;
    let number = column(8).ok_or_else(flaw)?;
    let previous = column(8).ok_or_else(flaw)?;
    let actor = column(4).ok_or_else(flaw)?;
    let length = column(4).ok_or_else(flaw)?;
    let mut payloads = rest;
    let mut records = Vec::with_capacity(count);
    let (mut at_ms, mut owner, mut seq) = (0_i64, 0_u64, first);
    for index in 0..count {
        let byte = |column: &[u8]| column.get(index).copied().ok_or_else(flaw);
        at_ms = at_ms.wrapping_add(i64::from_le_bytes(cell(at, index).ok_or_else(flaw)?));
        owner = owner.wrapping_add(u64::from_le_bytes(cell(number, index).ok_or_else(flaw)?));
        let distance = u64::from_le_bytes(cell(previous, index).ok_or_else(flaw)?);
        let header = Header {
            kind: byte(kind)?,
            record_type: byte(record_type)?,
            type_version: byte(type_version)?,
            source: byte(source)?,
            at_ms,
            number: owner,
            previous: if distance == 0 { 0 } else { seq.get().wrapping_sub(distance) },
            actor: u32::from_le_bytes(cell(actor, index).ok_or_else(flaw)?),
        };
        let length = u32::from_le_bytes(cell(length, index).ok_or_else(flaw)?);
        let length = usize::try_from(length).map_err(|_too_long| flaw())?;
        let (payload, after) = payloads.split_at_checked(length).ok_or_else(flaw)?;
        payloads = after;
        let mut bytes = Vec::with_capacity(length.saturating_add(crate::record::HEADER_BYTES));
        header.put_as(byte(layouts)?, seq.get(), payload, &mut bytes).map_err(|_too_long| flaw())?;
        records.push(RawRecord { seq, bytes });
        seq = seq.next();
    }
    if payloads.is_empty() { Ok(records) } else { Err(flaw()) }
}

/// Cell `index` of a column of fixed width.
fn cell<const N: usize>(column: &[u8], index: usize) -> Option<[u8; N]> {
    column.chunks_exact(N).nth(index).and_then(|cell| cell.try_into().ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::strategy::record;

    proptest! {
        /// What goes in comes out, to the last bit, in both layouts of the header.
        #[test]
        fn every_record_comes_back_bit_for_bit(
            records in prop::collection::vec(record(), 1..64),
            layouts in prop::collection::vec(1_u8..=2, 64),
        ) {
            let mut packing = Packing::default();
            let mut expected = Vec::new();
            let mut next = JournalSeq::new(7);
            for (record, layout) in records.iter().zip(layouts.iter().cycle()) {
                let seq = next;
                next = seq.next();
                let moved = crate::Record { seq, ..record.clone() }.encode().unwrap();
                let (header, payload) = Header::take(seq.get(), &moved).unwrap();
                let mut bytes = Vec::new();
                header.put_as(*layout, seq.get(), payload, &mut bytes).unwrap();
                packing.take(seq, &bytes).unwrap();
                expected.push(RawRecord { seq, bytes });
            }
            let block = packing.pack().unwrap();
            prop_assert!(packing.is_empty());
            prop_assert_eq!(unpack(JournalSeq::new(7), &block).unwrap(), expected);
        }

        /// No bytes make it panic.
        #[test]
        fn arbitrary_bytes_are_a_flaw_or_records(plain in prop::collection::vec(any::<u8>(), 0..400)) {
            let _flaw_or_records = unpack(JournalSeq::new(1), &plain).is_ok();
            let packed = zstd::bulk::compress(&plain, LEVEL).unwrap();
            let _flaw_or_records = unpack(JournalSeq::new(1), &packed).is_ok();
        }
    }
}
