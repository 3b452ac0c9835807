//! `dunlin sync`: how things stand between the daemon and Supabase.

use std::time::Duration;

use clap::Subcommand;
use serde_json::Value;

use crate::cli::client::Client;
use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::output::{Form, Output, Tone};

/// How often it is looked whether it is done.
const LOOK: Duration = Duration::from_millis(200);
/// How often it is looked at most.
const LOOKS_MAX: u32 = 150;

/// Supabase, as the running daemon sees it.
#[derive(Debug, Subcommand)]
pub(super) enum SyncCommand {
    /// Say how things stand; exit code 1 while one of the directions fails
    Status,
    /// Look at once what is asked there, and wait until everything was heard
    Pull,
    /// Tell at once what happened here, and wait until everything was told
    Push,
    /// Compare every text that is not finished, and make good what differs
    Repair {
        /// Only say what differs
        #[arg(long)]
        dry_run: bool,
    },
    /// Columns of ours that others wrote to, and rows that can't be understood
    Conflicts,
}

impl SyncCommand {
    pub(super) async fn run(self, output: Output) -> Ended {
        let client = Client::from_environment()?;
        match self {
            Self::Status => {
                let standing = client.get("/v1/sync").await?;
                show(output, &standing)?;
                Ok(if error_of(&standing).is_some() { Exit::Failure } else { Exit::Success })
            }
            Self::Pull => {
                let before = client.get("/v1/sync").await?;
                let seen = before.get("in_step_at").cloned();
                wait(&client, output, "pull", |standing| standing.get("in_step_at") != seen.as_ref()).await
            }
            Self::Push => {
                wait(&client, output, "push", |standing| number(standing, "/push/records_behind") == 0).await
            }
            Self::Repair { dry_run } => repair(&client, output, dry_run).await,
            Self::Conflicts => conflicts(&client, output).await,
        }
    }
}

/// Asks for something, and waits until it is done or can't be.
async fn wait(client: &Client, output: Output, what: &str, is_done: impl Fn(&Value) -> bool) -> Ended {
    client.post(&format!("/v1/sync/{what}"), &Value::Null, None).await?.into_success()?;
    for _look in 0..LOOKS_MAX {
        tokio::time::sleep(LOOK).await;
        let standing = client.get("/v1/sync").await?;
        if is_done(&standing) {
            show(output, &standing)?;
            return Ok(Exit::Success);
        }
        if let Some(error) = standing.pointer(&format!("/{what}/error")).and_then(Value::as_str) {
            return Err(Failure::new(Exit::Unreachable, error.to_owned()));
        }
    }
    Err(Failure::new(Exit::Failure, "it goes on, and takes longer than 30 s; see dunlin sync status"))
}

async fn repair(client: &Client, output: Output, dry_run: bool) -> Ended {
    let path = format!("/v1/sync/repair?dry_run={dry_run}");
    let repaired = client.post(&path, &Value::Null, None).await?.into_success()?;
    if output.form() == Form::Json {
        output.json(&repaired)?;
        return Ok(Exit::Success);
    }
    let number = |name: &str| repaired.get(name).and_then(Value::as_u64).unwrap_or_default();
    let would = if dry_run { "would be " } else { "" };
    output.line(format_args!("{} texts are ours and not finished there", number("texts_compared")))?;
    output.line(format_args!("{} {would}told anew", number("texts_told_again")))?;
    output.line(format_args!(
        "{} are not known here and {would}given back; whoever gets them looks them up first",
        number("texts_given_back")
    ))?;
    Ok(Exit::Success)
}

async fn conflicts(client: &Client, output: Output) -> Ended {
    let standing = client.get("/v1/sync").await?;
    let list = |name: &str| standing.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let (conflicts, parked) = (list("conflicts"), list("parked"));
    if output.form() == Form::Json {
        for row in conflicts.iter().chain(&parked) {
            output.json(row)?;
        }
        return Ok(Exit::Success);
    }
    for row in &conflicts {
        output.line(format_args!(
            "{}  {} {}.{} of {}: {} wrote {}, {} was kept ({} times)",
            text(row, "last_at"),
            output.paint(Tone::Strong, "conflict"),
            text(row, "relation"),
            text(row, "column"),
            text(row, "row_id"),
            text(row, "writer"),
            row.get("theirs").unwrap_or(&Value::Null),
            row.get("ours").unwrap_or(&Value::Null),
            number(row, "/times"),
        ))?;
    }
    for row in &parked {
        output.line(format_args!(
            "{}  {} {} of {}: {}: {}",
            text(row, "parked_at"),
            output.paint(Tone::Strong, "parked"),
            text(row, "row_id"),
            text(row, "source"),
            text(row, "reason"),
            text(row, "detail"),
        ))?;
    }
    if conflicts.is_empty() && parked.is_empty() {
        output.talk("no conflicts, and no row that can't be understood");
    }
    Ok(Exit::Success)
}

fn show(output: Output, standing: &Value) -> Result<(), Failure> {
    if output.form() == Form::Json {
        return Ok(output.json(standing)?);
    }
    let contact = match standing.get("last_contact_age_seconds").and_then(Value::as_u64) {
        Some(age) => format!("last contact {age} s ago"),
        None => "no contact yet".to_owned(),
    };
    output.line(format_args!("{}  {contact}", text(standing, "project")))?;
    output.line(format_args!(
        "inward   {} texts taken, {} lost to other daemons, {} changes heard, {} rows parked",
        number(standing, "/pull/texts_taken"),
        number(standing, "/pull/texts_lost"),
        number(standing, "/pull/changes"),
        number(standing, "/pull/rows_parked"),
    ))?;
    output.line(format_args!(
        "outward  {} rows told, {} refused, {} records of the journal to go",
        number(standing, "/push/rows"),
        number(standing, "/push/rows_refused"),
        number(standing, "/push/records_behind"),
    ))?;
    output.line(format_args!(
        "there    {} texts wait, {} rows parked, {} conflicts",
        number(standing, "/there/texts_waiting"),
        number(standing, "/there/rows_parked"),
        number(standing, "/there/conflicts"),
    ))?;
    for daemon in standing.get("daemons").and_then(Value::as_array).into_iter().flatten() {
        output.line(format_args!(
            "daemon   {} {} {}, seen at {}",
            text(daemon, "name"),
            text(daemon, "version"),
            text(daemon, "id"),
            text(daemon, "seen_at"),
        ))?;
    }
    if let Some(error) = error_of(standing) {
        output.line(format_args!("{}", output.paint(Tone::Bad, error)))?;
    }
    Ok(())
}

fn error_of(standing: &Value) -> Option<&str> {
    let error = |path: &str| standing.pointer(path).and_then(Value::as_str);
    error("/pull/error").or_else(|| error("/push/error"))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, path: &str) -> u64 {
    value.pointer(path).and_then(Value::as_u64).unwrap_or_default()
}
