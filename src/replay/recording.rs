//! Where a journal comes from: a stopped store, a copy of one, or an export.

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use dunlin_storage::{JournalSeq, Keyring, OpenError, RawRecord, ReadError, ReadOnlyStore, Reader};

use crate::replay::export_line;

/// The store's file, inside the data directory.
const STORE_FILE: &str = "dunlin.redb";
/// The first bytes of every redb file.
const REDB_MAGIC: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";
/// Memory for a store's pages, in bytes: a replay reads every page once.
const CACHE_BYTES: usize = 32 << 20;
/// Longest line of an export, in bytes: four times what the largest record takes.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// A journal that can be read as often as needed.
#[derive(Debug)]
pub enum Recording {
    /// In a store that no daemon has open.
    Store {
        /// The store.
        store: ReadOnlyStore,
        /// The copy that it was opened from, when the file itself was not closed cleanly.
        copy: Option<Scratch>,
    },
    /// In a file of JSON lines, as written by `dunlin export`.
    Export(PathBuf),
}

/// A journal can't be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// Nothing that could be replayed is there.
    #[error("{path:?} holds no {STORE_FILE}; give a data directory, a store file or an export")]
    NoStore {
        /// The directory.
        path: PathBuf,
    },
    /// A file can't be read or written.
    #[error("{path:?}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line of an export is not one.
    #[error("{path:?} line {line}: {why}; expected a line of `dunlin export`")]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The store can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// The records of a journal, in order.
pub type Records = Box<dyn Iterator<Item = Result<RawRecord, RecordingError>>>;

impl Recording {
    /// Opens what is at `path`: a data directory, a store file, or an export.
    ///
    /// A store whose daemon was killed is copied to the directory for temporary files and repaired
    /// there; the file itself is never changed. Without `keys` everything can be read but what
    /// identifies people or is written to them.
    ///
    /// # Errors
    /// [`OpenError::InUse`] while a daemon runs on the store, and everything else that can be wrong
    /// with a file.
    pub fn open(path: &Path, keys: Option<Arc<Keyring>>) -> Result<Self, RecordingError> {
        let path = store_file(path)?;
        if !starts_with_magic(&path)? {
            return Ok(Self::Export(path));
        }
        match ReadOnlyStore::open(&path, CACHE_BYTES, keys.clone()) {
            Ok(store) => Ok(Self::Store { store, copy: None }),
            Err(OpenError::NeedsRepair { .. }) => {
                let copy = Scratch::new()?;
                let store = repaired(&path, &copy, keys)?;
                Ok(Self::Store { store, copy: Some(copy) })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The records after a position, in order.
    ///
    /// # Errors
    /// When the file can't be read; what is wrong further on is reported there.
    pub fn records(&self, after: JournalSeq) -> Result<Records, RecordingError> {
        match self {
            Self::Store { store, .. } => {
                let records = store.reader()?.journal(after)?;
                Ok(Box::new(records.map(|record| record.map_err(RecordingError::Read))))
            }
            Self::Export(path) => {
                let lines = Lines::open(path)?;
                Ok(Box::new(
                    lines.filter(move |record| record.as_ref().map_or(true, |record| record.seq > after)),
                ))
            }
        }
    }

    /// The stored projections; `None` for an export, which has none.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn reader(&self) -> Result<Option<Reader>, RecordingError> {
        match self {
            Self::Store { store, .. } => Ok(Some(store.reader()?)),
            Self::Export(_) => Ok(None),
        }
    }

    /// Whether the store was not closed cleanly, so that a repaired copy is read.
    pub fn is_repaired_copy(&self) -> bool {
        matches!(self, Self::Store { copy: Some(_), .. })
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> RecordingError {
    let path = path.to_owned();
    |source| RecordingError::Io { path, source }
}

fn store_file(path: &Path) -> Result<PathBuf, RecordingError> {
    let metadata = fs::metadata(path).map_err(failed(path))?;
    if !metadata.is_dir() {
        return Ok(path.to_owned());
    }
    let file = path.join(STORE_FILE);
    if file.is_file() { Ok(file) } else { Err(RecordingError::NoStore { path: path.to_owned() }) }
}

fn starts_with_magic(path: &Path) -> Result<bool, RecordingError> {
    let mut start = Vec::new();
    let file = File::open(path).map_err(failed(path))?;
    let length = u64::try_from(REDB_MAGIC.len()).unwrap_or(u64::MAX);
    file.take(length).read_to_end(&mut start).map_err(failed(path))?;
    Ok(start == REDB_MAGIC)
}

/// Copies the store into `scratch`, repairs the copy, and opens it for looking.
fn repaired(
    path: &Path,
    scratch: &Scratch,
    keys: Option<Arc<Keyring>>,
) -> Result<ReadOnlyStore, RecordingError> {
    let copy = scratch.path.join(STORE_FILE);
    fs::copy(path, &copy).map_err(failed(&copy))?;
    dunlin_storage::repair(&copy, CACHE_BYTES)?;
    Ok(ReadOnlyStore::open_copy(&copy, path, CACHE_BYTES, keys)?)
}

/// A directory of our own for temporary files, removed with everything in it.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn new() -> Result<Self, RecordingError> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("dunlin-replay-{}-{made}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path).map_err(failed(&path))?;
        Ok(Self { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a temporary copy could not be removed");
        }
    }
}

/// The lines of an export.
struct Lines {
    path: PathBuf,
    file: BufReader<File>,
    number: u64,
    over: bool,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, RecordingError> {
        let file = BufReader::new(File::open(path).map_err(failed(path))?);
        Ok(Self { path: path.to_owned(), file, number: 0, over: false })
    }

    fn read(&mut self) -> Result<Option<RawRecord>, RecordingError> {
        loop {
            self.number = self.number.saturating_add(1);
            let mut line = Vec::new();
            let mut limited = (&mut self.file).take(LINE_BYTES_MAX);
            if limited.read_until(b'\n', &mut line).map_err(failed(&self.path))? == 0 {
                return Ok(None);
            }
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            return export_line::read(&line).map(Some).map_err(|why| RecordingError::Line {
                path: self.path.clone(),
                line: self.number,
                why,
            });
        }
    }
}

impl Iterator for Lines {
    type Item = Result<RawRecord, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let read = self.read().transpose();
        // After a line that is none, whatever follows can't be trusted to be a journal.
        self.over = !matches!(read, Some(Ok(_)));
        read
    }
}
