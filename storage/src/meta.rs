//! What the file says about itself: its format, when it was created, and its callback key.

use dunlin_workflows::timestamp::Timestamp;
use redb::{ReadOnlyTable, ReadTransaction, TableError, WriteTransaction};

use crate::error::Fault;
use crate::record::FORMAT_VERSION;
use crate::table::META;

const FORMAT: &str = "format";
const CREATED: &str = "created_ms";
const CALLBACK_KEY: &str = "callback_key";

/// What the file says about itself.
#[derive(Clone)]
pub(crate) struct Meta {
    pub(crate) created_at: Timestamp,
    pub(crate) callback_key: [u8; 32],
}

/// Why the file does not say enough about itself.
#[derive(Debug)]
pub(crate) enum MetaError {
    /// It has no such table.
    Absent,
    /// An entry is missing or has the wrong length.
    Damaged { key: &'static str },
    /// A newer version wrote it.
    Newer { found: u8, known: u8 },
    /// The database engine failed.
    Fault(Fault),
}

impl Meta {
    /// Writes it into a new file.
    pub(crate) fn put(&self, transaction: &WriteTransaction) -> Result<(), Fault> {
        let mut table = transaction.open_table(META)?;
        table.insert(FORMAT, [FORMAT_VERSION].as_slice())?;
        table.insert(CREATED, self.created_at.as_millis().to_le_bytes().as_slice())?;
        table.insert(CALLBACK_KEY, self.callback_key.as_slice())?;
        Ok(())
    }

    /// Reads it.
    pub(crate) fn take(transaction: &ReadTransaction) -> Result<Self, MetaError> {
        let table = match transaction.open_table(META) {
            Ok(table) => table,
            Err(TableError::Storage(error)) => return Err(MetaError::Fault(error.into())),
            Err(_absent_or_of_another_type) => return Err(MetaError::Absent),
        };
        let [found] = entry(&table, FORMAT)?;
        if found == 0 {
            return Err(MetaError::Damaged { key: FORMAT });
        }
        if found > FORMAT_VERSION {
            return Err(MetaError::Newer { found, known: FORMAT_VERSION });
        }
        Ok(Self {
            created_at: Timestamp::from_millis(i64::from_le_bytes(entry(&table, CREATED)?)),
            callback_key: entry(&table, CALLBACK_KEY)?,
        })
    }
}

fn entry<const N: usize>(
    table: &ReadOnlyTable<&'static str, &'static [u8]>,
    key: &'static str,
) -> Result<[u8; N], MetaError> {
    let damaged = MetaError::Damaged { key };
    let value = table.get(key).map_err(|error| MetaError::Fault(error.into()))?;
    value.and_then(|value| value.value().try_into().ok()).ok_or(damaged)
}
