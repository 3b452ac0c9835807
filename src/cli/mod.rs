//! The command line: what can be typed, and which file answers it.
#![expect(clippy::doc_markdown, reason = "doc comments of arguments are their help, which shows no markup")]

mod archive;
mod audit;
mod backup;
mod bench;
mod cancel;
mod client;
mod compact;
mod completions;
mod config;
mod consent;
mod demo;
mod doctor;
mod erase;
mod exit;
mod explain;
mod export;
mod failures;
pub mod import;
mod instant;
mod keys;
mod list;
mod message;
mod migrate;
mod offline;
mod output;
mod pages;
mod preferences;
mod recover;
mod recurrences;
mod replay;
mod restore;
mod retry;
mod runtime;
mod sandbox;
mod send;
mod serve;
mod show;
mod sync;
mod templates;
mod timeline;
mod verify;
mod verify_number;
mod warnings;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::output::{Form, Output};

const EXAMPLES: &str = "\
Examples:
  dunlin demo                              see it work, with a crash in the middle
  dunlin serve                             run the daemon (a sandbox unless credentials are set)
  dunlin send +15551234567 \"Hello\" --wait  send a text and wait for its fate
  dunlin show ID                           what happened to it, and why

Exit codes:
  0 done   1 failed   2 can't be understood   3 no such message   4 contradicts its state
  69 daemon or provider unreachable, or without room   74 the disk failed
  78 configuration not usable

Settings come from flags, then the environment; `dunlin config show` lists them all.";

/// A text is sent once, at the right hour, or you are told why not.
#[derive(Debug, Parser)]
#[command(name = "dunlin", version, after_help = EXAMPLES, propagate_version = true)]
struct Arguments {
    /// Write data as JSON, one document per line
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon
    Serve(serve::Serve),
    /// Run a carrier of your own, which nobody receives from
    Sandbox(sandbox::SandboxCommand),
    /// Send a text
    Send(send::Send),
    /// Show one message's life
    Show(show::Show),
    /// Say what keeps a message back, or kept it for good
    Explain(explain::Explain),
    /// List messages
    List(list::List),
    /// Withdraw a message that is not on its way yet
    Cancel(cancel::Cancel),
    /// Try a message again
    Retry(retry::Retry),
    /// Texts that came to nothing, grouped by why, with what to do
    Failures(failures::Failures),
    /// Try texts again that came to nothing, many together
    Recover(recover::Recover),
    /// Send the texts in a file of JSON lines or CSV
    Import(import::Import),
    /// Write the journal as JSON lines
    Export(export::Export),
    /// Fold a journal again: totals, one life, another time, other rules
    Replay(replay::Replay),
    /// Check that a store is what its journal says
    Verify(verify::Verify),
    /// Prove that a number is somebody's: text it a code, then check the code
    VerifyNumber(verify_number::VerifyNumber),
    /// Whether somebody may be texted, and what they said about it
    #[command(subcommand)]
    Consent(consent::ConsentCommand),
    /// Texts that come again and again
    #[command(subcommand)]
    Recurrences(recurrences::RecurrencesCommand),
    /// Texts with variables
    #[command(subcommand)]
    Templates(templates::TemplatesCommand),
    /// What a user prefers, and which number is theirs
    #[command(subcommand)]
    Preferences(preferences::PreferencesCommand),
    /// Who did what, newest first
    Audit(audit::Audit),
    /// The keys that seal numbers and texts
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Make a person's number and texts unreadable for good
    Erase(erase::Erase),
    /// Move old records to compressed archives beside the store
    Archive(archive::Archive),
    /// Rewrite the store without its free pages
    Compact(compact::Compact),
    /// Copy the store to a new file, and verify the copy
    Backup(backup::Backup),
    /// Put a backup in the place of the store
    Restore(restore::Restore),
    /// Check that everything the daemon needs is in place
    Doctor(doctor::Doctor),
    /// The database's side of Supabase
    #[command(subcommand)]
    Migrate(migrate::MigrateCommand),
    /// Supabase, as the running daemon sees it
    #[command(subcommand)]
    Sync(sync::SyncCommand),
    /// Show the settings
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Write completions for a shell
    Completions(completions::Completions),
    /// See a few hundred texts survive a crash
    Demo(demo::Demo),
    /// Measure what the daemon can do on this machine
    Bench(bench::Bench),
}

/// Reads the command line, carries it out and says how it ended.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nobody left to tell when this fails.
            drop(error.print());
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Success.into() };
        }
    };
    let output = Output::new(if arguments.json { Form::Json } else { Form::Text });
    match arguments.command.run(output) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            tell(output, &failure);
            failure.exit.into()
        }
    }
}

fn tell(output: Output, failure: &Failure) {
    match (&failure.problem, output.form()) {
        (Some(problem), Form::Json) => output.talk(problem),
        (None, Form::Json) if !failure.words.is_empty() => {
            output.talk(serde_json::json!({"detail": failure.words, "exit": failure.exit.code()}));
        }
        _ if failure.words.is_empty() => {}
        _ => output.talk(format_args!("error: {}", failure.words)),
    }
}

impl Command {
    fn run(self, output: Output) -> Ended {
        match self {
            Self::Serve(serve) => serve.run(),
            Self::Sandbox(sandbox) => sandbox.run(output),
            Self::Send(send) => wait_for(send.run(output)),
            Self::Show(show) => wait_for(show.run(output)),
            Self::Explain(explain) => wait_for(explain.run(output)),
            Self::VerifyNumber(verify) => wait_for(verify.run(output)),
            Self::Consent(consent) => wait_for(consent.run(output)),
            Self::Recurrences(recurrences) => wait_for(recurrences.run(output)),
            Self::Templates(templates) => wait_for(templates.run(output)),
            Self::Preferences(preferences) => wait_for(preferences.run(output)),
            Self::List(list) => wait_for(list.run(output)),
            Self::Audit(audit) => wait_for(audit.run(output)),
            Self::Cancel(cancel) => wait_for(cancel.run(output)),
            Self::Retry(retry) => wait_for(retry.run(output)),
            Self::Failures(failures) => wait_for(failures.run(output)),
            Self::Recover(recover) => wait_for(recover.run(output)),
            Self::Import(import) => wait_for(import.run(output)),
            Self::Doctor(doctor) => wait_for(doctor.run(output)),
            Self::Export(export) => export.run(output),
            Self::Replay(replay) => replay.run(output),
            Self::Verify(verify) => verify.run(output),
            Self::Keys(keys) => keys.run(output),
            Self::Erase(erase) => erase.run(output),
            Self::Archive(archive) => archive.run(output),
            Self::Compact(compact) => compact.run(output),
            Self::Backup(backup) => wait_for(backup.run(output)),
            Self::Restore(restore) => restore.run(output),
            Self::Migrate(migrate) => wait_for(migrate.run(output)),
            Self::Sync(sync) => wait_for(sync.run(output)),
            Self::Config(config) => config.run(output),
            Self::Completions(completions) => completions.run(output),
            Self::Demo(demo) => wait_for(demo.run(output)),
            Self::Bench(bench) => bench.run(output),
        }
    }
}

/// Runs a command that talks over the network, on this thread.
fn wait_for(command: impl Future<Output = Ended>) -> Ended {
    runtime::asking()?.block_on(command)
}
