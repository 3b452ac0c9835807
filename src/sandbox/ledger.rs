//! What the carrier took: every accepted message, found again by SID or recipient.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dunlin_workflows::message::ProviderStatus;
use dunlin_workflows::timestamp::Timestamp;

/// One accepted message.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    pub(super) to: Arc<str>,
    pub(super) from: Option<Arc<str>>,
    pub(super) messaging_service_sid: Option<Arc<str>>,
    pub(super) body: Arc<str>,
    pub(super) status_callback: Option<Arc<str>>,
    pub(super) segments: u16,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) sent_at: Option<Timestamp>,
    pub(super) status: ProviderStatus,
    pub(super) error_code: Option<u32>,
    /// Whether the account deleted it.
    pub(super) deleted: bool,
}

/// Every accepted message, in order of acceptance.
#[derive(Debug)]
pub(super) struct Ledger {
    seed: u64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    taken: Vec<Taken>,
    /// For each message, the one before it to the same recipient: two words where a list of its own
    /// for every recipient would take ten.
    earlier: Vec<Option<usize>>,
    newest: HashMap<Arc<str>, usize>,
}

impl Ledger {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, inner: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a message; returns its position.
    pub(super) fn take(&self, mut taken: Taken) -> usize {
        let mut inner = self.lock();
        let position = inner.taken.len();
        if let Some(last) = inner.taken.last() {
            // Senders seldom change: one copy of their names will do.
            share(&mut taken.from, last.from.as_ref());
            share(&mut taken.messaging_service_sid, last.messaging_service_sid.as_ref());
        }
        let earlier = inner.newest.insert(Arc::clone(&taken.to), position);
        inner.earlier.push(earlier);
        inner.taken.push(taken);
        position
    }

    /// Changes a message, if `change` finds it worth changing; returns it as it is afterwards.
    pub(super) fn change(&self, position: usize, change: impl FnOnce(&mut Taken)) -> Option<Taken> {
        let mut inner = self.lock();
        let taken = inner.taken.get_mut(position)?;
        change(taken);
        Some(taken.clone())
    }

    /// The message at a position.
    pub(super) fn get(&self, position: usize) -> Option<Taken> {
        self.lock().taken.get(position).cloned()
    }

    /// Whether no earlier message went to the same recipient.
    pub(super) fn is_first(&self, position: usize) -> bool {
        self.lock().earlier.get(position).is_some_and(Option::is_none)
    }

    /// How many messages were accepted.
    pub(super) fn len(&self) -> usize {
        self.lock().taken.len()
    }

    /// Positions, newest first: all of them, or those to one recipient.
    pub(super) fn newest_first(&self, to: Option<&str>) -> Vec<usize> {
        let inner = self.lock();
        match to {
            Some(to) => {
                let newest = inner.newest.get(to).copied();
                std::iter::successors(newest, |position| inner.earlier.get(*position).copied().flatten())
                    .collect()
            }
            None => (0..inner.taken.len()).rev().collect(),
        }
    }

    /// The SID of a position: looks random, as the provider's do, and leads back to the position.
    pub(super) fn sid(&self, position: usize) -> String {
        let plain = u64::try_from(position).unwrap_or(u64::MAX);
        let first = scramble(plain ^ self.seed);
        let second = plain ^ scramble(first);
        format!("SM{first:016x}{second:016x}")
    }

    /// The position that a SID leads to.
    pub(super) fn position(&self, sid: &str) -> Option<usize> {
        let digits = sid.strip_prefix("SM")?;
        let (first, second) = digits.split_at_checked(16)?;
        let first = u64::from_str_radix(first, 16).ok()?;
        let second = u64::from_str_radix(second, 16).ok()?;
        let position = usize::try_from(second ^ scramble(first)).ok()?;
        (position < self.len() && self.sid(position) == sid).then_some(position)
    }
}

/// Replaces a name by an equal one that is in memory already.
fn share(name: &mut Option<Arc<str>>, known: Option<&Arc<str>>) {
    if name.as_ref() == known {
        *name = known.cloned();
    }
}

/// A bijective mix of 64 bits (the finalizer of `SplitMix64`).
fn scramble(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_leads_back_to_its_message_and_no_other_does() {
        let ledger = Ledger::new(42);
        for _ in 0..100 {
            let position = ledger.take(Taken {
                to: "+1".into(),
                from: None,
                messaging_service_sid: None,
                body: "x".into(),
                status_callback: None,
                segments: 1,
                created_at: Timestamp::EPOCH,
                updated_at: Timestamp::EPOCH,
                sent_at: None,
                status: ProviderStatus::Queued,
                error_code: None,
                deleted: false,
            });
            assert_eq!(ledger.position(&ledger.sid(position)), Some(position));
        }
        assert_eq!(ledger.position(&ledger.sid(100)), None);
        assert_eq!(ledger.position("SM00000000000000000000000000000000"), None);
        assert_eq!(ledger.position("SM"), None);
    }
}
