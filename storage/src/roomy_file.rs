//! The file under a store: it takes room on the disk ahead of what is written.
//!
//! A database grows into the holes of its file. After the first write to a hole a sync has to write the
//! file system's own books too, one request after the other, which on ext4 more than doubles how long
//! it takes. So a hole is filled with zeros, a chunk at a time, before the first write to it. To whoever
//! reads, the file says what it said before.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use redb::backends::FileBackend;
use redb::{BackendError, Builder, Database, DatabaseError, StorageBackend};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use crate::late_sync::{LateFile, Syncs};

/// How much room is taken at once, in bytes.
const CHUNK: u64 = 1 << 20;

/// What a hole is filled with, a little at a time: the page cache keeps together what was written together,
/// and later writes to parts of a large piece are slow.
static ZEROS: [u8; 16 << 10] = [0; 16 << 10];

/// A file that takes room ahead.
#[derive(Debug)]
struct RoomyFile {
    backend: FileBackend,
    file: File,
    /// Chunks that were written to since the file was opened, by place: a byte for each mebibyte.
    touched: Mutex<Vec<bool>>,
}

/// Opens the database at `path` for writing. Gives its syncs, which may be late.
///
/// # Errors
/// As [`Builder::open`].
pub(crate) fn open(builder: &Builder, path: &Path) -> Result<(Database, Option<Syncs>), DatabaseError> {
    let failed = |error| DatabaseError::Storage(redb::StorageError::Io(error));
    let file = File::options().read(true).write(true).open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.len() == 0 {
        // A backend would take it for a new one.
        return builder.open(path).map(|database| (database, None));
    }
    // What an earlier process wrote must be where it belongs before anybody asks what is a hole.
    file.sync_data().map_err(failed)?;
    let backend = FileBackend::new(file.try_clone().map_err(failed)?)?;
    let (file, syncs) =
        LateFile::new(RoomyFile { backend, file, touched: Mutex::default() }).map_err(failed)?;
    Ok((builder.create_with_backend(file)?, Some(syncs)))
}

impl RoomyFile {
    /// Takes room for the chunks that hold these bytes, where they are holes and not looked at yet.
    fn take_room(&self, offset: u64, length: usize) {
        let end = offset.saturating_add(u64::try_from(length).unwrap_or(u64::MAX)).saturating_sub(1);
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in offset.div_euclid(CHUNK)..=end.div_euclid(CHUNK) {
            let Ok(place) = usize::try_from(chunk) else { return };
            if touched.len() <= place {
                touched.resize(place.saturating_add(1), false);
            }
            if let Some(touched) = touched.get_mut(place)
                && !std::mem::replace(touched, true)
                && let Err(error) = self.fill_hole(chunk.saturating_mul(CHUNK))
            {
                // Room ahead is a convenience. Whether there is room at all, the write itself will tell.
                drop(error);
            }
        }
    }

    /// Fills the chunk at `start` with zeros if nothing was ever written to it.
    fn fill_hole(&self, start: u64) -> io::Result<()> {
        let end = start.saturating_add(CHUNK);
        let is_hole = match seek(&self.file, SeekFrom::Data(start)) {
            Ok(data) => data >= end,
            Err(Errno::NXIO) => true,
            Err(error) => return Err(error.into()),
        };
        if !is_hole {
            return Ok(());
        }
        let end = end.min(self.file.metadata()?.len());
        let mut at = start;
        while at < end {
            let rest = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
            let zeros = ZEROS.get(..rest).unwrap_or(&ZEROS);
            self.file.write_all_at(zeros, at)?;
            at = at.saturating_add(u64::try_from(zeros.len()).unwrap_or(CHUNK));
        }
        Ok(())
    }
}

impl StorageBackend for RoomyFile {
    fn len(&self) -> io::Result<u64> {
        self.backend.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.backend.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.backend.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.backend.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.take_room(offset, data.len());
        self.backend.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.backend.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use proptest::prelude::*;

    use super::*;

    const LENGTH: u64 = 5 * CHUNK / 2;

    /// A file of [`LENGTH`] bytes with `there` in it, and nothing else.
    fn roomy(there: &[(u64, Vec<u8>)]) -> RoomyFile {
        let file = tempfile::tempfile().unwrap();
        file.set_len(LENGTH).unwrap();
        for (offset, bytes) in there {
            file.write_all_at(bytes, *offset).unwrap();
        }
        let backend = FileBackend::new(file.try_clone().unwrap()).unwrap();
        RoomyFile { backend, file, touched: Mutex::default() }
    }

    fn writes() -> impl Strategy<Value = Vec<(u64, Vec<u8>)>> {
        let bytes = prop::collection::vec(1_u8.., 1..40_000);
        prop::collection::vec((0..LENGTH - 40_000, bytes), 0..6)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn file_says_what_was_written_and_zeros_elsewhere(there in writes(), later in writes()) {
            let roomy = roomy(&there);
            let mut expected = vec![0; usize::try_from(LENGTH).unwrap()];
            for (offset, bytes) in there.iter().chain(&later) {
                let start = usize::try_from(*offset).unwrap();
                let place = expected.iter_mut().skip(start);
                place.zip(bytes).for_each(|(there, byte)| *there = *byte);
            }
            for (offset, bytes) in &later {
                roomy.write(*offset, bytes).unwrap();
            }
            let mut said = vec![0; expected.len()];
            roomy.read(0, &mut said).unwrap();
            prop_assert!(said == expected);
            prop_assert_eq!(roomy.len().unwrap(), LENGTH);
        }
    }

    #[test]
    fn first_write_to_a_hole_takes_room_for_those_around_it() {
        let roomy = roomy(&[]);
        let taken = || roomy.file.metadata().unwrap().blocks() * 512;
        assert!(taken() < CHUNK);
        roomy.write(CHUNK + 4_096, &[1; 4_096]).unwrap();
        let one = taken();
        assert!((CHUNK..2 * CHUNK).contains(&one), "{one}");
        roomy.write(2 * CHUNK - 4_096, &[1; 4_096]).unwrap();
        assert_eq!(taken(), one);
    }
}
