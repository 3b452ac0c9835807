//! What the disk and the database engine do by themselves with the same bytes: the floor that
//! durable accepts stand on.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use redb::{Database, TableDefinition};
use serde::Serialize;

use crate::bench::error::BenchError;
use crate::bench::figure::per_second;

/// How long each is measured.
const MEASURED: Duration = Duration::from_secs(2);
const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");

/// What is written per sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Load {
    /// Bytes of one record.
    pub record_bytes: usize,
    /// Records per sync.
    pub batch: u32,
}

/// Records made durable per second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Floor {
    /// By the database engine: one transaction per batch, one table, sequential keys.
    pub redb_per_second: f64,
    /// By appending to a file and `fdatasync`.
    pub append_per_second: f64,
}

impl Floor {
    /// Measures both in `dir`.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn measure(dir: &Path, load: Load) -> Result<Self, BenchError> {
        Ok(Self {
            redb_per_second: commits(&dir.join("raw.redb"), load)?,
            append_per_second: appends(&dir.join("raw.log"), load)?,
        })
    }
}

fn commits(path: &Path, load: Load) -> Result<f64, BenchError> {
    let database = Database::create(path).map_err(redb::Error::from)?;
    let record = record(load);
    let started = Instant::now();
    let mut written = 0_u64;
    while started.elapsed() < MEASURED {
        let transaction = database.begin_write().map_err(redb::Error::from)?;
        {
            let mut table = transaction.open_table(RECORDS).map_err(redb::Error::from)?;
            for _ in 0..load.batch {
                written = written.saturating_add(1);
                table.insert(written, record.as_slice()).map_err(redb::Error::from)?;
            }
        }
        transaction.commit().map_err(redb::Error::from)?;
    }
    let rate = per_second(written, started.elapsed());
    drop(database);
    std::fs::remove_file(path)?;
    Ok(rate)
}

fn appends(path: &Path, load: Load) -> Result<f64, BenchError> {
    let mut file = File::create(path)?;
    let batch: Vec<u8> = (0..load.batch).flat_map(|_| record(load)).collect();
    let started = Instant::now();
    let mut written = 0_u64;
    while started.elapsed() < MEASURED {
        file.write_all(&batch)?;
        file.sync_data()?;
        written = written.saturating_add(u64::from(load.batch));
    }
    let rate = per_second(written, started.elapsed());
    std::fs::remove_file(path)?;
    Ok(rate)
}

fn record(load: Load) -> Vec<u8> {
    (0_u8..=255).cycle().take(load.record_bytes).collect()
}
