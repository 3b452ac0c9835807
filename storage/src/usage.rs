//! What was sent to each person lately, as stored: the fold of the attempts that count.

use std::collections::BTreeMap;

use dunlin_workflows::id::PersonNumber;
use dunlin_workflows::message::Event;
use dunlin_workflows::policy::Usage;
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::zone::LocalDay;
use redb::ReadableTable;
use wincode::{SchemaRead, SchemaWrite};

use crate::batch::Batch;
use crate::batch::tables::append;
use crate::error::{BatchError, Fault, ReadError};
use crate::reader::Reader;
use crate::record::RecordError;
use crate::record::envelope::{put_row, take_row};
use crate::table;

const TABLE: &str = "usage";

/// A row of `usage`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct UsageRowV1 {
    days: Vec<(i32, u32)>,
    recent_ms: Vec<i64>,
}

/// What a batch knows of what was sent lately.
pub(crate) type Usages = BTreeMap<PersonNumber, Counted>;

/// What a batch knows of what was sent to a person lately.
#[derive(Default)]
pub(crate) struct Counted {
    usage: Usage,
    is_changed: bool,
}

/// The row of a person.
pub(crate) fn put(person: PersonNumber, usage: &Usage) -> Result<Vec<u8>, RecordError> {
    let row = UsageRowV1 {
        days: usage.days().iter().map(|(day, count)| (day.days(), *count)).collect(),
        recent_ms: usage.recent().iter().map(|at| at.as_millis()).collect(),
    };
    put_row(TABLE, &person.get().to_le_bytes(), 1, &row)
}

/// Reads the row of a person.
pub(crate) fn take(person: PersonNumber, bytes: &[u8]) -> Result<Usage, ReadError> {
    let opened = || -> Result<Usage, RecordError> {
        let row: UsageRowV1 = take_row(TABLE, &person.get().to_le_bytes(), 1, bytes)?;
        let days = row.days.into_iter().map(|(day, count)| (LocalDay::from_days(day), count)).collect();
        let recent = row.recent_ms.into_iter().map(Timestamp::from_millis).collect();
        Usage::of(days, recent).ok_or(RecordError::Value { what: "usage" })
    };
    opened().map_err(|source| ReadError::Row { table: TABLE, key: person.get().to_string(), source })
}

impl Batch<'_> {
    /// What was sent to a person lately, with what this batch counted.
    pub fn usage(&mut self, person: PersonNumber) -> Result<Usage, BatchError> {
        Ok(self.counted(person)?.usage.clone())
    }

    /// Counts those of a message's events that count.
    pub(crate) fn count_usage(
        &mut self,
        person: PersonNumber,
        at: Timestamp,
        events: &[Event],
    ) -> Result<(), BatchError> {
        for day in events.iter().filter_map(Event::counts_on) {
            let counted = self.counted(person)?;
            counted.usage.count(day, at);
            counted.is_changed = true;
        }
        Ok(())
    }

    /// Reads once what was counted for a person. Whoever is new has no row.
    fn counted(&mut self, person: PersonNumber) -> Result<&mut Counted, BatchError> {
        if !self.usages.contains_key(&person) && !self.new_persons.contains_key(&person) {
            let read = self.stored_usage(person);
            let usage = self.noted(read)?.unwrap_or_default();
            self.usages.insert(person, Counted { usage, is_changed: false });
        }
        Ok(self.usages.entry(person).or_default())
    }

    fn stored_usage(&mut self, person: PersonNumber) -> Result<Option<Usage>, BatchError> {
        let row = self.tables.usage.open()?.get(person.get()).map_err(Fault::from)?;
        Ok(row.map(|bytes| take(person, bytes.value())).transpose()?)
    }

    /// Writes what this batch counted.
    pub(crate) fn write_usages(&mut self) -> Result<(), BatchError> {
        let changed = self.usages.iter().filter(|(_, counted)| counted.is_changed);
        let rows = changed.map(|(person, counted)| Ok((person.get(), put(*person, &counted.usage)?)));
        let rows: Vec<_> = rows.collect::<Result<_, RecordError>>()?;
        if !rows.is_empty() {
            append(self.tables.usage.open()?, rows.iter().map(|(person, row)| (*person, row.as_slice())))?;
        }
        Ok(())
    }
}

impl Reader {
    /// What was sent to a person lately.
    pub fn usage(&self, person: PersonNumber) -> Result<Usage, ReadError> {
        let table = self.open(table::USAGE)?;
        let row = table.get(person.get()).map_err(Fault::from)?;
        Ok(row.map(|bytes| take(person, bytes.value())).transpose()?.unwrap_or_default())
    }
}
