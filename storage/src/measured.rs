//! Stores that leave out sealing or chaining, to measure what these cost: made once, used by whoever made
//! them, and refused ever after.
//!
//! Everything else is as always: the same rows of the same sizes in the same places, so that nothing but
//! the cryptography is left out.

use std::path::Path;
use std::sync::Arc;

use redb::ReadableDatabase as _;

use crate::archive::Archives;
use crate::create;
use crate::error::{Fault, OpenError};
use crate::meta::{MEASURED, Meta};
use crate::reader::Reader;
use crate::recovery::OpenReport;
use crate::roomy_file;
use crate::seal::Keyring;
use crate::store::{OpenOptions, Store, builder, failed, refused};

/// What a store leaves out while it is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Without {
    /// Drawing keys, sealing, and the keyed hash of phone numbers: everything stands in clear.
    Seals,
    /// The hashes of the chain: the head moves on and stands for nothing.
    Chain,
    /// Both.
    Both,
}

impl Without {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Seals, Self::Chain, Self::Both];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seals => "seals",
            Self::Chain => "chain",
            Self::Both => "both",
        }
    }
}

impl Store {
    /// Makes a new store that leaves something out, to measure what it costs. Nothing opens the file
    /// again but [`ReadOnlyStore::open_measured`](crate::ReadOnlyStore::open_measured).
    ///
    /// # Errors
    /// When there is a file already, or it can't be made.
    pub fn measured(
        path: &Path,
        options: &OpenOptions,
        without: Without,
    ) -> Result<(Self, OpenReport), OpenError> {
        let (seals, chains) = match without {
            Without::Seals => (false, true),
            Without::Chain => (true, false),
            Without::Both => (false, false),
        };
        let keys = if seals { Arc::clone(&options.keys) } else { Arc::new(Keyring::blank()) };
        let options = OpenOptions { keys, ..options.clone() };
        if !create::if_absent(path, &options, MEASURED)? {
            let source = std::io::ErrorKind::AlreadyExists.into();
            return Err(OpenError::Io { path: path.into(), source });
        }
        let (builder, _repaired) = builder(&options);
        let (database, syncs) = roomy_file::open(&builder, path).map_err(|error| failed(path, error))?;
        let snapshot = database.begin_read().map_err(Fault::from)?;
        let meta = Meta::take_measured(&snapshot).map_err(|error| refused(path, error))?;
        let (reader, archives) = (Reader::locked(snapshot), Archives::none());
        let (store, report) = Self::begin((database, syncs), reader, meta, archives, &options, chains)?;
        Ok((store, OpenReport { created: true, ..report }))
    }
}
