//! Copies of a store: a backup while it is written, and the store itself without its free pages.
//!
//! A copy holds what one snapshot holds, in files of its own pages: what was deleted before is
//! nowhere in it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use redb::{
    Builder, Database, Key, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, Value,
    WriteTransaction,
};

use crate::error::{Fault, OpenError};
use crate::table;

/// Writes everything in a snapshot to a new file at `path`, durably.
///
/// # Errors
/// [`OpenError::Io`] when there is a file already, or it can't be written.
pub(crate) fn copy(from: &ReadTransaction, path: &Path, cache_bytes: usize) -> Result<(), OpenError> {
    let failed = |source| OpenError::Io { path: path.into(), source };
    let file = File::options().read(true).write(true).create_new(true).open(path).map_err(failed)?;
    let copied = fill(from, path, cache_bytes).and_then(|()| file.sync_all().map_err(failed));
    if copied.is_err() {
        // Half a copy is none; the first error says more than a second one.
        let _removed = fs::remove_file(path).is_ok();
    }
    copied?;
    sync_directory(path).map_err(failed)
}

fn fill(from: &ReadTransaction, path: &Path, cache_bytes: usize) -> Result<(), OpenError> {
    let mut builder = Builder::new();
    builder.set_cache_size(cache_bytes);
    let database = builder.create(path).map_err(Fault::from)?;
    let to = database.begin_write().map_err(Fault::from)?;
    copy_tables(from, &to)?;
    to.commit().map_err(Fault::from)?;
    database.close().map_err(Fault::from)?;
    Ok(())
}

/// Rewrites the closed store at `path`: afterwards the file holds no page that is not in use, and
/// nothing that was deleted. A crash leaves the old file or the new one.
///
/// # Errors
/// As [`Store::open`](crate::Store::open); then the old file is there.
pub fn compact(path: &Path, cache_bytes: usize) -> Result<(), OpenError> {
    let failed = |source| OpenError::Io { path: path.into(), source };
    let draft = draft(path);
    match fs::remove_file(&draft) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let mut builder = Builder::new();
    builder.set_cache_size(cache_bytes);
    let database: Database = builder.open(path).map_err(|error| crate::store::failed(path, error))?;
    let snapshot = database.begin_read().map_err(Fault::from)?;
    copy(&snapshot, &draft, cache_bytes)?;
    drop(snapshot);
    // The old file stays locked until the new one has its name.
    fs::rename(&draft, path).map_err(failed)?;
    sync_directory(path).map_err(failed)?;
    database.close().map_err(Fault::from)?;
    Ok(())
}

fn draft(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".compacting");
    path.with_file_name(name)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

fn copy_tables(from: &ReadTransaction, to: &WriteTransaction) -> Result<(), Fault> {
    copy_table(from, to, table::META)?;
    copy_table(from, to, table::JOURNAL)?;
    copy_table(from, to, table::HEADS)?;
    copy_table(from, to, table::MESSAGES)?;
    copy_table(from, to, table::MESSAGE_IDS)?;
    copy_table(from, to, table::PROVIDER_SIDS)?;
    copy_table(from, to, table::BY_STATE)?;
    copy_table(from, to, table::TOTALS)?;
    copy_table(from, to, table::PERSONS)?;
    copy_table(from, to, table::PERSON_HASHES)?;
    copy_table(from, to, table::BY_PERSON)?;
    copy_table(from, to, table::MASTERS)?;
    copy_table(from, to, table::ACTORS)?;
    copy_table(from, to, table::ACTOR_NAMES)?;
    copy_table(from, to, table::TIMERS)?;
    copy_table(from, to, table::LANES)?;
    copy_table(from, to, table::ORPHANS)?;
    copy_table(from, to, table::ORPHAN_AGE)?;
    copy_table(from, to, table::IDEMPOTENCY)?;
    copy_table(from, to, table::IDEMPOTENCY_AGE)?;
    copy_table(from, to, table::CURSORS)
}

fn copy_table<K: Key + 'static, V: Value + 'static>(
    from: &ReadTransaction,
    to: &WriteTransaction,
    definition: TableDefinition<'static, K, V>,
) -> Result<(), Fault> {
    let source = from.open_table(definition)?;
    let mut copy = to.open_table(definition)?;
    for entry in source.iter()? {
        let (key, value) = entry?;
        copy.insert(key.value(), value.value())?;
    }
    Ok(())
}
