//! The archivist: moves old records to archives, now and then, while the daemon runs.

use std::sync::Arc;
use std::time::Duration;

use dunlin_storage::{ArchiveError, ArchiveRequest, Archived, Store};
use dunlin_workflows::timestamp::Timestamp;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::engine::duty::Duty;

/// Wait before the first look, so that a start is not slowed down.
const FIRST_LOOK: Duration = Duration::from_mins(1);
/// Wait between two looks.
const LOOK_EVERY: Duration = Duration::from_hours(1);
/// Records that would not fill an archive wait so much longer: no more than one small file a day.
const PARTLY_AFTER: Duration = Duration::from_hours(24);

/// Has what is older than `after` archived from now on, until `stopping` says so; nothing without `after`.
pub fn begin(
    duty: &Arc<Duty>,
    clock: &Arc<dyn Clock>,
    after: Option<Duration>,
    stopping: watch::Receiver<bool>,
) {
    if let Some(after) = after {
        let archivist = Archivist { duty: Arc::clone(duty), clock: Arc::clone(clock), after };
        // It ends when it is told to, and there is nothing to hear from it.
        drop(tokio::spawn(archivist.keep(stopping)));
    }
}

#[derive(Debug)]
struct Archivist {
    duty: Arc<Duty>,
    clock: Arc<dyn Clock>,
    after: Duration,
}

impl Archivist {
    /// Looks now and then, until `stopping` says so.
    async fn keep(self, stopping: watch::Receiver<bool>) {
        let mut wait = FIRST_LOOK;
        loop {
            let mut told = stopping.clone();
            tokio::select! {
                // The sender going away means the same as its word.
                _stop = told.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(wait) => {}
            }
            wait = LOOK_EVERY;
            let Ok(on_duty) = self.duty.now() else { continue };
            let (now, after, stopping) = (self.clock.wall(), self.after, stopping.clone());
            let looked = move || archive(&on_duty.store, now, after, &|| !*stopping.borrow());
            match tokio::task::spawn_blocking(looked).await {
                Ok(Ok(Archived { archives: 0, messages: 0, .. }) | Err(ArchiveError::Interrupted)) => {}
                Ok(Ok(Archived { archives, records, bytes, messages })) => {
                    tracing::info!(archives, records, bytes, messages, "old records moved to archives");
                }
                Ok(Err(error)) => {
                    tracing::error!(%error, "old records could not be archived; nothing is lost, and it is tried again");
                }
                Err(panicked) => tracing::error!(%panicked, "archiving failed; it is tried again"),
            }
        }
    }
}

fn archive(
    store: &Store,
    now: Timestamp,
    after: Duration,
    goes_on: &dyn Fn() -> bool,
) -> Result<Archived, ArchiveError> {
    let until = now.minus(after);
    let partly_until = until.minus(PARTLY_AFTER);
    store.archive(ArchiveRequest { partly_until, ..ArchiveRequest::everything(until) }, goes_on)
}
