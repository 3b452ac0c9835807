//! What is checked: a little on every opening, everything on demand.

mod fold;
mod indexes;
mod problem;
mod verify;

use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::message::StateName;
use dunlin_workflows::timestamp::Timestamp;
use redb::ReadableTableMetadata;

use crate::chain::Head;
use crate::error::{Fault, OpenError, ReadError};
use crate::journal::JournalSeq;
use crate::meta::FORMAT_VERSION;
use crate::reader::Reader;
use crate::record::Record;
use crate::table;

pub use fold::{Flaw, Fold, Folded, Until, Visitor, fold};
pub use problem::{PROBLEMS_LISTED, Problem, VerifyReport};
pub use verify::verify;

/// How many of the newest records are read on opening: what a crash could have hurt.
pub const NEWEST_RECORDS: u64 = 1_000;

/// Messages read per step.
const CHUNK: usize = 1_000;

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

/// Checks that the journal has no gap, and reads the newest records and every message that is not
/// finalized.
pub(crate) fn check(reader: &Reader, created_at: Timestamp) -> Result<OpenReport, OpenError> {
    let last_seq = gapless(reader)?;
    let head = reader.head()?;
    if head.seq != last_seq {
        return Err(OpenError::HeadAstray { last: last_seq, head: head.seq });
    }
    let newest = JournalSeq::new(last_seq.get().saturating_sub(NEWEST_RECORDS));
    for raw in reader.journal(newest)? {
        let raw = raw?;
        Record::decode(raw.seq, &raw.bytes).map_err(|source| ReadError::Record { seq: raw.seq, source })?;
    }
    let totals = reader.totals()?;
    let open = totals.into_iter().filter(|(state, total)| *total > 0 && !state.is_settled()).collect();
    for (state, _) in totals.into_iter().filter(|(state, _)| !state.is_settled()) {
        read_all(reader, state)?;
    }
    Ok(OpenReport {
        created: false,
        repaired: false,
        format: FORMAT_VERSION,
        created_at,
        upgraded_from: None,
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
    let first = reader.journal(JournalSeq::START)?.next().transpose()?;
    let starts_at_one = first.is_none_or(|record| record.seq == JournalSeq::START.next());
    if records == last.get() && starts_at_one { Ok(last) } else { Err(OpenError::Gap { last, records }) }
}

/// Reads every message in `state`.
fn read_all(reader: &Reader, state: StateName) -> Result<(), ReadError> {
    let mut after = MessageNumber::new(0);
    loop {
        let numbers = reader.numbers_in(state, after, CHUNK)?;
        let Some(last) = numbers.last() else { return Ok(()) };
        after = *last;
        for number in numbers {
            let row = reader.message(number)?;
            let state_of_row = row.map(|row| row.message.state.name());
            if state_of_row != Some(state) {
                return Err(ReadError::Strayed { table: "by_state", number });
            }
        }
    }
}
