//! How a measurement can fail.

use std::io;

use dunlin_storage::{OpenError, ReadError};

use crate::bench::process::ProcessError;

/// A measurement came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A process did not do what it was asked.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A connection or a file failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The store that a daemon left can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store that a daemon left can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The database engine failed by itself.
    #[error("the database engine failed: {0}")]
    Database(#[from] redb::Error),
    /// What was measured is not what was promised.
    #[error("{0}")]
    Broken(String),
}
