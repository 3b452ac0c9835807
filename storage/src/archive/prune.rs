//! Taking out of the store what is in archives and can't change any more.
//!
//! The walk goes over the archived records in order, in small transactions, and remembers how far it
//! came. A message goes when the walk meets its newest record and it is settled: its records, its row and
//! its index entries. Whatever else is met stays, for its message may need it; records of persons
//! and of small workflows stay for good, so that what is known of them never depends on an archive. The newest message
//! always stays, so that numbers go on from it.

use dunlin_workflows::id::{MessageNumber, PersonNumber};
use dunlin_workflows::message;
use redb::{ReadableTable, Table, WriteTransaction};

use crate::error::{Fault, ReadError};
use crate::journal::JournalSeq;
use crate::projection::{self, Projection};
use crate::reader::Reader;
use crate::record::tag::Tagged;
use crate::record::{Event, Record};
use crate::table;

/// Where it stands in `meta`.
const KEY: &str = "pruned";

/// How far the walk came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pruned {
    /// Position of the last record that was looked at.
    pub(crate) to: JournalSeq,
    /// How many records up to there are still in the store.
    pub(crate) kept: u64,
    /// The highest number of a person whose messages went: numbers of persons go on from it.
    pub(crate) person: PersonNumber,
}

impl Pruned {
    pub(crate) fn read(meta: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<Self, ReadError> {
        let Some(bytes) = meta.get(KEY).map_err(Fault::from)? else {
            return Ok(Self { to: JournalSeq::START, kept: 0, person: PersonNumber::new(0) });
        };
        let mut numbers =
            bytes.value().chunks_exact(8).map(|number| number.try_into().map(u64::from_le_bytes));
        let mut next = || numbers.next().and_then(Result::ok).ok_or(ReadError::Pruned);
        let (to, kept, person) = (next()?, next()?, next()?);
        Ok(Self { to: JournalSeq::new(to), kept, person: PersonNumber::new(person) })
    }

    fn put(self, transaction: &WriteTransaction) -> Result<(), Fault> {
        let bytes = [self.to.get(), self.kept, self.person.get()].map(u64::to_le_bytes).concat();
        transaction.open_table(table::META)?.insert(KEY, bytes.as_slice())?;
        Ok(())
    }
}

impl Reader {
    /// How far the store was pruned.
    pub(crate) fn pruned(&self) -> Result<Pruned, ReadError> {
        Pruned::read(&self.open(table::META)?)
    }
}

/// Looks at the next records, at most `limit`, up to and including `last`. Gives how many messages went.
pub(super) fn step(
    transaction: &WriteTransaction,
    last: JournalSeq,
    limit: u64,
) -> Result<(Pruned, u64), ReadError> {
    let mut pruned = Pruned::read(&transaction.open_table(table::META).map_err(Fault::from)?)?;
    let mut tables = Tables::open(transaction)?;
    let newest = tables.messages.last().map_err(Fault::from)?.map_or(0, |(number, _)| number.value());
    let end = JournalSeq::new(pruned.to.get().saturating_add(limit)).min(last);
    let mut gone = 0_u64;
    while pruned.to < end {
        let seq = pruned.to.next();
        let record = projection::record(&tables.journal, seq)?;
        if let Event::Message { number, .. } = record.event {
            let row = projection::message(&tables.messages, number)?;
            let row = row.ok_or(ReadError::Strayed { table: "messages", number })?;
            let is_over = row.last_seq == seq && row.message.state.name().is_settled();
            if is_over && number.get() != newest {
                let records = tables.remove(number, &row)?;
                pruned.person = pruned.person.max(row.message.person);
                pruned.kept = pruned.kept.saturating_add(1).saturating_sub(records);
                gone = gone.saturating_add(1);
            } else {
                pruned.kept = pruned.kept.saturating_add(1);
            }
        } else if matches!(record.event, Event::Person { .. } | Event::Instance { .. }) {
            pruned.kept = pruned.kept.saturating_add(1);
        } else {
            // Of a lane nothing but the fold ever reads it again.
            tables.journal.remove(seq.get()).map_err(Fault::from)?;
        }
        pruned.to = seq;
    }
    drop(tables);
    pruned.put(transaction)?;
    Ok((pruned, gone))
}

/// The tables that know messages.
struct Tables<'txn> {
    journal: Table<'txn, u64, &'static [u8]>,
    messages: Table<'txn, u64, &'static [u8]>,
    message_ids: Table<'txn, &'static [u8; 16], u64>,
    provider_sids: Table<'txn, &'static [u8; 34], u64>,
    by_state: Table<'txn, (u8, u64), ()>,
    by_person: Table<'txn, (u64, u64), ()>,
    totals: Table<'txn, u8, u64>,
    timers: Table<'txn, (i64, u64), ()>,
    claims: Table<'txn, u64, &'static [u8]>,
}

impl<'txn> Tables<'txn> {
    fn open(transaction: &'txn WriteTransaction) -> Result<Self, Fault> {
        Ok(Self {
            journal: transaction.open_table(table::JOURNAL)?,
            messages: transaction.open_table(table::MESSAGES)?,
            message_ids: transaction.open_table(table::MESSAGE_IDS)?,
            provider_sids: transaction.open_table(table::PROVIDER_SIDS)?,
            by_state: transaction.open_table(table::BY_STATE)?,
            by_person: transaction.open_table(table::BY_PERSON)?,
            totals: transaction.open_table(table::TOTALS)?,
            timers: transaction.open_table(table::TIMERS)?,
            claims: transaction.open_table(table::CLAIMS)?,
        })
    }

    /// Takes a message out. Gives how many records it had.
    fn remove(&mut self, number: MessageNumber, row: &Projection) -> Result<u64, ReadError> {
        let mut records = 0_u64;
        let mut next = Some(row.last_seq);
        while let Some(seq) = next {
            let Record { event, previous, .. } = projection::record(&self.journal, seq)?;
            match event {
                Event::Message { number: owner, event } if owner == number => self.forget_names(&event)?,
                Event::Message { .. }
                | Event::Lane { .. }
                | Event::Person { .. }
                | Event::Instance { .. } => {
                    return Err(ReadError::Foreign { seq, number });
                }
            }
            self.journal.remove(seq.get()).map_err(Fault::from)?;
            records = records.saturating_add(1);
            next = previous;
        }
        self.forget_row(number, row)?;
        Ok(records)
    }

    fn forget_names(&mut self, event: &message::Event) -> Result<(), Fault> {
        if let message::Event::Accepted { terms } = event {
            self.message_ids.remove(terms.id.as_bytes())?;
        }
        if let message::Event::Submitted { sid, .. } = event {
            self.provider_sids.remove(sid.as_bytes())?;
        }
        Ok(())
    }

    fn forget_row(&mut self, number: MessageNumber, row: &Projection) -> Result<(), Fault> {
        let (number, state) = (number.get(), row.message.state.name().tag());
        self.messages.remove(number)?;
        self.claims.remove(number)?;
        self.by_state.remove((state, number))?;
        self.by_person.remove((row.message.person.get(), number))?;
        if let Some(at) = row.timer {
            self.timers.remove((at.as_millis(), number))?;
        }
        let total = self.totals.get(state)?.map_or(0, |total| total.value());
        self.totals.insert(state, total.saturating_sub(1))?;
        Ok(())
    }
}
