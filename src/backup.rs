//! Backups: copies of the store in a directory of their own, verified before they are called one.
//!
//! A copy is made under a draft's name, opened for looking, folded from its first record, compared with
//! the head of the snapshot it was made from, synced, and only then given its name. So whatever bears a
//! backup's name was a sound store once. The archives that belong to it are copied as well, each once for
//! all backups.

use std::fmt;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant, UNIX_EPOCH};

use dunlin_storage::recovery::{Problem, verify};
use dunlin_storage::{ArchiveError, FaultKind, Head, OpenError, ReadError, ReadOnlyStore, copy_archives};
use dunlin_workflows::timestamp::Timestamp;

use crate::timeline::written;

/// Start of a draft's name. No backup's name starts like it.
const DRAFT: &str = ".draft-";
/// Longest name, in bytes.
const NAME_MAX: usize = 128;

/// A backup's name, which is its file's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BackupName(String);

/// A backup that was just taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Its name.
    pub name: BackupName,
    /// Its file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// The head of its journal.
    pub head: Head,
    /// How many records its journal holds.
    pub records: u64,
    /// How long it took, verification included.
    pub took: Duration,
}

/// A backup that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: BackupName,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was taken.
    pub taken_at: Timestamp,
}

/// The directory of backups.
#[derive(Debug, Clone)]
pub struct Backups {
    directory: PathBuf,
    /// The directory of the store.
    data: PathBuf,
    cache_bytes: usize,
}

/// There is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// One with this name is there.
    #[error("there is a backup named {name} already, and none is ever overwritten; choose another name")]
    Exists {
        /// The name.
        name: BackupName,
    },
    /// Another one is being taken.
    #[error("another backup is being taken in {directory:?}; wait until it is done")]
    Running {
        /// The directory.
        directory: PathBuf,
    },
    /// The directory or a file can't be used.
    #[error("{path:?}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store can't be copied, or the copy can't be opened.
    #[error("the store can't be copied: {0}")]
    Copy(#[from] OpenError),
    /// The copy can't be read.
    #[error("the copy can't be read: {0}")]
    Read(#[from] ReadError),
    /// An archive that belongs to it can't be copied.
    #[error("an archive that belongs to the backup can't be copied: {0}")]
    Archives(#[from] ArchiveError),
    /// The copy is not what its journal says.
    #[error(
        "the copy is not sound ({problems} problems, the first: {first}); check the store with `dunlin verify`"
    )]
    Unsound {
        /// How many problems there are.
        problems: u64,
        /// The first.
        first: String,
    },
    /// The copy's journal does not end as the snapshot's.
    #[error("the copy ends at {found:?}, the snapshot it was made from at {expected}; take another one")]
    OtherHead {
        /// The snapshot's head.
        expected: Head,
        /// The copy's.
        found: Option<Head>,
    },
}

impl BackupError {
    /// What failed below, rather than in what was asked.
    pub fn fault_kind(&self) -> Option<FaultKind> {
        match self {
            Self::Io { source, .. } => Some(FaultKind::of(source)),
            Self::Copy(error) => error.fault_kind(),
            Self::Read(error) => error.fault_kind(),
            Self::Archives(error) => error.fault_kind(),
            Self::Exists { .. } | Self::Running { .. } | Self::Unsound { .. } | Self::OtherHead { .. } => {
                None
            }
        }
    }
}

/// A name that no backup may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" can't name a backup; use 1 to {NAME_MAX} of A-Z a-z 0-9 . _ - and begin with none of . and -"
)]
pub struct NameError(String);

impl FromStr for BackupName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let begins_well = !text.starts_with(['.', '-']);
        if (1..=NAME_MAX).contains(&text.len()) && text.bytes().all(usual) && begins_well {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError(text.chars().take(NAME_MAX).collect()))
        }
    }
}

impl fmt::Display for BackupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl BackupName {
    /// The name of a backup that nobody named: the time.
    pub fn of(now: Timestamp) -> Self {
        Self(format!("dunlin-{}.redb", written(now).replace(':', "-")))
    }
}

impl Backups {
    /// Backups in `directory`, which need not exist yet, of the store in `data`. Copying takes
    /// `cache_bytes` of memory.
    pub fn new(directory: PathBuf, data: PathBuf, cache_bytes: usize) -> Self {
        Self { directory, data, cache_bytes }
    }

    /// Takes a backup: `copy` writes a snapshot to the file it is given and tells its head. Blocks for
    /// as long as it takes to write and to read the whole file.
    ///
    /// # Errors
    /// [`BackupError`]; then there is no backup, and nothing of it is left.
    pub fn take(
        &self,
        name: BackupName,
        copy: impl FnOnce(&Path, usize) -> Result<Head, OpenError>,
    ) -> Result<Backup, BackupError> {
        let started = Instant::now();
        let directory = self.claim()?;
        let path = self.directory.join(&name.0);
        if path.symlink_metadata().is_ok() {
            return Err(BackupError::Exists { name });
        }
        let draft = self.directory.join(format!("{DRAFT}{name}"));
        let made = self.make(&draft, copy).and_then(|(head, records)| {
            let bytes = fs::metadata(&draft).map_err(failed(&draft))?.len();
            self.publish(&draft, &path, &name, &directory)?;
            Ok(Backup { name, path, bytes, head, records, took: started.elapsed() })
        });
        if made.is_err() {
            // What is left is removed by the next backup, should this fail too.
            drop(fs::remove_file(&draft));
        }
        made
    }

    /// Every backup, by name.
    ///
    /// # Errors
    /// When the directory can't be read. One that does not exist holds none.
    pub fn list(&self) -> Result<Vec<Listed>, BackupError> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(&self.directory)(error)),
        };
        let mut listed = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed(&self.directory))?;
            let name = entry.file_name().to_str().and_then(|name| name.parse().ok());
            let Ok(file) = entry.metadata() else { continue };
            if let Some(name) = name.filter(|_| file.is_file()) {
                let since_epoch = file.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
                let taken_at = Timestamp::EPOCH.plus(since_epoch.unwrap_or_default());
                listed.push(Listed { name, bytes: file.len(), taken_at });
            }
        }
        listed.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(listed)
    }

    /// The directory, made for this user alone and locked against other backups; without old drafts.
    fn claim(&self) -> Result<File, BackupError> {
        let unusable = || failed(&self.directory);
        DirBuilder::new().recursive(true).mode(0o700).create(&self.directory).map_err(unusable())?;
        let directory = File::open(&self.directory).map_err(unusable())?;
        match directory.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(BackupError::Running { directory: self.directory.clone() });
            }
            Err(TryLockError::Error(error)) => return Err(unusable()(error)),
        }
        for entry in fs::read_dir(&self.directory).map_err(unusable())? {
            let entry = entry.map_err(unusable())?;
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(DRAFT)) {
                let path = entry.path();
                fs::remove_file(&path).map_err(failed(&path))?;
            }
        }
        Ok(directory)
    }

    fn make(
        &self,
        draft: &Path,
        copy: impl FnOnce(&Path, usize) -> Result<Head, OpenError>,
    ) -> Result<(Head, u64), BackupError> {
        let head = copy(draft, self.cache_bytes)?;
        let segments = ReadOnlyStore::open(draft, self.cache_bytes, None)?.reader()?.segments()?;
        copy_archives(&segments, &self.data, &self.directory)?;
        let records = check(draft, head, self.cache_bytes)?;
        File::open(draft).and_then(|file| file.sync_all()).map_err(failed(draft))?;
        Ok((head, records))
    }

    /// Gives a draft its name, durably. A link never replaces a file.
    fn publish(
        &self,
        draft: &Path,
        path: &Path,
        name: &BackupName,
        directory: &File,
    ) -> Result<(), BackupError> {
        match fs::hard_link(draft, path) {
            Ok(()) => fs::remove_file(draft).map_err(failed(draft))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(BackupError::Exists { name: name.clone() });
            }
            // A file system without links: whoever else writes here holds the lock that we hold.
            Err(_no_links) => fs::rename(draft, path).map_err(failed(path))?,
        }
        directory.sync_all().map_err(failed(&self.directory))
    }
}

/// Folds the whole journal of the store at `path` and compares the result with every row and index, and
/// its head with `expected`. Gives the number of records. Needs no keys.
///
/// # Errors
/// Everything that keeps it from being what it should be.
pub fn check(path: &Path, expected: Head, cache_bytes: usize) -> Result<u64, BackupError> {
    let store = ReadOnlyStore::open(path, cache_bytes, None)?;
    let report = verify(&store.reader()?, None, |_records, _in_all| {})?;
    if !report.is_sound() {
        let first = report.first.first().map(Problem::to_string).unwrap_or_default();
        return Err(BackupError::Unsound { problems: report.problems, first });
    }
    if report.head != Some(expected) {
        return Err(BackupError::OtherHead { expected, found: report.head });
    }
    Ok(report.records)
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    |source| BackupError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Arc;

    use dunlin_storage::{Entropy, Keyring, NEWCOMERS_MAX, OpenOptions, Store};

    use super::*;

    const CACHE_BYTES: usize = 1 << 20;

    struct Place {
        dir: tempfile::TempDir,
        store: Store,
        backups: Backups,
    }

    fn place() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let options = OpenOptions {
            now: Timestamp::EPOCH,
            cache_bytes: CACHE_BYTES,
            callback_key: [7; 32],
            keys: Arc::new(Keyring::generate(&Entropy::seeded(1)).unwrap()),
            entropy: Entropy::seeded(1),
            check_integrity: false,
            newcomers_max: NEWCOMERS_MAX,
        };
        let store = Store::open(&dir.path().join("dunlin.redb"), &options).unwrap().0;
        let backups = Backups::new(dir.path().join("a/backups"), dir.path().to_owned(), CACHE_BYTES);
        Place { dir, store, backups }
    }

    impl Place {
        fn take(&self, name: &str) -> Result<Backup, BackupError> {
            self.backups.take(name.parse().unwrap(), |path, cache| self.store.copy_to(path, cache))
        }

        fn files(&self) -> Vec<String> {
            let files = fs::read_dir(self.dir.path().join("a/backups")).unwrap();
            files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
        }
    }

    #[test]
    fn backup_is_there_for_its_owner_alone_and_is_listed() {
        let place = place();
        assert_eq!(place.backups.list().unwrap(), []);
        let backup = place.take("first.redb").unwrap();
        assert_eq!((backup.head, backup.records), (place.store.head(), 0));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&backup.path), mode(backup.path.parent().unwrap())), (0o600, 0o700));
        let listed = place.backups.list().unwrap();
        assert_eq!(listed.iter().map(|backup| backup.bytes).collect::<Vec<_>>(), [backup.bytes]);
        assert_eq!(place.files(), ["first.redb"]);
    }

    #[test]
    fn backup_is_never_overwritten_and_old_drafts_go() {
        let place = place();
        place.take("one").unwrap();
        fs::write(place.dir.path().join("a/backups/.draft-old"), "half").unwrap();
        assert!(matches!(place.take("one"), Err(BackupError::Exists { .. })));
        assert_eq!(place.files(), ["one"]);
    }

    #[test]
    fn one_backup_at_a_time() {
        let place = place();
        let within = place.backups.take("outer".parse().unwrap(), |path, cache| {
            assert!(matches!(place.take("inner"), Err(BackupError::Running { .. })));
            place.store.copy_to(path, cache)
        });
        within.unwrap();
        place.take("after").unwrap();
    }

    #[test]
    fn copy_that_is_not_the_snapshot_is_no_backup() {
        let place = place();
        let other = "7:0000000000000000000000000000000000000000000000000000000000000000".parse().unwrap();
        let name: BackupName = "wrong".parse().unwrap();
        let wrong_head = place.backups.take(name.clone(), |path, cache| {
            place.store.copy_to(path, cache)?;
            Ok(other)
        });
        assert!(matches!(wrong_head, Err(BackupError::OtherHead { .. })), "{wrong_head:?}");
        let no_store = place.backups.take(name, |path, _| {
            fs::write(path, "not a store").unwrap();
            Ok(other)
        });
        assert!(matches!(no_store, Err(BackupError::Copy(_))), "{no_store:?}");
        assert_eq!((place.files(), place.backups.list().unwrap()), (vec![], vec![]));
    }

    #[test]
    fn names_can_not_leave_the_directory() {
        for wrong in ["", ".", "..", "a/b", "../a", ".draft-a", "-rf", "a b", "\u{e4}", &"x".repeat(129)] {
            assert!(wrong.parse::<BackupName>().is_err(), "{wrong}");
        }
        let by_time = BackupName::of(Timestamp::EPOCH).to_string();
        assert_eq!(by_time, "dunlin-1970-01-01T00-00-00.000Z.redb");
        assert!(by_time.parse::<BackupName>().is_ok());
    }
}
