//! What a journal adds up to: totals by state and failure class, latencies, and every flaw.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use dunlin_storage::recovery::{self, Flaw, Fold, Problem, Until, VerifyReport, Visitor, fold};
use dunlin_storage::{Event, JournalSeq, Record};
use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::message::{self, Message, STATES, StateName};
use dunlin_workflows::provider_error::FailureClass;
use dunlin_workflows::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::replay::latency::{Latencies, Quantiles};
use crate::replay::recording::{Recording, RecordingError};
use crate::timeline::written;

/// What a journal adds up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Records folded.
    pub records: u64,
    /// The position that was folded last.
    pub last_seq: JournalSeq,
    /// When the first and the last record happened.
    pub span: Option<(Timestamp, Timestamp)>,
    /// How many messages are in each state; states without any are left out.
    pub states: BTreeMap<StateName, u64>,
    /// Failures by class.
    pub failures: BTreeMap<FailureClass, Failures>,
    /// From acceptance, or from the schedule when that is later, to the provider's first yes.
    pub submitted: Quantiles,
    /// From the same to the handset.
    pub delivered: Quantiles,
    /// Every record that is illegal, undecodable or out of place, in the order of the journal.
    pub flaws: Vec<(JournalSeq, Flaw)>,
    /// What comparing with the stored projections found; `None` where there are none, or not from
    /// that time.
    pub stored: Option<VerifyReport>,
}

/// Failures of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Failures {
    /// Attempts that came to nothing, or were reported to have.
    pub attempts: u64,
    /// Messages that ended so.
    pub messages: u64,
}

impl Tally {
    /// Folds a recording as far as `until`. The stored projections are compared only at the end of
    /// the journal, for they are from there.
    ///
    /// # Errors
    /// When the recording can't be read. What is wrong with its records is in the tally.
    pub fn of(recording: &Recording, until: Until) -> Result<Self, RecordingError> {
        let mut counting = Counting::default();
        let fold = fold(recording.records(JournalSeq::START)?, until, &mut counting)?;
        let stored = match (until, recording.reader()?) {
            (Until::End, Some(reader)) => Some(recovery::verify(&reader, None, |_records, _in_all| {})?),
            (Until::End | Until::Seq(_) | Until::Time(_), _) => None,
        };
        let mut states = BTreeMap::new();
        for folded in fold.messages.values() {
            let count: &mut u64 = states.entry(folded.message.state.name()).or_default();
            *count = count.saturating_add(1);
            counting.count_end(&folded.message);
        }
        Ok(Self {
            records: counting.records,
            last_seq: fold.last_seq,
            span: counting.span,
            states,
            failures: counting.failures,
            submitted: counting.submitted.quantiles(),
            delivered: counting.delivered.quantiles(),
            flaws: counting.flaws,
            stored,
        })
    }

    /// Whether every record is right, and the stored projections, where there are any, are their fold.
    pub fn is_sound(&self) -> bool {
        self.flaws.is_empty() && self.stored.as_ref().is_none_or(VerifyReport::is_sound)
    }

    /// How many messages there are.
    pub fn messages(&self) -> u64 {
        self.states.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Differences from the stored projections, flawed records aside.
    fn differences(&self) -> impl Iterator<Item = &Problem> {
        let listed = self.stored.iter().flat_map(|stored| &stored.first);
        listed.filter(|problem| !matches!(problem, Problem::Record { .. }))
    }

    /// As programs read it.
    pub fn json(&self) -> Value {
        let states = STATES.iter().filter_map(|(state, word)| Some((*word, self.states.get(state)?)));
        let failures = self.failures.iter().map(|(class, failures)| {
            (class.as_str(), json!({"attempts": failures.attempts, "messages": failures.messages}))
        });
        let flaws = self.flaws.iter().map(|(seq, flaw)| json!({"seq": seq.get(), "flaw": flaw.to_string()}));
        json!({
            "records": self.records,
            "last_seq": self.last_seq.get(),
            "first_at": self.span.map(|(first, _)| written(first)),
            "last_at": self.span.map(|(_, last)| written(last)),
            "messages": self.messages(),
            "states": states.collect::<BTreeMap<_, _>>(),
            "failures": failures.collect::<BTreeMap<_, _>>(),
            "latency": {"submitted": self.submitted.json(), "delivered": self.delivered.json()},
            "flaws": flaws.collect::<Vec<_>>(),
            "stored": self.stored.as_ref().map(|stored| json!({
                "equal": stored.is_sound(),
                "messages": stored.messages,
                "lanes": stored.lanes,
                "problems": stored.problems,
                "differences": self.differences().map(ToString::to_string).collect::<Vec<_>>(),
            })),
        })
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "journal      {} records, up to position {}", self.records, self.last_seq)?;
        if let Some((first, last)) = self.span {
            write!(f, ", from {} to {}", written(first), written(last))?;
        }
        writeln!(f)?;
        writeln!(f, "messages     {:>10}", self.messages())?;
        for (state, word) in STATES {
            if let Some(count) = self.states.get(&state) {
                writeln!(f, "  {word:<11}{count:>10}")?;
            }
        }
        if !self.failures.is_empty() {
            writeln!(f, "failures     {:>10}{:>10}", "attempts", "messages")?;
        }
        for (class, failures) in &self.failures {
            let (class, Failures { attempts, messages }) = (class.as_str(), failures);
            writeln!(f, "  {class:<13}{attempts:>8}{messages:>10}")?;
        }
        writeln!(f, "latency      {:>10}{:>10}{:>10}{:>10}{:>10}", "count", "p50", "p90", "p99", "max")?;
        writeln!(f, "  submitted  {}", self.submitted.row())?;
        writeln!(f, "  delivered  {}", self.delivered.row())?;
        self.write_flaws(f)?;
        self.write_stored(f)
    }
}

impl Tally {
    fn write_flaws(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.flaws.is_empty() {
            return writeln!(f, "flaws        none: every record can be read and can have happened");
        }
        writeln!(f, "flaws        {}", self.flaws.len())?;
        self.flaws.iter().try_for_each(|(seq, flaw)| writeln!(f, "  record {seq}: {flaw}"))
    }

    fn write_stored(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(stored) = &self.stored else {
            return write!(f, "projections  not compared: they are only in a store, and only from its end");
        };
        let compared = format!("rows of messages {}, of lanes {}", stored.messages, stored.lanes);
        if stored.is_sound() {
            return write!(f, "projections  equal to the fold of the journal: {compared}, and every index");
        }
        write!(
            f,
            "projections  NOT equal to the fold of the journal: {compared}, {} problems",
            stored.problems
        )?;
        self.differences().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

/// Counts while the journal is folded.
#[derive(Debug, Default)]
struct Counting {
    records: u64,
    span: Option<(Timestamp, Timestamp)>,
    failures: BTreeMap<FailureClass, Failures>,
    submitted: Latencies,
    delivered: Latencies,
    /// Messages that the provider took.
    taken: BTreeSet<MessageNumber>,
    flaws: Vec<(JournalSeq, Flaw)>,
}

impl Counting {
    fn count_event(
        &mut self,
        number: MessageNumber,
        event: &message::Event,
        message: &Message,
        at: Timestamp,
    ) {
        let waiting_since = message.scheduled_for.unwrap_or(message.accepted_at).max(message.accepted_at);
        match event {
            message::Event::Submitted { .. } => {
                if self.taken.insert(number) {
                    self.submitted.add(at.since(waiting_since));
                }
            }
            message::Event::AttemptFailed { failure, .. } => self.count_failure(failure.class),
            message::Event::StatusReported { failure, .. } => {
                if message.state.name() == StateName::Delivered {
                    self.delivered.add(at.since(waiting_since));
                }
                if let Some(failure) = failure {
                    self.count_failure(failure.class);
                }
            }
            message::Event::Accepted { .. }
            | message::Event::Held { .. }
            | message::Event::BecameDue
            | message::Event::AttemptStarted { .. }
            | message::Event::AttemptSuspected { .. }
            | message::Event::Relinquished
            | message::Event::Reclaimed
            | message::Event::Bypassed { .. }
            | message::Event::OutcomeLost { .. }
            | message::Event::LookupFoundNothing { .. }
            | message::Event::Polled { .. }
            | message::Event::Unconfirmed
            | message::Event::Rescheduled { .. }
            | message::Event::Canceled
            | message::Event::Expired
            | message::Event::Suppressed { .. }
            | message::Event::GivenUp
            | message::Event::RetriedAs { .. }
            | message::Event::Remarked { .. }
            | message::Event::Contradicted { .. } => {}
        }
    }

    fn count_failure(&mut self, class: FailureClass) {
        let failures = self.failures.entry(class).or_default();
        failures.attempts = failures.attempts.saturating_add(1);
    }

    /// Counts a message that ended in a failure.
    fn count_end(&mut self, message: &Message) {
        let failed =
            message.state.name() == StateName::Failed || message.state.name() == StateName::Undelivered;
        if let Some(failure) = message.failure.as_ref().filter(|_| failed) {
            let failures = self.failures.entry(failure.class).or_default();
            failures.messages = failures.messages.saturating_add(1);
        }
    }
}

impl Visitor for Counting {
    fn happened(&mut self, record: &Record, fold: &mut Fold) {
        self.records = self.records.saturating_add(1);
        let (first, last) = self.span.unwrap_or((record.at, record.at));
        self.span = Some((first.min(record.at), last.max(record.at)));
        if let Event::Message { number, event } = &record.event
            && let Some(folded) = fold.messages.get(number)
        {
            self.count_event(*number, event, &folded.message, record.at);
        }
    }

    fn flawed(&mut self, seq: JournalSeq, flaw: Flaw) {
        self.flaws.push((seq, flaw));
    }
}
