//! A direction, inward or outward: rounds, again and again, and what is said when they come to nothing.

use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::supabase::error::SyncError;
use crate::supabase::link::Link;
use crate::supabase::standing::Told;

/// What a loop does.
pub(super) trait Direction {
    /// Its name, for people.
    const NAME: &'static str;

    /// One round. Answers whether there is more.
    fn round(&mut self) -> impl Future<Output = Result<bool, SyncError>> + Send;

    /// Comes back when there may be something to do.
    fn idle(&self) -> impl Future<Output = ()> + Send;

    /// Where it is noted why the newest round came to nothing.
    fn error(told: &mut Told) -> &mut Option<String>;

    /// Somebody wants a round at once.
    fn now(link: &Link) -> &Notify;
}

/// Rounds until the daemon stops.
pub(super) async fn keep_up<D: Direction>(
    link: &Link,
    direction: &mut D,
    stopping: &mut watch::Receiver<bool>,
) {
    let mut failures = 0_u32;
    loop {
        let round = tokio::select! {
            _stop = stopping.wait_for(|stop| *stop) => return,
            round = direction.round() => round,
        };
        let wait = match round {
            Ok(more) => {
                failures = 0;
                link.standing.tell(|told| in_order::<D>(told));
                if more {
                    continue;
                }
                None
            }
            Err(error) if error.is_the_end() => return,
            Err(error) => {
                failures = failures.saturating_add(1);
                link.standing.tell(|told| failed::<D>(told, &error));
                Some(error.retry_after().unwrap_or_else(|| backoff(failures)))
            }
        };
        tokio::select! {
            _stop = stopping.wait_for(|stop| *stop) => return,
            () = pause(wait.unwrap_or_default(), D::now(link)), if wait.is_some() => {}
            () = direction.idle(), if wait.is_none() => {}
        }
    }
}

/// How long to wait after failures in a row, when nobody says: 1 s, 2 s, 4 s, and so on up to 1 min.
fn backoff(failures: u32) -> Duration {
    Duration::from_secs(1_u64 << failures.saturating_sub(1).min(6)).min(Duration::from_mins(1))
}

/// Waits, or until somebody wants it now.
async fn pause(wait: Duration, now: &Notify) {
    tokio::select! {
        () = tokio::time::sleep(wait) => {}
        () = now.notified() => {}
    }
}

/// Says once that it works again.
fn in_order<D: Direction>(told: &mut Told) {
    if D::error(told).take().is_some() {
        tracing::info!(direction = D::NAME, "in step with Supabase again");
    }
}

/// Says once what is wrong, until it is something else.
fn failed<D: Direction>(told: &mut Told, error: &SyncError) {
    let known = D::error(told);
    let words = error.to_string();
    if known.as_ref() != Some(&words) {
        tracing::warn!(
            direction = D::NAME,
            error = words,
            "not in step with Supabase; nothing is lost, and it is tried again"
        );
        *known = Some(words);
    }
}
