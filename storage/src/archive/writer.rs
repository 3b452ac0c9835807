//! Writing an archive: a draft, synced, read back, and only then given its name.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use dunlin_workflows::id::{MessageId, MessageNumber};
use dunlin_workflows::message;

use super::block::Packing;
use super::error::ArchiveError;
use super::file::{ArchiveFile, BlockEntry, End, MAGIC, START_BYTES, VERSION};
use super::find::{id_key, sid_key};
use super::{DRAFT, Segment, failed, make_directory, sync_directory};
use crate::chain::Head;
use crate::error::ReadError;
use crate::journal::JournalSeq;
use crate::person::accepted;
use crate::reader::Reader;
use crate::record::{Event, Record};

/// Writes the records after `before`, up to and including `last`, to an archive in `directory`.
pub(super) fn write(
    reader: &Reader,
    directory: &Path,
    before: Head,
    last: JournalSeq,
    goes_on: &dyn Fn() -> bool,
) -> Result<Segment, ArchiveError> {
    make_directory(directory)?;
    remove_drafts(directory)?;
    let first = before.seq.next();
    let draft = directory.join(format!("{DRAFT}{first}"));
    let written = fill(reader, &draft, before, last, goes_on).and_then(|segment| {
        read_back(&draft, &segment)?;
        let path = directory.join(segment.file_name());
        fs::rename(&draft, &path).map_err(failed(&path))?;
        sync_directory(directory)?;
        Ok(segment)
    });
    if written.is_err() {
        // What is left is removed by the next run, should this fail too.
        drop(fs::remove_file(&draft));
    }
    written
}

fn remove_drafts(directory: &Path) -> Result<(), ArchiveError> {
    for entry in fs::read_dir(directory).map_err(failed(directory))? {
        let entry = entry.map_err(failed(directory))?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(DRAFT)) {
            let path = entry.path();
            fs::remove_file(&path).map_err(failed(&path))?;
        }
    }
    Ok(())
}

fn fill(
    reader: &Reader,
    draft: &Path,
    before: Head,
    last: JournalSeq,
    goes_on: &dyn Fn() -> bool,
) -> Result<Segment, ArchiveError> {
    let mut out = Output::create(draft)?;
    let mut start = MAGIC.to_vec();
    start.push(VERSION);
    start.resize(START_BYTES, 0);
    out.write(&start)?;
    let (mut head, mut packing, mut blocks) = (before, Packing::default(), Vec::new());
    let mut names = Names {
        first: before.seq.next().get(),
        newest: BTreeMap::new(),
        ids: BTreeMap::new(),
        sids: Vec::new(),
    };
    for raw in reader.stored_journal(before.seq)? {
        let raw = raw?;
        if raw.seq > last {
            break;
        }
        let unreadable = |source| ReadError::Record { seq: raw.seq, source };
        if raw.seq != head.seq.next() {
            return Err(ReadError::Missing { seq: head.seq.next() }.into());
        }
        names.note(&Record::decode(raw.seq, &raw.bytes).map_err(unreadable)?);
        head = head.extended(raw.seq, &raw.bytes);
        if packing.take(raw.seq, &raw.bytes).map_err(unreadable)? {
            blocks.push(out.block(&mut packing)?);
            if !goes_on() {
                return Err(ArchiveError::Interrupted);
            }
        }
    }
    if !packing.is_empty() {
        blocks.push(out.block(&mut packing)?);
    }
    let mut table = Vec::new();
    for block in &blocks {
        block.put(&mut table);
    }
    out.write(&table)?;
    let names = names.sorted(reader)?;
    for (key, position) in &names {
        out.write(&key.to_le_bytes())?;
        out.write(&position.to_le_bytes())?;
    }
    let end = End {
        before,
        after: head,
        blocks: u32::try_from(blocks.len()).unwrap_or(u32::MAX),
        names: u32::try_from(names.len()).unwrap_or(u32::MAX),
        table_checksum: crc32c::crc32c(&table),
    };
    out.write(&end.to_bytes())?;
    let (bytes, digest) = out.finish()?;
    Ok(Segment { first: before.seq.next(), before, after: head, bytes, digest })
}

/// Whether what was written gives the same chain.
fn read_back(draft: &Path, segment: &Segment) -> Result<(), ArchiveError> {
    let file = ArchiveFile::open_at(draft.to_owned(), segment)?;
    file.check_digest()?;
    let mut head = segment.before;
    for first in file.blocks() {
        for record in file.unpacked(first)?.iter() {
            if record.seq != head.seq.next() {
                return Err(ArchiveError::ReadBack { path: draft.to_owned(), seq: head.seq.next() });
            }
            head = head.extended(record.seq, &record.bytes);
        }
    }
    if head == segment.after {
        return Ok(());
    }
    Err(ArchiveError::ReadBack { path: draft.to_owned(), seq: segment.first })
}

/// A file that is written from front to back.
struct Output {
    path: PathBuf,
    file: BufWriter<File>,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Output {
    fn create(path: &Path) -> Result<Self, ArchiveError> {
        let file = File::options().write(true).create_new(true).mode(0o600).open(path);
        let file = BufWriter::new(file.map_err(failed(path))?);
        Ok(Self { path: path.to_owned(), file, hasher: blake3::Hasher::new(), bytes: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.file.write_all(bytes).map_err(failed(&self.path))?;
        self.hasher.update(bytes);
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    fn block(&mut self, packing: &mut Packing) -> Result<BlockEntry, ArchiveError> {
        let (first, offset) = (packing.first(), self.bytes);
        let bytes = packing.pack().map_err(failed(&self.path))?;
        self.write(&bytes)?;
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Ok(BlockEntry { first, offset, length, checksum: crc32c::crc32c(&bytes) })
    }

    fn finish(self) -> Result<(u64, [u8; 32]), ArchiveError> {
        let synced = self.file.into_inner().map_err(std::io::IntoInnerError::into_error);
        synced.and_then(|file| file.sync_all()).map_err(failed(&self.path))?;
        Ok((self.bytes, *self.hasher.finalize().as_bytes()))
    }
}

/// What records are called: the newest of each message by the message's id, and every acceptance by the
/// provider by its SID.
struct Names {
    first: u64,
    newest: BTreeMap<MessageNumber, u32>,
    ids: BTreeMap<MessageNumber, MessageId>,
    sids: Vec<(u64, u32)>,
}

impl Names {
    fn note(&mut self, record: &Record) {
        let position = u32::try_from(record.seq.get().saturating_sub(self.first)).unwrap_or(u32::MAX);
        let Event::Message { number, event } = &record.event else { return };
        self.newest.insert(*number, position);
        if let message::Event::Accepted { terms } = event {
            self.ids.insert(*number, terms.id);
        }
        if let message::Event::Submitted { sid, .. } = event {
            self.sids.push((sid_key(*sid), position));
        }
    }

    fn sorted(self, reader: &Reader) -> Result<Vec<(u64, u32)>, ReadError> {
        let mut names = self.sids;
        for (number, position) in self.newest {
            let id = if let Some(id) = self.ids.get(&number) {
                *id
            } else {
                let row = reader.message(number)?;
                let row = row.ok_or(ReadError::Strayed { table: "messages", number })?;
                accepted(reader.record(row.accepted_seq)?)?.0.id
            };
            names.push((id_key(id), position));
        }
        names.sort_unstable();
        Ok(names)
    }
}
