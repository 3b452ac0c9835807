//! A store for looking only: nobody's daemon runs on it, and nothing in it is changed.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use redb::{Builder, ReadOnlyDatabase, ReadTransaction, ReadableDatabase};

use crate::archive::Archives;
use crate::chain::Head;
use crate::error::{Fault, OpenError, ReadError};
use crate::meta::{FORMAT_VERSION, Meta};
use crate::newcomers::{Newcomers, Unreadable};
use crate::reader::Reader;
use crate::recovery::{OpenReport, check};
use crate::seal::Keyring;
use crate::store::{check_keys, failed, refused, snapshot_to};

/// A stopped engine's store, for looking only. Needs a file that was closed cleanly.
pub struct ReadOnlyStore {
    database: ReadOnlyDatabase,
    meta: Meta,
    keys: Option<Arc<Keyring>>,
    archives: Arc<Archives>,
    newcomers: Newcomers,
}

impl ReadOnlyStore {
    /// Opens the store at `path` for looking, without changing a byte. Without `keys` everything can be
    /// read but what identifies people or is written to them.
    ///
    /// # Errors
    /// [`OpenError::InUse`] while an engine runs on it, [`OpenError::NeedsRepair`] when one crashed.
    pub fn open(path: &Path, cache_bytes: usize, keys: Option<Arc<Keyring>>) -> Result<Self, OpenError> {
        Self::open_with(path, Archives::beside(path), cache_bytes, keys)
    }

    /// The same for a copy of the store at `original`, beside which its archives are.
    ///
    /// # Errors
    /// As [`ReadOnlyStore::open`].
    pub fn open_copy(
        path: &Path,
        original: &Path,
        cache_bytes: usize,
        keys: Option<Arc<Keyring>>,
    ) -> Result<Self, OpenError> {
        Self::open_with(path, Archives::beside(original), cache_bytes, keys)
    }

    fn open_with(
        path: &Path,
        archives: Arc<Archives>,
        cache_bytes: usize,
        keys: Option<Arc<Keyring>>,
    ) -> Result<Self, OpenError> {
        let (database, snapshot) = look(path, cache_bytes)?;
        let meta = Meta::take(&snapshot).map_err(|error| refused(path, error))?;
        let reader = Reader::locked(snapshot);
        if meta.format < FORMAT_VERSION {
            return Err(OpenError::OlderFormat { found: meta.format });
        }
        let newcomers = match &keys {
            Some(keys) => {
                check_keys(&reader, &meta, keys)?;
                reader.read_newcomers(keys, Unreadable::PassedOver)?
            }
            None => reader.read_sids(Unreadable::PassedOver)?,
        };
        Ok(Self { database, meta, keys, archives, newcomers })
    }

    /// The same without keys, also of a store that was made to be [measured](crate::Store::measured).
    ///
    /// # Errors
    /// As [`ReadOnlyStore::open`].
    pub fn open_measured(path: &Path, cache_bytes: usize) -> Result<Self, OpenError> {
        let (database, snapshot) = look(path, cache_bytes)?;
        let meta = Meta::take_measured(&snapshot).map_err(|error| refused(path, error))?;
        let (archives, newcomers) = (Archives::none(), Newcomers::default());
        Ok(Self { database, meta, keys: None, archives, newcomers })
    }

    /// A snapshot.
    pub fn reader(&self) -> Result<Reader, ReadError> {
        let snapshot = self.database.begin_read().map_err(Fault::from)?;
        let (archives, newcomers) = (Arc::clone(&self.archives), self.newcomers.clone());
        Ok(Reader::new(snapshot, self.keys.clone(), archives, newcomers))
    }

    /// Copies everything to a new file at `path`. Gives the head of what was copied.
    ///
    /// # Errors
    /// When there is a file already, or it can't be written.
    pub fn copy_to(&self, path: &Path, cache_bytes: usize) -> Result<Head, OpenError> {
        snapshot_to(self.database.begin_read().map_err(Fault::from)?, path, cache_bytes)
    }

    /// Checks what [`Store::open`](crate::Store::open) checks.
    pub fn check(&self) -> Result<OpenReport, OpenError> {
        check(&self.reader()?, self.meta.created_at)
    }
}

/// Opens the file at `path` for looking.
fn look(path: &Path, cache_bytes: usize) -> Result<(ReadOnlyDatabase, ReadTransaction), OpenError> {
    let mut builder = Builder::new();
    builder.set_cache_size(cache_bytes);
    let database = builder.open_read_only(path).map_err(|error| failed(path, error))?;
    let snapshot = database.begin_read().map_err(Fault::from)?;
    Ok((database, snapshot))
}

impl fmt::Debug for ReadOnlyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadOnlyStore")
    }
}
