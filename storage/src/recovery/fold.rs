//! The fold of a journal: what its records make of messages and lanes, one after the other.
//!
//! It works on any source of records, so that a store, a backup and an export can be replayed alike.

use std::collections::{BTreeMap, BTreeSet};

use dunlin_workflows::id::{MessageNumber, PersonNumber, UserNumber};
use dunlin_workflows::message::{self, IllegalEvent, Message};
use dunlin_workflows::policy::Usage;
use dunlin_workflows::timestamp::Timestamp;

use super::instances::FoldedInstance;
use crate::consent::ConsentProjection;
use crate::instance::InstanceKind;
use crate::journal::{JournalSeq, LaneNumber};
use crate::projection::LaneProjection;
use crate::reader::RawRecord;
use crate::record::{Event, PersonEvent, Record, RecordError};

/// How far to fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Until {
    /// To the end.
    #[default]
    End,
    /// Up to and including this position.
    Seq(JournalSeq),
    /// Up to the first record that is later than this instant.
    Time(Timestamp),
}

/// What is wrong with one record, given the ones before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It does not follow the record before it.
    #[error("position {expected} should come next; records are missing")]
    Gap {
        /// The position that should come next.
        expected: JournalSeq,
    },
    /// It can't be read.
    #[error(transparent)]
    Unreadable(#[from] RecordError),
    /// It names another predecessor than the newest record of the same message or lane.
    #[error(
        "it says that it follows {}, but the newest record of the same owner is {}",
        position(*said), position(*newest)
    )]
    Chain {
        /// The predecessor it names.
        said: Option<JournalSeq>,
        /// The newest record of the same message or lane.
        newest: Option<JournalSeq>,
    },
    /// What it says can't have happened then.
    #[error(transparent)]
    Illegal(#[from] IllegalEvent),
}

fn position(seq: Option<JournalSeq>) -> String {
    seq.map_or_else(|| "nothing".to_owned(), |seq| seq.to_string())
}

/// A message as its records say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded {
    /// The fold of its events.
    pub message: Message,
    /// Position of the record that began it.
    pub accepted_seq: JournalSeq,
    /// Position of its newest record.
    pub last_seq: JournalSeq,
}

/// Messages and lanes as the records so far say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fold {
    /// Position of the newest record.
    pub last_seq: JournalSeq,
    /// Every message that was not forgotten.
    pub messages: BTreeMap<MessageNumber, Folded>,
    /// Every lane of which something was recorded.
    pub lanes: BTreeMap<LaneNumber, LaneProjection>,
    /// What was sent lately to everybody of whom anything counts.
    pub usages: BTreeMap<PersonNumber, Usage>,
    /// Every user whom a message names.
    pub users: BTreeSet<UserNumber>,
    /// Every instance of a small workflow.
    pub instances: BTreeMap<(InstanceKind, u64), FoldedInstance>,
    /// Everybody of whose consent something was recorded.
    pub consents: BTreeMap<PersonNumber, ConsentProjection>,
}

/// Hears of every record while a journal is folded.
pub trait Visitor {
    /// This record was folded. The visitor may take a message out of the fold to bound its memory.
    fn happened(&mut self, record: &Record, fold: &mut Fold);

    /// Something is wrong with the record at this position.
    fn flawed(&mut self, seq: JournalSeq, flaw: Flaw);

    /// A record of a message that is not in the fold names a predecessor: whoever took the message out
    /// although more could come gives it back.
    fn recall(&mut self, _number: MessageNumber, _last_seq: JournalSeq) -> Option<Folded> {
        None
    }
}

/// Folds records in the order of the journal. A flawed record is reported and folded as far as it
/// makes sense, so that one flaw does not hide the next.
///
/// # Errors
/// Whatever the source of the records reports.
pub fn fold<E>(
    records: impl IntoIterator<Item = Result<RawRecord, E>>,
    until: Until,
    visitor: &mut impl Visitor,
) -> Result<Fold, E> {
    let mut fold = Fold::default();
    for raw in records {
        let raw = raw?;
        if matches!(until, Until::Seq(last) if raw.seq > last) {
            break;
        }
        match Record::decode(raw.seq, &raw.bytes) {
            Ok(record) if matches!(until, Until::Time(last) if record.at > last) => break,
            Ok(record) => fold.step(&record, visitor),
            Err(error) => {
                fold.follow(raw.seq, visitor);
                visitor.flawed(raw.seq, error.into());
            }
        }
    }
    Ok(fold)
}

impl Fold {
    fn step(&mut self, record: &Record, visitor: &mut impl Visitor) {
        self.follow(record.seq, visitor);
        if let (Event::Message { number, .. }, Some(previous)) = (&record.event, record.previous)
            && !self.messages.contains_key(number)
            && let Some(folded) = visitor.recall(*number, previous)
        {
            self.messages.insert(*number, folded);
        }
        let newest = match &record.event {
            Event::Message { number, .. } => self.messages.get(number).map(|folded| folded.last_seq),
            Event::Lane { lane, .. } => self.lanes.get(lane).map(|lane| lane.last_seq),
            Event::Person { person, .. } => self.consents.get(person).map(|row| row.last_seq),
            Event::Instance { number, event } => {
                self.instances.get(&(event.kind(), *number)).map(|row| row.last_seq)
            }
        };
        if record.previous != newest {
            visitor.flawed(record.seq, Flaw::Chain { said: record.previous, newest });
        }
        if let Err(illegal) = self.apply(record) {
            visitor.flawed(record.seq, illegal.into());
        }
        visitor.happened(record, self);
    }

    fn follow(&mut self, seq: JournalSeq, visitor: &mut impl Visitor) {
        let expected = self.last_seq.next();
        if seq != expected {
            visitor.flawed(seq, Flaw::Gap { expected });
        }
        self.last_seq = seq;
    }

    fn apply(&mut self, record: &Record) -> Result<(), IllegalEvent> {
        match &record.event {
            Event::Message { number, event } => self.apply_message(*number, event, record),
            Event::Lane { lane, event } => {
                let row = self.lanes.entry(*lane).or_default();
                row.lane.apply(event);
                row.last_seq = record.seq;
                Ok(())
            }
            Event::Person { person, event: PersonEvent::Erased { .. } } => {
                if let Some(row) = self.consents.get_mut(person) {
                    row.last_seq = record.seq;
                }
                Ok(())
            }
            Event::Person { person, event: PersonEvent::Consent(event) } => {
                let row = self.consents.entry(*person).or_default();
                row.consent.apply(event);
                row.last_seq = record.seq;
                Ok(())
            }
            Event::Instance { number, event } => {
                let kind = event.kind();
                let new = || FoldedInstance { state: kind.nothing(), last_seq: record.seq };
                let row = self.instances.entry((kind, *number)).or_insert_with(new);
                row.state.apply(event, record.at);
                row.last_seq = record.seq;
                Ok(())
            }
        }
    }

    fn apply_message(
        &mut self,
        number: MessageNumber,
        event: &message::Event,
        record: &Record,
    ) -> Result<(), IllegalEvent> {
        if let Some(folded) = self.messages.get_mut(&number) {
            folded.last_seq = record.seq;
            if let Some(day) = event.counts_on() {
                self.usages.entry(folded.message.person).or_default().count(day, record.at);
            }
            return folded.message.apply(event, record.at);
        }
        let message = Message::begin(event, record.at)?;
        self.users.extend(message.user);
        let folded = Folded { message, accepted_seq: record.seq, last_seq: record.seq };
        self.messages.insert(number, folded);
        Ok(())
    }
}
