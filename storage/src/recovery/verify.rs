//! Verifying a store: the journal is folded from its first record, and everything that can be
//! computed from it is compared with what the file says.
//!
//! Memory is bounded by the messages that are not settled: a settled message is compared and let go as
//! soon as its newest record has been folded. Which record of a message in archives is its newest is not
//! known; it is let go whenever it is settled, and read again should more of it come.

use std::collections::BTreeSet;

use dunlin_workflows::id::{MessageNumber, PersonNumber};
use dunlin_workflows::message;
use dunlin_workflows::policy::Usage;
use redb::{ReadOnlyTable, ReadableTableMetadata};

use super::archives;
use super::consents::Consents;
use super::fold::{Flaw, Fold, Folded, Until, Visitor, fold};
use super::indexes;
use super::instances;
use super::problem::{Problem, VerifyReport, compare};
use crate::archive::Located;
use crate::chain::Head;
use crate::error::{Fault, ReadError};
use crate::journal::JournalSeq;
use crate::projection::{self, Projection};
use crate::reader::Reader;
use crate::record::{Event, PersonEvent, Record};
use crate::{table, usage};

/// Verifies everything in a snapshot, and that its journal continues the one that had the head `expect`.
/// `progress` hears (records folded, records in all) now and then.
///
/// # Errors
/// [`ReadError`] when the database engine fails. Everything else that is wrong is in the report.
pub fn verify(
    reader: &Reader,
    expect: Option<Head>,
    progress: impl FnMut(u64, u64),
) -> Result<VerifyReport, ReadError> {
    let last_seq = reader.last_seq()?;
    let mut report = VerifyReport::default();
    let ends = archives::check(reader, &mut report)?;
    let mut walk = Walk {
        reader,
        pruned_to: reader.pruned()?.to,
        messages: reader.open(table::MESSAGES)?,
        message_ids: reader.open(table::MESSAGE_IDS)?,
        provider_sids: reader.open(table::PROVIDER_SIDS)?,
        report,
        begun: 0,
        archived: 0,
        persons: BTreeSet::new(),
        submitted: 0,
        sids_indexed: reader.sids_indexed()?,
        consents: Consents::default(),
        last_seq,
        progress,
        failed: None,
    };
    let at_start = expect.filter(|expect| expect.seq == JournalSeq::START);
    let (mut head, mut met) = (Head::empty(), at_start.map(|_| Head::empty()));
    let mut astray = None;
    let records = reader.journal(JournalSeq::START)?.inspect(|record| {
        if let Ok(record) = record {
            head = head.extended(record.seq, &record.bytes);
            if ends.get(&record.seq).is_some_and(|end| *end != head) {
                astray.get_or_insert(head.seq);
            }
            if expect.is_some_and(|expect| expect.seq == record.seq) {
                met = Some(head);
            }
        }
    });
    let fold = fold(records, Until::End, &mut walk)?;
    for (number, folded) in &fold.messages {
        let row = walk.row(*number);
        walk.compare(*number, folded, row);
    }
    let Walk { mut report, begun, archived, persons, submitted, consents, failed, .. } = walk;
    if let Some(error) = failed {
        return Err(error);
    }
    report.archived = archived;
    if let Some(last) = astray {
        report.add(Problem::ArchiveHead { last });
    }
    archives::compare_kept(reader, &mut report)?;
    report.head = Some(head);
    let stored = reader.head()?;
    if stored != head {
        report.add(Problem::Head { computed: head, stored });
    }
    if let Some(expected) = expect.filter(|_| met != expect) {
        report.add(Problem::Rewritten { expected, found: met });
    }
    let rows = reader.message_count()?;
    let expected = begun.saturating_sub(archived);
    if rows != expected {
        report.add(Problem::WrongCount { table: "messages", expected, found: rows });
        indexes::baseless_rows(reader, &mut report)?;
    }
    count_sids(reader, submitted, &mut report)?;
    count_persons(reader, &persons, &mut report)?;
    consents.check(reader, &fold, &mut report)?;
    instances::check(reader, &fold, &mut report)?;
    compare_usages(reader, &fold, &mut report)?;
    compare_lanes(reader, &fold, &mut report)?;
    indexes::check(reader, &mut report)?;
    Ok(report)
}

fn count_sids(reader: &Reader, submitted: u64, report: &mut VerifyReport) -> Result<(), ReadError> {
    let sids = reader.open(table::PROVIDER_SIDS)?.len().map_err(Fault::from)?;
    if sids > submitted {
        report.add(Problem::WrongCount { table: "provider_sids", expected: submitted, found: sids });
    }
    Ok(())
}

fn count_persons(
    reader: &Reader,
    persons: &BTreeSet<PersonNumber>,
    report: &mut VerifyReport,
) -> Result<(), ReadError> {
    let count = |persons: usize| u64::try_from(persons).unwrap_or(u64::MAX);
    indexes::count(report, "persons", count(persons.len()), &reader.open(table::PERSONS)?)?;
    let indexed = count(persons.range(..=reader.indexed()?).count());
    indexes::count(report, "person_hashes", indexed, &reader.open(table::PERSON_HASHES)?)?;
    Ok(())
}

/// A row that can't be read, which was reported.
struct Unread;

/// Records between two reports of progress.
const PROGRESS_EVERY: u64 = 10_000;

/// The walk through the journal.
struct Walk<'a, P> {
    reader: &'a Reader,
    /// Settled messages that end at or before this position are in archives alone.
    pruned_to: JournalSeq,
    messages: ReadOnlyTable<u64, &'static [u8]>,
    message_ids: ReadOnlyTable<&'static [u8; 16], u64>,
    provider_sids: ReadOnlyTable<&'static [u8; 34], u64>,
    report: VerifyReport,
    /// Messages begun.
    begun: u64,
    /// Messages that are in archives alone.
    archived: u64,
    /// Persons to whom something was sent, and who were not erased since.
    persons: BTreeSet<PersonNumber>,
    /// Attempts that the provider took.
    submitted: u64,
    /// The last record whose name of the provider's is in the index.
    sids_indexed: JournalSeq,
    /// What the records say of consent.
    consents: Consents,
    last_seq: JournalSeq,
    progress: P,
    /// The database engine failed.
    failed: Option<ReadError>,
}

impl<P: FnMut(u64, u64)> Visitor for Walk<'_, P> {
    fn happened(&mut self, record: &Record, fold: &mut Fold) {
        self.report.records = self.report.records.saturating_add(1);
        if self.report.records.is_multiple_of(PROGRESS_EVERY) {
            (self.progress)(self.report.records, self.last_seq.get());
        }
        let (number, event) = match &record.event {
            Event::Message { number, event } => (*number, event),
            Event::Lane { event, .. } => {
                self.count(event.name());
                return;
            }
            Event::Person { person, event } => {
                self.count(event.name());
                match event {
                    PersonEvent::Erased { .. } => self.persons.remove(person),
                    PersonEvent::Consent(_) => self.persons.insert(*person),
                };
                self.consents.note(record.seq, *person, event, fold);
                return;
            }
            Event::Instance { event, .. } => {
                self.count(event.name());
                self.persons.extend(event.person());
                return;
            }
        };
        self.count(event.name());
        let row = self.row(number);
        let is_gone = matches!(row, Ok(None)) && record.seq <= self.pruned_to;
        self.check_names(number, record.seq, event, is_gone);
        let settled = fold.messages.get(&number).filter(|folded| folded.message.state.name().is_settled());
        let Some(folded) = settled else { return };
        if is_gone {
            // More may come; then it is recalled.
            self.archived = self.archived.saturating_add(1);
            fold.messages.remove(&number);
        } else if row.as_ref().is_ok_and(|row| row.as_ref().is_some_and(|row| row.last_seq == record.seq)) {
            self.compare(number, folded, row);
            fold.messages.remove(&number);
        }
    }

    fn recall(&mut self, number: MessageNumber, last_seq: JournalSeq) -> Option<Folded> {
        if last_seq > self.pruned_to {
            return None;
        }
        let located = Located { number, last_seq, is_archived: true };
        match self.reader.whole(located) {
            Ok((Projection { message, accepted_seq, last_seq, .. }, _)) => {
                self.archived = self.archived.saturating_sub(1);
                Some(Folded { message, accepted_seq, last_seq })
            }
            // The fold finds the record without its beginning flawed.
            Err(error) if !error.is_fault() => None,
            Err(error) => {
                self.failed = Some(error);
                None
            }
        }
    }

    fn flawed(&mut self, seq: JournalSeq, flaw: Flaw) {
        self.report.add(Problem::Record { seq, flaw });
    }
}

impl<P> Walk<'_, P> {
    fn count(&mut self, event: &'static str) {
        let count = self.report.events.entry(event).or_default();
        *count = count.saturating_add(1);
    }

    fn compare(&mut self, number: MessageNumber, folded: &Folded, row: Result<Option<Projection>, Unread>) {
        self.report.messages = self.report.messages.saturating_add(1);
        if let Some(problem) = row.ok().and_then(|row| compare(number, folded, row.as_ref())) {
            self.report.add(problem);
        }
    }

    /// The indexes that an event's own names stand in.
    fn check_names(&mut self, number: MessageNumber, seq: JournalSeq, event: &message::Event, is_gone: bool) {
        let (table, found) = match event {
            message::Event::Accepted { terms } => {
                self.begun = self.begun.saturating_add(1);
                self.persons.insert(terms.person);
                ("message_ids", self.message_ids.get(terms.id.as_bytes()))
            }
            // The newest are in memory.
            message::Event::Submitted { .. } if seq > self.sids_indexed => return,
            message::Event::Submitted { sid, .. } => {
                self.submitted = self.submitted.saturating_add(1);
                ("provider_sids", self.provider_sids.get(sid.as_bytes()))
            }
            message::Event::Held { .. }
            | message::Event::BecameDue
            | message::Event::AttemptStarted { .. }
            | message::Event::AttemptSuspected { .. }
            | message::Event::Relinquished
            | message::Event::Reclaimed
            | message::Event::Bypassed { .. }
            | message::Event::AttemptFailed { .. }
            | message::Event::OutcomeLost { .. }
            | message::Event::LookupFoundNothing { .. }
            | message::Event::StatusReported { .. }
            | message::Event::Polled { .. }
            | message::Event::Unconfirmed
            | message::Event::Rescheduled { .. }
            | message::Event::Canceled
            | message::Event::Expired
            | message::Event::Suppressed { .. }
            | message::Event::GivenUp
            | message::Event::RetriedAs { .. }
            | message::Event::Remarked { .. }
            | message::Event::Contradicted { .. } => return,
        };
        match found {
            Ok(None) if is_gone => {}
            Ok(entry) if entry.as_ref().is_some_and(|entry| entry.value() == number.get()) => {}
            Ok(_missing_or_another) => self.report.add(Problem::MissingEntry { table, number }),
            Err(error) => self.failed = Some(ReadError::Fault(error.into())),
        }
    }

    /// The row of a message. That it can't be read is a problem of its own.
    fn row(&mut self, number: MessageNumber) -> Result<Option<Projection>, Unread> {
        projection::message(&self.messages, number).map_err(|error| {
            if error.is_fault() {
                self.failed = Some(error);
            } else {
                self.report.add(Problem::Unreadable { why: error.to_string() });
            }
            Unread
        })
    }
}

fn compare_usages(reader: &Reader, fold: &Fold, report: &mut VerifyReport) -> Result<(), ReadError> {
    let (usages, persons) = (reader.open(table::USAGE)?, reader.open(table::PERSONS)?);
    for person in fold.usages.keys() {
        if usages.get(person.get()).map_err(Fault::from)?.is_none() {
            report.add(Problem::DifferentConsent { table: "usage", person: *person });
        }
    }
    let nothing = Usage::default();
    for entry in usages.range::<u64>(..).map_err(Fault::from)? {
        let (key, bytes) = entry.map_err(Fault::from)?;
        let person = PersonNumber::new(key.value());
        let lately = match usage::take(person, bytes.value()) {
            Ok(lately) => lately,
            Err(error) => {
                report.add(Problem::Unreadable { why: error.to_string() });
                continue;
            }
        };
        if fold.usages.get(&person).unwrap_or(&nothing) != &lately.usage {
            report.add(Problem::DifferentConsent { table: "usage", person });
        }
        // What was said goes with the person.
        let is_known = || persons.get(key.value()).map_err(Fault::from).map(|row| row.is_some());
        if !lately.said.is_empty() && !is_known()? {
            report.add(Problem::StrayEntry { table: "usage", key: key.value().to_string() });
        }
    }
    Ok(())
}

fn compare_lanes(reader: &Reader, fold: &Fold, report: &mut VerifyReport) -> Result<(), ReadError> {
    let rows = match reader.lanes() {
        Ok(rows) => rows,
        Err(error) if error.is_fault() => return Err(error),
        Err(error) => {
            report.add(Problem::Unreadable { why: error.to_string() });
            return Ok(());
        }
    };
    for (lane, folded) in &fold.lanes {
        report.lanes = report.lanes.saturating_add(1);
        if !rows.iter().any(|(number, row)| number == lane && row == folded) {
            report.add(Problem::DifferentLane { lane: *lane });
        }
    }
    for (lane, _) in rows.iter().filter(|(lane, _)| !fold.lanes.contains_key(lane)) {
        report.add(Problem::DifferentLane { lane: *lane });
    }
    Ok(())
}
