//! Who goes next: due messages by priority and age, within slots, rate and one at a time per recipient.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use dunlin_workflows::id::{MessageNumber, PersonNumber};
use dunlin_workflows::message::{Message, Priority};

use crate::engine::rate::SegmentBucket;

/// How much older a message must be than an urgent one to go before it.
///
/// A message's place is fixed when it becomes due, so newer ones of any priority pass it only for
/// this long: low never starves.
const AGE_HANDICAP_MS: [(Priority, u64); 4] =
    [(Priority::Urgent, 0), (Priority::High, 10_000), (Priority::Normal, 60_000), (Priority::Low, 300_000)];

/// Limits on what may be with the provider at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DispatchLimits {
    /// Most requests on the wire.
    pub concurrency: usize,
    /// Most segments per second; no limit when `None`.
    pub segments_per_second: Option<u32>,
}

/// Due messages waiting for a slot, and the slots. Decides nothing about a message: a message that
/// is no longer due when its turn comes is skipped by whoever asked.
#[derive(Debug)]
pub struct Dispatcher {
    limits: DispatchLimits,
    bucket: SegmentBucket,
    queue: BTreeMap<Place, Waiting>,
    /// Everybody who waits, in the queue or behind somebody.
    waiting: HashSet<u64>,
    in_flight: HashMap<u64, PersonNumber>,
    /// Recipients with a request on the wire, and who waits behind it. One at a time per recipient
    /// keeps a lost outcome recognizable in the provider's list.
    busy: HashMap<PersonNumber, Vec<(Place, Waiting)>>,
}

/// Order of going: handicapped age first, then the order of acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    rank_ms: u64,
    number: u64,
}

impl Place {
    /// Where a message stands that becomes due at this moment.
    fn at(now_ms: u64, number: MessageNumber, priority: Priority) -> Self {
        Self { rank_ms: now_ms.saturating_add(handicap_ms(priority)), number: number.get() }
    }
}

/// A due message. Hundreds of thousands may wait, so it is small.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    person: PersonNumber,
    segments: u16,
    priority: Priority,
}

/// What the dispatcher says when asked for the next message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// This one may go; its slot and its recipient are taken until [`Dispatcher::release`].
    Go(MessageNumber),
    /// Nobody before this many milliseconds have passed, for the rate's sake.
    After(Duration),
    /// Nobody until something is enqueued or released.
    Nobody,
}

impl Dispatcher {
    /// An empty dispatcher.
    pub fn new(limits: DispatchLimits, now_ms: u64) -> Self {
        Self {
            limits,
            bucket: SegmentBucket::new(limits.segments_per_second, now_ms),
            queue: BTreeMap::new(),
            waiting: HashSet::new(),
            in_flight: HashMap::new(),
            busy: HashMap::new(),
        }
    }

    /// Lets a due message wait for its turn. Enqueuing twice keeps the first place.
    pub fn enqueue(&mut self, number: MessageNumber, message: &Message, now_ms: u64) {
        let place = Place::at(now_ms, number, message.priority);
        if self.in_flight.contains_key(&place.number) || self.waiting.contains(&place.number) {
            return;
        }
        self.waiting.insert(place.number);
        let Message { person, segments, priority, .. } = *message;
        self.queue.insert(place, Waiting { person, segments, priority });
    }

    /// The next message that may go, if any.
    pub fn next(&mut self, now_ms: u64) -> Turn {
        while self.has_slot() {
            let Some((place, waiting)) = self.queue.pop_first() else {
                return Turn::Nobody;
            };
            if let Some(behind) = self.busy.get_mut(&waiting.person) {
                behind.push((place, waiting));
                continue;
            }
            if let Err(wait_ms) = self.bucket.take(waiting.segments, now_ms) {
                self.queue.insert(place, waiting);
                return Turn::After(Duration::from_millis(wait_ms));
            }
            self.waiting.remove(&place.number);
            self.in_flight.insert(place.number, waiting.person);
            self.busy.insert(waiting.person, Vec::new());
            return Turn::Go(MessageNumber::new(place.number));
        }
        Turn::Nobody
    }

    /// The request of this message is over, or it was not due after all.
    pub fn release(&mut self, number: MessageNumber) {
        let Some(to) = self.in_flight.remove(&number.get()) else {
            return;
        };
        if let Some(behind) = self.busy.remove(&to) {
            self.queue.extend(behind);
        }
    }

    /// Whether a slot is free.
    pub fn has_slot(&self) -> bool {
        self.in_flight.len() < self.limits.concurrency
    }

    /// Requests on the wire.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Due messages without a slot.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How long the message that would go next has waited, in milliseconds.
    pub fn oldest_wait_ms(&self, now_ms: u64) -> u64 {
        self.queue.first_key_value().map_or(0, |(place, waiting)| {
            now_ms.saturating_add(handicap_ms(waiting.priority)).saturating_sub(place.rank_ms)
        })
    }
}

/// How much older a message of this priority must be than an urgent one to go before it.
fn handicap_ms(priority: Priority) -> u64 {
    AGE_HANDICAP_MS.iter().find(|(one, _)| *one == priority).map_or(0, |(_, handicap)| *handicap)
}
