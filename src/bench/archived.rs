//! What delivered texts take on the disk once they are archived.

use std::path::Path;
use std::sync::Arc;

use dunlin_storage::{
    ArchiveRequest, Entropy, Keyring, NEWCOMERS_MAX, OpenOptions, ReadOnlyStore, Store, compact,
};
use dunlin_workflows::timestamp::Timestamp;
use serde::Serialize;

use crate::bench::error::BenchError;
use crate::bench::figure::{float, ratio};
use crate::bench::lives::table_bytes;
use crate::bench::stand::CACHE_BYTES;

/// Nobody waits for the store meanwhile.
const AT_ONCE: u64 = 1 << 16;

/// What delivered texts take on the disk once they are archived.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Archived {
    /// Bytes of the archives per text.
    pub archive_bytes_per_life: f64,
    /// Bytes of the pages that still hold the store's tables, per text: a person each, and idempotency keys.
    pub table_bytes_per_life: f64,
}

/// Archives everything in the store at `path` and rewrites it.
///
/// # Errors
/// [`BenchError`].
pub fn measure(path: &Path, keys: Arc<Keyring>, count: u32) -> Result<Archived, BenchError> {
    let options = OpenOptions {
        now: Timestamp::EPOCH,
        cache_bytes: CACHE_BYTES,
        callback_key: [0; 32],
        keys,
        entropy: Entropy::system(),
        check_integrity: false,
        newcomers_max: NEWCOMERS_MAX,
    };
    let (store, _) = Store::open(path, &options)?;
    let archived = store
        .archive(ArchiveRequest { at_once: AT_ONCE, ..ArchiveRequest::everything(Timestamp::MAX) }, &|| true)
        .map_err(|error| BenchError::Broken(format!("the lives could not be archived: {error}")))?;
    store.close().map_err(|error| BenchError::Broken(error.to_string()))?;
    compact(path, CACHE_BYTES)?;
    let left = table_bytes(&ReadOnlyStore::open(path, CACHE_BYTES, None)?.reader()?)?;
    Ok(Archived {
        archive_bytes_per_life: ratio(float(archived.bytes), f64::from(count)),
        table_bytes_per_life: ratio(float(left), f64::from(count)),
    })
}
