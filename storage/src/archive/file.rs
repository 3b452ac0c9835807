//! An archive that is read: its blocks by position, its records by name.
//!
//! Layout, all integers little-endian: a beginning of 16 bytes; blocks; a table of blocks; the names;
//! an end of 104 bytes, from which reading starts. `FORMAT.md` says every byte.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::block::unpack;
use super::{ArchiveFlaw, Segment};
use crate::chain::{HEAD_BYTES, Head};
use crate::error::ReadError;
use crate::journal::JournalSeq;
use crate::reader::RawRecord;

/// First bytes of an archive, and its last.
pub(super) const MAGIC: [u8; 8] = *b"DUNLINAR";
/// The form of archives that this version writes.
pub(super) const VERSION: u8 = 1;
/// Bytes before the first block: magic, version, zeros.
pub(super) const START_BYTES: usize = 16;
/// Bytes of one entry in the table of blocks.
pub(super) const BLOCK_ENTRY_BYTES: usize = 24;
/// Bytes of one name.
pub(super) const NAME_BYTES: usize = 12;
/// Bytes after the names: head before, head after, blocks, names, two checksums, magic.
pub(super) const END_BYTES: usize = HEAD_BYTES + HEAD_BYTES + 4 + 4 + 4 + 4 + 8;
/// Bytes that are read at once when the whole file is.
const READ_BYTES: usize = 1 << 20;

/// Where a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockEntry {
    /// Position of its first record.
    pub(super) first: u64,
    /// Where it begins in the file.
    pub(super) offset: u64,
    /// Its bytes.
    pub(super) length: u32,
    /// CRC32C of them.
    pub(super) checksum: u32,
}

/// What the end of the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    pub(super) before: Head,
    pub(super) after: Head,
    pub(super) blocks: u32,
    pub(super) names: u32,
    /// CRC32C of the table of blocks.
    pub(super) table_checksum: u32,
}

/// An open archive.
#[derive(Debug)]
pub(super) struct ArchiveFile {
    path: PathBuf,
    file: File,
    segment: Segment,
    blocks: Vec<BlockEntry>,
    names_at: u64,
    names: u32,
    /// The block that was read last: whoever reads one record often reads its neighbours.
    unpacked: Mutex<Option<(u64, Arc<Vec<RawRecord>>)>>,
}

impl BlockEntry {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(&self.length.to_le_bytes());
        out.extend_from_slice(&self.checksum.to_le_bytes());
    }

    fn take(bytes: &[u8]) -> Option<Self> {
        let (first, rest) = bytes.split_first_chunk()?;
        let (offset, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let checksum = rest.first_chunk()?;
        Some(Self {
            first: u64::from_le_bytes(*first),
            offset: u64::from_le_bytes(*offset),
            length: u32::from_le_bytes(*length),
            checksum: u32::from_le_bytes(*checksum),
        })
    }
}

impl End {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(END_BYTES);
        bytes.extend_from_slice(&self.before.to_bytes());
        bytes.extend_from_slice(&self.after.to_bytes());
        bytes.extend_from_slice(&self.blocks.to_le_bytes());
        bytes.extend_from_slice(&self.names.to_le_bytes());
        bytes.extend_from_slice(&self.table_checksum.to_le_bytes());
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes.extend_from_slice(&MAGIC);
        bytes
    }

    fn take(bytes: &[u8; END_BYTES]) -> Option<Self> {
        let (before, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        let (after, rest) = rest.split_first_chunk::<HEAD_BYTES>()?;
        let (blocks, rest) = rest.split_first_chunk()?;
        let (names, rest) = rest.split_first_chunk()?;
        let (table_checksum, _rest) = rest.split_first_chunk()?;
        let end = Self {
            before: Head::from_bytes(before)?,
            after: Head::from_bytes(after)?,
            blocks: u32::from_le_bytes(*blocks),
            names: u32::from_le_bytes(*names),
            table_checksum: u32::from_le_bytes(*table_checksum),
        };
        (end.to_bytes() == bytes).then_some(end)
    }
}

impl ArchiveFile {
    /// Opens the archive of `segment` in `directory`.
    pub(super) fn open(directory: &Path, segment: &Segment) -> Result<Self, ReadError> {
        Self::open_at(directory.join(segment.file_name()), segment)
    }

    /// Opens the archive of `segment` at `path`.
    pub(super) fn open_at(path: PathBuf, segment: &Segment) -> Result<Self, ReadError> {
        match Self::read(&path, segment) {
            Ok((file, end, blocks)) => {
                let names_at = names_at(segment, &end);
                Ok(Self {
                    path,
                    file,
                    segment: segment.clone(),
                    blocks,
                    names_at,
                    names: end.names,
                    unpacked: Mutex::default(),
                })
            }
            Err(source) => Err(ReadError::Archive { path, source }),
        }
    }

    fn read(path: &Path, segment: &Segment) -> Result<(File, End, Vec<BlockEntry>), ArchiveFlaw> {
        let file = File::open(path).map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound { ArchiveFlaw::Missing } else { error.into() }
        })?;
        let damaged = |what| move || ArchiveFlaw::Damaged { what };
        let mut start = [0; START_BYTES];
        file.read_exact_at(&mut start, 0).map_err(|_short| damaged("beginning")())?;
        let (magic, rest) = start.split_first_chunk::<8>().ok_or_else(damaged("beginning"))?;
        if *magic != MAGIC {
            return Err(damaged("beginning")());
        }
        match rest.first() {
            Some(&VERSION) => {}
            found => {
                let found = found.copied().unwrap_or_default();
                return Err(ArchiveFlaw::Newer { found, known: VERSION });
            }
        }
        if file.metadata()?.len() != segment.bytes {
            return Err(damaged("length")());
        }
        let mut end = [0; END_BYTES];
        let end_at = segment.bytes.checked_sub(END_BYTES_U64).ok_or_else(damaged("length"))?;
        file.read_exact_at(&mut end, end_at)?;
        let end = End::take(&end).ok_or_else(damaged("end"))?;
        if (end.before, end.after) != (segment.before, segment.after) {
            return Err(ArchiveFlaw::Another);
        }
        let table_bytes = usize::try_from(end.blocks).map_err(|_too_many| damaged("end")())?;
        let mut table = vec![0; table_bytes.saturating_mul(BLOCK_ENTRY_BYTES)];
        let table_at = names_at(segment, &end).checked_sub(u64::try_from(table.len()).unwrap_or(u64::MAX));
        file.read_exact_at(&mut table, table_at.ok_or_else(damaged("end"))?)?;
        if crc32c::crc32c(&table) != end.table_checksum {
            return Err(damaged("table of blocks")());
        }
        let blocks: Option<Vec<_>> = table.chunks_exact(BLOCK_ENTRY_BYTES).map(BlockEntry::take).collect();
        Ok((file, end, blocks.ok_or_else(damaged("table of blocks"))?))
    }

    pub(super) fn segment(&self) -> &Segment {
        &self.segment
    }

    /// Position of the first record of every block.
    pub(super) fn blocks(&self) -> impl DoubleEndedIterator<Item = u64> + use<> {
        let firsts: Vec<u64> = self.blocks.iter().map(|block| block.first).collect();
        firsts.into_iter()
    }

    /// Whether the bytes are those that were written.
    pub(super) fn check_digest(&self) -> Result<(), ReadError> {
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; READ_BYTES];
        let mut offset = 0_u64;
        loop {
            let read = self.file.read_at(&mut buffer, offset).map_err(|error| self.flawed(error.into()))?;
            if read == 0 {
                break;
            }
            hasher.update(buffer.get(..read).unwrap_or_default());
            offset = offset.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        }
        if *hasher.finalize().as_bytes() == self.segment.digest {
            Ok(())
        } else {
            Err(self.flawed(ArchiveFlaw::Damaged { what: "content" }))
        }
    }

    /// The record at `seq`; `None` when it is not in this archive.
    pub(super) fn record(&self, seq: JournalSeq) -> Result<Option<RawRecord>, ReadError> {
        let index = self.blocks.partition_point(|block| block.first <= seq.get());
        let Some(block) = index.checked_sub(1).and_then(|index| self.blocks.get(index)) else {
            return Ok(None);
        };
        let records = self.unpacked(block.first)?;
        let found = records.binary_search_by_key(&seq, |record| record.seq);
        Ok(found.ok().and_then(|index| records.get(index)).cloned())
    }

    /// The records of the block that begins at `first`.
    pub(super) fn unpacked(&self, first: u64) -> Result<Arc<Vec<RawRecord>>, ReadError> {
        let mut unpacked = self.unpacked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, records)) = unpacked.as_ref().filter(|(held, _)| *held == first) {
            return Ok(Arc::clone(records));
        }
        let records = self.unpack(first).map_err(|flaw| self.flawed(flaw))?;
        let records = Arc::new(records);
        *unpacked = Some((first, Arc::clone(&records)));
        Ok(records)
    }

    fn unpack(&self, first: u64) -> Result<Vec<RawRecord>, ArchiveFlaw> {
        let damaged = || ArchiveFlaw::Damaged { what: "block" };
        let found =
            self.blocks.binary_search_by_key(&first, |block| block.first).map_err(|_none| damaged())?;
        let block = self.blocks.get(found).ok_or_else(damaged)?;
        // What the table says was checked, and no block is longer than its file.
        if u64::from(block.length) > self.segment.bytes {
            return Err(damaged());
        }
        let mut bytes = vec![0; usize::try_from(block.length).map_err(|_too_long| damaged())?];
        self.file.read_exact_at(&mut bytes, block.offset)?;
        if crc32c::crc32c(&bytes) != block.checksum {
            return Err(damaged());
        }
        unpack(JournalSeq::new(first), &bytes)
    }

    /// Positions of the records that bear this name; names may collide.
    pub(super) fn named(&self, key: u64) -> Result<Vec<JournalSeq>, ReadError> {
        let flawed = |error: io::Error| self.flawed(error.into());
        let (mut low, mut high) = (0_u32, self.names);
        while low < high {
            let middle = low.midpoint(high);
            if self.name(middle).map_err(flawed)?.0 < key {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        let mut found = Vec::new();
        while low < self.names {
            let (held, position) = self.name(low).map_err(flawed)?;
            if held != key {
                break;
            }
            found.push(JournalSeq::new(self.segment.first.get().saturating_add(u64::from(position))));
            low = low.saturating_add(1);
        }
        Ok(found)
    }

    fn name(&self, index: u32) -> io::Result<(u64, u32)> {
        let mut bytes = [0; NAME_BYTES];
        let offset = u64::from(index).saturating_mul(NAME_BYTES_U64);
        self.file.read_exact_at(&mut bytes, self.names_at.saturating_add(offset))?;
        let (key, position) = bytes.split_at(8);
        Ok((
            u64::from_le_bytes(key.try_into().unwrap_or_default()),
            u32::from_le_bytes(position.try_into().unwrap_or_default()),
        ))
    }

    fn flawed(&self, source: ArchiveFlaw) -> ReadError {
        ReadError::Archive { path: self.path.clone(), source }
    }
}

const END_BYTES_U64: u64 = 104;
const NAME_BYTES_U64: u64 = 12;

/// Where the names begin.
fn names_at(segment: &Segment, end: &End) -> u64 {
    let names = u64::from(end.names).saturating_mul(NAME_BYTES_U64);
    segment.bytes.saturating_sub(END_BYTES_U64).saturating_sub(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_reads_back_and_every_single_bit_flip_is_detected() {
        let (before, after) = (Head::empty(), Head::empty().extended(JournalSeq::new(1), b"record"));
        let end = End { before, after, blocks: 3, names: 4, table_checksum: 5 };
        let bytes: [u8; END_BYTES] = end.to_bytes().try_into().unwrap();
        assert_eq!(u64::try_from(bytes.len()), Ok(END_BYTES_U64));
        assert_eq!(u64::try_from(NAME_BYTES), Ok(NAME_BYTES_U64));
        assert_eq!(End::take(&bytes), Some(end));
        for bit in 0..END_BYTES * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(End::take(&damaged), None, "bit {bit}");
        }
    }
}
