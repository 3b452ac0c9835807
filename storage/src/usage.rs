//! What was sent to each person lately, as stored: the fold of the attempts that count, and digests of what was said.

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
use crate::record::codec;
use crate::record::envelope::{put_row, take_bytes};
use crate::said::{Said, TextV1};
use crate::table;

const TABLE: &str = "usage";

/// A row of `usage`, first form: of whom no text is remembered.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct UsageRowV1 {
    days: Vec<(i32, u32)>,
    recent_ms: Vec<i64>,
}

/// A row of `usage`, second form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct UsageRowV2 {
    counted: UsageRowV1,
    texts: Vec<TextV1>,
}

/// What a batch knows of what was sent lately.
pub(crate) type Usages = BTreeMap<PersonNumber, Lately>;

/// What was sent to a person lately.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Lately {
    pub(crate) usage: Usage,
    pub(crate) said: Said,
    /// Whether the batch changed it.
    pub(crate) is_changed: bool,
}

/// The row of a person; `None` when there is nothing to keep.
pub(crate) fn put(person: PersonNumber, lately: &Lately) -> Result<Option<Vec<u8>>, RecordError> {
    let (usage, key) = (&lately.usage, person.get().to_le_bytes());
    let counted = UsageRowV1 {
        days: usage.days().iter().map(|(day, count)| (day.days(), *count)).collect(),
        recent_ms: usage.recent().iter().map(|at| at.as_millis()).collect(),
    };
    let texts = lately.said.texts();
    let row = match (texts.is_empty(), counted.days.is_empty()) {
        (false, _) => put_row(TABLE, &key, 2, &UsageRowV2 { counted, texts })?,
        (true, false) => put_row(TABLE, &key, 1, &counted)?,
        (true, true) => return Ok(None),
    };
    Ok(Some(row))
}

/// Reads the row of a person.
pub(crate) fn take(person: PersonNumber, bytes: &[u8]) -> Result<Lately, ReadError> {
    let opened = || -> Result<Lately, RecordError> {
        let (version, payload) = take_bytes(TABLE, &person.get().to_le_bytes(), bytes)?;
        let row = match version {
            1 => UsageRowV2 { counted: codec::take(payload)?, texts: Vec::new() },
            2 => codec::take(payload)?,
            version => return Err(RecordError::UnknownVersion { name: TABLE, version }),
        };
        let days = row.counted.days.into_iter().map(|(day, count)| (LocalDay::from_days(day), count));
        let recent = row.counted.recent_ms.into_iter().map(Timestamp::from_millis);
        let usage =
            Usage::of(days.collect(), recent.collect()).ok_or(RecordError::Value { what: "usage" })?;
        Ok(Lately { usage, said: Said::of(row.texts)?, is_changed: false })
    };
    opened().map_err(|source| ReadError::Row { table: TABLE, key: person.get().to_string(), source })
}

impl Batch<'_> {
    /// What was sent to a person lately, with what this batch counted.
    pub fn usage(&mut self, person: PersonNumber) -> Result<Usage, BatchError> {
        Ok(self.lately(person)?.usage.clone())
    }

    /// Counts those of a message's events that count.
    pub(crate) fn count_usage(
        &mut self,
        person: PersonNumber,
        at: Timestamp,
        events: &[Event],
    ) -> Result<(), BatchError> {
        for day in events.iter().filter_map(Event::counts_on) {
            let lately = self.lately(person)?;
            lately.usage.count(day, at);
            lately.is_changed = true;
        }
        Ok(())
    }

    /// Reads once what was sent to a person. Whoever is new has no row.
    pub(crate) fn lately(&mut self, person: PersonNumber) -> Result<&mut Lately, BatchError> {
        if !self.usages.contains_key(&person) && !self.new_persons.contains_key(&person) {
            let read = self.stored_lately(person);
            let lately = self.noted(read)?.unwrap_or_default();
            self.usages.insert(person, lately);
        }
        Ok(self.usages.entry(person).or_default())
    }

    fn stored_lately(&mut self, person: PersonNumber) -> Result<Option<Lately>, BatchError> {
        let row = self.tables.usage.open()?.get(person.get()).map_err(Fault::from)?;
        Ok(row.map(|bytes| take(person, bytes.value())).transpose()?)
    }

    /// Forgets what was said to a person.
    pub(crate) fn forget_said(&mut self, person: PersonNumber) -> Result<(), BatchError> {
        let lately = self.lately(person)?;
        lately.is_changed |= !lately.said.is_empty();
        lately.said = Said::default();
        Ok(())
    }

    /// Writes what this batch counted and said.
    pub(crate) fn write_usages(&mut self) -> Result<(), BatchError> {
        let (mut rows, mut gone) = (Vec::new(), Vec::new());
        for (person, lately) in self.usages.iter().filter(|(_, lately)| lately.is_changed) {
            match put(*person, lately)? {
                Some(row) => rows.push((person.get(), row)),
                None => gone.push(person.get()),
            }
        }
        for person in gone {
            self.tables.usage.open()?.remove(person).map_err(Fault::from)?;
        }
        if !rows.is_empty() {
            append(self.tables.usage.open()?, rows.iter().map(|(person, row)| (*person, row.as_slice())))?;
        }
        Ok(())
    }
}

impl Reader {
    /// What was sent to a person lately.
    pub fn usage(&self, person: PersonNumber) -> Result<Usage, ReadError> {
        Ok(self.lately(person)?.usage)
    }

    pub(crate) fn lately(&self, person: PersonNumber) -> Result<Lately, ReadError> {
        let table = self.open(table::USAGE)?;
        let row = table.get(person.get()).map_err(Fault::from)?;
        Ok(row.map(|bytes| take(person, bytes.value())).transpose()?.unwrap_or_default())
    }
}
