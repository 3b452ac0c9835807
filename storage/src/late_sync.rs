//! Late syncs: while one commit reaches the disk, the next batch is decided.
//!
//! The disk sees what it would see anyway: the writes of a commit, its sync, and only then the writes of the
//! next. A late sync has a thread of its own; whatever would change the file waits until it has ended, and
//! whoever rests on the commit hears of it from that thread. Reading goes on meanwhile.

use std::fmt;
use std::io;
use std::ops::Bound;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use redb::{BackendError, StorageBackend};

/// Hears whether a commit is durable.
type Heard = Box<dyn FnOnce(io::Result<()>) + Send>;

/// A file whose syncs may be late.
#[derive(Debug)]
pub(crate) struct LateFile<B> {
    file: Arc<B>,
    syncs: Syncs,
    thread: Option<JoinHandle<()>>,
}

/// The syncs of such a file. Clones are of the same one.
#[derive(Clone, Default)]
pub(crate) struct Syncs(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    may_be_late: bool,
    /// Late syncs that were asked for: none or one more than have ended.
    asked: u64,
    ended: u64,
    /// Whoever hears of the one that is under way.
    heard: Option<Heard>,
    /// What failed first. Nothing is written or synced after it.
    failure: Option<io::Error>,
    is_closing: bool,
}

/// Lets syncs be late while it lives.
pub(crate) struct Late<'a>(&'a Syncs);

impl Syncs {
    /// Lets syncs be late until the guard is dropped.
    pub(crate) fn late(&self) -> Late<'_> {
        self.state().may_be_late = true;
        Late(self)
    }

    /// Tells whether everything written so far is durable: at once when that is known, else from the thread of
    /// the sync.
    pub(crate) fn tell(&self, heard: impl FnOnce(io::Result<()>) + Send + 'static) {
        // Whoever waits for the sync before is told first.
        let mut state = self.until(self.state(), |state| state.heard.is_none());
        if state.ended < state.asked {
            state.heard = Some(Box::new(heard));
        } else {
            let durable = state.check();
            drop(state);
            heard(durable);
        }
    }

    /// Waits until everything written so far is durable.
    ///
    /// # Errors
    /// What failed.
    pub(crate) fn wait(&self) -> io::Result<()> {
        let state = self.state();
        let asked = state.asked;
        self.until(state, |state| state.ended >= asked).check()
    }

    /// Whether a late sync is under way.
    pub(crate) fn is_under_way(&self) -> bool {
        let state = self.state();
        state.ended < state.asked
    }

    /// Waits until no sync is under way, before something is changed.
    fn idle(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.until(self.state(), |state| state.ended == state.asked);
        state.check().map(|()| state)
    }

    fn until<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        is_so: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
        self.0.1.wait_while(state, |state| !is_so(state)).unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries out late syncs until the file is closed.
    fn run(&self, sync: impl Fn() -> io::Result<()>) {
        loop {
            let state = self.until(self.state(), |state| state.ended < state.asked || state.is_closing);
            if state.ended == state.asked {
                return;
            }
            drop(state);
            self.end(sync());
        }
    }

    /// Notes how a late sync ended, and tells whoever waits for that.
    fn end(&self, synced: io::Result<()>) {
        let mut state = self.state();
        state.ended = state.asked;
        if let Err(error) = synced {
            state.failure.get_or_insert(error);
        }
        let (durable, heard) = (state.check(), state.heard.take());
        self.0.1.notify_all();
        drop(state);
        if let Some(heard) = heard {
            heard(durable);
        }
    }
}

impl State {
    fn check(&self) -> io::Result<()> {
        self.failure.as_ref().map_or(Ok(()), |error| Err(again(error)))
    }
}

/// The same error once more.
fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

impl Drop for Late<'_> {
    fn drop(&mut self) {
        self.0.state().may_be_late = false;
    }
}

/// Ends the sync under way as failed when its thread panics: nobody may wait for it for ever.
struct Ending(Syncs);

impl Drop for Ending {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.end(Err(io::Error::other("the thread that syncs the file ended")));
        }
    }
}

impl<B: StorageBackend> LateFile<B> {
    /// Starts the thread that syncs.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub(crate) fn new(file: B) -> io::Result<(Self, Syncs)> {
        let (file, syncs) = (Arc::new(file), Syncs::default());
        let (synced, ending) = (Arc::clone(&file), Ending(syncs.clone()));
        let thread = thread::Builder::new().name("sync".into()).spawn(move || {
            ending.0.run(|| synced.sync_data());
        })?;
        Ok((Self { file, syncs: syncs.clone(), thread: Some(thread) }, syncs))
    }
}

impl<B> Drop for LateFile<B> {
    fn drop(&mut self) {
        self.syncs.state().is_closing = true;
        self.syncs.0.1.notify_all();
        // Whoever hears of a sync may be the last to hold the store.
        let thread = self.thread.take().filter(|thread| thread.thread().id() != thread::current().id());
        if let Some(Err(_panicked)) = thread.map(JoinHandle::join) {
            // Told by what it left behind.
        }
    }
}

impl<B: StorageBackend> StorageBackend for LateFile<B> {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        drop(self.syncs.idle()?);
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.syncs.idle()?;
        if !state.may_be_late {
            drop(state);
            return self.file.sync_data();
        }
        state.asked = state.asked.saturating_add(1);
        self.syncs.0.1.notify_all();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        drop(self.syncs.idle()?);
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        let synced = self.syncs.wait();
        self.file.close().and(synced)
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

impl fmt::Debug for Syncs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        write!(f, "{} of {} late syncs", state.ended, state.asked)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// Tells what is done to it; a sync lasts until it is allowed to end.
    #[derive(Debug)]
    struct Disk {
        done: mpsc::Sender<&'static str>,
        ends: Mutex<mpsc::Receiver<io::Result<()>>>,
    }

    impl StorageBackend for Disk {
        fn len(&self) -> io::Result<u64> {
            Ok(0)
        }

        fn read(&self, _: u64, _: &mut [u8]) -> io::Result<()> {
            Ok(())
        }

        fn set_len(&self, _: u64) -> io::Result<()> {
            self.done.send("length").map_err(io::Error::other)
        }

        fn sync_data(&self) -> io::Result<()> {
            self.done.send("sync begins").map_err(io::Error::other)?;
            let ended = self.ends.lock().unwrap().recv().unwrap();
            self.done.send("sync ends").map_err(io::Error::other)?;
            ended
        }

        fn write(&self, _: u64, _: &[u8]) -> io::Result<()> {
            self.done.send("write").map_err(io::Error::other)
        }
    }

    struct Stand {
        file: LateFile<Disk>,
        syncs: Syncs,
        tell: mpsc::Sender<&'static str>,
        end: mpsc::Sender<io::Result<()>>,
    }

    /// What was done, in order; nothing when nothing is done for so many milliseconds.
    type Next = Box<dyn Fn(u64) -> Option<&'static str>>;

    fn stand() -> (Stand, Next) {
        let ((tell, done), (end, ends)) = (mpsc::channel(), mpsc::channel());
        let (file, syncs) = LateFile::new(Disk { done: tell.clone(), ends: Mutex::new(ends) }).unwrap();
        let next = move |wait_ms| done.recv_timeout(Duration::from_millis(wait_ms)).ok();
        (Stand { file, syncs, tell, end }, Box::new(next))
    }

    impl Stand {
        /// Writes and syncs, lately; `heard` is sent on when the sync was heard of.
        fn commit(&self, heard: &'static str) {
            let late = self.syncs.late();
            self.file.write(0, b"page").unwrap();
            self.file.sync_data().unwrap();
            drop(late);
            let tell = self.tell.clone();
            self.syncs.tell(move |durable| {
                tell.send(if durable.is_ok() { heard } else { "failed" }).unwrap();
            });
        }
    }

    #[test]
    fn nothing_is_written_and_nobody_hears_before_the_sync_has_ended() {
        let (stand, within) = stand();
        let next = || within(30_000).unwrap();
        stand.commit("first is durable");
        assert_eq!([next(), next()], ["write", "sync begins"]);
        stand.file.read(0, &mut [0]).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| stand.commit("second is durable"));
            assert_eq!(within(50), None, "nothing is done meanwhile");
            stand.end.send(Ok(())).unwrap();
            assert_eq!(next(), "sync ends");
            let mut after = [next(), next(), next()];
            after.sort_unstable();
            assert_eq!(after, ["first is durable", "sync begins", "write"]);
        });
        stand.end.send(Ok(())).unwrap();
        stand.syncs.wait().unwrap();
        assert_eq!([next(), next()], ["sync ends", "second is durable"]);
        stand.syncs.tell(|durable| durable.unwrap());
        stand.file.close().unwrap();
    }

    #[test]
    fn after_a_late_sync_failed_nothing_is_written_any_more() {
        let (stand, within) = stand();
        let next = || within(30_000).unwrap();
        stand.commit("durable");
        stand.end.send(Err(io::Error::from_raw_os_error(28))).unwrap();
        let full = |error: io::Error| assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        full(stand.syncs.wait().unwrap_err());
        full(stand.file.write(0, b"page").unwrap_err());
        full(stand.file.set_len(1).unwrap_err());
        full(stand.file.sync_data().unwrap_err());
        assert_eq!([next(), next(), next(), next()], ["write", "sync begins", "sync ends", "failed"]);
        stand.syncs.tell(|durable| assert!(durable.is_err()));
    }

    #[test]
    fn sync_is_not_late_unless_that_was_allowed_and_closing_waits_for_it() {
        let (stand, within) = stand();
        let next = || within(30_000).unwrap();
        stand.end.send(Ok(())).unwrap();
        stand.file.sync_data().unwrap();
        assert_eq!([next(), next()], ["sync begins", "sync ends"]);
        stand.commit("durable");
        stand.end.send(Ok(())).unwrap();
        stand.file.close().unwrap();
        assert_eq!([next(), next(), next()], ["write", "sync begins", "sync ends"]);
        drop(stand.file);
        assert_eq!(next(), "durable");
    }
}
