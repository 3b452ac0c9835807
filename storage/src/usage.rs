//! What was sent to each person lately, as stored: the fold of the attempts that count.

use dunlin_workflows::id::PersonNumber;
use dunlin_workflows::message::Event;
use dunlin_workflows::policy::Usage;
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::zone::LocalDay;
use redb::ReadableTable;
use wincode::{SchemaRead, SchemaWrite};

use crate::batch::Batch;
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
        if let Some(usage) = self.usages.get(&person) {
            return Ok(usage.clone());
        }
        let read = self.stored_usage(person);
        self.noted(read)
    }

    /// Counts those of a message's events that count.
    pub(crate) fn count_usage(
        &mut self,
        person: PersonNumber,
        at: Timestamp,
        events: &[Event],
    ) -> Result<(), BatchError> {
        for event in events {
            if let Some(day) = event.counts_on() {
                let mut usage = self.usage(person)?;
                usage.count(day, at);
                self.usages.insert(person, usage);
            }
        }
        Ok(())
    }

    fn stored_usage(&mut self, person: PersonNumber) -> Result<Usage, BatchError> {
        let row = self.tables.usage.open()?.get(person.get()).map_err(Fault::from)?;
        Ok(row.map(|bytes| take(person, bytes.value())).transpose()?.unwrap_or_default())
    }

    /// Writes what this batch counted.
    pub(crate) fn write_usages(&mut self) -> Result<(), BatchError> {
        for (person, usage) in &self.usages {
            let row = put(*person, usage)?;
            self.tables.usage.open()?.insert(person.get(), row.as_slice()).map_err(Fault::from)?;
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
