//! This program in a process of its own: started, measured, killed.

use std::fs::OpenOptions;
use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How often a process that was asked to stop is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A running process; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    lines: Receiver<String>,
}

/// A process did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It can't be started or signaled.
    #[error("`dunlin {name}`: {source}")]
    Io {
        /// Its arguments.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// It ended before it said where it listens.
    #[error("`dunlin {name}` ended before it listened; its log says why")]
    Ended {
        /// Its arguments.
        name: String,
    },
    /// It took too long.
    #[error("`dunlin {name}` did not {what} within {} s", longest.as_secs())]
    TooLong {
        /// Its arguments.
        name: String,
        /// What it was to do.
        what: &'static str,
        /// How long it was given.
        longest: Duration,
    },
}

impl Process {
    /// Starts `program` with `arguments` and nothing but `variables` in its environment, so that
    /// credentials of the caller's stay out of it. What it logs is appended to `log`.
    ///
    /// # Errors
    /// [`ProcessError::Io`].
    pub fn start(
        program: &Path,
        arguments: &[&str],
        variables: &[(&str, String)],
        log: &Path,
    ) -> Result<Self, ProcessError> {
        let name = arguments.join(" ");
        let failed = |source| ProcessError::Io { name: name.clone(), source };
        let log = OpenOptions::new().create(true).append(true).open(log).map_err(failed)?;
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(failed)?;
        let stdout = child.stdout.take().ok_or_else(|| failed(io::Error::other("it has no output")))?;
        let (said, lines) = channel();
        // Reads to the end, whoever listens, so that the process never waits for us.
        std::thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).for_each(|line| drop(said.send(line)));
        });
        Ok(Self { child, name, lines })
    }

    /// Waits until it says where it listens.
    ///
    /// # Errors
    /// When it ends first, or takes longer than `longest`.
    pub fn listening(&self, longest: Duration) -> Result<SocketAddr, ProcessError> {
        let deadline = Instant::now().checked_add(longest);
        loop {
            let left =
                deadline.map_or(longest, |deadline| deadline.saturating_duration_since(Instant::now()));
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    let address =
                        line.trim().strip_prefix("listening on http://").and_then(|text| text.parse().ok());
                    if let Some(address) = address {
                        return Ok(address);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(ProcessError::Ended { name: self.name.clone() });
                }
                Err(RecvTimeoutError::Timeout) => return Err(self.too_long("listen", longest)),
            }
        }
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it as `kill -9` does: it can't finish anything.
    ///
    /// # Errors
    /// [`ProcessError::Io`].
    pub fn kill(mut self) -> Result<(), ProcessError> {
        let killed = self.child.kill().and_then(|()| self.child.wait());
        killed.map(drop).map_err(|source| self.failed(source))
    }

    /// Asks it to stop in order and waits until it has. How it ended.
    ///
    /// # Errors
    /// When it takes longer than `longest`; then it is killed.
    pub fn stop(mut self, longest: Duration) -> Result<ExitStatus, ProcessError> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            kill_process(pid, Signal::TERM).map_err(|error| self.failed(error.into()))?;
        }
        let started = Instant::now();
        while started.elapsed() < longest {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Err(self.too_long("stop", longest))
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// [`ProcessError::Io`].
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, ProcessError> {
        self.child.try_wait().map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> ProcessError {
        ProcessError::Io { name: self.name.clone(), source }
    }

    fn too_long(&self, what: &'static str, longest: Duration) -> ProcessError {
        ProcessError::TooLong { name: self.name.clone(), what, longest }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that ended already can't be killed again; that is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
