//! Who is on duty: an engine with its store, or nobody, and why.

use std::sync::{Arc, PoisonError, RwLock};

use dunlin_storage::Store;

use crate::engine::Engine;

/// An engine and the store it works on.
#[derive(Debug)]
pub struct OnDuty {
    /// Answers every question that changes something.
    pub engine: Engine,
    /// Answers every question that only looks.
    pub store: Arc<Store>,
}

/// Why nobody is on duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Away {
    /// There is no room on the disk; an engine comes back when there is.
    NoRoom,
    /// The store failed; the process is about to end.
    Failed,
    /// The process is stopping.
    Stopping,
}

/// The place of the engine that is on duty. Whoever asks holds it for one answer only: a store can be
/// opened again only after everybody let go of it.
#[derive(Debug)]
pub struct Duty {
    now: RwLock<Result<Arc<OnDuty>, Away>>,
}

impl Duty {
    /// A place with an engine in it.
    pub fn of(on_duty: OnDuty) -> Self {
        Self { now: RwLock::new(Ok(Arc::new(on_duty))) }
    }

    /// Whoever is on duty now.
    ///
    /// # Errors
    /// Why nobody is.
    pub fn now(&self) -> Result<Arc<OnDuty>, Away> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// An engine takes over.
    pub fn begin(&self, on_duty: OnDuty) {
        self.set(Ok(Arc::new(on_duty)));
    }

    /// From now on nobody is on duty.
    pub fn end(&self, why: Away) {
        self.set(Err(why));
    }

    fn set(&self, now: Result<Arc<OnDuty>, Away>) {
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = now;
    }
}
