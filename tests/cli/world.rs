//! The real program, its processes and their environment. Nothing of the caller's environment gets in.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use dunlin_storage::{Entropy, Keyring};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

/// The program, with `variables` and some keys as its whole environment.
pub(crate) fn dunlin(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = keyless(arguments, variables);
    if !variables.iter().any(|(name, _)| name.starts_with("DUNLIN_KEYS")) {
        let keys = Keyring::generate(&Entropy::seeded(1)).unwrap();
        command.env("DUNLIN_KEYS", keys.to_text().as_str());
    }
    command
}

/// The program, with `variables` as its whole environment: its keys lie beside its data.
pub(crate) fn keyless(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
    command.args(arguments).env_clear().envs(variables.iter().copied()).stdin(Stdio::null());
    command
}

/// Runs the program to its end: exit code, standard output, standard error output.
pub(crate) fn run(arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    ended(&dunlin(arguments, variables).output().unwrap())
}

/// How a process ended, in text.
pub(crate) fn ended(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// A running daemon or carrier; killed when dropped.
pub(crate) struct Daemon {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub(crate) url: String,
}

impl Daemon {
    /// Starts a daemon on `data` with a port of its own.
    pub(crate) fn start(data: &Path, variables: &[(&str, &str)]) -> Self {
        Self::run(&["serve", "--data", data.to_str().unwrap(), "--listen", "127.0.0.1:0"], variables)
    }

    /// Starts a carrier with a port of its own.
    pub(crate) fn carrier(variables: &[(&str, &str)]) -> Self {
        Self::run(&["sandbox"], variables)
    }

    /// Starts the daemon of the bench on the new directory `data`, with a store that is neither sealed nor
    /// chained, and with these variables, which it must not heed.
    pub(crate) fn measured(data: &Path, variables: &[(&str, &str)]) -> Self {
        let data = data.to_str().unwrap();
        Self::run(&["bench", "--without", "both", "--dir", data, "--carrier", "127.0.0.1:9"], variables)
    }

    /// Starts a daemon whose data directory is among the variables, with its keys beside it.
    pub(crate) fn start_keyless(variables: &[(&str, &str)]) -> Self {
        Self::spawn(keyless(&["serve", "--listen", "127.0.0.1:0"], variables))
    }

    fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::spawn(dunlin(arguments, variables))
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let Some(url) = line.trim().strip_prefix("listening on ") else {
            let mut log = String::new();
            child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
            panic!("it did not start: {log}");
        };
        Self { url: url.to_owned(), child, stdout }
    }

    /// Runs a command against this daemon.
    pub(crate) fn ask(&self, arguments: &[&str]) -> (i32, String, String) {
        run(arguments, &[("DUNLIN_URL", &self.url)])
    }

    /// Lets none of its files grow beyond so many bytes; `None` takes the limit away.
    pub(crate) fn limit_files(&self, bytes: Option<u64>) {
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(Some(self.pid()), Resource::Fsize, limit).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }

    /// Asks it to stop, and waits: exit code and log.
    pub(crate) fn stop(mut self) -> (i32, String) {
        kill_process(self.pid(), Signal::TERM).unwrap();
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "the standard output holds one line");
        (self.child.wait().unwrap().code().unwrap_or(-1), log)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
