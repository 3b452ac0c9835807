//! Copies of a store: a backup while it is written, and the store itself without its free pages.
//!
//! A copy holds what one snapshot holds, in files of its own pages: what was deleted before is
//! nowhere in it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use redb::{
    Builder, Database, Key, Range, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition,
    TableError, Value, WriteTransaction,
};

use crate::error::{Fault, OpenError};
use crate::table;

/// Rows that one transaction of a copy takes in: bounds what it holds in memory, and how much the
/// disk is given at once while others wait for it.
const ROWS_PER_TRANSACTION: u32 = 20_000;

/// Writes everything in a snapshot to a new file at `path` that only its owner may read, durably.
///
/// # Errors
/// [`OpenError::Io`] when there is a file already, or it can't be written.
pub(crate) fn copy(from: &ReadTransaction, path: &Path, cache_bytes: usize) -> Result<(), OpenError> {
    let failed = |source| OpenError::Io { path: path.into(), source };
    let file =
        File::options().read(true).write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
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
    copy_tables(Copying { from, database: &database, to, rows: 0 })?;
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

/// A copy in the making.
struct Copying<'a> {
    from: &'a ReadTransaction,
    database: &'a Database,
    to: WriteTransaction,
    /// Rows that the open transaction holds.
    rows: u32,
}

fn copy_tables(copying: Copying<'_>) -> Result<(), Fault> {
    let copying = copying
        .table(table::META)?
        .table(table::JOURNAL)?
        .table(table::HEADS)?
        .table(table::MESSAGES)?
        .table(table::MESSAGE_IDS)?
        .table(table::PROVIDER_SIDS)?
        .table(table::BY_STATE)?
        .table(table::TOTALS)?
        .table(table::PERSONS)?
        .table(table::PERSON_HASHES)?
        .table(table::BY_PERSON)?
        .table(table::MASTERS)?
        .table(table::ACTORS)?
        .table(table::ACTOR_NAMES)?
        .table(table::TIMERS)?
        .table(table::SWITCHED_OFF)?
        .table(table::LANES)?
        .table(table::ORPHANS)?
        .table(table::ORPHAN_AGE)?
        .table(table::IDEMPOTENCY)?
        .table(table::IDEMPOTENCY_AGE)?
        .table(table::ARCHIVES)?
        .table(table::CONSENTS)?
        .table(table::CONSENT_RECORDS)?
        .table(table::HEARD_TEXTS)?
        .table(table::REVIEWS)?
        .table(table::ERASED_OPT_OUTS)?
        .table(table::INSTANCES)?
        .table(table::INSTANCE_NAMES)?
        .table(table::INSTANCE_CLAIMS)?
        .table(table::INSTANCE_TIMERS)?
        .table(table::USAGE)?
        .table(table::FLOWS)?
        .table(table::USER_KEYS)?
        .table(table::CLAIMS)?
        .table(table::SYNC)?
        .table(table::CURSORS)?;
    Ok(copying.to.commit()?)
}

impl Copying<'_> {
    /// Copies one table, in as many transactions as it takes.
    fn table<K: Key + 'static, V: Value + 'static>(
        mut self,
        definition: TableDefinition<'static, K, V>,
    ) -> Result<Self, Fault> {
        let source = match self.from.open_table(definition) {
            Ok(source) => source,
            // The file is older than the table; a table that it must have is missed when it is opened.
            Err(TableError::TableDoesNotExist(_)) => return Ok(self),
            Err(error) => return Err(error.into()),
        };
        let mut rows = source.iter()?;
        loop {
            let is_over = self.some_rows(definition, &mut rows)?;
            if is_over {
                return Ok(self);
            }
            self.to.commit()?;
            self.to = self.database.begin_write()?;
            self.rows = 0;
        }
    }

    /// Copies rows until they end or the transaction is full. Says whether they ended.
    fn some_rows<K: Key + 'static, V: Value + 'static>(
        &mut self,
        definition: TableDefinition<'static, K, V>,
        rows: &mut Range<'_, K, V>,
    ) -> Result<bool, Fault> {
        let mut copy = self.to.open_table(definition)?;
        while self.rows < ROWS_PER_TRANSACTION {
            let Some(row) = rows.next() else { return Ok(true) };
            let (key, value) = row?;
            copy.insert(key.value(), value.value())?;
            self.rows = self.rows.saturating_add(1);
        }
        Ok(false)
    }
}
