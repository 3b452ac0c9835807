//! A reader: one snapshot of everything committed, for looking things up.

use std::fmt;
use std::sync::Arc;

use dunlin_workflows::id::{MessageId, MessageNumber, ProviderSid};
use dunlin_workflows::lane::Lane;
use dunlin_workflows::message::{self, STATES, StateName};
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;
use redb::{
    Key, ReadOnlyTable, ReadTransaction, ReadableTableMetadata, TableDefinition, TableError, TableHandle,
    Value,
};

use crate::actor::ActorNumber;
use crate::archive::Archives;
use crate::chain::{self, Head};
use crate::error::{Fault, ReadError};
use crate::idempotency::{self, Idempotency, KeyHash};
use crate::journal::{JournalSeq, LaneNumber};
use crate::newcomers::Newcomers;
use crate::projection::{self, LaneProjection, Projection};
use crate::record::tag::Tagged;
use crate::seal::{KeyId, Keyring};
use crate::table;

/// One snapshot. Made by [`Store::reader`](crate::Store::reader); keep it short.
pub struct Reader {
    transaction: ReadTransaction,
    keys: Option<Arc<Keyring>>,
    archives: Arc<Archives>,
    newcomers: Newcomers,
}

/// One thing that happened to a message, with when and on whose behalf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its position in the journal.
    pub seq: JournalSeq,
    /// When it happened.
    pub at: Timestamp,
    /// Which way it came.
    pub source: Source,
    /// On whose behalf.
    pub actor: ActorNumber,
    /// What happened.
    pub event: message::Event,
}

/// A journal record as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRecord {
    /// Its position.
    pub seq: JournalSeq,
    /// Its bytes; see [`Record::decode`](crate::Record::decode).
    pub bytes: Vec<u8>,
}

/// How large a table is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSize {
    /// Its name.
    pub name: String,
    /// How many entries it has.
    pub rows: u64,
    /// Bytes of its keys and values.
    pub stored_bytes: u64,
    /// Bytes of its pages that hold neither.
    pub overhead_bytes: u64,
}

impl Reader {
    /// A snapshot with the newcomers of its time, or later ones of the same index, and the archives that
    /// belong to it.
    pub(crate) fn new(
        transaction: ReadTransaction,
        keys: Option<Arc<Keyring>>,
        archives: Arc<Archives>,
        newcomers: Newcomers,
    ) -> Self {
        Self { transaction, keys, archives, newcomers }
    }

    /// A snapshot that tells nothing about persons, and of the journal what is in the store.
    pub(crate) fn locked(transaction: ReadTransaction) -> Self {
        Self::new(transaction, None, Archives::none(), Newcomers::default())
    }

    pub(crate) fn archives(&self) -> &Arc<Archives> {
        &self.archives
    }

    pub(crate) fn keyring(&self) -> Option<&Keyring> {
        self.keys.as_deref()
    }

    pub(crate) fn newcomers(&self) -> &Newcomers {
        &self.newcomers
    }

    /// Ids of the master keys that wrap some person's data key.
    pub fn masters(&self) -> Result<Vec<KeyId>, ReadError> {
        let range = self.open(table::MASTERS)?.range::<u32>(..).map_err(Fault::from)?;
        let ids = range.map(|entry| entry.map(|(id, _)| KeyId::new(id.value())));
        Ok(ids.collect::<Result<_, _>>().map_err(Fault::from)?)
    }

    /// The head of the chain over the journal, as the file tells it.
    pub fn head(&self) -> Result<Head, ReadError> {
        chain::newest(&self.open(table::HEADS)?)
    }

    pub(crate) fn open<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'static, K, V>,
    ) -> Result<ReadOnlyTable<K, V>, Fault> {
        Ok(self.transaction.open_table(definition)?)
    }

    /// A table that older files don't have.
    pub(crate) fn open_if_there<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'static, K, V>,
    ) -> Result<Option<ReadOnlyTable<K, V>>, Fault> {
        match self.transaction.open_table(definition) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Where a message is.
    pub fn message(&self, number: MessageNumber) -> Result<Option<Projection>, ReadError> {
        projection::message(&self.open(table::MESSAGES)?, number)
    }

    /// The message with this public id.
    pub fn number_of_id(&self, id: MessageId) -> Result<Option<MessageNumber>, ReadError> {
        let number = self.open(table::MESSAGE_IDS)?.get(id.as_bytes()).map_err(Fault::from)?;
        Ok(number.map(|number| MessageNumber::new(number.value())))
    }

    /// The message that the provider knows, or knew in an earlier attempt, by this name.
    pub fn number_of_sid(&self, sid: ProviderSid) -> Result<Option<MessageNumber>, ReadError> {
        if let Some((number, seq)) = self.newcomers.sids.get(&sid)
            && seq <= self.last_seq()?
        {
            return Ok(Some(number));
        }
        let number = self.open(table::PROVIDER_SIDS)?.get(sid.as_bytes()).map_err(Fault::from)?;
        Ok(number.map(|number| MessageNumber::new(number.value())))
    }

    /// Everything that happened to a message, oldest first; empty when there is no such message, or
    /// when it is in archives alone.
    pub fn life(&self, number: MessageNumber) -> Result<Vec<Entry>, ReadError> {
        match self.message(number)? {
            Some(row) => self.life_until(number, row.last_seq),
            None => Ok(Vec::new()),
        }
    }

    /// The journal's end.
    pub fn last_seq(&self) -> Result<JournalSeq, ReadError> {
        let journal = self.open(table::JOURNAL)?;
        let last = redb::ReadableTable::last(&journal).map_err(Fault::from)?;
        Ok(JournalSeq::new(last.map_or(0, |(seq, _)| seq.value())))
    }

    /// The records in the store after a position, in order: without a gap after the last archive, and
    /// before it those of messages that may still change. After [`Reader::pushed`] there is no gap,
    /// unless there were archives before the first push.
    ///
    /// # Errors
    /// When the database engine fails.
    pub fn stored_journal(
        &self,
        after: JournalSeq,
    ) -> Result<impl Iterator<Item = Result<RawRecord, ReadError>> + use<>, ReadError> {
        let range = self.open(table::JOURNAL)?.range(after.next().get()..).map_err(Fault::from)?;
        Ok(range.map(|entry| {
            let (seq, bytes) = entry.map_err(Fault::from)?;
            Ok(RawRecord { seq: JournalSeq::new(seq.value()), bytes: bytes.value().to_vec() })
        }))
    }

    /// Timers that follow `after` (an instant and a message) and are due at or before `until`, in
    /// order, at most `limit`. `(Timestamp::from_millis(i64::MIN), MessageNumber::new(0))` precedes all.
    pub fn timers_between(
        &self,
        after: (Timestamp, MessageNumber),
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, MessageNumber)>, ReadError> {
        use std::ops::Bound::{Excluded, Included};
        let from = (after.0.as_millis(), after.1.get());
        let end = (until.as_millis(), u64::MAX);
        if from >= end {
            return Ok(Vec::new());
        }
        let range = self.open(table::TIMERS)?.range((Excluded(from), Included(end))).map_err(Fault::from)?;
        let timers = range.take(limit).map(|entry| {
            entry.map(|(key, _)| {
                let (due_ms, number) = key.value();
                (Timestamp::from_millis(due_ms), MessageNumber::new(number))
            })
        });
        Ok(timers.collect::<Result<_, _>>().map_err(Fault::from)?)
    }

    /// Messages in a state that follow `after`, in order of acceptance, at most `limit`.
    pub fn numbers_in(
        &self,
        state: StateName,
        after: MessageNumber,
        limit: usize,
    ) -> Result<Vec<MessageNumber>, ReadError> {
        let from = (state.tag(), after.get().saturating_add(1));
        let range = self.open(table::BY_STATE)?.range(from..=(state.tag(), u64::MAX)).map_err(Fault::from)?;
        let numbers = range.take(limit).map(|entry| entry.map(|(key, _)| MessageNumber::new(key.value().1)));
        Ok(numbers.collect::<Result<_, _>>().map_err(Fault::from)?)
    }

    /// How many messages are in each state.
    pub fn totals(&self) -> Result<[(StateName, u64); STATES.len()], ReadError> {
        let table = self.open(table::TOTALS)?;
        let mut totals = STATES.map(|(state, _)| (state, 0));
        for (state, total) in &mut totals {
            *total = table.get(state.tag()).map_err(Fault::from)?.map_or(0, |total| total.value());
        }
        Ok(totals)
    }

    /// Where a lane is. A lane of which nothing was ever recorded is new.
    pub fn lane(&self, lane: LaneNumber) -> Result<Lane, ReadError> {
        let row = projection::lane(&self.open(table::LANES)?, lane)?;
        Ok(row.map(|row| row.lane).unwrap_or_default())
    }

    /// Every lane of which something was recorded.
    pub fn lanes(&self) -> Result<Vec<(LaneNumber, LaneProjection)>, ReadError> {
        let range = self.open(table::LANES)?.range::<u64>(..).map_err(Fault::from)?;
        range
            .map(|entry| {
                let (lane, bytes) = entry.map_err(Fault::from)?;
                let lane = lane.value();
                Ok((LaneNumber::new(lane), LaneProjection::take(lane, bytes.value())?))
            })
            .collect()
    }

    /// The last position that the reader with this name has dealt with; [`JournalSeq::START`] at first.
    pub fn cursor(&self, name: &str) -> Result<JournalSeq, ReadError> {
        let seq = self.open(table::CURSORS)?.get(name).map_err(Fault::from)?;
        Ok(JournalSeq::new(seq.map_or(0, |seq| seq.value())))
    }

    /// What was answered to the request with this key.
    pub fn idempotency(&self, key: &KeyHash) -> Result<Option<Idempotency>, ReadError> {
        idempotency::read(&self.open(table::IDEMPOTENCY)?, key)
    }

    /// How large every table is, by name. Walks all pages: for a stopped store, or a small one.
    pub fn sizes(&self) -> Result<Vec<TableSize>, ReadError> {
        let mut sizes = Vec::new();
        for handle in self.transaction.list_tables().map_err(Fault::from)? {
            let name = handle.name().to_owned();
            let table = self.transaction.open_untyped_table(handle).map_err(Fault::from)?;
            let stats = table.stats().map_err(Fault::from)?;
            sizes.push(TableSize {
                name,
                rows: table.len().map_err(Fault::from)?,
                stored_bytes: stats.stored_bytes(),
                overhead_bytes: stats.metadata_bytes().saturating_add(stats.fragmented_bytes()),
            });
        }
        Ok(sizes)
    }

    /// How many callbacks wait for a message that is not known yet.
    pub fn orphan_count(&self) -> Result<u64, ReadError> {
        Ok(self.open(table::ORPHANS)?.len().map_err(Fault::from)?)
    }

    /// How many messages have a timer.
    pub fn timer_count(&self) -> Result<u64, ReadError> {
        Ok(self.open(table::TIMERS)?.len().map_err(Fault::from)?)
    }

    /// How many persons there are who were not erased.
    pub fn person_count(&self) -> Result<u64, ReadError> {
        Ok(self.open(table::PERSONS)?.len().map_err(Fault::from)?)
    }

    /// How many messages there are.
    pub fn message_count(&self) -> Result<u64, ReadError> {
        Ok(self.open(table::MESSAGES)?.len().map_err(Fault::from)?)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}
