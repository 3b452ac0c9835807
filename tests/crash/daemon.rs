//! The daemon, killed and started again on the same store and the same port.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use dunlin::bench::process::Process;

/// The program that is tested.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_dunlin");

const START_MAX: Duration = Duration::from_secs(30);
const STOP_MAX: Duration = Duration::from_secs(30);
/// Lines of the log that a failure shows.
const LOG_LINES: usize = 20;

/// Everything that waits minutes or hours in earnest waits seconds here.
const HURRY: [(&str, &str); 8] = [
    ("DUNLIN_UNKNOWN_LOOKUPS", "300ms,800ms,2s"),
    ("DUNLIN_POLL_AFTER", "1s,2s,3s,5s,8s,13s,21s,34s,55s"),
    ("DUNLIN_RETRY_BASE", "100ms"),
    ("DUNLIN_RETRY_CAP", "1s"),
    ("DUNLIN_RETRY_ATTEMPTS", "50"),
    ("DUNLIN_PROVIDER_TIMEOUT", "1s"),
    ("DUNLIN_SENDER_RATE", "unlimited"),
    ("DUNLIN_LOG", "warn"),
];

/// The daemon.
#[derive(Debug)]
pub(crate) struct Daemon {
    dir: PathBuf,
    address: SocketAddr,
    variables: Vec<(&'static str, String)>,
    process: Option<Process>,
}

impl Daemon {
    /// A daemon with its files in `dir` that sends through `carrier` as `account`. Not started.
    pub(crate) fn new(
        dir: &Path,
        account: &[(&'static str, String)],
        carrier: SocketAddr,
    ) -> anyhow::Result<Self> {
        let mut variables = account.to_vec();
        variables.push(("TWILIO_FROM", "+15005550006".to_owned()));
        variables.push(("TWILIO_API_BASE_URL", format!("http://{carrier}")));
        variables.extend(HURRY.map(|(name, value)| (name, value.to_owned())));
        Ok(Self { dir: dir.to_owned(), address: free_address()?, variables, process: None })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The directory of its store.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Starts it, and does not wait for anything.
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        let (listen, data) = (self.address.to_string(), self.data().display().to_string());
        let arguments = ["serve", "--data", &data, "--listen", &listen];
        self.process = Some(Process::start(Path::new(PROGRAM), &arguments, &self.variables, &self.log())?);
        Ok(())
    }

    /// Waits until it listens.
    pub(crate) fn listening(&self) -> anyhow::Result<()> {
        let process = self.process.as_ref().context("the daemon was not started")?;
        process.listening(START_MAX).map_err(|error| self.explain(&error.into()))?;
        Ok(())
    }

    /// Kills it in the middle of whatever it does. It must not have ended by itself.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        let mut process = self.process.take().context("the daemon was not started")?;
        if let Some(status) = process.ended()? {
            return Err(self.explain(&anyhow!("the daemon ended by itself with {status}")));
        }
        Ok(process.kill()?)
    }

    /// Stops it in order.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        let process = self.process.take().context("the daemon was not started")?;
        let status = process.stop(STOP_MAX)?;
        if status.success() {
            Ok(())
        } else {
            Err(self.explain(&anyhow!("the daemon stopped with {status}")))
        }
    }

    fn log(&self) -> PathBuf {
        self.dir.join("daemon.log")
    }

    /// An error with the newest lines of its log.
    pub(crate) fn explain(&self, error: &anyhow::Error) -> anyhow::Error {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        let mut lines: Vec<&str> = text.lines().rev().take(LOG_LINES).collect();
        lines.reverse();
        anyhow!("{error:#}\nthe daemon's log ends with:\n{}", lines.join("\n"))
    }
}

/// Runs a command of the program that looks at a stopped store; it must succeed.
pub(crate) fn look(command: &str, data: &Path) -> anyhow::Result<()> {
    let Output { status, stdout, stderr } =
        Command::new(PROGRAM).arg(command).arg(data).env_clear().output()?;
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    ensure!(status.success(), "`dunlin {command}` ended with {status}:\n{stdout}\n{stderr}");
    Ok(())
}

/// A free address that no outgoing connection will take while the daemon is down: below the range
/// that the kernel draws ports of outgoing connections from (`ip_local_port_range` in ip(7)).
fn free_address() -> anyhow::Result<SocketAddr> {
    for _ in 0..100 {
        let address = SocketAddr::from(([127, 0, 0, 1], fastrand::u16(15_000..32_000)));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port below 32000 is free")
}
