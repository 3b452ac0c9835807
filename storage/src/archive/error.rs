//! What can go wrong with archives.

use std::io;
use std::path::PathBuf;

use crate::error::{Fault, ReadError};
use crate::fault::FaultKind;
use crate::journal::JournalSeq;

/// What is wrong with an archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveFlaw {
    /// There is no such file.
    #[error("the file is missing; put it back from where it was moved, or from a backup")]
    Missing,
    /// It can't be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Its bytes are not what they were when it was written.
    #[error("its {what} is damaged; put it back from a backup")]
    Damaged {
        /// Which part.
        what: &'static str,
    },
    /// It is the archive of another store, or of other records.
    #[error("it holds other records than the store says; put the right file back from a backup")]
    Another,
    /// A newer dunlin wrote it.
    #[error("it has format {found}, this dunlin knows archives of format {known}; upgrade")]
    Newer {
        /// What the file says.
        found: u8,
        /// What this version knows.
        known: u8,
    },
}

/// Nothing more was archived; what was archived before stays so.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file or the directory can't be written.
    #[error("{path:?}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A record or row can't be read: what can't be read is not archived.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store can't be written.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// An archive that was just written reads back otherwise.
    #[error("{path:?}, just written, reads back otherwise from record {seq} on; check the disk")]
    ReadBack {
        /// The file.
        path: PathBuf,
        /// The first position that differs.
        seq: JournalSeq,
    },
    /// The caller wants to stop.
    #[error("archiving was interrupted; the next run goes on")]
    Interrupted,
    /// The store is not a file.
    #[error("the store is not a file, so there is no place for archives beside it")]
    NoPlace,
}

impl ArchiveError {
    /// What failed below, rather than in what the file says.
    pub fn fault_kind(&self) -> Option<FaultKind> {
        match self {
            Self::Io { source, .. } => Some(FaultKind::of(source)),
            Self::Read(error) => error.fault_kind(),
            Self::Fault(fault) => Some(fault.kind()),
            Self::ReadBack { .. } => Some(FaultKind::Disk),
            Self::Interrupted | Self::NoPlace => None,
        }
    }
}
