//! Making a new file, so that a crash at any point leaves either none or a whole one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use dunlin_workflows::id::{PersonNumber, UserNumber};
use redb::{Builder, Database, ReadableDatabase};

use crate::batch::tables::Tables;
use crate::error::{Fault, OpenError};
use crate::journal::JournalSeq;
use crate::meta::{FORMAT_VERSION, Meta};
use crate::newcomers;
use crate::store::OpenOptions;

/// Creates the file, of this format, when there is none. Says whether it did.
pub(crate) fn if_absent(path: &Path, options: &OpenOptions, format: u8) -> Result<bool, OpenError> {
    let failed = |source| OpenError::Io { path: path.into(), source };
    if path.try_exists().map_err(failed)? {
        return Ok(false);
    }
    let draft = draft_path(path);
    let made = make(&draft, options, format).and_then(|()| publish(&draft, path).map_err(failed));
    match fs::remove_file(&draft) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    made
}

/// Fills the database when it is empty. Says whether it did.
pub(crate) fn if_empty(database: &Database, options: &OpenOptions) -> Result<bool, Fault> {
    let empty = database.begin_read()?.list_tables()?.next().is_none();
    if empty {
        fill(database, options, FORMAT_VERSION)?;
    }
    Ok(empty)
}

/// A name beside `path` that no other process uses.
fn draft_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".creating-{}", std::process::id()));
    path.with_file_name(name)
}

/// Makes a whole, synced, closed file at `draft`; one left behind there is replaced.
fn make(draft: &Path, options: &OpenOptions, format: u8) -> Result<(), OpenError> {
    let failed = |source| OpenError::Io { path: draft.into(), source };
    let file =
        File::options().read(true).write(true).create(true).truncate(true).open(draft).map_err(failed)?;
    let database = Builder::new().create(draft).map_err(Fault::from)?;
    fill(&database, options, format)?;
    database.close().map_err(Fault::from)?;
    file.sync_all().map_err(failed)
}

fn fill(database: &Database, options: &OpenOptions, format: u8) -> Result<(), Fault> {
    let transaction = database.begin_write()?;
    let meta = Meta {
        created_at: options.now,
        callback_key: options.callback_key,
        index: options.keys.index(),
        format,
    };
    meta.put(&transaction)?;
    let mut tables = Tables::new(&transaction);
    tables.create_all()?;
    newcomers::set_indexed(tables.meta.open()?, PersonNumber::new(0))?;
    newcomers::set_users_indexed(tables.meta.open()?, UserNumber::new(0))?;
    newcomers::set_sids_indexed(tables.meta.open()?, JournalSeq::START)?;
    drop(tables);
    transaction.commit()?;
    Ok(())
}

/// Gives the file at `draft` its name, durably, unless another process was faster. A link never
/// replaces a file; renaming could replace one that another process already uses.
fn publish(draft: &Path, path: &Path) -> io::Result<bool> {
    let ours = match fs::hard_link(draft, path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) if lacks_links(&error) => {
            fs::rename(draft, path)?;
            true
        }
        Err(error) => return Err(error),
    };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(ours)
}

/// Whether the file system can't make links.
fn lacks_links(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied)
}
