//! `dunlin archive`: moves old records of a stopped store to archives.

use std::time::Duration;

use clap::Args;
use dunlin_storage::{ArchiveError, ArchiveRequest};
use serde_json::json;

use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::offline::Offline;
use crate::cli::output::{Form, Output};
use crate::clock::{Clock as _, SystemClock};
use crate::config::value;

/// Move old records to compressed archives beside the store. The daemon must be stopped.
///
/// The daemon does the same by itself, once an hour. Settled messages are in archives alone afterwards:
/// `show`, `audit`, `replay`, `verify` and `export` read them, lists leave them out. The room that they
/// had in the store is used again; `dunlin compact` gives it back to the disk.
#[derive(Debug, Args)]
pub(super) struct Archive {
    /// Only records at least so old [default: DUNLIN_ARCHIVE_AFTER]
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    older_than: Option<Duration>,
}

impl Archive {
    pub(super) fn run(self, output: Output) -> Ended {
        let offline = Offline::read()?;
        let off = || Failure::new(Exit::Usage, "DUNLIN_ARCHIVE_AFTER is off; add --older-than");
        let after = self.older_than.or(offline.archive_after).ok_or_else(off)?;
        let store = offline.open()?;
        let until = SystemClock::start().wall().minus(after);
        let archived = store.archive(ArchiveRequest::everything(until), &|| true)?;
        store.close().map_err(|error| Failure::new(Exit::Failure, error.to_string()))?;
        match output.form() {
            Form::Json => output.json(&json!({
                "archives": archived.archives, "records": archived.records, "bytes": archived.bytes,
                "messages": archived.messages,
            }))?,
            Form::Text => output.line(format_args!(
                "{} records moved to {} archives of {} bytes; {} messages are in archives alone now",
                archived.records, archived.archives, archived.bytes, archived.messages
            ))?,
        }
        Ok(Exit::Success)
    }
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Self {
        Self::new(Exit::Failure, error.to_string())
    }
}
