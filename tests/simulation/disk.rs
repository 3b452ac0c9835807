//! A disk in memory that keeps what was synced apart from what was only written.
//!
//! When the power goes, every write since the last sync is lost, kept or torn by 512-byte sectors,
//! each by itself. The fate of a write depends on the seed and its place, not on the order in which
//! the database engine happens to flush.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

const SECTOR: usize = 512;

/// The disk. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<Platter>>);

#[derive(Debug, Default)]
struct Platter {
    /// What a read sees.
    bytes: Vec<u8>,
    /// What survives for certain.
    durable: Vec<u8>,
    /// Since the last sync.
    unsynced: Vec<Change>,
    changes: u64,
    /// The change at which the power goes.
    dies_at: Option<u64>,
    /// The next sync answers with an error.
    sync_fails: bool,
    /// The file can't grow beyond this.
    full_at: Option<u64>,
    is_off: bool,
    /// A planted bug: a sync makes durable only what the sync before it should have.
    syncs_late: bool,
    withheld: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write { offset: u64, data: Vec<u8> },
    Length(u64),
}

/// What becomes of the writes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// All are gone.
    All,
    /// Only the process died: what was written can be read, and is not durable yet.
    Nothing,
    /// Each by itself is lost, kept or torn; the number is what the draw depends on.
    Torn(u64),
}

impl Disk {
    pub(crate) fn with(image: Vec<u8>) -> Self {
        let platter = Platter { durable: image.clone(), bytes: image, ..Platter::default() };
        Self(Arc::new(Mutex::new(platter)))
    }

    /// Everything that was written.
    pub(crate) fn image(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }

    /// Operations that changed something so far.
    pub(crate) fn changes(&self) -> u64 {
        self.lock().changes
    }

    /// Lets the power go at the change that comes `after` this many more.
    pub(crate) fn die_after(&self, after: u64) {
        let mut platter = self.lock();
        platter.dies_at = Some(platter.changes + after);
    }

    pub(crate) fn fail_next_sync(&self) {
        self.lock().sync_fails = true;
    }

    /// No room for another byte.
    pub(crate) fn fill(&self) {
        let mut platter = self.lock();
        platter.full_at = Some(platter.bytes.len() as u64);
    }

    pub(crate) fn plant_late_syncs(&self) {
        self.lock().syncs_late = true;
    }

    /// Takes back every fault that has not struck yet.
    pub(crate) fn heal(&self) {
        let mut platter = self.lock();
        (platter.dies_at, platter.sync_fails, platter.full_at) = (None, false, None);
    }

    /// Nothing is answered any more.
    pub(crate) fn switch_off(&self) {
        self.lock().is_off = true;
    }

    pub(crate) fn is_off(&self) -> bool {
        self.lock().is_off
    }

    /// The disk works again, with what survived.
    pub(crate) fn switch_on(&self, loss: Loss) {
        let mut platter = self.lock();
        if loss != Loss::Nothing {
            let unsynced = std::mem::take(&mut platter.unsynced);
            // With the planted bug the newest syncs are undone as a whole: the file stays readable.
            let survives = !platter.syncs_late;
            for change in unsynced.iter().filter(|_| survives) {
                survive(&mut platter.durable, change, loss);
            }
            platter.withheld.clear();
            let platter = &mut *platter;
            platter.bytes.clone_from(&platter.durable);
        }
        platter.dies_at = platter.dies_at.filter(|at| *at > platter.changes);
        platter.sync_fails = false;
        platter.full_at = None;
        platter.is_off = false;
    }

    fn lock(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap()
    }
}

impl Platter {
    fn change(&mut self) -> io::Result<()> {
        self.changes += 1;
        if self.dies_at.is_some_and(|at| self.changes >= at) {
            self.is_off = true;
        }
        self.answer()
    }

    fn answer(&self) -> io::Result<()> {
        if self.is_off { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        let platter = self.lock();
        platter.answer()?;
        Ok(platter.bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platter = self.lock();
        platter.answer()?;
        let start = index(offset);
        let bytes = platter.bytes.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut platter = self.lock();
        let full = platter.full_at.is_some_and(|at| len > at);
        if full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // A change in flight when the power goes may have reached the disk all the same.
        let change = Change::Length(len);
        platter.unsynced.push(change.clone());
        platter.change()?;
        write(&mut platter.bytes, &change);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platter = self.lock();
        platter.change()?;
        if std::mem::take(&mut platter.sync_fails) {
            return Err(io::Error::other("the disk fails on purpose"));
        }
        let unsynced = std::mem::take(&mut platter.unsynced);
        let synced =
            if platter.syncs_late { std::mem::replace(&mut platter.withheld, unsynced) } else { unsynced };
        for change in &synced {
            write(&mut platter.durable, change);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut platter = self.lock();
        let change = Change::Write { offset, data: data.to_vec() };
        platter.unsynced.push(change.clone());
        platter.change()?;
        write(&mut platter.bytes, &change);
        Ok(())
    }
}

fn write(image: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Length(len) => image.resize(index(*len), 0),
        Change::Write { offset, data } => put(image, index(*offset), data),
    }
}

fn put(image: &mut Vec<u8>, start: usize, data: &[u8]) {
    let end = start + data.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[start..end].copy_from_slice(data);
}

/// Lets a change reach the image as far as `loss` allows.
fn survive(image: &mut Vec<u8>, change: &Change, loss: Loss) {
    let Loss::Torn(draw) = loss else { return };
    // Of four power losses one takes everything, one nothing, one a little and one a lot.
    let one_in = match draw % 4 {
        0 => return,
        1 => u64::MAX,
        2 => 16,
        _ => 2,
    };
    match change {
        Change::Length(len) => {
            if !mixed(draw, *len).is_multiple_of(one_in) {
                image.resize(index(*len), 0);
            }
        }
        Change::Write { offset, data } => match mixed(draw, *offset) {
            fate if !fate.is_multiple_of(one_in) => put(image, index(*offset), data),
            fate if fate.is_multiple_of(3) => {}
            _torn => {
                for (n, sector) in data.chunks(SECTOR).enumerate() {
                    let place = index(*offset) + n * SECTOR;
                    if mixed(draw ^ 1, place as u64).is_multiple_of(2) {
                        put(image, place, sector);
                    }
                }
            }
        },
    }
}

/// A well-mixed number of two others (the finalizer of `SplitMix64`).
pub(crate) fn mixed(a: u64, b: u64) -> u64 {
    let mut z = a ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}
