//! Timers: the ordered index on disk is the truth, the wheel in memory holds only the near horizon.

use std::time::Duration;

use dunlin_storage::{ReadError, Store};
use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::rules::Sending;
use dunlin_workflows::timestamp::Timestamp;

use crate::engine::timer_wheel::TimerWheel;

/// Most timers loaded from disk at a time.
const LOAD_MAX: usize = 16_384;
/// Most timers in the wheel. With more the later ones go back to the disk, where they are anyway.
const WHEEL_MAX: usize = 131_072;

/// Wall-clock timers. Fires never early: a timer is due when its instant is not after the wall clock.
///
/// When the wall clock jumps back, the wheel is emptied and filled anew from disk; when it jumps
/// forward, or the machine was asleep, everything that became due fires at the next turns.
///
/// What it holds in memory is bounded, however many timers there are and however many are due at once.
#[derive(Debug)]
pub(super) struct Scheduler {
    wheel: TimerWheel<u64>,
    horizon: Duration,
    /// Every timer on disk up to and including this one is in the wheel, or has fired.
    loaded: (Timestamp, MessageNumber),
    /// Whether the disk may hold timers after `loaded` and before the horizon.
    more: bool,
    now: Timestamp,
    /// Messages held by the switch may follow this one: they are woken once after a start with sending
    /// enabled, since no clock will.
    switched_off_after: Option<MessageNumber>,
}

impl Scheduler {
    pub(super) fn new(horizon: Duration, now: Timestamp, sending: Sending) -> Self {
        let switched_off_after = match sending {
            Sending::Enabled => Some(MessageNumber::new(0)),
            Sending::Disabled => None,
        };
        let wheel = TimerWheel::new(tick(now));
        Self { wheel, horizon, loaded: BEFORE_ALL, more: true, now, switched_off_after }
    }

    /// Remembers a timer that is on disk, when it falls into what is loaded.
    pub(super) fn arm(&mut self, due_at: Timestamp, number: MessageNumber) {
        if (due_at, number) > self.loaded {
            return;
        }
        if self.wheel.len() >= WHEEL_MAX {
            self.shed();
        }
        if (due_at, number) <= self.loaded {
            self.wheel.insert(tick(due_at), number.get());
        }
    }

    /// Lets go of every timer that is not due; they are loaded again as they come near.
    fn shed(&mut self) {
        let mut due = Vec::new();
        self.wheel.advance(tick(self.now), &mut due);
        self.wheel = TimerWheel::new(tick(self.now));
        for (at, number) in due {
            self.wheel.insert(at, number);
        }
        self.loaded = (self.now, MessageNumber::new(u64::MAX));
        self.more = true;
    }

    /// Moves to `now`, loads what came into the horizon, and collects what is due.
    pub(super) fn advance(
        &mut self,
        store: &Store,
        now: Timestamp,
        fired: &mut Vec<MessageNumber>,
    ) -> Result<(), ReadError> {
        if now < self.now {
            self.wheel = TimerWheel::new(tick(now));
            (self.loaded, self.more) = (BEFORE_ALL, true);
        }
        self.now = now;
        self.load(store, now)?;
        let mut due = Vec::new();
        self.wheel.advance(tick(now), &mut due);
        // Of those due at the same instant, the one accepted first goes first.
        due.sort_unstable();
        fired.extend(due.into_iter().map(|(_, number)| MessageNumber::new(number)));
        self.switch_on(store, fired)
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

    /// Wakes some of those whom the switch held, when no timer needs the room.
    fn switch_on(&mut self, store: &Store, fired: &mut Vec<MessageNumber>) -> Result<(), ReadError> {
        let Some(after) = self.switched_off_after.filter(|_| fired.len() < LOAD_MAX) else { return Ok(()) };
        let held = store.reader()?.switched_off(after, LOAD_MAX)?;
        self.switched_off_after = held.last().copied();
        fired.extend(held);
        Ok(())
    }

    /// Not later than the next due timer, `None` when there is none within the horizon.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        if self.switched_off_after.is_some() {
            return Some(self.now);
        }
        self.wheel.next_due_hint().map(|ms| Timestamp::from_millis(i64::try_from(ms).unwrap_or(i64::MAX)))
    }
}

const BEFORE_ALL: (Timestamp, MessageNumber) = (Timestamp::from_millis(i64::MIN), MessageNumber::new(0));

/// The wheel counts milliseconds since the epoch; instants before it are due at once.
fn tick(at: Timestamp) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dunlin_storage::{Entropy, Keyring, NEWCOMERS_MAX, OpenOptions};
    use dunlin_workflows::body::Body;
    use dunlin_workflows::id::MessageId;
    use dunlin_workflows::message::{self, Context, Lease, Message, OnUnknown, Priority, Request};
    use dunlin_workflows::phone_number::PhoneNumber;
    use dunlin_workflows::policy::STRANGER;
    use dunlin_workflows::rules::Rules;
    use dunlin_workflows::source::Source;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_435_200_000);

    /// A store in which each of `schedules` is accepted; the number of a message is its place, from 1.
    fn store(schedules: &[Option<Timestamp>], sending: Sending) -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let options = OpenOptions {
            now: NOW,
            cache_bytes: 4 << 20,
            callback_key: [7; 32],
            keys: Arc::new(Keyring::generate(&Entropy::seeded(1)).unwrap()),
            entropy: Entropy::seeded(1),
            check_integrity: false,
            newcomers_max: NEWCOMERS_MAX,
        };
        let (store, _) = Store::open(&dir.path().join("dunlin.redb"), &options).unwrap();
        let rules = Rules { sending, ..Rules::default() };
        let context =
            Context { now: NOW, rules: &rules, recipient: &STRANGER, lease: Lease::InForce, jitter: 0 };
        store
            .commit(|batch| {
                for (place, scheduled_for) in (1_u128..).zip(schedules) {
                    let request = Request {
                        id: MessageId::from_bytes(place.to_be_bytes()),
                        to: PhoneNumber::from_digits(15_005_550_006).unwrap(),
                        body: Body::parse("Your table is ready").unwrap(),
                        priority: Priority::Normal,
                        scheduled_for: *scheduled_for,
                        expires_at: Some(NOW.plus(Duration::from_hours(1))),
                        on_unknown: OnUnknown::Hold,
                        user_id: None,
                        metadata: None,
                        retry_of: None,
                        kind: None,
                        template: None,
                        may_bypass: false,
                        is_claimed: false,
                    };
                    let person = batch.person(request.to)?;
                    let events = message::accept(request.terms(person, None), &context).unwrap();
                    let mut message = Message::begin(&events[0], NOW).unwrap();
                    events[1..].iter().for_each(|event| message.apply(event, NOW).unwrap());
                    let timer = message::timer(&message, &rules);
                    batch.create(NOW, Source::Api, &request, &events, &message, timer)?;
                }
                Ok::<_, dunlin_storage::BatchError>(())
            })
            .unwrap();
        (dir, store)
    }

    fn numbers(fired: &[MessageNumber]) -> Vec<u64> {
        fired.iter().map(|number| number.get()).collect()
    }

    #[test]
    fn switch_that_was_turned_wakes_whom_it_held_even_with_a_deadline() {
        let (_dir, store) = store(&[None, None], Sending::Disabled);
        for (sending, expected) in [(Sending::Enabled, vec![1, 2]), (Sending::Disabled, vec![])] {
            let mut scheduler = Scheduler::new(Duration::from_mins(1), NOW, sending);
            let mut fired = Vec::new();
            while fired.is_empty() && scheduler.next_due() == Some(NOW) {
                scheduler.advance(&store, NOW, &mut fired).unwrap();
            }
            scheduler.advance(&store, NOW, &mut fired).unwrap();
            assert_eq!(numbers(&fired), expected, "{sending:?}");
            assert_eq!(scheduler.next_due(), None, "each once");
        }
    }

    #[test]
    fn memory_is_bounded_and_everything_fires_in_order_when_all_are_due_at_once() {
        let due = NOW.plus(Duration::from_secs(30));
        let count = LOAD_MAX * 2 + 1;
        let (_dir, store) = store(&vec![Some(due); count], Sending::Enabled);
        let mut scheduler = Scheduler::new(Duration::from_mins(1), NOW, Sending::Enabled);
        let (mut all, mut fired) = (Vec::new(), Vec::new());
        scheduler.advance(&store, NOW, &mut all).unwrap();
        assert_eq!((all.len(), scheduler.next_due().is_some()), (0, true));
        while all.len() < count {
            scheduler.advance(&store, due, &mut fired).unwrap();
            assert!((1..=LOAD_MAX * 2).contains(&fired.len()), "{}", fired.len());
            all.append(&mut fired);
        }
        assert!(numbers(&all).is_sorted());
        assert!(all.iter().all(|number| (1..=32_769).contains(&number.get())));
    }

    #[test]
    fn wheel_that_grows_too_large_gives_the_later_timers_back_to_the_disk() {
        let schedules = [5_u64, 40].map(|seconds| Some(NOW.plus(Duration::from_secs(seconds))));
        let (_dir, store) = store(&schedules, Sending::Enabled);
        let mut scheduler = Scheduler::new(Duration::from_mins(1), NOW, Sending::Enabled);
        let mut fired = Vec::new();
        scheduler.advance(&store, NOW, &mut fired).unwrap();
        scheduler.arm(NOW, MessageNumber::new(9));
        scheduler.shed();
        assert_eq!(scheduler.wheel.len(), 1, "what is due stays");
        scheduler.advance(&store, NOW.plus(Duration::from_secs(41)), &mut fired).unwrap();
        assert_eq!(numbers(&fired), [9, 1, 2]);
    }
}
