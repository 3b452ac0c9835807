//! The store: one file, one writer, any number of snapshots.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use dunlin_workflows::timestamp::Timestamp;
use redb::{
    Builder, Database, DatabaseError, ReadTransaction, ReadableDatabase, StorageBackend, WriteTransaction,
};

use crate::archive::Archives;
use crate::chain::Head;
use crate::copy::copy;
use crate::create;
use crate::error::{Fault, OpenError, ReadError};
use crate::fault::{Failed, FaultKind};
use crate::highest::Highest;
use crate::late_sync::Syncs;
use crate::meta::{FORMAT_VERSION, Meta, MetaError, SEALED_SINCE};
use crate::newcomers::{self, Newcomers, Unreadable};
use crate::reader::Reader;
use crate::recovery::{OpenReport, check};
use crate::seal::{Entropy, KeyId, Keyring};
use crate::{roomy_file, table, upgrade};

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
    /// How many persons are kept in memory until they go to the file's index together:
    /// [`NEWCOMERS_MAX`](crate::NEWCOMERS_MAX), and less only to try what happens then.
    pub newcomers_max: usize,
}

/// The durable state of one engine. Share it behind an [`Arc`].
///
/// After a commit failed every call answers `Poisoned`: whether the batch is durable is not known
/// until the file is opened again.
pub struct Store {
    pub(crate) database: Database,
    /// The syncs of the file, where they may be late.
    pub(crate) syncs: Option<Syncs>,
    meta: Meta,
    pub(crate) keys: Arc<Keyring>,
    pub(crate) entropy: Entropy,
    /// Held from the beginning of a commit until what it changed is told below.
    pub(crate) writing: Mutex<()>,
    pub(crate) head: Arc<Mutex<Head>>,
    archives: Arc<Archives>,
    newcomers: Mutex<Newcomers>,
    pub(crate) newcomers_max: usize,
    /// The highest numbers that batches gave.
    pub(crate) highest: Mutex<Highest>,
    /// Whether records extend the chain: always, but in a store that is measured without it.
    pub(crate) chains: bool,
    /// What failed first.
    pub(crate) failure: Arc<OnceLock<FaultKind>>,
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
        let (database, syncs) = roomy_file::open(&builder, path).map_err(|error| failed(path, error))?;
        Self::start((database, syncs), path, Archives::beside(path), options, created, &repaired)
    }

    /// Opens the store on a storage backend of the caller's, or creates it there when it is empty.
    /// Such a store has no place for archives.
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
        Self::start((database, None), path, Archives::none(), options, created, &repaired)
    }

    pub(crate) fn start(
        (database, syncs): (Database, Option<Syncs>),
        path: &Path,
        archives: Arc<Archives>,
        options: &OpenOptions,
        created: bool,
        repaired: &AtomicBool,
    ) -> Result<(Self, OpenReport), OpenError> {
        let keys = Arc::clone(&options.keys);
        let found = Meta::take(&database.begin_read().map_err(Fault::from)?);
        let found = found.map_err(|error| refused(path, error))?;
        let upgraded_from = (found.format < FORMAT_VERSION).then_some(found.format);
        upgrade::from(found.format, &database, &keys, &options.entropy)?;
        let snapshot = database.begin_read().map_err(Fault::from)?;
        let meta = Meta::take(&snapshot).map_err(|error| refused(path, error))?;
        let reader = Reader::locked(snapshot);
        let (store, report) = Self::begin((database, syncs), reader, meta, archives, options, true)?;
        let (repaired, is_unclean) = (repaired.load(Ordering::Relaxed), found.format < SEALED_SINCE);
        Ok((store, OpenReport { created, repaired, upgraded_from, is_unclean, ..report }))
    }

    /// Begins with what `reader` sees, once the keys fit and nothing is wrong with it.
    pub(crate) fn begin(
        (database, syncs): (Database, Option<Syncs>),
        reader: Reader,
        meta: Meta,
        archives: Arc<Archives>,
        options: &OpenOptions,
        chains: bool,
    ) -> Result<(Self, OpenReport), OpenError> {
        let keys = Arc::clone(&options.keys);
        check_keys(&reader, &meta, &keys)?;
        let newcomers = reader.read_newcomers(&keys, Unreadable::Refused)?;
        let report = check(&reader, meta.created_at)?;
        drop(reader);
        use_master(&database, keys.current())?;
        newcomers::mark(&database)?;
        let store = Self {
            database,
            syncs,
            meta,
            keys,
            entropy: options.entropy.clone(),
            writing: Mutex::default(),
            head: Arc::new(Mutex::new(report.head)),
            chains,
            archives,
            newcomers: Mutex::new(newcomers),
            newcomers_max: options.newcomers_max,
            highest: Mutex::default(),
            failure: Arc::default(),
        };
        Ok((store, report))
    }

    /// A snapshot of everything committed so far. While it lives, space freed by later commits is
    /// not reused: keep it short, and never across an await.
    pub fn reader(&self) -> Result<Reader, ReadError> {
        if self.is_poisoned() {
            return Err(ReadError::Poisoned);
        }
        // No newcomers begin in between: the snapshot's are these, or in its index.
        let (newcomers, snapshot) = {
            let newcomers = self.newcomers();
            (newcomers.clone(), self.database.begin_read().map_err(Fault::from)?)
        };
        // Nobody sees what a power loss may still undo.
        self.settle()?;
        let (keys, archives) = (Some(Arc::clone(&self.keys)), Arc::clone(&self.archives));
        Ok(Reader::new(snapshot, keys, archives, newcomers))
    }

    pub(crate) fn newcomers(&self) -> MutexGuard<'_, Newcomers> {
        self.newcomers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Copies everything that is durable now to a new file at `path`, while writing goes on. Gives the
    /// head of what was copied.
    ///
    /// # Errors
    /// When there is a file already, or it can't be written.
    pub fn copy_to(&self, path: &Path, cache_bytes: usize) -> Result<Head, OpenError> {
        let snapshot = self.database.begin_read().map_err(Fault::from)?;
        self.settle()?;
        snapshot_to(snapshot, path, cache_bytes)
    }

    /// Has callback addresses sealed with another key from the next opening on: what was sealed with the
    /// one before names nothing any more.
    ///
    /// # Errors
    /// When it can't be written; then the store is poisoned.
    pub fn renew_callback_key(&self, callback_key: [u8; 32]) -> Result<(), Fault> {
        self.write(|transaction| Meta::renew(transaction, callback_key))
    }

    /// Changes what is no message's, lane's or person's, in a transaction of its own.
    ///
    /// # Errors
    /// Those of `change`, which then changed nothing; after a fault the store is poisoned.
    pub(crate) fn write<T, E: From<Fault> + Failed>(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<T, E>,
    ) -> Result<T, E> {
        let write = || {
            let transaction = self.database.begin_write().map_err(Fault::from)?;
            let changed = change(&transaction)?;
            transaction.commit().map_err(Fault::from)?;
            Ok(changed)
        };
        write().inspect_err(|error: &E| {
            if let Some(kind) = error.failed() {
                self.poison(kind);
            }
        })
    }

    pub(crate) fn archives(&self) -> &Archives {
        &self.archives
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
    pub(crate) fn poison(&self, failure: FaultKind) {
        self.failure.get_or_init(|| failure);
    }
}

/// Copies one snapshot, and gives its head.
pub(crate) fn snapshot_to(
    snapshot: ReadTransaction,
    path: &Path,
    cache_bytes: usize,
) -> Result<Head, OpenError> {
    copy(&snapshot, path, cache_bytes)?;
    Ok(Reader::locked(snapshot).head()?)
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
pub(crate) fn check_keys(reader: &Reader, meta: &Meta, keys: &Keyring) -> Result<(), OpenError> {
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
            .field("newcomers_max", &self.newcomers_max)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("poisoned", &self.is_poisoned()).finish_non_exhaustive()
    }
}
