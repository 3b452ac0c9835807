//! The log: to the standard error output, for people on a terminal and as JSON lines elsewhere.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

/// Starts the log. `filter` is a level, or `target=level` pairs between commas.
///
/// # Errors
/// What is wrong with the filter, or that a log runs already.
pub fn start(filter: &str) -> Result<(), String> {
    let filter: EnvFilter = filter.parse().map_err(|error| format!("\"{filter}\" is no filter: {error}"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = if io::stderr().is_terminal() {
        let color = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        log.with_ansi(color).with_target(false).try_init()
    } else {
        log.json().flatten_event(true).try_init()
    };
    started.map_err(|error| error.to_string())
}
