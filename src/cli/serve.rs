//! `dunlin serve`: runs the daemon until it is asked to stop.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use dunlin_storage::Without;

use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::runtime;
use crate::config::Config;
use crate::config::environment::Environment;
use crate::config::resolve::{Flag, Values};
use crate::config::setting::Name;
use crate::daemon::{self, DaemonError};
use crate::telemetry;

/// Longest time for connections that linger after the stop.
const LINGER_MAX: Duration = Duration::from_secs(1);

/// Run the daemon.
///
/// Without credentials it sends to a carrier of its own, from which nobody receives anything. With
/// TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and a sender it sends for real.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The directory of the store
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where to listen: IP:PORT, port 0 for any free one
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
}

impl Serve {
    pub(super) fn run(self) -> Ended {
        let data = self.data.map(|data| data.to_string_lossy().into_owned());
        let flag = |name, flag, text: Option<String>| text.map(|text| Flag { name, flag, text });
        let flags: Vec<Flag> =
            [flag(Name::Data, "--data", data), flag(Name::Listen, "--listen", self.listen)]
                .into_iter()
                .flatten()
                .collect();
        run_daemon(&Values::resolve(&flags, &Environment::of_process()), None)
    }
}

/// Runs a daemon with these settings until it is asked to stop. `without` is for the bench alone.
pub(super) fn run_daemon(values: &Values, without: Option<Without>) -> Ended {
    let config = Config::read(values)?;
    telemetry::start(&config.log).map_err(|why| Failure::new(Exit::Configuration, why))?;
    let runtime = runtime::serving()?;
    let ended = runtime.block_on(daemon::run(config, values, without));
    // Connections that linger hold the store open; they get a moment, then the process ends.
    runtime.shutdown_timeout(LINGER_MAX);
    ended.map_err(|error| {
        let exit = match error {
            DaemonError::Provider(_) | DaemonError::Keys(_) | DaemonError::Supabase(_) => Exit::Configuration,
            // Of its own, so that whoever watches over the daemon does not start it again on such a disk.
            DaemonError::Disk(_) => Exit::Disk,
            DaemonError::Data { .. }
            | DaemonError::InUse { .. }
            | DaemonError::Heads { .. }
            | DaemonError::Open(_)
            | DaemonError::Listen { .. }
            | DaemonError::Sandbox(_)
            | DaemonError::Start(_)
            | DaemonError::Serve(_)
            | DaemonError::Engine(_)
            | DaemonError::Impatient
            | DaemonError::Events(_)
            | DaemonError::Io(_) => Exit::Failure,
        };
        Failure::new(exit, error.to_string())
    })?;
    Ok(Exit::Success)
}
