//! A disk in memory: it can fail from some operation on, and it forgets what was not synced.

use std::io;
use std::sync::{Arc, Mutex};

use dunlin_storage::{OpenError, OpenOptions, OpenReport, Store};
use redb::StorageBackend;

/// The disk. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<Platter>>);

#[derive(Debug, Default)]
struct Platter {
    bytes: Vec<u8>,
    synced: Vec<u8>,
    /// Operations that change something, so far.
    changes: u64,
    /// The first change that fails; everything after it fails too.
    fails_at: Option<u64>,
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

    fn change(&self, change: impl FnOnce(&mut Platter)) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        platter.changes += 1;
        if platter.fails_at.is_some_and(|at| platter.changes >= at) {
            return Err(io::Error::other("the disk fails on purpose"));
        }
        change(&mut platter);
        Ok(())
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
        self.change(|platter| platter.bytes.resize(index(len), 0))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.change(|platter| platter.synced = platter.bytes.clone())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(|platter| {
            let start = index(offset);
            if let Some(place) = platter.bytes.get_mut(start..start + data.len()) {
                place.copy_from_slice(data);
            }
        })
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}
