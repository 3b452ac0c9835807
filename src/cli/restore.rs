//! `dunlin restore`: puts a backup in the place of a stopped store.

use std::path::PathBuf;

use clap::Args;
use dunlin_storage::OpenError;
use serde_json::json;

use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::offline::Offline;
use crate::cli::output::{Form, Output};
use crate::replay::guard::guarded;
use crate::restore::{RestoreError, Unsent};

/// Put a backup in the place of the store. The daemon must be stopped.
///
/// Verifies the backup first. A text that the backup says is still to be sent may have been sent since:
/// the daemon looks each of them up at the provider when it starts, and what it can't find waits for a
/// person, unless the text says resend. Callers who repeat requests of after the backup are not recognized
/// any more; cancellations and erasures of after the backup must be repeated.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The backup's file
    #[arg(value_name = "FILE")]
    backup: PathBuf,
    /// Put the store that is there aside
    #[arg(long)]
    replace: bool,
    /// Send what the backup says is still to be sent without looking it up: for a carrier that knows nothing
    /// of it, or when twice is better than late
    #[arg(long)]
    accept_resends: bool,
}

impl Restore {
    pub(super) fn run(self, output: Output) -> Ended {
        guarded(|| self.unguarded(output))?
    }

    fn unguarded(self, output: Output) -> Ended {
        let unsent = if self.accept_resends { Unsent::SendAgain } else { Unsent::LookUp };
        let restored = Offline::read()?.restore(&self.backup, self.replace, unsent)?;
        let put_aside = restored.put_aside.as_ref().map(|path| path.display().to_string());
        match output.form() {
            Form::Json => output.json(&json!({
                "backup_head": restored.backup_head.to_string(), "head": restored.head.to_string(),
                "records": restored.records, "in_doubt": restored.in_doubt, "put_aside": put_aside,
            }))?,
            Form::Text => {
                output.line(format_args!(
                    "restored {} records up to head {}; {} unsent text(s) will be looked up before they are sent",
                    restored.records, restored.backup_head, restored.in_doubt
                ))?;
                if let Some(path) = put_aside {
                    output.line(format_args!("the store that was there is {path} now"))?;
                }
                output.line(format_args!("head {}", restored.head))?;
            }
        }
        Ok(Exit::Success)
    }
}

impl From<RestoreError> for Failure {
    fn from(error: RestoreError) -> Self {
        let exit = match &error {
            RestoreError::Exists { .. } => Exit::Conflict,
            RestoreError::Open(OpenError::MissingKeys { .. } | OpenError::OtherIndexKey { .. }) => {
                Exit::Configuration
            }
            RestoreError::Open(_)
            | RestoreError::Io { .. }
            | RestoreError::Backup(_)
            | RestoreError::Read(_)
            | RestoreError::Archives(_)
            | RestoreError::Commit(_)
            | RestoreError::Fault(_) => Exit::Failure,
        };
        Self::new(exit, error.to_string())
    }
}
