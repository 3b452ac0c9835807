//! The lease under which texts of a shared database are ours: set by whoever asks for it, read by the writer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

    /// It is in force, and ends as soon as one of the clocks of [`Clock`] reaches its instant. Both were read before the
    /// lease was asked for, plus its length. The wall clock also counts while the machine sleeps; set forward, it ends a
    /// lease too early, which is safe.
    ///
    /// After it lapsed this is for whoever has learned what went to somebody else meanwhile. What is confirmed under a
    /// lapsed lease is held again when its turn comes: confirm what is held once the lease is in force.
    pub fn until(&self, monotonic_ms: u64, wall: Timestamp) {
        self.set(Term::Until { monotonic_ms, wall });
    }

    /// It ends later, as [`LeaseHandle::until`] says, if it is in force; one that lapsed stays so. Says which.
    pub fn extend(&self, monotonic_ms: u64, wall: Timestamp, clock: &dyn Clock) -> Lease {
        let mut term = self.term();
        let standing = term.standing(clock);
        if let Term::Until { .. } = *term {
            *term = Term::Until { monotonic_ms, wall };
        }
        standing
    }

    /// It has ended.
    pub fn lapse(&self) {
        self.set(Term::Lapsed);
    }

    /// Whether what was claimed may be sent now. Once this said no, only a new term changes it.
    pub fn standing(&self, clock: &dyn Clock) -> Lease {
        self.term().standing(clock)
    }

    /// Whether another daemon may ever get what is ours.
    pub fn may_end(&self) -> bool {
        *self.term() != Term::Unlimited
    }

    fn term(&self) -> MutexGuard<'_, Term> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, term: Term) {
        *self.term() = term;
    }
}

impl Term {
    /// A term that is over is over for good: a clock that is set back does not bring it back.
    fn standing(&mut self, clock: &dyn Clock) -> Lease {
        match *self {
            Self::Unlimited => Lease::InForce,
            Self::Until { monotonic_ms, wall }
                if clock.monotonic_ms() < monotonic_ms && clock.wall() < wall =>
            {
                Lease::InForce
            }
            Self::Until { .. } | Self::Lapsed => {
                *self = Self::Lapsed;
                Lease::Lapsed
            }
        }
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

    const END: Timestamp = Timestamp::from_millis(5_100);

    #[test]
    fn lease_ends_with_whichever_clock_comes_first() {
        for (monotonic_ms, wall_ms, standing) in
            [(99, 5_099, Lease::InForce), (100, 5_000, Lease::Lapsed), (10, 5_100, Lease::Lapsed)]
        {
            let lease = LeaseHandle::lapsed();
            assert_eq!(lease.standing(&Standing(0, 0)), Lease::Lapsed, "nobody gave one yet");
            lease.clone().until(100, END);
            assert_eq!(lease.standing(&Standing(monotonic_ms, wall_ms)), standing);
        }
        let lease = LeaseHandle::unlimited();
        assert_eq!(lease.standing(&Standing(u64::MAX, i64::MAX)), Lease::InForce);
        lease.lapse();
        assert_eq!(lease.standing(&Standing(0, 0)), Lease::Lapsed);
    }

    #[test]
    fn lease_that_lapsed_is_not_extended_and_does_not_come_back_with_a_clock() {
        let lease = LeaseHandle::lapsed();
        lease.until(100, END);
        assert_eq!(lease.extend(200, Timestamp::from_millis(5_200), &Standing(99, 0)), Lease::InForce);
        assert_eq!(lease.standing(&Standing(199, 5_199)), Lease::InForce);
        assert_eq!(lease.standing(&Standing(10, 5_200)), Lease::Lapsed);
        assert_eq!(lease.standing(&Standing(11, 0)), Lease::Lapsed, "the wall clock was set back");
        assert_eq!(lease.extend(300, END, &Standing(12, 0)), Lease::Lapsed);
        assert_eq!(lease.standing(&Standing(12, 0)), Lease::Lapsed);
    }
}
