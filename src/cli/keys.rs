//! `dunlin keys`: the keys that seal numbers and texts.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use dunlin_storage::{CommitError, Entropy, Keyring};
use serde_json::json;

use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::offline::Offline;
use crate::cli::output::{Form, Output};
use crate::keys::{self, KeysError};

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Make keys
    Generate(Generate),
    /// Name the keys in use; the keys themselves are not shown
    List,
    /// Replace the master key: wraps every person's key anew. The daemon must be stopped
    ///
    /// A rotation that was interrupted goes on where it stopped. Afterwards the old master key is not
    /// needed any more; keep it as long as you keep backups that need it.
    Rotate,
}

/// Make keys.
#[derive(Debug, Args)]
pub(super) struct Generate {
    /// Write to this new file [default: beside DUNLIN_DATA, with .keys added]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl KeysCommand {
    pub(super) fn run(self, output: Output) -> Ended {
        let offline = Offline::read()?;
        match self {
            Self::Generate(generate) => {
                let path = generate.out.unwrap_or_else(|| offline.keys.beside());
                let ring = Keyring::generate(&Entropy::system()).map_err(KeysError::Entropy)?;
                keys::write_new(&path, &ring)?;
                tell(output, &ring, &path.display().to_string())?;
                output.talk("keep a copy apart from your backups: without it nobody can read the store");
            }
            Self::List => {
                let found = offline.keys.find()?.ok_or(KeysError::None)?;
                tell(output, &found.ring, &found.origin)?;
            }
            Self::Rotate => rotate(&offline, output)?,
        }
        Ok(Exit::Success)
    }
}

fn tell(output: Output, ring: &Keyring, origin: &str) -> Result<(), Failure> {
    let masters: Vec<String> = ring.masters().iter().map(ToString::to_string).collect();
    match output.form() {
        Form::Json => output.json(&json!({
            "origin": origin, "masters": masters, "index": ring.index().to_string(),
        }))?,
        Form::Text => {
            output.line(format_args!("keys in {origin}"))?;
            for (at, id) in masters.iter().enumerate() {
                let role = if at == 0 { "wraps what is new" } else { "only opens what it wrapped" };
                output.line(format_args!("  master {id}  {role}"))?;
            }
            output.line(format_args!("  index  {}  finds persons by number", ring.index()))?;
        }
    }
    Ok(())
}

fn rotate(offline: &Offline, output: Output) -> Result<(), Failure> {
    let found = offline.keys.find()?.ok_or(KeysError::None)?;
    let Some(file) = found.file else {
        let words = format!(
            "the keys come from {}; a rotation must rewrite their file: set neither DUNLIN_KEYS nor credentials, \
             and let the file lie at {}",
            found.origin,
            offline.keys.beside().display()
        );
        return Err(Failure::new(Exit::Configuration, words));
    };
    // An interrupted rotation left retired keys: they are wrapped away before there are newer ones.
    let is_unfinished = found.ring.masters().len() > 1;
    let ring = if is_unfinished {
        found.ring.as_ref().clone()
    } else {
        let rotated = found.ring.rotated(&Entropy::system()).map_err(KeysError::Entropy)?;
        keys::replace(&file, &rotated)?;
        rotated
    };
    let store = offline.open_with(ring.clone())?;
    let bar = output.progress(store.reader()?.person_count()?);
    let failed = |error: CommitError<_>| Failure::new(Exit::Failure, error.to_string());
    let persons = store.rewrap(|done| bar.set_position(done)).map_err(failed)?;
    bar.finish_and_clear();
    store.close().map_err(|error| Failure::new(Exit::Failure, error.to_string()))?;
    keys::replace(&file, &ring.without_retired())?;
    match output.form() {
        Form::Json => output.json(&json!({"persons": persons, "master": ring.current().to_string()}))?,
        Form::Text => output.line(format_args!(
            "{persons} persons' and users' keys are wrapped by master {}; the old one is not needed any more",
            ring.current()
        ))?,
    }
    Ok(())
}
