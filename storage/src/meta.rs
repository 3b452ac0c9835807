//! What the file says about itself: its format, when it was created, and its callback key.

use dunlin_workflows::timestamp::Timestamp;
use redb::{ReadTransaction, ReadableTable, TableError, WriteTransaction};

use crate::error::Fault;
use crate::seal::KeyId;
use crate::table::META;

/// The format of files that this version writes.
pub(crate) const FORMAT_VERSION: u8 = 4;

/// The format of files that were made to be measured, in place of a number that any version could read.
pub(crate) const MEASURED: u8 = u8::MAX;

/// The first format that seals.
pub(crate) const SEALED_SINCE: u8 = 2;

const FORMAT: &str = "format";
const CREATED: &str = "created_ms";
const CALLBACK_KEY: &str = "callback_key";
const INDEX: &str = "index";

/// What the file says about itself.
#[derive(Clone)]
pub(crate) struct Meta {
    pub(crate) format: u8,
    pub(crate) created_at: Timestamp,
    pub(crate) callback_key: [u8; 32],
    /// Id of the index key.
    pub(crate) index: KeyId,
}

/// Why the file does not say enough about itself.
#[derive(Debug)]
pub(crate) enum MetaError {
    /// It has no such table.
    Absent,
    /// An entry is missing or has the wrong length.
    Damaged { key: &'static str },
    /// It was made to be measured.
    Measured,
    /// A newer version wrote it.
    Newer { found: u8, known: u8 },
    /// The database engine failed.
    Fault(Fault),
}

impl Meta {
    /// Writes it into a new file, or over what is there.
    pub(crate) fn put(&self, transaction: &WriteTransaction) -> Result<(), Fault> {
        let mut table = transaction.open_table(META)?;
        table.insert(FORMAT, [self.format].as_slice())?;
        table.insert(CREATED, self.created_at.as_millis().to_le_bytes().as_slice())?;
        table.insert(CALLBACK_KEY, self.callback_key.as_slice())?;
        table.insert(INDEX, self.index.get().to_le_bytes().as_slice())?;
        Ok(())
    }

    /// Replaces the callback key of a file.
    pub(crate) fn renew(transaction: &WriteTransaction, callback_key: [u8; 32]) -> Result<(), Fault> {
        transaction.open_table(META)?.insert(CALLBACK_KEY, callback_key.as_slice())?;
        Ok(())
    }

    /// Reads it.
    pub(crate) fn take(transaction: &ReadTransaction) -> Result<Self, MetaError> {
        let meta = Self::take_measured(transaction)?;
        if meta.format == MEASURED { Err(MetaError::Measured) } else { Ok(meta) }
    }

    /// Reads it, even in a file that was made to be measured.
    pub(crate) fn take_measured(transaction: &ReadTransaction) -> Result<Self, MetaError> {
        Self::read(&opened(transaction.open_table(META))?)
    }

    /// Reads it in the middle of writing.
    pub(crate) fn of(transaction: &WriteTransaction) -> Result<Self, MetaError> {
        Self::read(&opened(transaction.open_table(META))?)
    }

    fn read(table: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<Self, MetaError> {
        let [found] = entry(table, FORMAT)?;
        if found == 0 {
            return Err(MetaError::Damaged { key: FORMAT });
        }
        if found > FORMAT_VERSION && found != MEASURED {
            return Err(MetaError::Newer { found, known: FORMAT_VERSION });
        }
        let index = if found < SEALED_SINCE { 0 } else { u32::from_le_bytes(entry(table, INDEX)?) };
        Ok(Self {
            format: found,
            created_at: Timestamp::from_millis(i64::from_le_bytes(entry(table, CREATED)?)),
            callback_key: entry(table, CALLBACK_KEY)?,
            index: KeyId::new(index),
        })
    }
}

fn opened<T>(table: Result<T, TableError>) -> Result<T, MetaError> {
    match table {
        Ok(table) => Ok(table),
        Err(TableError::Storage(error)) => Err(MetaError::Fault(error.into())),
        Err(_absent_or_of_another_type) => Err(MetaError::Absent),
    }
}

fn entry<const N: usize>(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    key: &'static str,
) -> Result<[u8; N], MetaError> {
    let damaged = MetaError::Damaged { key };
    let value = table.get(key).map_err(|error| MetaError::Fault(error.into()))?;
    value.and_then(|value| value.value().try_into().ok()).ok_or(damaged)
}
