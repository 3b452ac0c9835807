//! The lease under which texts of a shared database are ours: set by whoever asks for it, read by the writer.

use std::sync::{Arc, Mutex, PoisonError};

use dunlin_workflows::message::Lease;
use dunlin_workflows::timestamp::Timestamp;

use crate::clock::Clock;

/// A handle on the lease. Clones are the same lease.
#[derive(Debug, Clone)]
pub struct LeaseHandle(Arc<Mutex<Term>>);

/// How long what was claimed is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Term {
    Unlimited,
    Until { monotonic_ms: u64, wall: Timestamp },
    Lapsed,
}

impl LeaseHandle {
    /// A lease that never ends: there is no shared database, or this daemon is alone with it.
    pub fn unlimited() -> Self {
        Self(Arc::new(Mutex::new(Term::Unlimited)))
    }

    /// A lease that begins when somebody gives it a term: nothing that was claimed leaves before.
    pub fn lapsed() -> Self {
        Self(Arc::new(Mutex::new(Term::Lapsed)))
    }

    /// It never ends from now on.
    pub fn grant(&self) {
        self.set(Term::Unlimited);
    }

    /// It ends as soon as one of the clocks of [`Clock`] reaches its instant. Both were read before the lease was asked
    /// for, plus its length. The wall clock also counts while the machine sleeps; set forward, it ends a lease too early,
    /// which is safe.
    pub fn until(&self, monotonic_ms: u64, wall: Timestamp) {
        self.set(Term::Until { monotonic_ms, wall });
    }

    /// It has ended.
    pub fn lapse(&self) {
        self.set(Term::Lapsed);
    }

    /// Whether what was claimed may be sent now.
    pub fn standing(&self, clock: &dyn Clock) -> Lease {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Term::Unlimited => Lease::InForce,
            Term::Until { monotonic_ms, wall } => {
                let holds = clock.monotonic_ms() < monotonic_ms && clock.wall() < wall;
                if holds { Lease::InForce } else { Lease::Lapsed }
            }
            Term::Lapsed => Lease::Lapsed,
        }
    }

    fn set(&self, term: Term) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = term;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Standing(u64, i64);

    impl Clock for Standing {
        fn wall(&self) -> Timestamp {
            Timestamp::from_millis(self.1)
        }

        fn monotonic_ms(&self) -> u64 {
            self.0
        }
    }

    #[test]
    fn lease_ends_with_whichever_clock_comes_first() {
        let lease = LeaseHandle::lapsed();
        assert_eq!(lease.standing(&Standing(0, 0)), Lease::Lapsed, "nobody gave one yet");
        let same = lease.clone();
        same.until(100, Timestamp::from_millis(5_100));
        for (monotonic_ms, wall_ms, standing) in
            [(99, 5_099, Lease::InForce), (100, 5_000, Lease::Lapsed), (10, 5_100, Lease::Lapsed)]
        {
            assert_eq!(lease.standing(&Standing(monotonic_ms, wall_ms)), standing);
        }
        lease.grant();
        assert_eq!(same.standing(&Standing(u64::MAX, i64::MAX)), Lease::InForce);
        lease.lapse();
        assert_eq!(same.standing(&Standing(0, 0)), Lease::Lapsed);
    }
}
