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
        let duty = Arc::clone(duty);
        let store = move || duty.now().ok().map(|on_duty| Arc::clone(&on_duty.store));
        // It ends when it is told to, and there is nothing to hear from it.
        drop(tokio::spawn(keep(store, Arc::clone(clock), after, stopping)));
    }
}

/// Looks now and then, when there is a store, until `stopping` says so.
async fn keep(
    store: impl Fn() -> Option<Arc<Store>>,
    clock: Arc<dyn Clock>,
    after: Duration,
    stopping: watch::Receiver<bool>,
) {
    let mut wait = FIRST_LOOK;
    loop {
        let mut told = stopping.clone();
        tokio::select! {
            // The sender going away means the same as its word.
            _stop = told.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = LOOK_EVERY;
        let Some(store) = store() else { continue };
        let (now, stopping) = (clock.wall(), stopping.clone());
        let looked = move || archive(&store, now, after, &|| !*stopping.borrow());
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

#[cfg(test)]
mod tests {
    use dunlin_storage::{Batch, Entropy, Keyring, LaneNumber, NEWCOMERS_MAX, OpenOptions};
    use dunlin_workflows::lane;
    use dunlin_workflows::source::Source;

    use super::*;

    /// A wall clock that stands still.
    #[derive(Debug)]
    struct Standing(Timestamp);

    impl Clock for Standing {
        fn wall(&self) -> Timestamp {
            self.0
        }

        fn monotonic_ms(&self) -> u64 {
            0
        }
    }

    fn store(dir: &std::path::Path) -> Arc<Store> {
        let options = OpenOptions {
            now: Timestamp::EPOCH,
            cache_bytes: 1 << 20,
            callback_key: [7; 32],
            keys: Arc::new(Keyring::generate(&Entropy::seeded(1)).unwrap()),
            entropy: Entropy::seeded(1),
            check_integrity: false,
            newcomers_max: NEWCOMERS_MAX,
        };
        let store = Store::open(&dir.join("dunlin.redb"), &options).unwrap().0;
        let warm = |batch: &mut Batch<'_>| {
            let mut lane = batch.lane(LaneNumber::FIRST)?;
            lane.apply(&lane::Event::Warmed);
            batch.record_lane(
                LaneNumber::FIRST,
                Timestamp::EPOCH,
                Source::Dispatcher,
                &lane::Event::Warmed,
                &lane,
            )
        };
        store.commit(|batch| (0..3).try_for_each(|_| warm(batch))).unwrap();
        Arc::new(store)
    }

    /// How many archives there are after the first look of a daemon that archives after a day, `age` after
    /// everything happened.
    async fn archives_after(age: Duration) -> usize {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let (stop, stopping) = watch::channel(false);
        let clock: Arc<dyn Clock> = Arc::new(Standing(Timestamp::EPOCH.plus(age)));
        let looked_at = Arc::clone(&store);
        let keeping = tokio::spawn(keep(
            move || Some(Arc::clone(&looked_at)),
            clock,
            Duration::from_hours(24),
            stopping,
        ));
        // The clock of the runtime goes on by itself while nothing is under way.
        tokio::time::sleep(FIRST_LOOK.saturating_add(Duration::from_secs(1))).await;
        stop.send_replace(true);
        keeping.await.unwrap();
        store.reader().unwrap().segments().unwrap().len()
    }

    #[tokio::test(start_paused = true)]
    async fn daemon_archives_by_itself_what_is_old_enough_and_at_most_one_small_file_a_day() {
        assert_eq!(archives_after(Duration::from_hours(23)).await, 0, "too young");
        assert_eq!(archives_after(Duration::from_hours(47)).await, 0, "it would be a small file");
        assert_eq!(archives_after(Duration::from_hours(49)).await, 1);
    }
}
