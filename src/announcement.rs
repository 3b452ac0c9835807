//! What a daemon that stands says of itself: where it listens, for programs, and what it found, for people.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use dunlin_storage::OpenReport;

use crate::config::Config;
use crate::config::resolve::{Origin, Values};
use crate::daemon::{DaemonError, STORE_FILE};
use crate::http::{App, Mode};

/// A daemon that stands, as whoever started it learns of it once.
#[derive(Debug)]
pub struct Up<'a> {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it was told.
    pub config: &'a Config,
    /// Where texts go.
    pub mode: Mode,
    /// What was found in the store.
    pub report: &'a OpenReport,
    /// What answers requests.
    pub(crate) app: &'a Arc<App>,
}

/// Says so on the standard output and in the log.
///
/// # Errors
/// The standard output is closed.
pub fn announce(up: &Up<'_>, values: &Values) -> Result<(), DaemonError> {
    let Up { address, config, mode, report, .. } = up;
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "listening on http://{address}")?;
    stdout.flush()?;
    let given = values.rows.iter().filter(|row| !matches!(row.origin, Origin::Default | Origin::Unset));
    let origins: Vec<String> =
        given.map(|row| format!("{}: {}", row.setting.variable(), row.origin)).collect();
    let open: Vec<String> =
        report.open.iter().map(|(state, count)| format!("{count} {}", state.as_str())).collect();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        mode = mode.as_str(),
        %address,
        store = %config.data.join(STORE_FILE).display(),
        created = report.created,
        repaired = report.repaired,
        upgraded_from = report.upgraded_from,
        head = %report.head,
        messages = report.messages,
        open = %open.join(", "),
        timers = report.timers,
        orphans = report.orphans,
        settings = %origins.join("; "),
        "started"
    );
    Ok(())
}
