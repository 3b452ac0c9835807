//! A disk in memory: it can fail from some operation on, and it forgets what was not synced.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};

use dunlin_storage::{OpenError, OpenOptions, OpenReport, Store};
use redb::StorageBackend;

/// What a disk gives room by, in bytes.
const BLOCK: usize = 4096;

/// The disk. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<Platter>>);

/// What a disk without room still does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// Nothing.
    Entirely,
    /// It overwrites blocks that have a place, and syncs. A write that reaches further is torn.
    ForNewBlocks,
}

#[derive(Debug, Default)]
struct Platter {
    bytes: Vec<u8>,
    synced: Vec<u8>,
    /// Operations that change something, so far.
    changes: u64,
    /// The first change that fails; everything after it fails too.
    fails_at: Option<u64>,
    /// The first change for which there is no room, nor for those after it.
    full: Option<(u64, Full)>,
    /// Blocks that have a place on the disk.
    placed: BTreeSet<usize>,
    reads_fail: bool,
}

impl Disk {
    /// How many operations changed something so far.
    pub(crate) fn changes(&self) -> u64 {
        self.0.lock().unwrap().changes
    }

    /// Lets every change from this one on fail; counted from 1.
    pub(crate) fn fail_at(&self, change: u64) {
        self.0.lock().unwrap().fails_at = Some(change);
    }

    /// Lets there be no room from this change on; counted from 1.
    pub(crate) fn fill_up_at(&self, change: u64, full: Full) {
        self.0.lock().unwrap().full = Some((change, full));
    }

    /// Somebody removes other files.
    pub(crate) fn make_room(&self) {
        self.0.lock().unwrap().full = None;
    }

    /// Lets every read from now on fail.
    pub(crate) fn fail_reads(&self) {
        self.0.lock().unwrap().reads_fail = true;
    }

    /// Everything that was written.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().bytes.clone()
    }

    /// Power is lost and comes back: what was not synced is gone, and the disk works again.
    pub(crate) fn lose_power(&self) -> Self {
        let synced = self.0.lock().unwrap().synced.clone();
        let platter = Platter { bytes: synced.clone(), synced, ..Platter::default() };
        Self(Arc::new(Mutex::new(platter)))
    }

    /// The process dies and the disk works again: what was written is there.
    pub(crate) fn restart(&self) -> Self {
        let bytes = self.0.lock().unwrap().bytes.clone();
        let platter = Platter { synced: bytes.clone(), bytes, ..Platter::default() };
        Self(Arc::new(Mutex::new(platter)))
    }

    pub(crate) fn open(&self, options: &OpenOptions) -> Result<(Store, OpenReport), OpenError> {
        Store::open_with_backend(self.clone(), options)
    }

    fn change(&self, change: impl FnOnce(&mut Platter) -> io::Result<()>) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        platter.changes += 1;
        if platter.full() == Some(Full::Entirely) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if platter.fails_at.is_some_and(|at| platter.changes >= at) {
            return Err(io::Error::other("the disk fails on purpose"));
        }
        change(&mut platter)
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platter = self.0.lock().unwrap();
        if platter.reads_fail {
            return Err(io::Error::other("the disk fails on purpose"));
        }
        let start = index(offset);
        let bytes = platter.bytes.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        // A longer file takes no room until something is written to it.
        self.change(|platter| {
            platter.bytes.resize(index(len), 0);
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.change(|platter| {
            platter.synced = platter.bytes.clone();
            Ok(())
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(|platter| platter.write(index(offset), data))
    }
}

impl Platter {
    /// What the disk still does, when it has no room.
    fn full(&self) -> Option<Full> {
        self.full.filter(|(at, _)| self.changes >= *at).map(|(_, full)| full)
    }

    fn write(&mut self, start: usize, data: &[u8]) -> io::Result<()> {
        let mut rest = data;
        while !rest.is_empty() {
            let at = start + data.len() - rest.len();
            let block = at / BLOCK;
            if self.full() == Some(Full::ForNewBlocks) && !self.placed.contains(&block) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.placed.insert(block);
            let (now, later) = rest.split_at(rest.len().min((block + 1) * BLOCK - at));
            if let Some(place) = self.bytes.get_mut(at..at + now.len()) {
                place.copy_from_slice(now);
            }
            rest = later;
        }
        Ok(())
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}
