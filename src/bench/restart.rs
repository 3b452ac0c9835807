//! A restart after `kill -9` with many open messages: from the start of the process to ready.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::bench::connection;
use crate::bench::error::BenchError;
use crate::bench::load::drive;
use crate::bench::stand::{START_MAX, Stand, Started};
use crate::bench::text;
use crate::bench::usage::Usage;

/// How often readiness is asked for.
const ASK_EVERY: Duration = Duration::from_millis(2);

/// How a restart went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Restart {
    /// Open messages: scheduled for later.
    pub open: u32,
    /// Seconds from the start of the process until `/readyz` said 200.
    pub seconds: f64,
    /// Size of the store's file in bytes.
    pub file_bytes: u64,
    /// Most memory resident at once until ready, in bytes.
    pub resident_max: u64,
}

/// Accepts `open` messages for later, kills the daemon and starts it again.
///
/// # Errors
/// [`BenchError`].
pub async fn measure(stand: &Stand, connections: u32, open: u32) -> Result<Restart, BenchError> {
    let Started { process, address } = stand.silent_daemon("restart")?;
    drive(address, connections, open, text::scheduled).await?;
    process.kill()?;
    let file_bytes = std::fs::metadata(stand.store("restart"))?.len();
    let started = Instant::now();
    let Started { process, address } = stand.silent_daemon("restart")?;
    ready(address, started).await?;
    let seconds = started.elapsed().as_secs_f64();
    let resident_max = Usage::read(process.id())?.resident_max;
    process.kill()?;
    stand.clear("restart")?;
    Ok(Restart { open, seconds, file_bytes, resident_max })
}

/// Waits until the daemon says that it is ready.
pub(super) async fn ready(address: SocketAddr, since: Instant) -> Result<(), BenchError> {
    while since.elapsed() < START_MAX {
        if let Ok((200, _)) = connection::get(address, "/readyz").await {
            return Ok(());
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
    Err(BenchError::Broken(format!("the daemon was not ready within {} s", START_MAX.as_secs())))
}
