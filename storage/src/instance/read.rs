//! Instances in a snapshot.

use dunlin_workflows::timestamp::Timestamp;

use super::{InstanceKind, Workflow, keep};
use crate::error::{Fault, ReadError};
use crate::journal::JournalSeq;
use crate::reader::Reader;
use crate::record::{Event, Record};
use crate::table;

/// One thing that happened to an instance, with everything that its record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceRecord<W: Workflow> {
    /// What happened.
    pub event: W::Event,
    /// The record, whose secrets [`Reader::secret`] opens.
    pub record: Record,
}

impl Reader {
    /// What is known of an instance; `None` when there is none.
    pub fn instance<W: Workflow>(&self, number: u64) -> Result<Option<W::State>, ReadError> {
        let table = self.open(table::INSTANCES)?;
        let bytes = table.get((W::KIND.number(), number)).map_err(Fault::from)?;
        bytes.map(|bytes| Ok(keep::row::<W>(number, bytes.value())?.state)).transpose()
    }

    /// Instances of a kind after `after`, in the order of their numbers, at most `limit`.
    pub fn instances<W: Workflow>(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, W::State)>, ReadError> {
        let kind = W::KIND.number();
        let all = (kind, after.saturating_add(1))..=(kind, u64::MAX);
        let mut found = Vec::new();
        for entry in self.open(table::INSTANCES)?.range(all).map_err(Fault::from)?.take(limit) {
            let (key, bytes) = entry.map_err(Fault::from)?;
            let (_, number) = key.value();
            found.push((number, keep::row::<W>(number, bytes.value())?.state));
        }
        Ok(found)
    }

    /// The instance with this name. Needs the keys.
    pub fn instance_named(&self, kind: InstanceKind, name: &str) -> Result<Option<u64>, ReadError> {
        let Some(keyring) = self.keyring() else { return Ok(None) };
        let hash = keyring.blind_name(kind.number(), name);
        let number = self.open(table::INSTANCE_NAMES)?.get((kind.number(), &hash)).map_err(Fault::from)?;
        Ok(number.map(|number| number.value()))
    }

    /// The instance of a kind that claims `claim`.
    pub fn claimant(&self, kind: InstanceKind, claim: u64) -> Result<Option<u64>, ReadError> {
        let number = self.open(table::INSTANCE_CLAIMS)?.get((kind.number(), claim)).map_err(Fault::from)?;
        Ok(number.map(|number| number.value()))
    }

    /// What happened to an instance, newest first, at most `limit`.
    pub fn instance_history<W: Workflow>(
        &self,
        number: u64,
        limit: usize,
    ) -> Result<Vec<InstanceRecord<W>>, ReadError> {
        let row = {
            let table = self.open(table::INSTANCES)?;
            let bytes = table.get((W::KIND.number(), number)).map_err(Fault::from)?;
            bytes.map(|bytes| keep::row::<W>(number, bytes.value())).transpose()?
        };
        let mut next = row.map(|row| row.last_seq);
        let mut history = Vec::new();
        while let Some(seq) = next.filter(|_| history.len() < limit) {
            let record = self.record(seq)?;
            next = record.previous;
            history.push(Self::instance_record(seq, number, record)?);
        }
        Ok(history)
    }

    fn instance_record<W: Workflow>(
        seq: JournalSeq,
        number: u64,
        record: Record,
    ) -> Result<InstanceRecord<W>, ReadError> {
        let event = match &record.event {
            Event::Instance { number: owner, event } if *owner == number => W::unwrap(event).cloned(),
            Event::Instance { .. } | Event::Message { .. } | Event::Lane { .. } | Event::Person { .. } => {
                None
            }
        };
        let event = event.ok_or(ReadError::ForeignInstance { seq, kind: W::KIND, number })?;
        Ok(InstanceRecord { event, record })
    }

    /// When the next timer of an instance is due.
    pub fn next_instance_timer(&self) -> Result<Option<Timestamp>, ReadError> {
        let table = self.open(table::INSTANCE_TIMERS)?;
        let first = redb::ReadableTable::first(&table).map_err(Fault::from)?;
        Ok(first.map(|(key, _)| Timestamp::from_millis(key.value().0)))
    }
}
