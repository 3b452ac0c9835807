//! Where the keys are that seal numbers and texts, and how a file of them is written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dunlin_storage::{Entropy, EntropyError, Keyring, KeyringError, OpenError, ReadOnlyStore};
use secrecy::{ExposeSecret as _, SecretString};

/// Name of the credential that a service manager hands over.
const CREDENTIAL: &str = "dunlin-keys";
/// Memory for looking at a store, in bytes.
const CACHE_BYTES: usize = 1 << 20;

/// Where keys may be.
#[derive(Debug, Clone)]
pub struct KeySources {
    /// The keys themselves, from `DUNLIN_KEYS` or the file that `DUNLIN_KEYS_FILE` names.
    pub given: Option<SecretString>,
    /// The service manager's directory of credentials.
    pub credentials: Option<PathBuf>,
    /// The data directory; the file of keys lies beside it, so that copying one does not copy both.
    pub data: PathBuf,
}

/// Keys, and where they were found.
#[derive(Debug, Clone)]
pub struct FoundKeys {
    /// The keys.
    pub ring: Arc<Keyring>,
    /// Where, in words.
    pub origin: String,
    /// The file, when it is one that may be replaced.
    pub file: Option<PathBuf>,
    /// Whether they were made just now.
    pub made: bool,
}

/// There are no usable keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A store is there and no keys are.
    #[error(
        "{store} is sealed and no keys were found; set DUNLIN_KEYS_FILE, or put the file back at {expected}"
    )]
    Missing {
        /// The store.
        store: PathBuf,
        /// Where the file of keys would be looked for.
        expected: PathBuf,
    },
    /// No keys were found.
    #[error("no keys were found; make some with `dunlin keys generate`, or start the daemon once")]
    None,
    /// They are not keys.
    #[error("{origin}: {source}")]
    Unreadable {
        /// Where they were found.
        origin: String,
        /// What is wrong with them.
        source: KeyringError,
    },
    /// Others may read the file.
    #[error(
        "{path} can be read by others (mode {mode:o}); run chmod 600 on it, and rotate the keys if somebody did"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A file can't be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No random bytes.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The store can't be looked at.
    #[error(transparent)]
    Store(#[from] OpenError),
}

impl KeySources {
    /// The file of keys beside the data directory.
    pub fn beside(&self) -> PathBuf {
        let mut name = self.data.clone().into_os_string();
        while let Some(shorter) = name.to_str().and_then(|text| text.strip_suffix('/')) {
            name = shorter.into();
        }
        name.push(".keys");
        name.into()
    }

    /// The keys, if there are any: those given, those of the service manager, those beside the data.
    ///
    /// # Errors
    /// Keys that are there and not usable.
    pub fn find(&self) -> Result<Option<FoundKeys>, KeysError> {
        if let Some(given) = &self.given {
            return read("DUNLIN_KEYS", given.expose_secret(), None).map(Some);
        }
        if let Some(file) = self.credentials.as_ref().map(|directory| directory.join(CREDENTIAL))
            && let Some(text) = text_of(&file)?
        {
            return read(&file.display().to_string(), &text, None).map(Some);
        }
        let file = self.beside();
        let Some(text) = text_of(&file)? else { return Ok(None) };
        let failed = |source| KeysError::Io { path: file.clone(), source };
        let mode = fs::metadata(&file).map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeysError::Exposed { path: file, mode });
        }
        read(&file.display().to_string(), &text, Some(file.clone())).map(Some)
    }

    /// The keys, made and written beside the data directory when there are none and no store needs any.
    ///
    /// # Errors
    /// As [`KeySources::find`], and when a store is there that was sealed with other keys.
    pub fn find_or_make(&self, store: &Path) -> Result<FoundKeys, KeysError> {
        if let Some(found) = self.find()? {
            return Ok(found);
        }
        let file = self.beside();
        if store.exists() {
            match ReadOnlyStore::open(store, CACHE_BYTES, None) {
                Err(OpenError::OlderFormat { .. }) => {}
                Err(
                    error @ (OpenError::InUse { .. }
                    | OpenError::NotDunlin { .. }
                    | OpenError::Measured { .. }),
                ) => return Err(error.into()),
                Ok(_) | Err(_) => {
                    return Err(KeysError::Missing { store: store.to_owned(), expected: file });
                }
            }
        }
        let ring = Keyring::generate(&Entropy::system())?;
        write_new(&file, &ring)?;
        let origin = file.display().to_string();
        Ok(FoundKeys { ring: Arc::new(ring), origin, file: Some(file), made: true })
    }
}

fn read(origin: &str, text: &str, file: Option<PathBuf>) -> Result<FoundKeys, KeysError> {
    let ring: Keyring =
        text.parse().map_err(|source| KeysError::Unreadable { origin: origin.to_owned(), source })?;
    Ok(FoundKeys { ring: Arc::new(ring), origin: origin.to_owned(), file, made: false })
}

fn text_of(file: &Path) -> Result<Option<String>, KeysError> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(KeysError::Io { path: file.to_owned(), source }),
    }
}

/// Writes keys to a new file that only its owner may read, durably.
///
/// # Errors
/// When there is a file already, or it can't be written.
pub fn write_new(path: &Path, ring: &Keyring) -> Result<(), KeysError> {
    let failed = |source| KeysError::Io { path: path.to_owned(), source };
    if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(directory).map_err(failed)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(ring.to_text().as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    sync_directory(path).map_err(failed)
}

/// Replaces a file of keys by another, durably: a crash leaves the old keys or the new ones.
///
/// # Errors
/// When it can't be written; then the old keys are there.
pub fn replace(path: &Path, ring: &Keyring) -> Result<(), KeysError> {
    let failed = |source| KeysError::Io { path: path.to_owned(), source };
    let mut draft = path.to_owned().into_os_string();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    match fs::remove_file(&draft) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    write_new(&draft, ring)?;
    fs::rename(&draft, path).map_err(failed)?;
    sync_directory(path).map_err(failed)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(data: &Path) -> KeySources {
        KeySources { given: None, credentials: None, data: data.to_owned() }
    }

    #[test]
    fn keys_are_made_once_beside_the_data_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let sources = sources(&dir.path().join("data/"));
        let store = dir.path().join("data/dunlin.redb");
        assert!(sources.find().unwrap().is_none());
        let made = sources.find_or_make(&store).unwrap();
        assert_eq!((made.made, made.file.as_deref()), (true, Some(dir.path().join("data.keys").as_path())));
        let mode = fs::metadata(dir.path().join("data.keys")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let found = sources.find_or_make(&store).unwrap();
        assert_eq!((found.made, found.ring.current()), (false, made.ring.current()));
    }

    #[test]
    fn given_keys_win_over_credentials_and_those_over_the_file_beside() {
        let dir = tempfile::tempdir().unwrap();
        let mut sources = sources(&dir.path().join("data"));
        let ring = |seed| Keyring::generate(&Entropy::seeded(seed)).unwrap();
        write_new(&sources.beside(), &ring(1)).unwrap();
        write_new(&dir.path().join(CREDENTIAL), &ring(2)).unwrap();
        let found = |sources: &KeySources| sources.find().unwrap().unwrap().ring.current();
        assert_eq!(found(&sources), ring(1).current());
        sources.credentials = Some(dir.path().to_owned());
        assert_eq!(found(&sources), ring(2).current());
        sources.given = Some(ring(3).to_text().as_str().into());
        assert_eq!(found(&sources), ring(3).current());
    }

    #[test]
    fn file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let sources = sources(&dir.path().join("data"));
        write_new(&sources.beside(), &Keyring::generate(&Entropy::seeded(1)).unwrap()).unwrap();
        fs::set_permissions(sources.beside(), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(sources.find(), Err(KeysError::Exposed { mode: 0o640, .. })));
    }

    #[test]
    fn replaced_keys_are_the_new_ones() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("keys");
        let old = Keyring::generate(&Entropy::seeded(1)).unwrap();
        write_new(&file, &old).unwrap();
        assert!(write_new(&file, &old).is_err(), "a file of keys is never overwritten by accident");
        let new = old.rotated(&Entropy::seeded(2)).unwrap();
        replace(&file, &new).unwrap();
        let read: Keyring = fs::read_to_string(&file).unwrap().parse().unwrap();
        assert_eq!(read.masters(), new.masters());
    }
}
