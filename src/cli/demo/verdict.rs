//! Whether the promises held: what the daemon says of every text, against what the carrier saw.

use std::collections::{BTreeMap, HashMap};

use dunlin_workflows::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cli::demo::cast::Text;
use crate::cli::message::Message;

/// One submission that the carrier accepted.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Seen {
    pub(super) body: String,
    accepted_at_ms: i64,
}

impl Seen {
    /// Whether it is a submission of this text.
    pub(super) fn is_of(&self, text: &Text) -> bool {
        self.body == text.body
    }
}

/// A text, the id that its acceptance was acknowledged with, and what became of it.
#[derive(Debug)]
pub(super) struct Fate<'a> {
    pub(super) text: &'a Text,
    pub(super) id: String,
    /// The message as the daemon shows it; `None` when the daemon does not know it.
    pub(super) message: Option<Value>,
}

/// What the demonstration came to.
#[derive(Debug, Default, Serialize, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Texts whose acceptance was acknowledged.
    pub(super) accepted: usize,
    /// Of those, delivered.
    pub(super) delivered: usize,
    /// Of those, never reaching anyone: how many for each reason.
    pub(super) failed: BTreeMap<String, usize>,
    /// Of those, neither final nor explained.
    pub(super) unexplained: usize,
    /// Of those, waiting for a person.
    pub(super) waiting_for_a_person: usize,
    /// Of those, unknown to the daemon.
    pub(super) lost: usize,
    /// Submissions that the carrier accepted.
    pub(super) submissions: usize,
    /// Submissions beyond the first, for the same text.
    pub(super) doubled: usize,
    /// Delivered by the daemon's word, but never seen by the carrier.
    pub(super) invented: usize,
    /// Sent before their time.
    pub(super) early: usize,
}

impl Verdict {
    /// Compares both sides.
    pub(super) fn of(fates: &[Fate<'_>], ledger: &[Seen]) -> Self {
        let mut seen: HashMap<&str, (usize, i64)> = HashMap::new();
        for submission in ledger {
            let entry = seen.entry(submission.body.as_str()).or_insert((0, submission.accepted_at_ms));
            entry.0 = entry.0.saturating_add(1);
            entry.1 = entry.1.min(submission.accepted_at_ms);
        }
        let mut verdict = Self { accepted: fates.len(), submissions: ledger.len(), ..Self::default() };
        for (count, _) in seen.values() {
            verdict.doubled = verdict.doubled.saturating_add(count.saturating_sub(1));
        }
        for fate in fates {
            let at_carrier =
                seen.get(fate.text.body.as_str()).map(|(_, first)| Timestamp::from_millis(*first));
            verdict.count(fate, at_carrier);
        }
        verdict
    }

    fn count(&mut self, fate: &Fate<'_>, at_carrier: Option<Timestamp>) {
        let one_more = |count: &mut usize| *count = count.saturating_add(1);
        if let (Some(at), Some(wanted)) = (at_carrier, fate.text.scheduled_for)
            && at < wanted
        {
            one_more(&mut self.early);
        }
        let Some(message) = fate.message.as_ref().and_then(Message::of) else {
            return one_more(&mut self.lost);
        };
        if message.state == "delivered" {
            one_more(&mut self.delivered);
            if at_carrier.is_none() {
                one_more(&mut self.invented);
            }
        } else if message.is_final() && message.error.is_some() {
            one_more(self.failed.entry(message.why()).or_default());
        } else if message.waits_for_a_person() {
            one_more(&mut self.waiting_for_a_person);
        } else {
            one_more(&mut self.unexplained);
        }
    }

    /// Whether every promise held.
    pub(super) fn kept(&self) -> bool {
        let broken = [self.unexplained, self.lost, self.doubled, self.invented, self.early];
        broken.iter().all(|count| *count == 0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::demo::cast::texts;

    #[test]
    fn doubled_early_invented_and_lost_texts_break_the_promise() {
        let texts = texts(10, Timestamp::from_millis(1_000_000));
        let state = |state: &str| Some(json!({"id": "x", "status": state, "state": state}));
        let fate = |at: usize, message| Fate { text: &texts[at], id: String::new(), message };
        let seen = |at: usize, ms| Seen { body: texts[at].body.clone(), accepted_at_ms: ms };
        let judge = |fates: &[Fate<'_>], ledger: &[Seen]| Verdict::of(fates, ledger);

        assert!(judge(&[fate(0, state("delivered"))], &[seen(0, 1)]).kept());
        assert_eq!(judge(&[fate(0, state("delivered"))], &[seen(0, 1), seen(0, 2)]).doubled, 1);
        assert_eq!(judge(&[fate(0, state("delivered"))], &[]).invented, 1);
        assert_eq!(judge(&[fate(9, state("delivered"))], &[seen(9, 1_000_001)]).early, 1);
        assert_eq!(judge(&[fate(0, None)], &[]).lost, 1);
        assert_eq!(judge(&[fate(0, state("queued"))], &[]).unexplained, 1);
    }
}
