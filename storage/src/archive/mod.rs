//! Archives: old stretches of the journal in compressed files beside the store.
//!
//! An archive holds every record of a stretch, so the chain goes on across archives and into the store.
//! Once it is written, read back, and noted in the store, the records of messages that are settled go
//! from the store, with their rows and index entries; those of messages that may still change stay in it
//! as well. So nothing that the engine needs is ever in an archive, and whoever reads the whole journal
//! reads the archives first and the store from where they end.
//!
//! Texts stand in an archive as in the journal: sealed with their person's key, which is in the store
//! alone. Erasing a person makes them unreadable in every archive and every copy of one.

mod archiving;
mod block;
mod error;
mod file;
mod find;
mod prune;
mod segment;
mod writer;

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub use archiving::{ArchiveRequest, Archived};
pub use error::{ArchiveError, ArchiveFlaw};
pub use find::Located;
pub use segment::Segment;

use crate::error::ReadError;
use file::ArchiveFile;
pub(crate) use prune::Pruned;

/// The directory beside the store.
const DIRECTORY: &str = "archives";
/// Start of the name of a file that is not done.
const DRAFT: &str = ".draft-";

/// The directory of a store's archives, with those that are open.
pub(crate) struct Archives {
    /// `None` when the store is not a file.
    directory: Option<PathBuf>,
    open: Mutex<BTreeMap<u64, Arc<ArchiveFile>>>,
}

impl Archives {
    /// Those beside the store at `path`.
    pub(crate) fn beside(path: &Path) -> Arc<Self> {
        Self::within(Some(path.with_file_name(DIRECTORY)))
    }

    /// None at all: the store is not a file.
    pub(crate) fn none() -> Arc<Self> {
        Self::within(None)
    }

    fn within(directory: Option<PathBuf>) -> Arc<Self> {
        Arc::new(Self { directory, open: Mutex::default() })
    }

    /// The archive that holds this segment.
    fn file(&self, segment: &Segment) -> Result<Arc<ArchiveFile>, ReadError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(&segment.first.get()).filter(|file| file.segment() == segment) {
            return Ok(Arc::clone(file));
        }
        let directory = self.directory.clone().unwrap_or_default();
        let file = Arc::new(ArchiveFile::open(&directory, segment)?);
        open.insert(segment.first.get(), Arc::clone(&file));
        Ok(file)
    }
}

/// Copies the archives of a store that lie in the directory `from` to the directory `to`, as far as
/// they are not there. Both are directories of stores.
///
/// # Errors
/// When one is missing or can't be written.
pub fn copy_archives(segments: &[Segment], from: &Path, to: &Path) -> Result<(), ArchiveError> {
    if segments.is_empty() {
        return Ok(());
    }
    let (from, to) = (from.join(DIRECTORY), to.join(DIRECTORY));
    make_directory(&to)?;
    for segment in segments {
        let (source, target) = (from.join(segment.file_name()), to.join(segment.file_name()));
        if fs::metadata(&target).is_ok_and(|file| file.len() == segment.bytes) {
            continue;
        }
        let draft = to.join(format!("{DRAFT}{}", segment.file_name()));
        let copied = fs::copy(&source, &draft).map_err(failed(&source)).and_then(|_bytes| {
            let synced = File::open(&draft).and_then(|file| file.sync_all());
            synced.and_then(|()| fs::rename(&draft, &target)).map_err(failed(&target))
        });
        if copied.is_err() {
            // The first error says more than a second one.
            drop(fs::remove_file(&draft));
        }
        copied?;
    }
    sync_directory(&to)
}

/// Makes the directory of archives; its own name must survive a power loss as well.
fn make_directory(path: &Path) -> Result<(), ArchiveError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed(path))?;
    path.parent().map_or(Ok(()), sync_directory)
}

fn sync_directory(path: &Path) -> Result<(), ArchiveError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(failed(path))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> ArchiveError {
    let path = path.to_owned();
    |source| ArchiveError::Io { path, source }
}
