//! `dunlin replay`: a journal folded again, offline.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use dunlin_storage::recovery::Until;
use dunlin_storage::{JournalSeq, Keyring};
use dunlin_workflows::id::MessageId;
use dunlin_workflows::rules::Rules;
use serde_json::{Value, json};

use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::instant::Instant;
use crate::cli::output::{Form, Output};
use crate::config::environment::Environment;
use crate::config::key_sources;
use crate::config::resolve::Values;
use crate::replay::comparison::Comparisons;
use crate::replay::guard::{GaveUp, guarded};
use crate::replay::lives::lives;
use crate::replay::recording::{Recording, RecordingError};
use crate::replay::tally::Tally;
use crate::replay::what_if_file::{WhatIf, in_force};
use crate::timeline::event_fields;
use crate::timeline::{Recipient, Timeline, written};

/// Fold a journal again, offline: totals, one life, another time, other rules.
///
/// Reads a stopped store, a copy of one, or an export; nothing is changed, no network is used. Every
/// record is decoded and folded by this version, and what is wrong is listed with its position; the
/// result is compared with the stored projections. Exits with 1 when anything is wrong.
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// A data directory, a store file, or a file written by `dunlin export`
    path: PathBuf,
    /// Tell this message's life
    #[arg(long, value_name = "ID", conflicts_with = "what_if")]
    message: Option<MessageId>,
    /// Stop after this journal position, or at this instant (such as 2026-12-24T14:00:00Z)
    #[arg(long, value_name = "TIME|SEQ", value_parser = until)]
    until: Option<Until>,
    /// Decide everything again under the rules in this file, and show the difference
    ///
    /// Lines such as "DUNLIN_RETRY_BASE = 15s"; also DUNLIN_RETRY_CAP, DUNLIN_RETRY_ATTEMPTS,
    /// DUNLIN_REDELIVER, DUNLIN_UNKNOWN_HOLD, DUNLIN_SENDER_RATE and expires_after. What it does not
    /// name is taken from the environment, which should be the daemon's.
    #[arg(long, value_name = "FILE")]
    what_if: Option<PathBuf>,
    /// Most changed messages listed
    #[arg(long, value_name = "N", default_value_t = 20, requires = "what_if")]
    limit: usize,
}

impl Replay {
    pub(super) fn run(self, output: Output) -> Ended {
        guarded(|| self.unguarded(output))?
    }

    fn unguarded(self, output: Output) -> Ended {
        let recording = Recording::open(&self.path, keys_for(&self.path)?)?;
        if recording.is_repaired_copy() {
            output.talk("the store was not closed cleanly; a repaired copy of it is read");
        }
        let until = self.until.unwrap_or_default();
        match (self.message, &self.what_if) {
            (Some(id), _) => tell(output, &recording, until, id),
            (None, Some(file)) => {
                let rules = rules()?;
                let text = std::fs::read_to_string(file)
                    .map_err(|error| Failure::new(Exit::Usage, format!("{}: {error}", file.display())))?;
                let what_if = WhatIf::read(&text, &rules)
                    .map_err(|error| Failure::new(Exit::Usage, format!("{} {error}", file.display())))?;
                let compared = Comparisons::of(&lives(&recording, until, None)?, &rules, &what_if);
                match output.form() {
                    Form::Json => output.json(&compared.json(self.limit))?,
                    Form::Text => output.line(compared.text(self.limit))?,
                }
                Ok(Exit::Success)
            }
            (None, None) => {
                let tally = Tally::of(&recording, until)?;
                match output.form() {
                    Form::Json => output.json(&tally.json())?,
                    Form::Text => output.line(&tally)?,
                }
                Ok(if tally.is_sound() { Exit::Success } else { Exit::Failure })
            }
        }
    }
}

/// Tells one life.
fn tell(output: Output, recording: &Recording, until: Until, id: MessageId) -> Ended {
    let found = lives(recording, until, Some(id))?;
    let Some(life) = found.lives.first() else {
        return Err(Failure::new(
            Exit::NotFound,
            format!("there is no message {id} in this journal, as far as it was read"),
        ));
    };
    let recipient = match recording.reader()? {
        Some(reader) => reader
            .content(life.number)
            .map_err(RecordingError::Read)?
            .map(|(_, content)| Recipient::of(&content)),
        None => None,
    };
    let recipient = recipient.unwrap_or(Recipient::Sealed);
    let timeline = Timeline::of(&life.entries, &recipient, found.ends_at, &rules()?);
    match output.form() {
        Form::Text => output.line(&timeline)?,
        Form::Json => {
            let events = life.entries.iter().map(|entry| {
                json!({
                    "seq": entry.seq.get(), "at": written(entry.at), "source": entry.source.as_str(),
                    "type": entry.event.name(), "fields": event_fields::of_message(&entry.event),
                })
            });
            let spent = timeline
                .spent
                .iter()
                .map(|(state, time)| json!({"state": state.as_str(), "ms": time.as_millis()}));
            output.json(&json!({
                "id": id.to_string(), "as_of": written(found.ends_at), "events": events.collect::<Vec<Value>>(),
                "spent": spent.collect::<Vec<Value>>(), "next": timeline.next,
            }))?;
        }
    }
    Ok(Exit::Success)
}

/// The rules that the environment gives, as it gives them to a daemon.
fn rules() -> Result<Rules, Failure> {
    in_force(&Values::resolve(&[], &Environment::of_process())).map_err(Failure::from)
}

fn until(text: &str) -> Result<Until, String> {
    if let Ok(seq) = text.parse() {
        return Ok(Until::Seq(JournalSeq::new(seq)));
    }
    match text.parse::<Instant>() {
        Ok(Instant::At(at)) => Ok(Until::Time(at)),
        Ok(Instant::In(_)) | Err(_) => Err(format!(
            "\"{text}\" is neither a journal position nor an instant; write it like 1234 or 2026-12-24T14:00:00Z"
        )),
    }
}

impl From<GaveUp> for Failure {
    fn from(error: GaveUp) -> Self {
        Self::new(Exit::Failure, error.to_string())
    }
}

/// The keys of the store at `path`, when the environment or a file beside it leads to some: a life can
/// be told without them, but for the number.
fn keys_for(path: &Path) -> Result<Option<Arc<Keyring>>, Failure> {
    let values = Values::resolve(&[], &Environment::of_process());
    let data = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    let sources = key_sources(&values, data.to_owned());
    Ok(sources.find()?.map(|found| found.ring))
}

impl From<RecordingError> for Failure {
    fn from(error: RecordingError) -> Self {
        let exit = match &error {
            RecordingError::NoStore { .. } | RecordingError::Io { .. } => Exit::Usage,
            RecordingError::Line { .. } | RecordingError::Open(_) | RecordingError::Read(_) => Exit::Failure,
        };
        Self::new(exit, error.to_string())
    }
}
