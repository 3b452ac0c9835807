//! Verifying the indexes: each says exactly what the rows say.

use std::collections::BTreeMap;

use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::message::{self, STATES};
use dunlin_workflows::timestamp::Timestamp;
use redb::{Key, ReadOnlyTable, ReadableTableMetadata};

use super::problem::{Problem, VerifyReport};
use crate::error::{Fault, ReadError};
use crate::journal::JournalSeq;
use crate::projection::Projection;
use crate::reader::Reader;
use crate::record::tag::Tagged;
use crate::record::{Event, Record};
use crate::{claim, flow, idempotency, orphan, switch, sync, table};

/// Compares every index with the rows, and every age index with its table.
pub(super) fn check(reader: &Reader, report: &mut VerifyReport) -> Result<(), ReadError> {
    let seen = check_rows(reader, report)?;
    for (state, total) in reader.totals()? {
        let expected = seen.totals.get(&state.tag()).copied().unwrap_or(0);
        if total != expected {
            report.add(Problem::WrongTotal { state: state.as_str(), expected, found: total });
        }
    }
    count(report, "message_ids", seen.rows, &reader.open(table::MESSAGE_IDS)?)?;
    count(report, "by_person", seen.rows, &reader.open(table::BY_PERSON)?)?;
    if count(report, "by_state", seen.rows, &reader.open(table::BY_STATE)?)? {
        strays_by_state(reader, report)?;
    }
    if count(report, "timers", seen.timers, &reader.open(table::TIMERS)?)? {
        stray_timers(reader, report)?;
    }
    let index = reader.open(table::SWITCHED_OFF)?;
    if count(report, "switched_off", seen.switched_off, &index)? {
        stray_switched_off(reader, &index, report)?;
    }
    check_orphans(reader, report)?;
    check_idempotency(reader, report)?;
    flow::check(reader, report)?;
    claim::check(reader, report)?;
    sync::check(reader, report)?;
    check_cursors(reader, report)
}

/// What the rows of `messages` add up to.
#[derive(Default)]
struct Seen {
    rows: u64,
    timers: u64,
    switched_off: u64,
    totals: BTreeMap<u8, u64>,
}

/// Looks up every row of `messages` in the indexes.
fn check_rows(reader: &Reader, report: &mut VerifyReport) -> Result<Seen, ReadError> {
    let by_state = reader.open(table::BY_STATE)?;
    let by_person = reader.open(table::BY_PERSON)?;
    let timers = reader.open(table::TIMERS)?;
    let switched_off = reader.open(table::SWITCHED_OFF)?;
    let mut seen = Seen::default();
    for entry in reader.open(table::MESSAGES)?.range::<u64>(..).map_err(Fault::from)? {
        let (key, bytes) = entry.map_err(Fault::from)?;
        let number = key.value();
        seen.rows = seen.rows.saturating_add(1);
        let row = match Projection::take(number, bytes.value()) {
            Ok(row) => row,
            Err(error) => {
                report.add(Problem::Unreadable { why: error.to_string() });
                continue;
            }
        };
        let state = row.message.state.name().tag();
        let total = seen.totals.entry(state).or_default();
        *total = total.saturating_add(1);
        expect(report, "by_state", &by_state, (state, number), number)?;
        expect(report, "by_person", &by_person, (row.message.person.get(), number), number)?;
        if let Some(at) = row.timer {
            seen.timers = seen.timers.saturating_add(1);
            expect(report, "timers", &timers, (at.as_millis(), number), number)?;
        }
        if switch::is_off(&row.message) {
            seen.switched_off = seen.switched_off.saturating_add(1);
            expect(report, "switched_off", &switched_off, number, number)?;
        }
    }
    Ok(seen)
}

/// Reports when `index` lacks `key`, which stands for message `number`.
fn expect<K: for<'a> Key<SelfType<'a> = K> + 'static>(
    report: &mut VerifyReport,
    table: &'static str,
    index: &ReadOnlyTable<K, ()>,
    key: K,
    number: u64,
) -> Result<(), ReadError> {
    if index.get(key).map_err(Fault::from)?.is_none() {
        report.add(Problem::MissingEntry { table, number: MessageNumber::new(number) });
    }
    Ok(())
}

/// Reports when a table has another length. Says whether it has.
pub(super) fn count(
    report: &mut VerifyReport,
    table: &'static str,
    expected: u64,
    index: &impl ReadableTableMetadata,
) -> Result<bool, ReadError> {
    let found = index.len().map_err(Fault::from)?;
    if found != expected {
        report.add(Problem::WrongCount { table, expected, found });
    }
    Ok(found != expected)
}

/// Rows whose first record began no message, or another one.
pub(super) fn baseless_rows(reader: &Reader, report: &mut VerifyReport) -> Result<(), ReadError> {
    let journal = reader.open(table::JOURNAL)?;
    for entry in reader.open(table::MESSAGES)?.range::<u64>(..).map_err(Fault::from)? {
        let (key, bytes) = entry.map_err(Fault::from)?;
        let number = MessageNumber::new(key.value());
        let Ok(row) = Projection::take(number.get(), bytes.value()) else { continue };
        let seq = row.accepted_seq;
        let record = journal.get(seq.get()).map_err(Fault::from)?;
        let record = record.and_then(|bytes| Record::decode(seq, bytes.value()).ok());
        let begins = record.is_some_and(|record| match record.event {
            Event::Message { number: owner, event: message::Event::Accepted { .. } } => owner == number,
            Event::Message { .. } | Event::Lane { .. } | Event::Person { .. } | Event::Instance { .. } => {
                false
            }
        });
        if !begins {
            report.add(Problem::BaselessRow { number, accepted_seq: seq });
        }
    }
    Ok(())
}

/// Entries of `by_state` that no row asks for.
fn strays_by_state(reader: &Reader, report: &mut VerifyReport) -> Result<(), ReadError> {
    for entry in reader.open(table::BY_STATE)?.range::<(u8, u64)>(..).map_err(Fault::from)? {
        let (state, number) = entry.map_err(Fault::from)?.0.value();
        let row = readable(reader.message(MessageNumber::new(number)))?;
        if row.is_none_or(|row| row.message.state.name().tag() != state) {
            let known = STATES.into_iter().find(|(name, _)| name.tag() == state);
            let word = known.map_or("an unknown state", |(_, word)| word);
            report.add(Problem::StrayEntry { table: "by_state", key: format!("{word} {number}") });
        }
    }
    Ok(())
}

/// Entries of `timers` that no row asks for.
fn stray_timers(reader: &Reader, report: &mut VerifyReport) -> Result<(), ReadError> {
    for entry in reader.open(table::TIMERS)?.range::<(i64, u64)>(..).map_err(Fault::from)? {
        let (due_ms, number) = entry.map_err(Fault::from)?.0.value();
        let row = readable(reader.message(MessageNumber::new(number)))?;
        let timer = row.and_then(|row| row.timer).map(Timestamp::as_millis);
        if timer != Some(due_ms) {
            report.add(Problem::StrayEntry { table: "timers", key: format!("{due_ms} {number}") });
        }
    }
    Ok(())
}

/// Entries of `switched_off` that no row asks for.
fn stray_switched_off(
    reader: &Reader,
    index: &ReadOnlyTable<u64, ()>,
    report: &mut VerifyReport,
) -> Result<(), ReadError> {
    for entry in index.range::<u64>(..).map_err(Fault::from)? {
        let number = entry.map_err(Fault::from)?.0.value();
        let row = readable(reader.message(MessageNumber::new(number)))?;
        if row.is_none_or(|row| !switch::is_off(&row.message)) {
            report.add(Problem::StrayEntry { table: "switched_off", key: number.to_string() });
        }
    }
    Ok(())
}

fn check_orphans(reader: &Reader, report: &mut VerifyReport) -> Result<(), ReadError> {
    let orphans = reader.open(table::ORPHANS)?;
    let ages = reader.open(table::ORPHAN_AGE)?;
    for entry in orphans.range::<(&[u8; 34], u64)>(..).map_err(Fault::from)? {
        let (key, bytes) = entry.map_err(Fault::from)?;
        let (sid, count) = key.value();
        match orphan::decode(sid, count, bytes.value()) {
            Ok(orphan) => {
                let age = ages.get((orphan.at.as_millis(), sid, count)).map_err(Fault::from)?;
                if age.is_none() {
                    let key = format!("{} {count}", orphan.sid);
                    report.add(Problem::StrayEntry { table: "orphans", key });
                }
            }
            Err(error) => report.add(Problem::Unreadable { why: error.to_string() }),
        }
    }
    let expected = orphans.len().map_err(Fault::from)?;
    count(report, "orphan_age", expected, &ages)?;
    Ok(())
}

fn check_idempotency(reader: &Reader, report: &mut VerifyReport) -> Result<(), ReadError> {
    let answers = reader.open(table::IDEMPOTENCY)?;
    let ages = reader.open(table::IDEMPOTENCY_AGE)?;
    for entry in answers.range::<&[u8; 16]>(..).map_err(Fault::from)? {
        let (key, _) = entry.map_err(Fault::from)?;
        let key = key.value();
        match idempotency::read(&answers, key) {
            Ok(Some(answer)) if ages.get((answer.at.as_millis(), key)).map_err(Fault::from)?.is_some() => {}
            Ok(_no_age) => {
                let key = format!("{:032x}", u128::from_be_bytes(*key));
                report.add(Problem::StrayEntry { table: "idempotency", key });
            }
            Err(error) if error.is_fault() => return Err(error),
            Err(error) => report.add(Problem::Unreadable { why: error.to_string() }),
        }
    }
    let expected = answers.len().map_err(Fault::from)?;
    count(report, "idempotency_age", expected, &ages)?;
    Ok(())
}

fn check_cursors(reader: &Reader, report: &mut VerifyReport) -> Result<(), ReadError> {
    let last = reader.last_seq()?;
    for entry in reader.open(table::CURSORS)?.range::<&str>(..).map_err(Fault::from)? {
        let (name, seq) = entry.map_err(Fault::from)?;
        let seq = JournalSeq::new(seq.value());
        if seq > last {
            report.add(Problem::CursorAhead { name: name.value().to_owned(), seq });
        }
    }
    Ok(())
}

/// A row that can't be read was reported already, and counts as missing here.
fn readable(row: Result<Option<Projection>, ReadError>) -> Result<Option<Projection>, ReadError> {
    match row {
        Err(error) if error.is_fault() => Err(error),
        Err(_reported) => Ok(None),
        Ok(row) => Ok(row),
    }
}
