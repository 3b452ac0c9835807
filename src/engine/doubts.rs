//! Attempts whose outcome is lost: when to search for each, and what must wait meanwhile.

use std::collections::HashMap;
use std::time::Duration;

use dunlin_workflows::body::Body;
use dunlin_workflows::id::{MessageNumber, PersonNumber};

use crate::engine::timer_wheel::TimerWheel;

/// Attempts whose outcome is lost. Waits run on the monotonic clock, and from the start again after
/// a restart: a jump of the wall clock must not end them before a late acceptance can be seen.
#[derive(Debug)]
pub(super) struct Doubts {
    wheel: TimerWheel<u64>,
    open: HashMap<u64, Doubt>,
}

#[derive(Debug)]
struct Doubt {
    lost_at_ms: u64,
    person: PersonNumber,
    body: Body,
    /// Messages with the same text to the same recipient: in the provider's list they would be
    /// taken for the lost one.
    behind: Vec<MessageNumber>,
}

impl Doubts {
    pub(super) fn new(now_ms: u64) -> Self {
        Self { wheel: TimerWheel::new(now_ms), open: HashMap::new() }
    }

    /// An outcome is lost: search for it `after` this long.
    pub(super) fn open(
        &mut self,
        number: MessageNumber,
        person: PersonNumber,
        body: Body,
        after: Duration,
        now_ms: u64,
    ) {
        self.open.insert(number.get(), Doubt { lost_at_ms: now_ms, person, body, behind: Vec::new() });
        self.again(number, after, now_ms);
    }

    /// Search once more, `after` this long since the outcome was lost, and not before now.
    pub(super) fn again(&mut self, number: MessageNumber, after: Duration, now_ms: u64) {
        if let Some(doubt) = self.open.get(&number.get()) {
            let wait_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            self.wheel.insert(doubt.lost_at_ms.saturating_add(wait_ms).max(now_ms), number.get());
        }
    }

    /// The question could not be answered; ask again after `pause`.
    pub(super) fn postpone(&mut self, number: MessageNumber, pause: Duration, now_ms: u64) {
        if self.open.contains_key(&number.get()) {
            let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            self.wheel.insert(now_ms.saturating_add(pause_ms), number.get());
        }
    }

    /// The outcome is known, or given up. Returns the messages that waited for it.
    pub(super) fn close(&mut self, number: MessageNumber) -> Vec<MessageNumber> {
        self.open.remove(&number.get()).map(|doubt| doubt.behind).unwrap_or_default()
    }

    /// Whether a message must wait for a doubt; if so it is kept until [`Doubts::close`] returns it.
    pub(super) fn keeps_back(&mut self, number: MessageNumber, person: PersonNumber, body: &Body) -> bool {
        let same = |(other, doubt): &(&u64, &mut Doubt)| {
            **other != number.get() && doubt.person == person && doubt.body.as_str() == body.as_str()
        };
        match self.open.iter_mut().find(same) {
            Some((_, doubt)) => {
                doubt.behind.push(number);
                true
            }
            None => false,
        }
    }

    /// Collects the attempts to search for now.
    pub(super) fn advance(&mut self, now_ms: u64, due: &mut Vec<MessageNumber>) {
        let mut fired = Vec::new();
        self.wheel.advance(now_ms, &mut fired);
        let open = fired.into_iter().filter(|(_, number)| self.open.contains_key(number));
        due.extend(open.map(|(_, number)| MessageNumber::new(number)));
    }

    /// Not later than the next search, in monotonic milliseconds.
    pub(super) fn next_due_ms(&self) -> Option<u64> {
        self.wheel.next_due_hint()
    }

    /// Attempts in doubt.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }
}
