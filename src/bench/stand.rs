//! The test stand: where the measured processes live, and how they are started.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dunlin_storage::{Keyring, Without};
use tempfile::TempDir;

use crate::bench::connection;
use crate::bench::error::BenchError;
use crate::bench::process::{Process, ProcessError};
use crate::keys::KeySources;

/// The account at the sandbox; nobody else knows the address.
pub const ACCOUNT_SID: &str = "AC00000000000000000000000000000001";
/// Its token.
pub const AUTH_TOKEN: &str = "a-token-for-measuring-only";
/// The sender: the provider's own number for trying out
/// (<https://www.twilio.com/docs/iam/test-credentials>, read 2026-11-23).
pub const SENDER: &str = "+15005550006";

/// An address that nobody listens on, for daemons that send nothing.
const NOBODY: &str = "http://127.0.0.1:9";
/// Longest time until a process listens.
pub const START_MAX: Duration = Duration::from_mins(1);
/// Longest time for a stop in order.
pub const STOP_MAX: Duration = Duration::from_mins(1);

/// Page cache for reading a store afterwards.
pub const CACHE_BYTES: usize = 32 * 1024 * 1024;

/// Where the measured processes live.
#[derive(Debug)]
pub struct Stand {
    program: PathBuf,
    dir: TempDir,
}

/// A started process and where it listens.
#[derive(Debug)]
pub struct Started {
    /// The process.
    pub process: Process,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Started {
    /// Commits of a daemon so far, as it tells about itself.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn commits(&self) -> io::Result<u64> {
        let (_, body) = connection::get(self.address, "/readyz?verbose").await?;
        let told: serde_json::Value = serde_json::from_slice(&body)?;
        Ok(told.get("commits").and_then(serde_json::Value::as_u64).unwrap_or_default())
    }
}

impl Stand {
    /// A stand for `program`, with its files in a new directory inside `dir`; removed when dropped.
    ///
    /// # Errors
    /// When the directory can't be created.
    pub fn new(program: PathBuf, dir: &Path) -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix("dunlin-bench-").tempdir_in(dir)?;
        Ok(Self { program, dir })
    }

    /// The directory of the measured files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The data directory of the daemon of one measurement.
    pub fn data(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The store's file of one measurement.
    pub fn store(&self, name: &str) -> PathBuf {
        self.data(name).join(crate::daemon::STORE_FILE)
    }

    /// The keys that the daemon of one measurement made beside its data.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn keys(&self, name: &str) -> Result<Arc<Keyring>, BenchError> {
        let sources = KeySources { given: None, credentials: None, data: self.data(name) };
        let broken =
            |error: &dyn std::fmt::Display| BenchError::Broken(format!("the keys of {name}: {error}"));
        let found = sources.find().map_err(|error| broken(&error))?;
        found.map(|keys| keys.ring).ok_or_else(|| broken(&"there are none"))
    }

    /// Removes what one measurement left.
    ///
    /// # Errors
    /// When it can't be removed.
    pub fn clear(&self, name: &str) -> io::Result<()> {
        fs::remove_dir_all(self.data(name))
    }

    /// Starts a carrier that makes no faults and takes no time.
    ///
    /// # Errors
    /// As [`Stand::start`].
    pub fn sandbox(&self) -> Result<Started, ProcessError> {
        self.start(&["sandbox", "--listen", "127.0.0.1:0"], &account(NOBODY.to_owned()))
    }

    /// Starts a daemon that sends through the carrier at `carrier`.
    ///
    /// # Errors
    /// As [`Stand::start`].
    pub fn daemon(&self, name: &str, carrier: SocketAddr) -> Result<Started, ProcessError> {
        self.serve(name, &sender(carrier))
    }

    /// The same, told `more`.
    ///
    /// # Errors
    /// As [`Stand::start`].
    pub fn daemon_told(
        &self,
        name: &str,
        carrier: SocketAddr,
        more: &[(&'static str, &str)],
    ) -> Result<Started, ProcessError> {
        let mut variables = sender(carrier);
        variables.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        self.serve(name, &variables)
    }

    /// The same, with a store that leaves something out; run as `dunlin bench --without`.
    ///
    /// # Errors
    /// As [`Stand::start`].
    pub fn daemon_without(
        &self,
        name: &str,
        carrier: SocketAddr,
        without: Without,
    ) -> Result<Started, ProcessError> {
        let (data, carrier) = (self.data(name).display().to_string(), carrier.to_string());
        self.start(&["bench", "--without", without.as_str(), "--dir", &data, "--carrier", &carrier], &[])
    }

    /// Starts a daemon that accepts and sends nothing.
    ///
    /// # Errors
    /// As [`Stand::start`].
    pub fn silent_daemon(&self, name: &str) -> Result<Started, ProcessError> {
        let mut variables = account(NOBODY.to_owned());
        variables.push(("SMS_SENDING_ENABLED", "false".to_owned()));
        self.serve(name, &variables)
    }

    fn serve(&self, name: &str, variables: &[(&str, String)]) -> Result<Started, ProcessError> {
        let data = self.data(name).display().to_string();
        self.start(&["serve", "--listen", "127.0.0.1:0", "--data", &data], variables)
    }

    /// Starts the program with `arguments` and waits until it listens.
    ///
    /// # Errors
    /// When it does not start; the end of its log is in the words.
    pub fn start(&self, arguments: &[&str], variables: &[(&str, String)]) -> Result<Started, ProcessError> {
        let process = Process::start(&self.program, arguments, variables, &self.log())?;
        let address = process.listening(START_MAX)?;
        Ok(Started { process, address })
    }

    /// Where all processes log to.
    pub fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }
}

/// What a daemon is told that sends through the carrier at `carrier` as fast as it can.
pub fn sender(carrier: SocketAddr) -> Vec<(&'static str, String)> {
    let mut variables = account(format!("http://{carrier}"));
    variables.push(("DUNLIN_SENDER_RATE", "unlimited".to_owned()));
    variables
}

/// What a process is told: the account, where its carrier is, and to be quiet.
pub fn account(carrier: String) -> Vec<(&'static str, String)> {
    vec![
        ("TWILIO_ACCOUNT_SID", ACCOUNT_SID.to_owned()),
        ("TWILIO_AUTH_TOKEN", AUTH_TOKEN.to_owned()),
        ("TWILIO_FROM", SENDER.to_owned()),
        ("TWILIO_API_BASE_URL", carrier),
        // Nobody is behind its numbers who could prove them, and they follow each other.
        ("DUNLIN_VERIFIED_NUMBERS", "not_required".to_owned()),
        ("DUNLIN_PREFIX_VELOCITY", "off".to_owned()),
        ("DUNLIN_LOG", "warn".to_owned()),
    ]
}
