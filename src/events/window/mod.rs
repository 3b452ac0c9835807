//! What is being told: several at once, what is about one message one after the other, and up to where all of it is told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use dunlin_storage::JournalSeq;
use dunlin_workflows::id::MessageNumber;

/// Most that wait or are on the wire.
const WAITING_MAX: usize = 1024;
/// Most records between the first that is not told and the last that was read: bounds what is told again after a crash.
const SPAN_MAX: u64 = 1 << 14;
/// Most on the wire at once.
const FLYING_MAX: usize = 32;
/// First and longest wait after a refusal.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_mins(1);

/// Whom a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// What was told: others may be taken meanwhile.
    This,
    /// The receiver: it takes nothing now, and one at a time finds out whether it does again.
    Everything,
}

/// What waits to be told, in the order of the journal. Knows neither time nor network.
#[derive(Debug)]
pub(super) struct Window<T> {
    waiting: BTreeMap<JournalSeq, Waiting<T>>,
    /// What may go, as far as only its own wait keeps it: the first about its message.
    ready: BTreeSet<JournalSeq>,
    /// What is about one message, in order.
    lines: BTreeMap<MessageNumber, VecDeque<JournalSeq>>,
    flying: usize,
    /// Refusals of everything since something was taken; those that were on the wire together are one.
    refusals: u32,
    /// Nothing goes before this instant: we wait, or were asked to.
    closed_until_ms: u64,
    asked_until_ms: u64,
    read_to: JournalSeq,
}

#[derive(Debug)]
struct Waiting<T> {
    what: T,
    about: Option<MessageNumber>,
    tries: u32,
    not_before_ms: u64,
}

impl<T: Clone> Window<T> {
    /// Everything up to and including `told` is told.
    pub(super) fn new(told: JournalSeq) -> Self {
        Self {
            waiting: BTreeMap::new(),
            ready: BTreeSet::new(),
            lines: BTreeMap::new(),
            flying: 0,
            refusals: 0,
            closed_until_ms: 0,
            asked_until_ms: 0,
            read_to: told,
        }
    }

    /// How many more may be read now: none while there is enough.
    pub(super) fn room(&self) -> usize {
        let span = self.read_to.get().saturating_sub(self.told_to().get());
        let enough = self.waiting.len() > WAITING_MAX.div_euclid(2) || span >= SPAN_MAX;
        if enough { 0 } else { WAITING_MAX.saturating_sub(self.waiting.len()) }
    }

    /// One more to tell; later in the journal than all before.
    pub(super) fn push(&mut self, seq: JournalSeq, about: Option<MessageNumber>, what: T) {
        let is_first = about.is_none_or(|message| {
            let line = self.lines.entry(message).or_default();
            line.push_back(seq);
            line.len() == 1
        });
        if is_first {
            self.ready.insert(seq);
        }
        self.waiting.insert(seq, Waiting { what, about, tries: 0, not_before_ms: 0 });
        self.read_to = self.read_to.max(seq);
    }

    /// The journal was read up to here.
    pub(super) fn read_up_to(&mut self, seq: JournalSeq) {
        self.read_to = self.read_to.max(seq);
    }

    /// Up to where the journal was read.
    pub(super) fn read_to(&self) -> JournalSeq {
        self.read_to
    }

    /// What goes now, if anything does. While the receiver takes nothing, the one that was refused least finds out.
    pub(super) fn next(&mut self, now_ms: u64) -> Option<(JournalSeq, T)> {
        let most = if self.refusals == 0 { FLYING_MAX } else { 1 };
        if self.flying >= most || now_ms < self.closed_until_ms.max(self.asked_until_ms) {
            return None;
        }
        let due = |seq: &&JournalSeq| self.waiting.get(*seq).is_some_and(|one| one.not_before_ms <= now_ms);
        let seq = if self.refusals == 0 {
            self.ready.iter().find(due)
        } else {
            let tries = |seq: &&JournalSeq| self.waiting.get(*seq).map_or(0, |one| one.tries);
            self.ready.iter().filter(due).min_by_key(tries)
        };
        let seq = *seq?;
        self.ready.remove(&seq);
        self.flying = self.flying.saturating_add(1);
        self.waiting.get(&seq).map(|one| (seq, one.what.clone()))
    }

    /// It was taken.
    pub(super) fn told(&mut self, seq: JournalSeq) {
        self.flying = self.flying.saturating_sub(1);
        (self.refusals, self.closed_until_ms) = (0, 0);
        let Some(message) = self.waiting.remove(&seq).and_then(|one| one.about) else { return };
        let Some(line) = self.lines.get_mut(&message) else { return };
        line.pop_front();
        match line.front() {
            Some(next) => drop(self.ready.insert(*next)),
            None => drop(self.lines.remove(&message)),
        }
    }

    /// It was not taken. It goes again after a while, or after the wait that was asked for.
    pub(super) fn refused(&mut self, seq: JournalSeq, scope: Scope, asked: Option<Duration>, now_ms: u64) {
        self.flying = self.flying.saturating_sub(1);
        self.ready.insert(seq);
        if let Some(one) = self.waiting.get_mut(&seq) {
            one.tries = one.tries.saturating_add(1);
            one.not_before_ms = after(now_ms, asked.unwrap_or_default().max(backoff(one.tries)));
        }
        if scope == Scope::Everything && now_ms >= self.closed_until_ms {
            self.refusals = self.refusals.saturating_add(1);
            self.closed_until_ms = after(now_ms, backoff(self.refusals));
        }
        if let Some(wait) = asked {
            self.asked_until_ms = self.asked_until_ms.max(after(now_ms, wait));
        }
    }

    /// Up to where everything is told.
    pub(super) fn told_to(&self) -> JournalSeq {
        let first = self.waiting.keys().next();
        first.map_or(self.read_to, |first| JournalSeq::new(first.get().saturating_sub(1)))
    }

    /// How many wait or are on the wire.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The first that was refused, with how often.
    pub(super) fn troubled(&self) -> Option<(&T, u32)> {
        self.waiting.values().find(|one| one.tries > 0).map(|one| (&one.what, one.tries))
    }

    /// When something may go next, as far as only a wait keeps it.
    pub(super) fn next_due_ms(&self) -> Option<u64> {
        let first =
            self.ready.iter().filter_map(|seq| self.waiting.get(seq)).map(|one| one.not_before_ms).min();
        first.map(|ms| ms.max(self.closed_until_ms).max(self.asked_until_ms))
    }
}

/// How long to wait after so many refusals in a row: 1 s, 2 s, 4 s, and so on up to 1 min.
fn backoff(refusals: u32) -> Duration {
    let doublings = refusals.saturating_sub(1).min(6);
    BACKOFF_MIN.saturating_mul(1_u32 << doublings).min(BACKOFF_MAX)
}

fn after(now_ms: u64, wait: Duration) -> u64 {
    now_ms.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
