//! Commits: a batch is decided and written, and becomes durable as a whole or not at all.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::batch::{Batch, Flushed};
use crate::chain::Head;
use crate::error::{CommitError, Fault, ReadError};
use crate::fault::FaultKind;
use crate::late_sync::Syncs;
use crate::newcomers;
use crate::store::Store;

impl Store {
    /// Runs `decide` on a new batch and makes everything it changed durable, or nothing: when this
    /// returns `Ok`, all of it survives a power loss.
    ///
    /// # Errors
    /// [`CommitError::Refused`] when `decide` said no, [`CommitError::Batch`] when its batch can't be
    /// written; nothing changed. After a fault of the database engine the store is poisoned.
    pub fn commit<T, E>(
        &self,
        decide: impl FnOnce(&mut Batch<'_>) -> Result<T, E>,
    ) -> Result<T, CommitError<E>> {
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (answer, head) = self.write_batch(decide)?;
        newest(&self.head, head);
        Ok(answer)
    }

    /// The same, but returns as soon as the next batch may be decided. `then` gets the answer once everything
    /// is durable, from another thread if need be, and never when that fails: then the store is poisoned. What
    /// came of several batches is told in their order.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn commit_then<T: Send + 'static, E>(
        &self,
        decide: impl FnOnce(&mut Batch<'_>) -> Result<T, E>,
        then: impl FnOnce(T) + Send + 'static,
    ) -> Result<(), CommitError<E>> {
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let late = self.syncs.as_ref().map(Syncs::late);
        let (answer, head) = self.write_batch(decide)?;
        drop(late);
        let (known, failure) = (Arc::clone(&self.head), Arc::clone(&self.failure));
        let heard = move |durable: io::Result<()>| match durable {
            Ok(()) => {
                newest(&known, head);
                then(answer);
            }
            Err(error) => {
                failure.get_or_init(|| FaultKind::of(&error));
            }
        };
        match &self.syncs {
            Some(syncs) => syncs.tell(heard),
            None => heard(Ok(())),
        }
        Ok(())
    }

    /// Takes all of the provider's names into the file's index, before records that hold them leave the file.
    ///
    /// # Errors
    /// When the database engine fails; then the store is poisoned.
    pub(crate) fn index_sids(&self) -> Result<(), ReadError> {
        let _no_batch_meanwhile = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let gathered = self.newcomers().sids.all();
        if gathered.is_empty() {
            return Ok(());
        }
        let last = self.write(|transaction| newcomers::index_sids(transaction, &gathered))?;
        let mut newcomers = self.newcomers();
        (newcomers.sids, newcomers.sids_indexed) = (Arc::default(), last);
        Ok(())
    }

    /// Whether something that was committed is not durable yet.
    pub fn is_settling(&self) -> bool {
        self.syncs.as_ref().is_some_and(Syncs::is_under_way)
    }

    /// Waits until everything that was committed is durable.
    ///
    /// # Errors
    /// [`ReadError::Poisoned`] when that failed.
    pub fn settle(&self) -> Result<(), ReadError> {
        if let Some(syncs) = &self.syncs
            && let Err(error) = syncs.wait()
        {
            self.poison(FaultKind::of(&error));
        }
        if self.is_poisoned() { Err(ReadError::Poisoned) } else { Ok(()) }
    }

    /// Writes what `decide` changes, and gives its answer with the new head.
    fn write_batch<T, E>(
        &self,
        decide: impl FnOnce(&mut Batch<'_>) -> Result<T, E>,
    ) -> Result<(T, Head), CommitError<E>> {
        if self.is_poisoned() {
            return Err(CommitError::Poisoned);
        }
        let transaction = self.database.begin_write().map_err(|error| self.ambiguous(error.into()))?;
        let newcomers = self.newcomers().clone();
        let highest = self.highest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut batch = match Batch::new(
            &transaction,
            &self.keys,
            &self.entropy,
            (newcomers.clone(), self.newcomers_max),
            highest,
            self.chains,
        ) {
            Ok(batch) => batch,
            Err(error) => {
                self.poison(error.fault_kind().unwrap_or(FaultKind::Engine));
                return Err(CommitError::Batch(error.into()));
            }
        };
        let decided = decide(&mut batch);
        if let Some(fault) = batch.fault() {
            self.poison(fault);
        }
        let answer = decided.map_err(CommitError::Refused)?;
        if self.is_poisoned() {
            return Err(CommitError::Poisoned);
        }
        let Flushed { head, highest, persons, users, sids } = batch.flush().map_err(|(error, fault)| {
            if let Some(fault) = fault {
                self.poison(fault);
            }
            CommitError::Batch(error)
        })?;
        // Known before they are durable: no snapshot has somebody in it whom it does not find. Should the
        // commit fail, nobody asks any more.
        newcomers.persons.add(persons.hashes);
        newcomers.users.add(users.hashes);
        newcomers.sids.add(sids.hashes);
        transaction.commit().map_err(|error| self.ambiguous(error.into()))?;
        *self.highest.lock().unwrap_or_else(PoisonError::into_inner) = highest;
        if persons.are_indexed {
            self.newcomers().persons = Arc::default();
        }
        if users.are_indexed {
            self.newcomers().users = Arc::default();
        }
        if sids.are_indexed {
            let mut newcomers = self.newcomers();
            (newcomers.sids, newcomers.sids_indexed) = (Arc::default(), head.seq);
        }
        Ok((answer, head))
    }

    fn ambiguous<E>(&self, fault: Fault) -> CommitError<E> {
        self.poison(fault.kind());
        CommitError::Ambiguous(fault)
    }
}

/// Remembers a head that is durable, unless a newer one is known.
fn newest(known: &Mutex<Head>, head: Head) {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if known.seq <= head.seq {
        *known = head;
    }
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "small numbers, and an overflow fails the test"
)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use dunlin_workflows::timestamp::Timestamp;
    use redb::StorageBackend;

    use super::*;
    use crate::archive::Archives;
    use crate::create;
    use crate::error::BatchError;
    use crate::journal::JournalSeq;
    use crate::late_sync::LateFile;
    use crate::seal::{Entropy, Keyring};
    use crate::store::{OpenOptions, builder};

    /// A disk in memory that forgets what was not synced. Clones are the same disk.
    #[derive(Debug, Clone, Default)]
    struct Disk(Arc<Mutex<Platter>>);

    #[derive(Debug, Default)]
    struct Platter {
        bytes: Vec<u8>,
        synced: Vec<u8>,
        changes: u64,
        fails_at: Option<u64>,
        /// A sync waits until it is told to go on, when there is somebody to tell it.
        gate: Option<mpsc::Receiver<()>>,
    }

    impl Disk {
        fn change(&self, change: impl FnOnce(&mut Platter)) -> io::Result<()> {
            let mut platter = self.0.lock().unwrap();
            platter.changes += 1;
            if platter.fails_at.is_some_and(|at| platter.changes >= at) {
                return Err(io::Error::from_raw_os_error(28));
            }
            change(&mut platter);
            Ok(())
        }

        /// What a power loss leaves.
        fn survivor(&self) -> Self {
            let bytes = self.0.lock().unwrap().synced.clone();
            Self(Arc::new(Mutex::new(Platter { synced: bytes.clone(), bytes, ..Platter::default() })))
        }

        fn open(&self) -> Store {
            let options = OpenOptions {
                now: Timestamp::from_millis(1),
                cache_bytes: 1 << 20,
                callback_key: [7; 32],
                keys: Arc::new(Keyring::generate(&Entropy::seeded(1)).unwrap()),
                entropy: Entropy::seeded(2),
                check_integrity: false,
                newcomers_max: 10,
            };
            let (builder, repaired) = builder(&options);
            let (file, syncs) = LateFile::new(self.clone()).unwrap();
            let database = builder.create_with_backend(file).unwrap();
            let created = create::if_empty(&database, &options).unwrap();
            let (path, archives) = (Path::new("(disk)"), Archives::none());
            Store::start((database, Some(syncs)), path, archives, &options, created, &repaired).unwrap().0
        }
    }

    impl StorageBackend for Disk {
        fn len(&self) -> io::Result<u64> {
            Ok(self.0.lock().unwrap().bytes.len() as u64)
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            let start = usize::try_from(offset).unwrap();
            out.copy_from_slice(&self.0.lock().unwrap().bytes[start..start + out.len()]);
            Ok(())
        }

        fn set_len(&self, len: u64) -> io::Result<()> {
            self.change(|platter| platter.bytes.resize(usize::try_from(len).unwrap(), 0))
        }

        fn sync_data(&self) -> io::Result<()> {
            let gate = self.0.lock().unwrap().gate.take();
            if let Some(gate) = gate {
                gate.recv().unwrap();
            }
            self.change(|platter| platter.synced = platter.bytes.clone())
        }

        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            let start = usize::try_from(offset).unwrap();
            self.change(|platter| platter.bytes[start..start + data.len()].copy_from_slice(data))
        }
    }

    /// Sets a cursor to `n`; `told` has `n` once that is durable.
    fn advance(store: &Store, n: u64, told: &Arc<AtomicU64>) -> Result<(), CommitError<BatchError>> {
        let told = Arc::clone(told);
        store.commit_then(
            |batch| batch.set_cursor("reader", JournalSeq::new(n)),
            move |()| assert!(told.swap(n, Ordering::SeqCst) < n, "told in order"),
        )
    }

    fn cursor(store: &Store) -> u64 {
        store.reader().unwrap().cursor("reader").unwrap().get()
    }

    #[test]
    fn whatever_was_told_survives_a_power_loss_after_a_failure_at_any_change() {
        let all = |disk: &Disk| {
            let (store, told) = (disk.open(), Arc::new(AtomicU64::new(0)));
            let opened = disk.0.lock().unwrap().changes;
            let tried = (1..=5).take_while(|n| advance(&store, *n, &told).is_ok()).count() as u64;
            let settled = store.settle().is_ok();
            let failure = store.failure();
            drop(store);
            let told = told.load(Ordering::SeqCst);
            assert_eq!(settled, failure.is_none());
            assert!(failure.is_none_or(|kind| kind == FaultKind::NoRoom), "{failure:?}");
            assert!(!settled || told == tried);
            (opened, told, tried)
        };
        let disk = Disk::default();
        let (opened, told, _) = all(&disk);
        assert_eq!(told, 5);
        let total = disk.0.lock().unwrap().changes;
        let mut lost = 0;
        for change in opened + 1..=total {
            let disk = Disk::default();
            disk.0.lock().unwrap().fails_at = Some(change);
            let (_, told, tried) = all(&disk);
            let kept = cursor(&disk.survivor().open());
            assert!(
                (told..=tried + 1).contains(&kept),
                "change {change}: {told} told, {kept} kept of {tried}"
            );
            lost += u64::from(told < tried);
        }
        assert!(lost > 0, "a sync failed after the writer had gone on");
    }

    #[test]
    fn nobody_reads_what_a_power_loss_may_still_undo() {
        let (disk, told) = (Disk::default(), Arc::new(AtomicU64::new(0)));
        let store = disk.open();
        let (open, gate) = mpsc::channel();
        disk.0.lock().unwrap().gate = Some(gate);
        advance(&store, 1, &told).unwrap();
        assert_eq!(told.load(Ordering::SeqCst), 0);
        thread::scope(|scope| {
            let (tell, read) = mpsc::channel();
            let store = &store;
            scope.spawn(move || tell.send(cursor(store)).unwrap());
            assert!(read.recv_timeout(Duration::from_millis(50)).is_err());
            assert_eq!(cursor(&disk.survivor().open()), 0);
            open.send(()).unwrap();
            assert_eq!(read.recv().unwrap(), 1);
        });
        assert_eq!(cursor(&disk.survivor().open()), 1);
    }
}
