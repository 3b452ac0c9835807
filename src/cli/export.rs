//! `dunlin export`: the journal as JSON lines.

use std::fs::OpenOptions;
use std::io::{self, BufWriter};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use dunlin_storage::JournalSeq;

use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::output::Output;
use crate::config::environment::Environment;
use crate::config::resolve::Values;
use crate::config::setting::Name;
use crate::replay::export::{ExportError, export};
use crate::replay::guard::guarded;
use crate::replay::recording::Recording;

/// Write the journal as JSON lines, one record a line.
///
/// Each line is readable and carries the record's bytes, from which `dunlin replay` folds. Numbers and
/// texts are in the bytes, sealed, and nowhere else. The daemon must be stopped, or the store be a copy.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// The data directory, or a store file [default: DUNLIN_DATA]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Begin at this journal position
    #[arg(long, value_name = "N", default_value_t = 1)]
    from_seq: u64,
    /// Write to this new file instead of the standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Export {
    pub(super) fn run(self, output: Output) -> Ended {
        guarded(|| self.unguarded(output))?
    }

    fn unguarded(self, output: Output) -> Ended {
        let path = self.data.map_or_else(data_directory, Ok)?;
        let recording = Recording::open(&path, None)?;
        if recording.is_repaired_copy() {
            output.talk("the store was not closed cleanly; a repaired copy of it is exported");
        }
        let from = JournalSeq::new(self.from_seq);
        let records = match &self.out {
            None => export(&recording, from, &mut BufWriter::new(io::stdout().lock()))?,
            Some(out) => {
                let failed =
                    |error: io::Error| Failure::new(Exit::Failure, format!("{}: {error}", out.display()));
                let file = created(out).map_err(failed)?;
                let mut writer = BufWriter::new(file);
                let records = export(&recording, from, &mut writer)?;
                let file = writer.into_inner().map_err(|error| failed(error.into_error()))?;
                file.sync_all().map_err(failed)?;
                records
            }
        };
        output.talk(format_args!("{records} records"));
        Ok(Exit::Success)
    }
}

/// The data directory that the environment names.
///
/// # Errors
/// When the environment contradicts itself about it.
pub(super) fn data_directory() -> Result<PathBuf, Failure> {
    let values = Values::resolve(&[], &Environment::of_process());
    if let Some(problem) = values.problems.iter().find(|problem| problem.setting == Some(Name::Data)) {
        return Err(Failure::new(Exit::Configuration, problem.what.clone()));
    }
    Ok(values.text(Name::Data).unwrap_or_default().into())
}

/// A new file that only its owner may read.
fn created(path: &Path) -> io::Result<std::fs::File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Recording(error) => error.into(),
            ExportError::Write(error) => error.into(),
        }
    }
}
