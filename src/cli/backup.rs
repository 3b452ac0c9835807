//! `dunlin backup`: asks the daemon for a backup, or copies a stopped store.

use clap::Args;
use serde_json::{Value, json};

use crate::backup::{BackupError, BackupName};
use crate::cli::client::Client;
use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::offline::Offline;
use crate::cli::output::{Form, Output};
use crate::clock::{Clock as _, SystemClock};

/// Copy the store to a new file, and verify the copy.
///
/// Asks the running daemon, which goes on meanwhile; when none answers, copies the stopped store of
/// DUNLIN_DATA itself. Backups go to DUNLIN_BACKUPS, and none is ever overwritten. They are sealed like
/// the store: keep the keys elsewhere.
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// Its name [default: the time]
    name: Option<BackupName>,
}

impl Backup {
    pub(super) async fn run(self, output: Output) -> Ended {
        let client = Client::from_environment()?;
        let name = self.name.as_ref().map(ToString::to_string);
        let taken = match client.post_patiently("/v1/backups", &json!({"name": name})).await? {
            Some(answer) => answer.into_success()?,
            None => self.of_the_stopped_store(output)?,
        };
        match output.form() {
            Form::Json => output.json(&taken)?,
            Form::Text => {
                let words = |field: &str| taken.get(field).and_then(Value::as_str).unwrap_or_default();
                let number = |field: &str| taken.get(field).and_then(Value::as_u64).unwrap_or_default();
                output.line(format_args!(
                    "{}: {} bytes, {} records, verified; head {}",
                    words("name"),
                    number("bytes"),
                    number("records"),
                    words("head"),
                ))?;
            }
        }
        Ok(Exit::Success)
    }

    fn of_the_stopped_store(self, output: Output) -> Result<Value, Failure> {
        output.talk("no daemon answers; the stopped store itself is copied");
        let offline = Offline::read()?;
        let name = self.name.unwrap_or_else(|| BackupName::of(SystemClock::start().wall()));
        let backup = offline.backup(name)?;
        Ok(json!({
            "name": backup.name.to_string(), "bytes": backup.bytes, "head": backup.head.to_string(),
            "records": backup.records, "seconds": backup.took.as_secs_f64(),
        }))
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        let conflict = matches!(error, BackupError::Exists { .. } | BackupError::Running { .. });
        Self::new(if conflict { Exit::Conflict } else { Exit::Failure }, error.to_string())
    }
}
