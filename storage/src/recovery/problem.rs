//! What verifying a store can find.

use std::collections::BTreeMap;

use dunlin_workflows::id::{MessageNumber, PersonNumber};

use super::fold::{Flaw, Folded};
use crate::chain::Head;
use crate::instance::InstanceKind;
use crate::journal::{JournalSeq, LaneNumber};
use crate::projection::Projection;

/// Most problems that a report lists; it counts all of them.
pub const PROBLEMS_LISTED: usize = 100;

/// One thing that is wrong with a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A journal record is flawed.
    #[error("journal record {seq}: {flaw}")]
    Record {
        /// Its position.
        seq: JournalSeq,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// The chain over the records does not end in the head that the file tells.
    #[error("the chain over the journal ends in {computed}, the file says {stored}: a record was changed")]
    Head {
        /// What the records give.
        computed: Head,
        /// What the file says.
        stored: Head,
    },
    /// The journal is not the continuation of the one that had the expected head.
    #[error("{}", rewritten(expected, *found))]
    Rewritten {
        /// The head that was noted earlier.
        expected: Head,
        /// The head at that position now; `None` when the journal ends before it.
        found: Option<Head>,
    },
    /// An archive can't be used, or is not what the store says.
    #[error("{why}")]
    Archive {
        /// Which, and why.
        why: String,
    },
    /// Archives do not follow each other.
    #[error(
        "the archives end at {end}, and the next begins at {first}: one of them is not known to the store"
    )]
    ArchiveGap {
        /// Where those before it end.
        end: Head,
        /// Where it begins.
        first: JournalSeq,
    },
    /// The chain at the end of an archive is not what the store says.
    #[error(
        "the chain at record {last}, the end of an archive, is not what the store says: a record was changed"
    )]
    ArchiveHead {
        /// The archive's last record.
        last: JournalSeq,
    },
    /// A record that is in an archive and in the store is not the same in both.
    #[error("journal record {seq} is not the same in the store and in its archive")]
    DifferentCopy {
        /// Its position.
        seq: JournalSeq,
    },
    /// A message that is in the store lacks records there.
    #[error("message number {}: the store lacks its record {seq}, which is in an archive", number.get())]
    MissingCopy {
        /// The message.
        number: MessageNumber,
        /// Position of the record.
        seq: JournalSeq,
    },
    /// A message has no row.
    #[error("message number {}: its row is missing, its records end at {last_seq}", number.get())]
    MissingRow {
        /// The message.
        number: MessageNumber,
        /// Position of its newest record.
        last_seq: JournalSeq,
    },
    /// A row belongs to no message.
    #[error("message number {}: its row says that record {accepted_seq} began it, which is not so", number.get())]
    BaselessRow {
        /// The message.
        number: MessageNumber,
        /// The record that the row names.
        accepted_seq: JournalSeq,
    },
    /// A message's row says something else than its records.
    #[error("message number {}: its row and its records differ in {fields}; its records end at {last_seq}", number.get())]
    DifferentRow {
        /// The message.
        number: MessageNumber,
        /// Position of its newest record.
        last_seq: JournalSeq,
        /// In which fields they differ.
        fields: String,
    },
    /// A table says something else of a person than the records.
    #[error("table {table}: it differs from the records of person {}", person.get())]
    DifferentConsent {
        /// The table.
        table: &'static str,
        /// The person.
        person: PersonNumber,
    },
    /// A table says something else of an instance of a small workflow than its records.
    #[error("table {table}: it differs from the records of {} {number}", kind.as_str())]
    DifferentInstance {
        /// The table.
        table: &'static str,
        /// Its kind.
        kind: InstanceKind,
        /// Its number.
        number: u64,
    },
    /// A lane's row says something else than its records, or only one of them is there.
    #[error("lane {}: its row and its records differ", lane.get())]
    DifferentLane {
        /// The lane.
        lane: LaneNumber,
    },
    /// A row can't be read.
    #[error("{why}")]
    Unreadable {
        /// Which row, and why.
        why: String,
    },
    /// An index has no entry for a message, or another one.
    #[error("table {table}: its entry for message number {} is missing or names another", number.get())]
    MissingEntry {
        /// The index.
        table: &'static str,
        /// The message.
        number: MessageNumber,
    },
    /// An index has an entry that no message asks for.
    #[error("table {table}: its entry {key} belongs to nothing")]
    StrayEntry {
        /// The index.
        table: &'static str,
        /// The entry's key.
        key: String,
    },
    /// A table holds another number of entries than it should.
    #[error("table {table}: it holds {found} entries, {expected} belong there")]
    WrongCount {
        /// The table.
        table: &'static str,
        /// Entries that belong there.
        expected: u64,
        /// Entries there are.
        found: u64,
    },
    /// A count of messages by state is wrong.
    #[error("table totals: it counts {found} messages as {state}, there are {expected}")]
    WrongTotal {
        /// The state.
        state: &'static str,
        /// Messages in that state.
        expected: u64,
        /// What the table says.
        found: u64,
    },
    /// A reader of the journal claims to have read what does not exist.
    #[error("table cursors: {name:?} stands at {seq}, after the journal's end")]
    CursorAhead {
        /// The reader's name.
        name: String,
        /// Where it stands.
        seq: JournalSeq,
    },
}

/// What verifying found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerifyReport {
    /// Journal records read.
    pub records: u64,
    /// Records by name of their event.
    pub events: BTreeMap<&'static str, u64>,
    /// The head of the chain over the records.
    pub head: Option<Head>,
    /// Messages compared with their records.
    pub messages: u64,
    /// Messages that are in archives alone.
    pub archived: u64,
    /// Lanes compared with their records.
    pub lanes: u64,
    /// Instances of small workflows compared with their records.
    pub instances: u64,
    /// Persons whose consent was compared with their records.
    pub consents: u64,
    /// How many problems there are.
    pub problems: u64,
    /// The first problems, at most [`PROBLEMS_LISTED`].
    pub first: Vec<Problem>,
}

fn rewritten(expected: &Head, found: Option<Head>) -> String {
    match found {
        Some(found) => {
            format!(
                "history was rewritten at or before record {}: its head is {found}, expected {expected}",
                found.seq
            )
        }
        None => format!("records were cut off: the journal ends before record {}", expected.seq),
    }
}

impl VerifyReport {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems == 0
    }

    /// Counts a problem that is not listed yet, and lists it when it is among the first.
    pub(crate) fn add(&mut self, problem: Problem) {
        if self.first.contains(&problem) {
            return;
        }
        self.problems = self.problems.saturating_add(1);
        if self.first.len() < PROBLEMS_LISTED {
            self.first.push(problem);
        }
    }
}

/// What is wrong with the row of a message, if anything.
pub(super) fn compare(number: MessageNumber, folded: &Folded, row: Option<&Projection>) -> Option<Problem> {
    let last_seq = folded.last_seq;
    let Some(row) = row else { return Some(Problem::MissingRow { number, last_seq }) };
    let (ours, theirs) = (&folded.message, &row.message);
    let fields: Vec<&str> = [
        ("person", ours.person == theirs.person),
        ("priority", ours.priority == theirs.priority),
        ("segments", ours.segments == theirs.segments),
        ("user", ours.user == theirs.user),
        ("kind", ours.kind == theirs.kind),
        ("custody", ours.custody == theirs.custody),
        ("on_unknown", ours.on_unknown == theirs.on_unknown),
        ("accepted_at", ours.accepted_at == theirs.accepted_at),
        ("scheduled_for", ours.scheduled_for == theirs.scheduled_for),
        ("expires_at", ours.expires_at == theirs.expires_at),
        ("attempt", ours.attempt == theirs.attempt),
        ("counted", ours.counted == theirs.counted),
        ("sid", ours.sid == theirs.sid),
        ("failure", ours.failure == theirs.failure),
        ("retried_as", ours.retried_as == theirs.retried_as),
        ("changed_at", ours.changed_at == theirs.changed_at),
        ("state", ours.state == theirs.state),
        ("accepted_seq", folded.accepted_seq == row.accepted_seq),
        ("last_seq", folded.last_seq == row.last_seq),
    ]
    .into_iter()
    .filter_map(|(field, same)| (!same).then_some(field))
    .collect();
    let same = fields.is_empty() && ours == theirs;
    (!same).then(|| Problem::DifferentRow { number, last_seq, fields: fields.join(", ") })
}
