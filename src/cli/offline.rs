//! A stopped store as the environment names it: where it is, its keys, the rules.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dunlin_storage::{
    Entropy, Keyring, NEWCOMERS_MAX, OpenError, OpenOptions, ReadError, ReadOnlyStore, Store,
};
use dunlin_workflows::phone_number::Region;
use dunlin_workflows::rules::Rules;

use crate::backup::{Backup, BackupName, Backups};
use crate::cli::exit::{Exit, Failure};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::config::environment::Environment;
use crate::config::resolve::Values;
use crate::daemon::STORE_FILE;
use crate::id_source::{IdSource as _, SystemIds};
use crate::keys::{KeySources, KeysError};
use crate::restore::{Restore, Restored, Unsent, restore};

/// A stopped store.
pub(super) struct Offline {
    /// Where its keys may be.
    pub(super) keys: KeySources,
    /// The rules in force.
    pub(super) rules: Rules,
    /// The country of numbers written without one.
    pub(super) region: Option<Region>,
    data: PathBuf,
    backups: PathBuf,
    cache_bytes: usize,
    /// How old records are when they move to archives.
    pub(super) archive_after: Option<Duration>,
}

impl Offline {
    /// What the environment says.
    pub(super) fn read() -> Result<Self, Failure> {
        let config = Config::read(&Values::resolve(&[], &Environment::of_process()))?;
        Ok(Self {
            keys: config.keys,
            rules: config.rules,
            region: config.default_region,
            data: config.data,
            backups: config.backups,
            cache_bytes: config.cache_bytes,
            archive_after: config.archive_after,
        })
    }

    fn path(&self) -> PathBuf {
        self.data.join(STORE_FILE)
    }

    /// Opens the store with its keys. Never makes one.
    pub(super) fn open(&self) -> Result<Store, Failure> {
        let found = self.keys.find()?.ok_or(KeysError::None)?;
        self.open_with(found.ring.as_ref().clone())
    }

    /// Opens the store with these keys. Never makes one.
    pub(super) fn open_with(&self, ring: Keyring) -> Result<Store, Failure> {
        let path = self.existing()?;
        Ok(Store::open(&path, &self.options(Arc::new(ring)))?.0)
    }

    /// Takes a backup. Needs no keys.
    pub(super) fn backup(&self, name: BackupName) -> Result<Backup, Failure> {
        let path = self.existing()?;
        let store = match ReadOnlyStore::open(&path, self.cache_bytes, None) {
            Err(OpenError::NeedsRepair { .. }) => {
                // As the daemon's next start would.
                dunlin_storage::repair(&path, self.cache_bytes)?;
                ReadOnlyStore::open(&path, self.cache_bytes, None)?
            }
            opened => opened?,
        };
        let backups = Backups::new(self.backups.clone(), self.data.clone(), self.cache_bytes);
        Ok(backups.take(name, |path, cache_bytes| store.copy_to(path, cache_bytes))?)
    }

    /// Puts a backup in the store's place.
    pub(super) fn restore(&self, backup: &Path, replace: bool, unsent: Unsent) -> Result<Restored, Failure> {
        let found = self.keys.find()?.ok_or(KeysError::None)?;
        let options = self.options(found.ring);
        let (store, rules) = (&self.path(), &self.rules);
        Ok(restore(&Restore { backup, store, replace, unsent, rules, options: &options })?)
    }

    /// The store's file, which must be there.
    fn existing(&self) -> Result<PathBuf, Failure> {
        let path = self.path();
        if path.is_file() {
            return Ok(path);
        }
        let words = format!("{} holds no store; set DUNLIN_DATA", self.data.display());
        Err(Failure::new(Exit::Configuration, words))
    }

    fn options(&self, keys: Arc<Keyring>) -> OpenOptions {
        OpenOptions {
            now: SystemClock::start().wall(),
            cache_bytes: self.cache_bytes,
            callback_key: SystemIds.secret(),
            keys,
            entropy: Entropy::system(),
            check_integrity: false,
            newcomers_max: NEWCOMERS_MAX,
        }
    }

    /// Rewrites the closed store without its free pages.
    pub(super) fn compact(&self) -> Result<(), Failure> {
        Ok(dunlin_storage::compact(&self.path(), self.cache_bytes)?)
    }

    /// Bytes of the store's file.
    pub(super) fn bytes(&self) -> Result<u64, Failure> {
        Ok(std::fs::metadata(self.path())?.len())
    }
}

impl From<KeysError> for Failure {
    fn from(error: KeysError) -> Self {
        Self::new(Exit::Configuration, error.to_string())
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let keys = matches!(error, OpenError::MissingKeys { .. } | OpenError::OtherIndexKey { .. });
        Self::new(if keys { Exit::Configuration } else { Exit::Failure }, error.to_string())
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::new(Exit::Failure, error.to_string())
    }
}
