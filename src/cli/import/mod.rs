//! `dunlin import`: sends the texts in a file, so that running it twice sends nothing twice.
//!
//! Every batch has an idempotency key made of the file's hash and the batch's place in it, and the
//! daemon remembers keys per row. After a crash of either side, the same command picks up where it was.

mod rejected;
pub mod rows;

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::cli::client::{Answer, Client};
use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::import::rejected::Rejected;
use crate::cli::import::rows::{Format, Row, Rows};
use crate::cli::output::{Form, Output};
use crate::trial_account::hexadecimal;

/// Rows per batch. Changing it changes the keys, and so what a repeated import recognizes.
const BATCH: usize = 500;
/// How often a batch is offered again while the daemon is busy or away: 10 minutes at the longest wait.
const OFFERS_MAX: u32 = 120;
/// Longest wait between two offers.
const OFFER_WAIT_MAX: Duration = Duration::from_secs(5);

/// Send the texts in a file of JSON lines or CSV.
///
/// Fields are those of the API: to or user_id (whose own number is texted then), body or template, and optionally vars,
/// locale, id, kind, priority, scheduled_for, expires_at, on_unknown, metadata. In CSV, vars and metadata are JSON, and a column
/// such as vars.task_name holds one value of a template. Running it again continues where it stopped: the daemon remembers
/// rows for DUNLIN_IDEMPOTENCY_RETENTION. What it refuses is written to FILE.rejected.jsonl.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// The file; its ending tells the format (.csv, else JSON lines)
    file: PathBuf,
    /// The format, whatever the ending says
    #[arg(long)]
    format: Option<Format>,
}

/// What became of the rows so far.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    rows: u64,
    accepted: u64,
    repeated: u64,
    rejected: u64,
}

/// Rows of one batch: where they stand in the file, and what they ask for.
#[derive(Debug, Default)]
struct Batch {
    lines: Vec<u64>,
    requests: Vec<Map<String, Value>>,
}

impl Import {
    pub(super) async fn run(self, output: Output) -> Ended {
        let client = Client::from_environment()?;
        let readable = |error: io::Error| {
            Failure::new(Exit::Usage, format!("{} can't be read: {error}", self.file.display()))
        };
        let mut file = File::open(&self.file).map_err(readable)?;
        let hash = hash(&mut file).map_err(readable)?;
        let rows = Rows::start(File::open(&self.file).map_err(readable)?, self.format())
            .map_err(|why| Failure::new(Exit::Usage, format!("{}: {why}", self.file.display())))?;
        let mut rejected = Rejected::beside(&self.file)?;
        let mut tally = Tally::default();
        let progress = progress();
        let mut batch = Batch::default();
        let mut place: u64 = 0;
        for row in rows {
            let Row { line, request } = row.map_err(readable)?;
            tally.rows = tally.rows.saturating_add(1);
            match request {
                Ok(request) => {
                    batch.lines.push(line);
                    batch.requests.push(request);
                }
                Err(why) => {
                    tally.rejected = tally.rejected.saturating_add(1);
                    rejected.write(line, &json!({"code": "unreadable", "detail": why}), None)?;
                }
            }
            if batch.lines.len() >= BATCH {
                offer(&client, &key(&hash, place), std::mem::take(&mut batch), &mut tally, &mut rejected)
                    .await?;
                place = place.saturating_add(1);
                progress.set_position(tally.rows);
            }
        }
        if !batch.lines.is_empty() {
            offer(&client, &key(&hash, place), batch, &mut tally, &mut rejected).await?;
        }
        progress.finish_and_clear();
        self.tell(output, tally, &rejected)?;
        Ok(if tally.rejected > 0 { Exit::Failure } else { Exit::Success })
    }

    fn format(&self) -> Format {
        let csv = self.file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
        self.format.unwrap_or(if csv { Format::Csv } else { Format::Jsonl })
    }

    fn tell(&self, output: Output, tally: Tally, rejected: &Rejected) -> io::Result<()> {
        let Tally { rows, accepted, repeated, rejected: refused } = tally;
        let path = rejected.path().display().to_string();
        if output.form() == Form::Json {
            let path = (refused > 0).then_some(path);
            return output.json(&json!({
                "file": self.file, "rows": rows, "accepted": accepted, "already_accepted": repeated,
                "rejected": refused, "rejected_file": path,
            }));
        }
        output.line(format_args!(
            "{rows} rows: {accepted} accepted, {repeated} already accepted, {refused} rejected"
        ))?;
        if refused > 0 {
            output.talk(format_args!("why they were rejected is in {path}"));
        }
        Ok(())
    }
}

/// Name of a batch: the same for the same rows of the same file.
fn key(hash: &str, place: u64) -> String {
    format!("import-{hash}-{place}")
}

/// The file's first 128 bits of SHA-256, in hexadecimal.
fn hash(file: &mut File) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hasher.update(buffer.get(..read).unwrap_or_default()),
        }
    }
    Ok(hexadecimal(hasher.finalize().iter().take(16)))
}

fn progress() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {human_pos} rows  {per_sec}  {elapsed}");
    ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_plain| ProgressStyle::default_spinner()))
}

/// Hands one batch to the daemon, again while it is busy or away, and books what became of each row.
async fn offer(
    client: &Client,
    key: &str,
    batch: Batch,
    tally: &mut Tally,
    rejected: &mut Rejected,
) -> Result<(), Failure> {
    let body = json!({ "messages": batch.requests });
    let answer = persist(client, key, &body).await?.into_success()?;
    let results = answer.get("data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if results.len() != batch.lines.len() {
        let words = format!("the daemon answered {} results for {} rows", results.len(), batch.lines.len());
        return Err(Failure::new(Exit::Failure, words));
    }
    for ((line, request), result) in batch.lines.iter().zip(batch.requests).zip(results) {
        match result.get("error") {
            Some(error) if !error.is_null() => {
                tally.rejected = tally.rejected.saturating_add(1);
                rejected.write(*line, error, Some(&request))?;
            }
            _ if result.get("replayed").and_then(Value::as_bool) == Some(true) => {
                tally.repeated = tally.repeated.saturating_add(1);
            }
            _ => tally.accepted = tally.accepted.saturating_add(1),
        }
    }
    Ok(())
}

/// Posts until there is an answer other than "busy". Safe to repeat: the key makes it one request.
async fn persist(client: &Client, key: &str, body: &Value) -> Result<Answer, Failure> {
    let mut wait = Duration::from_millis(100);
    for _ in 0..OFFERS_MAX {
        match client.post("/v1/messages/batch", body, Some(key)).await {
            Ok(answer) if answer.is_busy() => wait = answer.retry_after.unwrap_or(wait),
            Ok(answer) => return Ok(answer),
            Err(failure) if failure.exit == Exit::Unreachable => {}
            Err(failure) => return Err(failure),
        }
        tokio::time::sleep(wait).await;
        wait = wait.saturating_mul(2).min(OFFER_WAIT_MAX);
    }
    let words = "the daemon stays busy or away; run the same command again to continue where it stopped";
    Err(Failure::new(Exit::Unreachable, words))
}

/// The file that `path`'s rejected rows go to.
fn rejected_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".rejected.jsonl");
    name.into()
}
