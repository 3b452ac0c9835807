//! Timers: the ordered index on disk is the truth, the wheel in memory holds only the near horizon.

use std::time::Duration;

use dunlin_storage::{ReadError, Store};
use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::timestamp::Timestamp;

use crate::engine::timer_wheel::TimerWheel;

/// Most timers loaded from disk at a time.
const LOAD_MAX: usize = 50_000;

/// Wall-clock timers. Fires never early: a timer is due when its instant is not after the wall clock.
///
/// When the wall clock jumps back, the wheel is emptied and filled anew from disk; when it jumps
/// forward, or the machine was asleep, everything that became due fires at the next turn.
#[derive(Debug)]
pub(super) struct Scheduler {
    wheel: TimerWheel<u64>,
    horizon: Duration,
    /// Every timer on disk up to and including this one is in the wheel.
    loaded: (Timestamp, MessageNumber),
    /// Whether the disk may hold timers after `loaded` and before the horizon.
    more: bool,
    now: Timestamp,
}

impl Scheduler {
    pub(super) fn new(horizon: Duration, now: Timestamp) -> Self {
        Self { wheel: TimerWheel::new(tick(now)), horizon, loaded: BEFORE_ALL, more: true, now }
    }

    /// Remembers a timer that is on disk, when it falls into what is loaded.
    pub(super) fn arm(&mut self, due_at: Timestamp, number: MessageNumber) {
        if (due_at, number) <= self.loaded {
            self.wheel.insert(tick(due_at), number.get());
        }
    }

    /// Moves to `now`, loads what came into the horizon, and collects what is due.
    pub(super) fn advance(
        &mut self,
        store: &Store,
        now: Timestamp,
        fired: &mut Vec<MessageNumber>,
    ) -> Result<(), ReadError> {
        if now < self.now {
            *self = Self::new(self.horizon, now);
        }
        self.now = now;
        self.load(store, now)?;
        let mut due = Vec::new();
        self.wheel.advance(tick(now), &mut due);
        fired.extend(due.into_iter().map(|(_, number)| MessageNumber::new(number)));
        Ok(())
    }

    fn load(&mut self, store: &Store, now: Timestamp) -> Result<(), ReadError> {
        let half = self.horizon.checked_div(2).unwrap_or_default();
        let hungry = if self.more { self.wheel.len() < LOAD_MAX / 2 } else { self.loaded.0 < now.plus(half) };
        if !hungry {
            return Ok(());
        }
        let until = now.plus(self.horizon);
        let timers = store.reader()?.timers_between(self.loaded, until, LOAD_MAX)?;
        self.more = timers.len() >= LOAD_MAX;
        for (due_at, number) in &timers {
            self.wheel.insert(tick(*due_at), number.get());
        }
        self.loaded = match timers.last() {
            Some(last) if self.more => *last,
            Some(_) | None => (until, MessageNumber::new(u64::MAX)),
        };
        Ok(())
    }

    /// Not later than the next due timer in the wheel, `None` when it is empty.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.wheel.next_due_hint().map(|ms| Timestamp::from_millis(i64::try_from(ms).unwrap_or(i64::MAX)))
    }
}

const BEFORE_ALL: (Timestamp, MessageNumber) = (Timestamp::from_millis(i64::MIN), MessageNumber::new(0));

/// The wheel counts milliseconds since the epoch; instants before it are due at once.
fn tick(at: Timestamp) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(0)
}
