//! `dunlin compact`: rewrites a stopped store without its free pages.

use clap::Args;
use serde_json::json;

use crate::cli::exit::{Ended, Exit};
use crate::cli::offline::Offline;
use crate::cli::output::{Form, Output};

/// Rewrite the store without its free pages. The daemon must be stopped.
///
/// Gives back disk space, and leaves nothing in the file of what was deleted. A crash leaves the old
/// file or the new one.
#[derive(Debug, Args)]
pub(super) struct Compact {}

impl Compact {
    pub(super) fn run(self, output: Output) -> Ended {
        let Self {} = self;
        let offline = Offline::read()?;
        let before = offline.bytes()?;
        offline.compact()?;
        let after = offline.bytes()?;
        match output.form() {
            Form::Json => output.json(&json!({"bytes_before": before, "bytes_after": after}))?,
            Form::Text => output.line(format_args!("{before} bytes before, {after} bytes now"))?,
        }
        Ok(Exit::Success)
    }
}
