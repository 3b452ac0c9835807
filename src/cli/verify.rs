//! `dunlin verify`: whether a store is what its journal says.

use std::path::PathBuf;

use clap::Args;
use dunlin_storage::{Head, recovery};
use serde_json::json;

use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::export::data_directory;
use crate::cli::output::{Form, Output, Tone};
use crate::replay::guard::guarded;
use crate::replay::recording::{Recording, RecordingError};

/// Check that a store is what its journal says.
///
/// Folds the whole journal, and compares the result with every row and every index. The daemon must
/// be stopped, or the store be a copy. Exits with 1 and the first difference when there is one.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// A data directory or a store file [default: DUNLIN_DATA]
    #[arg(value_name = "DIR")]
    path: Option<PathBuf>,
    /// A head that was noted earlier: the journal must continue it
    ///
    /// As the log, /readyz?verbose, DUNLIN_HEADS and this command tell it. Proves that nothing
    /// before it was rewritten, and that nothing was cut off after it.
    #[arg(long, value_name = "HEAD")]
    expect: Option<Head>,
}

impl Verify {
    pub(super) fn run(self, output: Output) -> Ended {
        guarded(|| self.unguarded(output))?
    }

    fn unguarded(self, output: Output) -> Ended {
        let path = self.path.map_or_else(data_directory, Ok)?;
        let recording = Recording::open(&path, None)?;
        if recording.is_repaired_copy() {
            output.talk("the store was not closed cleanly; a repaired copy of it is verified");
        }
        let Some(reader) = recording.reader()? else {
            let words = format!("{} is no store; `dunlin replay` folds an export", path.display());
            return Err(Failure::new(Exit::Usage, words));
        };
        let report =
            recovery::verify(&reader, self.expect, |_records, _in_all| {}).map_err(RecordingError::Read)?;
        match output.form() {
            Form::Json => output.json(&json!({
                "sound": report.is_sound(), "records": report.records, "messages": report.messages,
                "archived": report.archived, "lanes": report.lanes, "problems": report.problems,
                "head": report.head.map(|head| head.to_string()),
                "first": report.first.iter().map(ToString::to_string).collect::<Vec<_>>(),
            }))?,
            Form::Text if report.is_sound() => output.line(format_args!(
                "{}: {} journal records fold to what is stored (rows of messages {}, of lanes {}; in archives alone {}), \
                 and every index agrees",
                output.paint(Tone::Good, "sound"),
                report.records,
                report.messages,
                report.lanes,
                report.archived
            ))
            .and_then(|()| match report.head {
                Some(head) => output.line(format_args!("head {head}")),
                None => Ok(()),
            })?,
            Form::Text => {
                output.line(format_args!(
                    "{}: {} problems",
                    output.paint(Tone::Bad, "NOT sound"),
                    report.problems
                ))?;
                report.first.iter().try_for_each(|problem| output.line(problem))?;
            }
        }
        Ok(if report.is_sound() { Exit::Success } else { Exit::Failure })
    }
}
