//! The keeper: sees to it that an engine is on duty, and gets another one when the disk was full.
//!
//! After a failed commit a store takes nothing more, and what is durable can be learned only by opening
//! it again. When there was no room that is done here, as soon as there is; whatever else fails ends the
//! process, for nothing that it could do mends a disk.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dunlin_storage::{BatchError, CommitError, FaultKind, OpenError, Store};

use crate::engine::duty::{Away, Duty, OnDuty};
use crate::engine::{Ended, Engine, StartError};

/// First and longest wait before the store is tried again.
const WAIT_MIN: Duration = Duration::from_millis(100);
const WAIT_MAX: Duration = Duration::from_secs(10);
/// An engine that lasted so long found room; one that did not makes the next wait longer.
const LASTED: Duration = Duration::from_secs(30);

/// Opens the store. Blocks.
type Open = dyn Fn() -> Result<Store, OpenError> + Send + Sync;
/// Starts an engine on a store.
type Start = dyn Fn(Arc<Store>) -> Result<Engine, StartError> + Send + Sync;

/// Sees to it that an engine is on duty.
pub struct Keeper {
    duty: Arc<Duty>,
    open: Arc<Open>,
    start: Box<Start>,
}

impl Keeper {
    /// Starts an engine on `store`. Should it find no room, `open` is to open the store again.
    ///
    /// # Errors
    /// When the engine can't start.
    pub fn begin(
        store: Arc<Store>,
        open: impl Fn() -> Result<Store, OpenError> + Send + Sync + 'static,
        start: impl Fn(Arc<Store>) -> Result<Engine, StartError> + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        let engine = start(Arc::clone(&store))?;
        let duty = Arc::new(Duty::of(OnDuty { engine, store }));
        Ok(Self { duty, open: Arc::new(open), start: Box::new(start) })
    }

    /// Where the engine is that is on duty.
    pub fn duty(&self) -> &Arc<Duty> {
        &self.duty
    }

    /// Keeps an engine on duty until one ends for another reason than a full disk: that reason.
    pub async fn keep(&self) -> Ended {
        let mut wait = WAIT_MIN;
        loop {
            let Ok(on_duty) = self.duty.now() else { return Ended::Stopped };
            let began = Instant::now();
            let ended = on_duty.engine.ended().await;
            drop(on_duty);
            let Ended::Failed { kind: FaultKind::NoRoom, why } = ended else { return ended };
            self.duty.end(Away::NoRoom);
            tracing::error!(why, "there is no room on the disk; nothing is accepted until there is");
            if began.elapsed() >= LASTED {
                wait = WAIT_MIN;
            }
            match self.another(&mut wait).await {
                Ok(on_duty) => {
                    let head = on_duty.store.head();
                    self.duty.begin(on_duty);
                    tracing::info!(%head, "there is room again; an engine is back on duty");
                }
                Err(ended) => return ended,
            }
        }
    }

    /// Tries until there is room.
    async fn another(&self, wait: &mut Duration) -> Result<OnDuty, Ended> {
        loop {
            tokio::time::sleep(*wait).await;
            *wait = wait.saturating_mul(2).min(WAIT_MAX);
            let open = Arc::clone(&self.open);
            // Opening repairs the file, which reads all of it.
            let opened = tokio::task::spawn_blocking(move || opened(open.as_ref())).await;
            let store = match opened {
                Ok(Ok(store)) => Arc::new(store),
                Ok(Err(None)) => continue,
                Ok(Err(Some(ended))) => return Err(ended),
                Err(panicked) => return Err(failed(FaultKind::Engine, &panicked)),
            };
            return match (self.start)(Arc::clone(&store)) {
                Ok(engine) => Ok(OnDuty { engine, store }),
                Err(error) => Err(failed(FaultKind::Engine, &error)),
            };
        }
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("duty", &self.duty).finish_non_exhaustive()
    }
}

/// The store, once something can be written to it; no reason when it is to be tried again.
fn opened(open: &Open) -> Result<Store, Option<Ended>> {
    let store = match open() {
        Ok(store) => store,
        // Somebody is still reading through the old one.
        Err(OpenError::InUse { .. }) => return Err(None),
        Err(error) => {
            let kind = error.fault_kind().unwrap_or(FaultKind::Engine);
            return Err((kind != FaultKind::NoRoom).then(|| failed(kind, &error)));
        }
    };
    match store.commit(|_nothing| Ok::<_, BatchError>(())) {
        Ok(()) => Ok(store),
        Err(error) => Err(refused(&store, &error)),
    }
}

fn refused(store: &Store, error: &CommitError<BatchError>) -> Option<Ended> {
    let kind = store.failure().or(error.fault_kind()).unwrap_or(FaultKind::Engine);
    (kind != FaultKind::NoRoom).then(|| failed(kind, error))
}

fn failed(kind: FaultKind, error: &impl ToString) -> Ended {
    Ended::Failed { kind, why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::atomic::{AtomicI32, Ordering};

    use dunlin_storage::{Entropy, Keyring, NEWCOMERS_MAX, OpenOptions};
    use dunlin_workflows::body::Body;
    use dunlin_workflows::id::{MessageId, ProviderSid};
    use dunlin_workflows::message::{OnUnknown, Priority, Request};
    use dunlin_workflows::phone_number::PhoneNumber;
    use dunlin_workflows::rules::{Rules, Sending};
    use dunlin_workflows::source::Source;
    use dunlin_workflows::timestamp::Timestamp;
    use redb::StorageBackend;
    use redb::backends::InMemoryBackend;

    use super::*;
    use crate::clock::SystemClock;
    use crate::engine::EngineConfig;
    use crate::engine::ask::{AskError, Wish};
    use crate::engine::dispatcher::DispatchLimits;
    use crate::engine::lease::LeaseHandle;
    use crate::engine::provider::{
        Answer, FetchOutcome, FindOutcome, Provider, Search, Submission, SubmitOutcome,
    };
    use crate::engine::verifications::Verifying;

    const ENOSPC: i32 = 28;
    const EIO: i32 = 5;

    /// A disk in memory whose writes fail with an error of the operating system, when there is one.
    #[derive(Debug, Clone, Default)]
    struct Disk {
        memory: Arc<InMemoryBackend>,
        fails: Arc<AtomicI32>,
    }

    impl Disk {
        fn works(&self) -> io::Result<()> {
            match self.fails.load(Ordering::SeqCst) {
                0 => Ok(()),
                code => Err(io::Error::from_raw_os_error(code)),
            }
        }
    }

    impl StorageBackend for Disk {
        fn len(&self) -> io::Result<u64> {
            self.memory.len()
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.memory.read(offset, out)
        }

        fn set_len(&self, len: u64) -> io::Result<()> {
            self.works().and_then(|()| self.memory.set_len(len))
        }

        fn sync_data(&self) -> io::Result<()> {
            self.works()
        }

        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.works().and_then(|()| self.memory.write(offset, data))
        }
    }

    /// Nothing is sent here.
    #[derive(Debug)]
    struct Nobody;

    impl Provider for Nobody {
        fn submit(&self, _submission: Submission) -> Answer<'_, SubmitOutcome> {
            Box::pin(async { SubmitOutcome::NotSent { detail: String::new() } })
        }

        fn find(&self, _search: Search) -> Answer<'_, FindOutcome> {
            Box::pin(async { FindOutcome::Unavailable { detail: String::new() } })
        }

        fn fetch(&self, _sid: ProviderSid) -> Answer<'_, FetchOutcome> {
            Box::pin(async { FetchOutcome::NotFound })
        }
    }

    fn keeper(disk: &Disk) -> Keeper {
        let disk = disk.clone();
        let open = move || {
            let options = OpenOptions {
                now: Timestamp::EPOCH,
                cache_bytes: 1 << 20,
                callback_key: [7; 32],
                keys: Arc::new(Keyring::generate(&Entropy::seeded(1)).unwrap()),
                entropy: Entropy::seeded(1),
                check_integrity: false,
                newcomers_max: NEWCOMERS_MAX,
            };
            Ok(Store::open_with_backend(disk.clone(), &options)?.0)
        };
        let start = |store| {
            let config = EngineConfig {
                rules: Rules { sending: Sending::Disabled, ..Rules::default() },
                limits: DispatchLimits { concurrency: 1, segments_per_second: None },
                queue_bytes_max: 1 << 20,
                timer_horizon: Duration::from_mins(1),
                idempotency_retention: Duration::from_hours(24),
                orphan_retention: Duration::from_hours(24),
                questions_max: 1,
                verifying: Verifying::default(),
                lease: LeaseHandle::unlimited(),
                seed: 1,
            };
            Engine::start(store, Arc::new(Nobody), Arc::new(SystemClock::start()), config)
        };
        Keeper::begin(Arc::new(open().unwrap()), open, start).unwrap()
    }

    async fn accept(duty: &Duty, n: u8) -> Result<MessageId, AskError> {
        let request = Request {
            id: MessageId::from_bytes([n; 16]),
            to: PhoneNumber::from_digits(15_005_550_006).unwrap(),
            body: Body::parse("hello").unwrap(),
            priority: Priority::Normal,
            scheduled_for: None,
            expires_at: None,
            on_unknown: OnUnknown::Hold,
            user_id: None,
            metadata: None,
            retry_of: None,
            kind: None,
            template: None,
            may_bypass: false,
            is_claimed: false,
        };
        let on_duty = duty.now().map_err(|_away| AskError::Stopping)?;
        let wish = Wish { request: request.into(), claim: None };
        Ok(on_duty.engine.accept(vec![wish], Source::Api).await?.swap_remove(0)?.id)
    }

    /// Lets the keeper work until this is so.
    async fn until(is_so: impl Fn() -> bool) {
        let wait = async {
            while !is_so() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap();
    }

    #[tokio::test]
    async fn full_disk_is_left_and_come_back_to_as_often_as_it_fills_up() {
        let disk = Disk::default();
        let keeper = keeper(&disk);
        let duty = Arc::clone(keeper.duty());
        let keeping = tokio::spawn(async move { keeper.keep().await });
        let mut acknowledged = vec![accept(&duty, 1).await.unwrap()];
        for n in [10, 20] {
            disk.fails.store(ENOSPC, Ordering::SeqCst);
            let refused = accept(&duty, n).await;
            assert!(matches!(refused, Err(AskError::NoRoom { .. })), "{refused:?}");
            until(|| matches!(duty.now(), Err(Away::NoRoom))).await;
            disk.fails.store(0, Ordering::SeqCst);
            until(|| duty.now().is_ok()).await;
            acknowledged.push(accept(&duty, n.saturating_add(1)).await.unwrap());
        }
        let reader = duty.now().unwrap().store.reader().unwrap();
        for id in acknowledged {
            assert!(reader.number_of_id(id).unwrap().is_some(), "{id}");
        }
        assert!(!keeping.is_finished());
    }

    #[tokio::test]
    async fn failing_disk_ends_it_also_when_it_was_full_before() {
        for full_first in [false, true] {
            let disk = Disk::default();
            let keeper = keeper(&disk);
            let duty = Arc::clone(keeper.duty());
            let keeping = tokio::spawn(async move { keeper.keep().await });
            if full_first {
                disk.fails.store(ENOSPC, Ordering::SeqCst);
                accept(&duty, 1).await.unwrap_err();
                until(|| duty.now().is_err()).await;
            }
            disk.fails.store(EIO, Ordering::SeqCst);
            if !full_first {
                assert_eq!(accept(&duty, 2).await, Err(AskError::Stopping));
            }
            let ended = keeping.await.unwrap();
            assert!(matches!(ended, Ended::Failed { kind: FaultKind::Disk, .. }), "{ended:?}");
        }
    }
}
