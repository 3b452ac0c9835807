//! This program again, in processes of their own: the daemon that gets killed, and the carrier that
//! remembers.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use crate::cli::exit::{Exit, Failure};

/// Longest time until a process says where it listens.
const START_MAX: Duration = Duration::from_secs(20);
/// Longest time for a stop in order.
const STOP_MAX: Duration = Duration::from_secs(20);
/// Lines of the log that are shown when a process does not start.
const LOG_LINES: usize = 8;

/// A running process of ours; killed when dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    url: String,
    /// Held open, for the process may write to it.
    _stdout: BufReader<ChildStdout>,
}

impl Process {
    /// Starts this program with `arguments` and nothing but `variables` in its environment, so that
    /// credentials of the caller's stay out of it; waits until it says where it listens.
    pub(super) async fn start(
        arguments: &[&str],
        variables: &[(&str, String)],
        log: PathBuf,
    ) -> Result<Self, Failure> {
        let file = OpenOptions::new().create(true).append(true).open(&log)?;
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .kill_on_drop(true)
            .spawn()?;
        let stdout =
            child.stdout.take().ok_or_else(|| Failure::new(Exit::Failure, "a process has no output"))?;
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        let read = tokio::time::timeout(START_MAX, stdout.read_line(&mut line)).await;
        let url = line.trim().strip_prefix("listening on ").map(str::to_owned);
        if let (Ok(Ok(_)), Some(url)) = (read, url) {
            return Ok(Self { child, url, _stdout: stdout });
        }
        let words = format!("`dunlin {}` did not start:\n{}", arguments.join(" "), end_of(&log));
        Err(Failure::new(Exit::Failure, words))
    }

    /// Where it listens: `http://IP:PORT`.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Kills it as `kill -9` does: it can't finish anything.
    pub(super) async fn kill(&mut self) -> Result<(), Failure> {
        Ok(self.child.kill().await?)
    }

    /// Asks it to stop in order, and waits until it has. Whether it ended well.
    pub(super) async fn stop(mut self) -> Result<bool, Failure> {
        let pid = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(pid) = pid {
            kill_process(pid, Signal::TERM).map_err(std::io::Error::from)?;
        }
        match tokio::time::timeout(STOP_MAX, self.child.wait()).await {
            Ok(status) => Ok(status?.success()),
            Err(_too_long) => Ok(false),
        }
    }
}

fn end_of(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LOG_LINES);
    lines.get(from..).unwrap_or_default().join("\n")
}
