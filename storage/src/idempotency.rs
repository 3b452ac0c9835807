//! Idempotency keys: what was answered to a request, so that a repeat gets the same answer.

use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::timestamp::Timestamp;
use redb::ReadableTable;

use crate::batch::Batch;
use crate::batch::tables::Tables;
use crate::error::{BatchError, Fault, ReadError};
use crate::record::envelope::{put_row, take_row};
use crate::record::row::IdempotencyRowV1;

/// Hash of an idempotency key and of whoever used it; never the key itself.
pub type KeyHash = [u8; 16];

/// What was answered to a request with an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idempotency {
    /// Hash of the request: the same key with another request is a mistake of the caller.
    pub fingerprint: [u8; 16],
    /// First message that the request created.
    pub first: MessageNumber,
    /// How many messages it created, numbered one after the other.
    pub count: u32,
    /// When the key was first used.
    pub at: Timestamp,
}

impl Batch<'_> {
    /// What was answered to the request with this key.
    pub fn idempotency(&mut self, key: &KeyHash) -> Result<Option<Idempotency>, BatchError> {
        let read = stored(&mut self.tables, key);
        self.noted(read)
    }

    /// Remembers what is answered to the request with this key.
    pub fn set_idempotency(&mut self, key: &KeyHash, answer: &Idempotency) -> Result<(), BatchError> {
        let written = write(&mut self.tables, key, answer);
        self.noted(written)
    }

    /// Forgets keys first used before `before`, oldest first, at most `limit`; gives how many.
    pub fn purge_idempotency(&mut self, before: Timestamp, limit: usize) -> Result<usize, BatchError> {
        let purged = purge(&mut self.tables, before, limit);
        self.noted(purged)
    }
}

fn stored(tables: &mut Tables<'_>, key: &KeyHash) -> Result<Option<Idempotency>, BatchError> {
    Ok(read(tables.idempotency.open()?, key)?)
}

fn write(tables: &mut Tables<'_>, key: &KeyHash, answer: &Idempotency) -> Result<(), BatchError> {
    if let Some(old) = stored(tables, key)? {
        tables.idempotency_age.open()?.remove((old.at.as_millis(), key)).map_err(Fault::from)?;
    }
    let at_ms = answer.at.as_millis();
    let (fingerprint, first) = (answer.fingerprint, answer.first.get());
    let row = IdempotencyRowV1 { fingerprint, first, count: answer.count, at_ms };
    let bytes = put_row("idempotency", key, 1, &row)?;
    tables.idempotency.open()?.insert(key, bytes.as_slice()).map_err(Fault::from)?;
    tables.idempotency_age.open()?.insert((at_ms, key), ()).map_err(Fault::from)?;
    Ok(())
}

fn purge(tables: &mut Tables<'_>, before: Timestamp, limit: usize) -> Result<usize, BatchError> {
    let range =
        tables.idempotency_age.open()?.range(..(before.as_millis(), &[0; 16])).map_err(Fault::from)?;
    let old: Result<Vec<(i64, KeyHash)>, _> = range
        .take(limit)
        .map(|entry| {
            entry.map(|(key, _)| {
                let (at_ms, hash) = key.value();
                (at_ms, *hash)
            })
        })
        .collect();
    let old = old.map_err(Fault::from)?;
    for (at_ms, key) in &old {
        tables.idempotency.open()?.remove(key).map_err(Fault::from)?;
        tables.idempotency_age.open()?.remove((*at_ms, key)).map_err(Fault::from)?;
    }
    Ok(old.len())
}

/// What `table` says about `key`.
pub(crate) fn read(
    table: &impl ReadableTable<&'static [u8; 16], &'static [u8]>,
    key: &KeyHash,
) -> Result<Option<Idempotency>, ReadError> {
    let Some(bytes) = table.get(key).map_err(Fault::from)? else { return Ok(None) };
    let row: IdempotencyRowV1 = take_row("idempotency", key, 1, bytes.value()).map_err(|source| {
        let key = format!("{:032x}", u128::from_be_bytes(*key));
        ReadError::Row { table: "idempotency", key, source }
    })?;
    Ok(Some(Idempotency {
        fingerprint: row.fingerprint,
        first: MessageNumber::new(row.first),
        count: row.count,
        at: Timestamp::from_millis(row.at_ms),
    }))
}
