//! What is checked: a little on every opening, everything on demand.

mod archives;
mod consents;
mod fold;
mod indexes;
mod instances;
mod problem;
mod verify;

use std::collections::BTreeMap;

use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::message::{STATES, StateName};
use dunlin_workflows::timestamp::Timestamp;
use redb::ReadableTableMetadata;

use crate::chain::Head;
use crate::error::{Fault, OpenError, ReadError};
use crate::journal::JournalSeq;
use crate::meta::FORMAT_VERSION;
use crate::reader::Reader;
use crate::record::tag::Tagged;
use crate::record::{Event, Record};
use crate::{switch, table};

pub use fold::{Flaw, Fold, Folded, Until, Visitor, fold};
pub use instances::FoldedInstance;
pub use problem::{PROBLEMS_LISTED, Problem, VerifyReport};
pub use verify::verify;

/// How many of the newest records are read on opening: what a crash could have hurt.
pub const NEWEST_RECORDS: u64 = 1_000;

/// What opening found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenReport {
    /// The file is new.
    pub created: bool,
    /// It was not closed cleanly, and was repaired: every page of it was verified.
    pub repaired: bool,
    /// Its format.
    pub format: u8,
    /// When it was created.
    pub created_at: Timestamp,
    /// The format it had before this opening upgraded it.
    pub upgraded_from: Option<u8>,
    /// Its free pages hold what the older format kept in clear: it is to be rewritten by
    /// [`compact`](crate::compact).
    pub is_unclean: bool,
    /// The head of the chain over the journal.
    pub head: Head,
    /// The journal's end.
    pub last_seq: JournalSeq,
    /// How many messages there are.
    pub messages: u64,
    /// How many messages are in each state that is not final; states without any are left out.
    pub open: Vec<(StateName, u64)>,
    /// How many messages have a timer.
    pub timers: u64,
    /// How many callbacks wait for their message.
    pub orphans: u64,
}

/// Checks that the journal has no gap, and reads the newest records and the rows of the messages that
/// they belong to: what the last commits before a crash touched. Everything older was read at some
/// opening before, and every row is checked again whenever it is read.
pub(crate) fn check(reader: &Reader, created_at: Timestamp) -> Result<OpenReport, OpenError> {
    let last_seq = gapless(reader)?;
    let head = reader.head()?;
    if head.seq != last_seq {
        return Err(OpenError::HeadAstray { last: last_seq, head: head.seq });
    }
    check_messages(reader, &newest_records(reader, last_seq)?)?;
    let totals = reader.totals()?;
    let open = totals.into_iter().filter(|(state, total)| *total > 0 && !state.is_settled()).collect();
    Ok(OpenReport {
        created: false,
        repaired: false,
        format: FORMAT_VERSION,
        created_at,
        upgraded_from: None,
        is_unclean: false,
        head,
        last_seq,
        messages: reader.message_count()?,
        open,
        timers: reader.timer_count()?,
        orphans: reader.orphan_count()?,
    })
}

/// The journal's end, once it is known to have no gap.
fn gapless(reader: &Reader) -> Result<JournalSeq, OpenError> {
    let last = reader.last_seq()?;
    let records = reader.open(table::JOURNAL)?.len().map_err(Fault::from)?;
    let pruned = reader.pruned()?;
    let expected = last.get().saturating_sub(pruned.to.get()).saturating_add(pruned.kept);
    let first = reader.stored_journal(pruned.to)?.next().transpose()?;
    let goes_on = first.is_none_or(|record| record.seq == pruned.to.next());
    if records == expected && goes_on { Ok(last) } else { Err(OpenError::Gap { last, records, expected }) }
}

/// Reads the newest records. Gives the messages they belong to, each with its newest record.
fn newest_records(
    reader: &Reader,
    last_seq: JournalSeq,
) -> Result<BTreeMap<MessageNumber, JournalSeq>, ReadError> {
    let mut messages = BTreeMap::new();
    let before = JournalSeq::new(last_seq.get().saturating_sub(NEWEST_RECORDS)).max(reader.pruned()?.to);
    for raw in reader.stored_journal(before)? {
        let raw = raw?;
        let record = Record::decode(raw.seq, &raw.bytes)
            .map_err(|source| ReadError::Record { seq: raw.seq, source })?;
        if let Event::Message { number, .. } = record.event {
            messages.insert(number, raw.seq);
        }
    }
    Ok(messages)
}

/// Whether these messages' rows can be read and end where the journal does, and whether the indexes
/// that wake a message say what the rows say.
fn check_messages(reader: &Reader, newest: &BTreeMap<MessageNumber, JournalSeq>) -> Result<(), ReadError> {
    let by_state = reader.open(table::BY_STATE)?;
    let timers = reader.open(table::TIMERS)?;
    let switched_off = reader.open(table::SWITCHED_OFF)?;
    for (number, seq) in newest {
        let strayed = |table| Err(ReadError::Strayed { table, number: *number });
        let Some(row) = reader.message(*number)?.filter(|row| row.last_seq == *seq) else {
            return strayed("messages");
        };
        for (state, _) in STATES {
            let listed = by_state.get((state.tag(), number.get())).map_err(Fault::from)?.is_some();
            if listed != (row.message.state.name() == state) {
                return strayed("by_state");
            }
        }
        if let Some(at) = row.timer
            && timers.get((at.as_millis(), number.get())).map_err(Fault::from)?.is_none()
        {
            return strayed("timers");
        }
        let listed = switched_off.get(number.get()).map_err(Fault::from)?.is_some();
        if listed != switch::is_off(&row.message) {
            return strayed("switched_off");
        }
    }
    Ok(())
}
