//! The store: one file, one writer, any number of snapshots.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dunlin_workflows::timestamp::Timestamp;
use redb::{Builder, Database, DatabaseError, ReadOnlyDatabase, ReadableDatabase, StorageBackend};

use crate::batch::Batch;
use crate::create;
use crate::error::{CommitError, Fault, OpenError, ReadError};
use crate::meta::{Meta, MetaError};
use crate::reader::Reader;
use crate::recovery::{OpenReport, check};

/// How to open a store.
#[derive(Clone)]
pub struct OpenOptions {
    /// The time, for the creation time of a new file.
    pub now: Timestamp,
    /// Memory for cached pages, in bytes. 64 to 256 MiB is plenty.
    pub cache_bytes: usize,
    /// Key for the tokens in callback addresses, drawn at random by the caller. Used only when the
    /// file is new; an existing file keeps its own, see [`Store::callback_key`].
    pub callback_key: [u8; 32],
    /// Whether to verify every page's checksum first, which reads the whole file. Without it a file
    /// damaged while nobody had it open can make the database engine answer wrongly or panic.
    pub check_integrity: bool,
}

/// The durable state of one engine. Share it behind an [`Arc`].
///
/// After a commit failed every call answers `Poisoned`: whether the batch is durable is not known
/// until the file is opened again.
pub struct Store {
    database: Database,
    meta: Meta,
    poisoned: AtomicBool,
}

/// A stopped engine's store, for looking only. Needs a file that was closed cleanly.
pub struct ReadOnlyStore {
    database: ReadOnlyDatabase,
    meta: Meta,
}

impl Store {
    /// Opens the store at `path`, or creates it there, and checks it: its format, that the journal
    /// has no gap, the newest records, and every message that is not finalized.
    ///
    /// A new file is made beside `path`, synced, and then given its name: a crash while creating
    /// leaves no half file under `path`.
    ///
    /// # Errors
    /// [`OpenError`]; when the file is in use, damaged, or written by a newer version.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<(Self, OpenReport), OpenError> {
        let created = create::if_absent(path, options)?;
        let (builder, repaired) = builder(options);
        let database = builder.open(path).map_err(|error| failed(path, error))?;
        Self::start(database, path, created, &repaired)
    }

    /// Opens the store on a storage backend of the caller's, or creates it there when it is empty.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with_backend(
        backend: impl StorageBackend,
        options: &OpenOptions,
    ) -> Result<(Self, OpenReport), OpenError> {
        let path = Path::new("(backend)");
        let (builder, repaired) = builder(options);
        let database = builder.create_with_backend(backend).map_err(|error| failed(path, error))?;
        let created = create::if_empty(&database, options)?;
        Self::start(database, path, created, &repaired)
    }

    fn start(
        database: Database,
        path: &Path,
        created: bool,
        repaired: &AtomicBool,
    ) -> Result<(Self, OpenReport), OpenError> {
        let reader = Reader::new(database.begin_read().map_err(Fault::from)?);
        let meta = reader.meta().map_err(|error| refused(path, error))?;
        let mut report = check(&reader, meta.created_at)?;
        report.created = created;
        report.repaired = repaired.load(Ordering::Relaxed);
        Ok((Self { database, meta, poisoned: AtomicBool::new(false) }, report))
    }

    /// Runs `decide` on a new batch and makes everything it changed durable, or nothing: when this
    /// returns `Ok`, all of it survives a power loss.
    ///
    /// # Errors
    /// [`CommitError::Refused`] when `decide` said no, [`CommitError::Batch`] when its batch can't be
    /// written; nothing changed. After a fault of the database engine the store is poisoned.
    pub fn commit<T, E>(
        &self,
        decide: impl FnOnce(&mut Batch<'_>) -> Result<T, E>,
    ) -> Result<T, CommitError<E>> {
        if self.is_poisoned() {
            return Err(CommitError::Poisoned);
        }
        let transaction = self.database.begin_write().map_err(|error| self.ambiguous(error.into()))?;
        let mut batch = Batch::new(&transaction).map_err(|fault| self.ambiguous(fault))?;
        let decided = decide(&mut batch);
        if batch.is_faulty() {
            self.poison();
        }
        let answer = decided.map_err(CommitError::Refused)?;
        if self.is_poisoned() {
            return Err(CommitError::Poisoned);
        }
        batch.flush().map_err(|(error, faulty)| {
            if faulty {
                self.poison();
            }
            CommitError::Batch(error)
        })?;
        transaction.commit().map_err(|error| self.ambiguous(error.into()))?;
        Ok(answer)
    }

    /// A snapshot of everything committed so far. While it lives, space freed by later commits is
    /// not reused: keep it short, and never across an await.
    pub fn reader(&self) -> Result<Reader, ReadError> {
        if self.is_poisoned() {
            return Err(ReadError::Poisoned);
        }
        Ok(Reader::new(self.database.begin_read().map_err(Fault::from)?))
    }

    /// The key for the tokens in callback addresses. Secret.
    pub fn callback_key(&self) -> &[u8; 32] {
        &self.meta.callback_key
    }

    /// Whether a commit failed, so that the process should end.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    /// Closes the file, so that the next opening needs no repair. Dropping the store does the same
    /// and hides errors.
    pub fn close(self) -> Result<(), Fault> {
        Ok(self.database.close()?)
    }

    fn poison(&self) {
        self.poisoned.store(true, Ordering::Release);
    }

    fn ambiguous<E>(&self, fault: Fault) -> CommitError<E> {
        self.poison();
        CommitError::Ambiguous(fault)
    }
}

impl ReadOnlyStore {
    /// Opens the store at `path` for looking, without changing a byte.
    ///
    /// # Errors
    /// [`OpenError::InUse`] while an engine runs on it, [`OpenError::NeedsRepair`] when one crashed.
    pub fn open(path: &Path, cache_bytes: usize) -> Result<Self, OpenError> {
        let mut builder = Builder::new();
        builder.set_cache_size(cache_bytes);
        let database = builder.open_read_only(path).map_err(|error| failed(path, error))?;
        let reader = Reader::new(database.begin_read().map_err(Fault::from)?);
        let meta = reader.meta().map_err(|error| refused(path, error))?;
        Ok(Self { database, meta })
    }

    /// A snapshot.
    pub fn reader(&self) -> Result<Reader, ReadError> {
        Ok(Reader::new(self.database.begin_read().map_err(Fault::from)?))
    }

    /// Checks what [`Store::open`] checks.
    pub fn check(&self) -> Result<OpenReport, OpenError> {
        check(&self.reader()?, self.meta.created_at)
    }
}

/// A builder, and whether it had to repair the file.
fn builder(options: &OpenOptions) -> (Builder, Arc<AtomicBool>) {
    let repaired = Arc::new(AtomicBool::new(false));
    let noticed = Arc::clone(&repaired);
    let mut builder = Builder::new();
    builder
        .set_cache_size(options.cache_bytes)
        .set_check_integrity_on_open(options.check_integrity)
        .set_repair_callback(move |_progress| noticed.store(true, Ordering::Relaxed));
    (builder, repaired)
}

fn failed(path: &Path, error: DatabaseError) -> OpenError {
    let path = PathBuf::from(path);
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse { path },
        DatabaseError::RepairAborted => OpenError::NeedsRepair { path },
        DatabaseError::Storage(redb::StorageError::Io(source)) => OpenError::Io { path, source },
        error @ (DatabaseError::LockProtocolMismatch
        | DatabaseError::UpgradeRequired(_)
        | DatabaseError::TransactionInProgress
        | DatabaseError::Storage(_)
        | _) => OpenError::Fault(error.into()),
    }
}

fn refused(path: &Path, error: MetaError) -> OpenError {
    match error {
        MetaError::Absent => OpenError::NotDunlin { path: path.into() },
        MetaError::Damaged { key } => OpenError::Meta { key },
        MetaError::Newer { found, known } => OpenError::NewerFormat { found, known },
        MetaError::Fault(fault) => OpenError::Fault(fault),
    }
}

impl fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenOptions")
            .field("now", &self.now)
            .field("cache_bytes", &self.cache_bytes)
            .field("check_integrity", &self.check_integrity)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("poisoned", &self.is_poisoned()).finish_non_exhaustive()
    }
}

impl fmt::Debug for ReadOnlyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadOnlyStore")
    }
}
