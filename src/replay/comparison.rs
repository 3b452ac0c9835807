//! What other rules make of a journal's messages, beside what became of them.

use std::collections::BTreeMap;
use std::fmt;

use dunlin_workflows::id::MessageId;
use dunlin_workflows::message::Event;
use dunlin_workflows::rules::Rules;
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::what_if::{Change, Comparison, Outcome, Redecided, redecide};
use serde_json::{Value, json};

use crate::replay::latency::{Latencies, Quantiles};
use crate::replay::lives::Lives;
use crate::replay::what_if_file::WhatIf;
use crate::timeline::written;

/// Every message decided again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparisons {
    /// What the other rules are.
    set: Vec<(String, String)>,
    title: String,
    /// In the order of acceptance.
    compared: Vec<(MessageId, Comparison)>,
    /// Lives that do not fold; the tally tells why.
    broken: usize,
    /// Lives that come out otherwise even under the rules that should have been in force.
    estranged: usize,
}

impl Comparisons {
    /// Decides every life again under `what_if`, and, to know how far that can be trusted, under
    /// `recorded`: the rules that are believed to have been in force.
    pub fn of(lives: &Lives, recorded: &Rules, what_if: &WhatIf) -> Self {
        let events: Vec<Vec<(Timestamp, Event)>> = lives
            .lives
            .iter()
            .map(|life| life.entries.iter().map(|entry| (entry.at, entry.event.clone())).collect())
            .collect();
        let decide =
            |change: &Change| redecide(events.iter().map(Vec::as_slice), recorded, change, lives.ends_at);
        let same = Change { rules: recorded.clone(), segments_per_second: None, expires_after: None };
        let estranged = decide(&same).iter().flatten().filter(|comparison| comparison.is_changed()).count();
        let redecided = decide(&what_if.change);
        let broken = redecided.iter().filter(|result| result.is_err()).count();
        let compared = lives.lives.iter().zip(redecided);
        Self {
            set: what_if.set.clone(),
            title: what_if.to_string(),
            compared: compared.filter_map(|(life, result)| Some((life.id, result.ok()?))).collect(),
            broken,
            estranged,
        }
    }

    /// The messages that end otherwise, or can't be told.
    pub fn changed(&self) -> impl Iterator<Item = &(MessageId, Comparison)> {
        self.compared.iter().filter(|(_, comparison)| comparison.is_changed())
    }

    /// How many messages go from one outcome to another, most first.
    fn moves(&self) -> Vec<(String, String, usize)> {
        let mut moves: BTreeMap<(String, String), usize> = BTreeMap::new();
        for (_, comparison) in self.changed() {
            let key = (kind(&comparison.recorded), kind_of(&comparison.redecided));
            let count = moves.entry(key).or_default();
            *count = count.saturating_add(1);
        }
        let mut moves: Vec<_> = moves.into_iter().map(|((from, to), count)| (from, to, count)).collect();
        moves.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
        moves
    }

    /// How much later the messages get there that end the same and later.
    fn delays(&self) -> Quantiles {
        let mut delays = Latencies::default();
        for (_, comparison) in self.compared.iter().filter(|(_, comparison)| !comparison.is_changed()) {
            if let Redecided::As(outcome) = comparison.redecided
                && outcome.since > comparison.recorded.since
            {
                delays.add(outcome.since.since(comparison.recorded.since));
            }
        }
        delays.quantiles()
    }

    /// As programs read it, with at most `listed` of the changed messages.
    pub fn json(&self, listed: usize) -> Value {
        let moves = self.moves();
        let moves = moves.iter().map(|(from, to, count)| json!({"from": from, "to": to, "messages": count}));
        let changed = self.changed().take(listed).map(|(id, comparison)| {
            let redecided = match &comparison.redecided {
                Redecided::As(outcome) => outcome_json(outcome),
                Redecided::Undetermined { why, at } => json!({"undetermined": why.to_string(), "at": written(*at)}),
            };
            json!({"id": id.to_string(), "recorded": outcome_json(&comparison.recorded), "redecided": redecided})
        });
        json!({
            "what_if": self.set.iter().cloned().collect::<BTreeMap<_, _>>(),
            "messages": self.compared.len(),
            "changed": self.changed().count(),
            "estranged": self.estranged,
            "broken": self.broken,
            "delays": self.delays().json(),
            "moves": moves.collect::<Vec<_>>(),
            "listed": changed.collect::<Vec<_>>(),
        })
    }

    /// As people read it, with at most `listed` of the changed messages.
    pub fn text(&self, listed: usize) -> String {
        let mut lines = Vec::new();
        let changed = self.changed().count();
        lines.push(format!("what if      {}", self.title));
        lines.push(format!("messages     {}, of which {changed} end otherwise", self.compared.len()));
        for (from, to, count) in self.moves() {
            lines.push(format!("  {count:>8}  {from} -> {to}"));
        }
        let delays = self.delays();
        if delays.count > 0 {
            lines.push(format!(
                "later        {:>10}{:>10}{:>10}{:>10}{:>10}",
                "count", "p50", "p90", "p99", "max"
            ));
            lines.push(format!("  same end   {}", delays.row()));
        }
        lines.push(match self.estranged {
            0 => "check        under the rules of this environment every message comes out as recorded".to_owned(),
            estranged => format!(
                "check        under the rules of this environment {estranged} messages do not come out as recorded: \
                 set the DUNLIN_ variables as they were, or trust the difference less"
            ),
        });
        if self.broken > 0 {
            lines.push(format!("left out     {} messages whose records are flawed", self.broken));
        }
        if changed > 0 {
            lines.push(format!("changed      {} of {changed}", listed.min(changed)));
        }
        for (id, comparison) in self.changed().take(listed) {
            lines.push(format!(
                "  {id}  {} -> {}",
                Shown(&comparison.recorded),
                shown(&comparison.redecided)
            ));
        }
        lines.join("\n")
    }
}

/// An outcome without its time.
fn kind(outcome: &Outcome) -> String {
    let attempts = if outcome.attempts == 1 { "attempt" } else { "attempts" };
    format!("{} after {} {attempts}", outcome.state.as_str(), outcome.attempts)
}

fn kind_of(redecided: &Redecided) -> String {
    match redecided {
        Redecided::As(outcome) => kind(outcome),
        Redecided::Undetermined { why, .. } => format!("can't be told: {why}"),
    }
}

fn shown(redecided: &Redecided) -> String {
    match redecided {
        Redecided::As(outcome) => Shown(outcome).to_string(),
        Redecided::Undetermined { why, at } => format!("can't be told from {} on: {why}", written(*at)),
    }
}

/// An outcome with its time.
struct Shown<'a>(&'a Outcome);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", kind(self.0), written(self.0.since))
    }
}

fn outcome_json(outcome: &Outcome) -> Value {
    json!({"state": outcome.state.as_str(), "attempts": outcome.attempts, "since": written(outcome.since)})
}
