//! The store: one file, one writer, any number of snapshots.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use dunlin_workflows::timestamp::Timestamp;
use redb::{Builder, Database, DatabaseError, ReadOnlyDatabase, ReadableDatabase, StorageBackend};

use crate::batch::Batch;
use crate::chain::Head;
use crate::copy::copy;
use crate::create;
use crate::error::{CommitError, Fault, OpenError, ReadError};
use crate::fault::FaultKind;
use crate::meta::{FORMAT_VERSION, Meta, MetaError};
use crate::reader::Reader;
use crate::recovery::{OpenReport, check};
use crate::seal::{Entropy, KeyId, Keyring};
use crate::{switch, table, upgrade};

/// Page cache of a repair, in bytes.
const REPAIR_CACHE_BYTES: usize = 1 << 20;

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
    /// The keys that seal what identifies people or is written to them.
    pub keys: Arc<Keyring>,
    /// Where new data keys come from.
    pub entropy: Entropy,
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
    keys: Arc<Keyring>,
    entropy: Entropy,
    head: Mutex<Head>,
    /// Whether records extend the chain: always, but in a store that is measured without it.
    chains: bool,
    /// What failed first.
    failure: OnceLock<FaultKind>,
}

/// A stopped engine's store, for looking only. Needs a file that was closed cleanly.
pub struct ReadOnlyStore {
    database: ReadOnlyDatabase,
    meta: Meta,
    keys: Option<Arc<Keyring>>,
}

impl Store {
    /// Opens the store at `path`, or creates it there, and checks it: its format, that the journal
    /// has no gap, the newest records, and the rows of the messages that they belong to. What that costs
    /// does not grow with the file.
    ///
    /// A new file is made beside `path`, synced, and then given its name: a crash while creating
    /// leaves no half file under `path`.
    ///
    /// # Errors
    /// [`OpenError`]; when the file is in use, damaged, or written by a newer version.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<(Self, OpenReport), OpenError> {
        let created = create::if_absent(path, options, FORMAT_VERSION)?;
        let was_repaired = repair_if_crashed(path)?;
        let (builder, repaired) = builder(options);
        repaired.fetch_or(was_repaired, Ordering::Relaxed);
        let database = builder.open(path).map_err(|error| failed(path, error))?;
        Self::start(database, path, options, created, &repaired)
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
        Self::start(database, path, options, created, &repaired)
    }

    fn start(
        database: Database,
        path: &Path,
        options: &OpenOptions,
        created: bool,
        repaired: &AtomicBool,
    ) -> Result<(Self, OpenReport), OpenError> {
        let keys = Arc::clone(&options.keys);
        let found = Reader::new(database.begin_read().map_err(Fault::from)?, None).meta();
        let found = found.map_err(|error| refused(path, error))?;
        let upgraded_from = (found.format < FORMAT_VERSION).then_some(found.format);
        if upgraded_from.is_some() {
            upgrade::from_1(&database, &keys, &options.entropy)?;
        }
        switch::make_if_absent(&database)?;
        let reader = Reader::new(database.begin_read().map_err(Fault::from)?, Some(Arc::clone(&keys)));
        let meta = reader.meta().map_err(|error| refused(path, error))?;
        let (store, report) = Self::begin(database, reader, meta, options, true)?;
        let repaired = repaired.load(Ordering::Relaxed);
        Ok((store, OpenReport { created, repaired, upgraded_from, ..report }))
    }

    /// Begins with what `reader` sees, once the keys fit and nothing is wrong with it.
    pub(crate) fn begin(
        database: Database,
        reader: Reader,
        meta: Meta,
        options: &OpenOptions,
        chains: bool,
    ) -> Result<(Self, OpenReport), OpenError> {
        let (keys, entropy) = (Arc::clone(&options.keys), options.entropy.clone());
        check_keys(&reader, &meta, &keys)?;
        let report = check(&reader, meta.created_at)?;
        drop(reader);
        use_master(&database, keys.current())?;
        let head = Mutex::new(report.head);
        Ok((Self { database, meta, keys, entropy, head, chains, failure: OnceLock::new() }, report))
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
        let mut batch = match Batch::new(&transaction, &self.keys, &self.entropy, self.chains) {
            Ok(batch) => batch,
            Err(error) => {
                self.poison(error.fault_kind().unwrap_or(FaultKind::Engine));
                return Err(CommitError::Batch(error.into()));
            }
        };
        let decided = decide(&mut batch);
        if let Some(fault) = batch.fault() {
            self.poison(fault);
        }
        let answer = decided.map_err(CommitError::Refused)?;
        if self.is_poisoned() {
            return Err(CommitError::Poisoned);
        }
        let head = batch.flush().map_err(|(error, fault)| {
            if let Some(fault) = fault {
                self.poison(fault);
            }
            CommitError::Batch(error)
        })?;
        transaction.commit().map_err(|error| self.ambiguous(error.into()))?;
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = head;
        Ok(answer)
    }

    /// A snapshot of everything committed so far. While it lives, space freed by later commits is
    /// not reused: keep it short, and never across an await.
    pub fn reader(&self) -> Result<Reader, ReadError> {
        if self.is_poisoned() {
            return Err(ReadError::Poisoned);
        }
        Ok(Reader::new(self.database.begin_read().map_err(Fault::from)?, Some(Arc::clone(&self.keys))))
    }

    /// Copies everything that is durable now to a new file at `path`, while writing goes on. Gives the
    /// head of what was copied.
    ///
    /// # Errors
    /// When there is a file already, or it can't be written.
    pub fn copy_to(&self, path: &Path, cache_bytes: usize) -> Result<Head, OpenError> {
        snapshot_to(&self.database, path, cache_bytes)
    }

    /// Has callback addresses sealed with another key from the next opening on: what was sealed with the
    /// one before names nothing any more.
    ///
    /// # Errors
    /// When it can't be written; then the store is poisoned.
    pub fn renew_callback_key(&self, callback_key: [u8; 32]) -> Result<(), Fault> {
        let renew = || {
            let transaction = self.database.begin_write()?;
            Meta { callback_key, ..self.meta.clone() }.put(&transaction)?;
            Ok(transaction.commit()?)
        };
        renew().inspect_err(|fault: &Fault| self.poison(fault.kind()))
    }

    /// The head of the chain over everything that is durable.
    pub fn head(&self) -> Head {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key for the tokens in callback addresses. Secret.
    pub fn callback_key(&self) -> &[u8; 32] {
        &self.meta.callback_key
    }

    /// Whether a commit failed, so that nothing more can be read or written through this store.
    pub fn is_poisoned(&self) -> bool {
        self.failure().is_some()
    }

    /// What failed, if a commit did: after [`FaultKind::NoRoom`] the store can be dropped and opened
    /// again in the same process once there is room.
    pub fn failure(&self) -> Option<FaultKind> {
        self.failure.get().copied()
    }

    /// Closes the file, so that the next opening needs no repair. Dropping the store does the same
    /// and hides errors.
    pub fn close(self) -> Result<(), Fault> {
        Ok(self.database.close()?)
    }

    /// The first failure is the cause, later ones follow from it.
    fn poison(&self, failure: FaultKind) {
        self.failure.get_or_init(|| failure);
    }

    fn ambiguous<E>(&self, fault: Fault) -> CommitError<E> {
        self.poison(fault.kind());
        CommitError::Ambiguous(fault)
    }
}

impl ReadOnlyStore {
    /// Opens the store at `path` for looking, without changing a byte. Without `keys` everything can be
    /// read but what identifies people or is written to them.
    ///
    /// # Errors
    /// [`OpenError::InUse`] while an engine runs on it, [`OpenError::NeedsRepair`] when one crashed.
    pub fn open(path: &Path, cache_bytes: usize, keys: Option<Arc<Keyring>>) -> Result<Self, OpenError> {
        let (database, reader) = look(path, cache_bytes)?;
        let meta = reader.meta().map_err(|error| refused(path, error))?;
        if meta.format < FORMAT_VERSION {
            return Err(OpenError::OlderFormat { found: meta.format });
        }
        if let Some(keys) = &keys {
            check_keys(&reader, &meta, keys)?;
        }
        Ok(Self { database, meta, keys })
    }

    /// The same without keys, also of a store that was made to be [measured](Store::measured).
    ///
    /// # Errors
    /// As [`ReadOnlyStore::open`].
    pub fn open_measured(path: &Path, cache_bytes: usize) -> Result<Self, OpenError> {
        let (database, reader) = look(path, cache_bytes)?;
        let meta = reader.measured_meta().map_err(|error| refused(path, error))?;
        Ok(Self { database, meta, keys: None })
    }

    /// A snapshot.
    pub fn reader(&self) -> Result<Reader, ReadError> {
        Ok(Reader::new(self.database.begin_read().map_err(Fault::from)?, self.keys.clone()))
    }

    /// Copies everything to a new file at `path`. Gives the head of what was copied.
    ///
    /// # Errors
    /// When there is a file already, or it can't be written.
    pub fn copy_to(&self, path: &Path, cache_bytes: usize) -> Result<Head, OpenError> {
        snapshot_to(&self.database, path, cache_bytes)
    }

    /// Checks what [`Store::open`] checks.
    pub fn check(&self) -> Result<OpenReport, OpenError> {
        check(&self.reader()?, self.meta.created_at)
    }
}

/// Opens the file at `path` for looking.
fn look(path: &Path, cache_bytes: usize) -> Result<(ReadOnlyDatabase, Reader), OpenError> {
    let mut builder = Builder::new();
    builder.set_cache_size(cache_bytes);
    let database = builder.open_read_only(path).map_err(|error| failed(path, error))?;
    let reader = Reader::new(database.begin_read().map_err(Fault::from)?, None);
    Ok((database, reader))
}

/// Copies one snapshot, and gives its head.
fn snapshot_to(database: &impl ReadableDatabase, path: &Path, cache_bytes: usize) -> Result<Head, OpenError> {
    let snapshot = database.begin_read().map_err(Fault::from)?;
    copy(&snapshot, path, cache_bytes)?;
    Ok(Reader::new(snapshot, None).head()?)
}

/// Repairs the file at `path` if it was not closed cleanly. Needs no keys.
///
/// # Errors
/// As [`Store::open`].
pub fn repair(path: &Path, cache_bytes: usize) -> Result<(), OpenError> {
    let mut builder = Builder::new();
    builder.set_cache_size(cache_bytes);
    let database = builder.open(path).map_err(|error| failed(path, error))?;
    Ok(database.close().map_err(Fault::from)?)
}

/// Repairs the file at `path` if it was not closed cleanly. Says whether it had to.
///
/// A repair reads every page twice and comes back to none soon: with hardly any cache it takes half the
/// time, and leaves no memory behind that nobody asked for.
fn repair_if_crashed(path: &Path) -> Result<bool, OpenError> {
    match Builder::new().set_cache_size(REPAIR_CACHE_BYTES).open_read_only(path) {
        Err(DatabaseError::RepairAborted) => repair(path, REPAIR_CACHE_BYTES).map(|()| true),
        // Anything else that is wrong is said when the file is opened.
        Ok(_) | Err(_) => Ok(false),
    }
}

/// Whether the keys are those that the file was sealed with.
fn check_keys(reader: &Reader, meta: &Meta, keys: &Keyring) -> Result<(), OpenError> {
    let given = keys.masters();
    let missing: Vec<_> = reader.masters()?.into_iter().filter(|id| !given.contains(id)).collect();
    if !missing.is_empty() {
        return Err(OpenError::MissingKeys { missing, given });
    }
    if meta.index != keys.index() {
        return Err(OpenError::OtherIndexKey { needed: meta.index, given: keys.index() });
    }
    Ok(())
}

/// Notes, durably, that a master key is used from now on.
fn use_master(database: &Database, id: KeyId) -> Result<(), Fault> {
    let transaction = database.begin_write()?;
    let is_new = transaction.open_table(table::MASTERS)?.insert(id.get(), ())?.is_none();
    if is_new {
        transaction.commit()?;
    } else {
        transaction.abort()?;
    }
    Ok(())
}

/// A builder, and whether it had to repair the file.
pub(crate) fn builder(options: &OpenOptions) -> (Builder, Arc<AtomicBool>) {
    let repaired = Arc::new(AtomicBool::new(false));
    let noticed = Arc::clone(&repaired);
    let mut builder = Builder::new();
    builder
        .set_cache_size(options.cache_bytes)
        .set_check_integrity_on_open(options.check_integrity)
        .set_repair_callback(move |_progress| noticed.store(true, Ordering::Relaxed));
    (builder, repaired)
}

pub(crate) fn failed(path: &Path, error: DatabaseError) -> OpenError {
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

pub(crate) fn refused(path: &Path, error: MetaError) -> OpenError {
    match error {
        MetaError::Absent => OpenError::NotDunlin { path: path.into() },
        MetaError::Damaged { key } => OpenError::Meta { key },
        MetaError::Measured => OpenError::Measured { path: path.into() },
        MetaError::Newer { found, known } => OpenError::NewerFormat { found, known },
        MetaError::Fault(fault) => OpenError::Fault(fault),
    }
}

impl fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenOptions")
            .field("now", &self.now)
            .field("cache_bytes", &self.cache_bytes)
            .field("keys", &self.keys)
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
