//! What flowed in each stream lately, as stored. It follows from no record: events say nothing about numbers, and
//! counts concern nobody after a day.

use std::collections::BTreeMap;
use std::sync::Arc;

use dunlin_workflows::id::{Attempt, MessageNumber, PersonNumber};
use dunlin_workflows::policy::{Bucket, Flow, Stream};
use dunlin_workflows::timestamp::Timestamp;
use redb::ReadableTable;
use wincode::{SchemaRead, SchemaWrite};

use crate::batch::Batch;
use crate::error::{BatchError, Fault, ReadError};
use crate::projection;
use crate::reader::Reader;
use crate::record::RecordError;
use crate::record::envelope::{put_row, take_row};
use crate::recovery::{Problem, VerifyReport};
use crate::seal::Keyring;
use crate::table;

const TABLE: &str = "flows";

/// Oldest and newest messages of a person that are asked whether anything was ever sent to them.
const ASKED: usize = 4;

/// The keyed hash of a stream's name.
pub(crate) type StreamHash = [u8; 16];

/// A row of `flows`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct FlowRowV1 {
    minute: Vec<(i64, u32)>,
    hour: Vec<(i64, u32)>,
    day: Vec<(i64, u32)>,
    line_us: i64,
}

/// What a batch knows of streams.
pub(crate) type Flows = BTreeMap<Stream, Flowing>;

/// What a batch knows of a stream.
pub(crate) struct Flowing {
    flow: Arc<Flow>,
    changed: bool,
}

/// The row of a stream.
pub(crate) fn put(hash: &StreamHash, flow: &Flow) -> Result<Vec<u8>, RecordError> {
    let [minute, hour, day]: [Vec<Bucket>; 3] = flow.spans().clone();
    put_row(TABLE, hash, 1, &FlowRowV1 { minute, hour, day, line_us: flow.line_us() })
}

/// Reads the row of a stream.
pub(crate) fn take(hash: &StreamHash, bytes: &[u8]) -> Result<Flow, ReadError> {
    let opened = || -> Result<Flow, RecordError> {
        let row: FlowRowV1 = take_row(TABLE, hash, 1, bytes)?;
        Flow::of([row.minute, row.hour, row.day], row.line_us).ok_or(RecordError::Value { what: "flow" })
    };
    let key = || format!("{:032x}", u128::from_be_bytes(*hash));
    opened().map_err(|source| ReadError::Row { table: TABLE, key: key(), source })
}

/// What a stream is found by. A block names ten thousand numbers, which is too much to stand in clear.
fn hash(keyring: &Keyring, stream: &Stream) -> StreamHash {
    match stream {
        Stream::All => keyring.blind_stream(1, ""),
        Stream::Sender(sender) => keyring.blind_stream(2, sender),
        Stream::Country(region) => keyring.blind_stream(3, &region.to_string()),
        Stream::Block(block) => keyring.blind_stream(4, &block.digits().to_string()),
    }
}

impl Batch<'_> {
    /// What flowed in a stream lately, with what this batch counted.
    pub fn flow(&mut self, stream: &Stream) -> Result<Arc<Flow>, BatchError> {
        if let Some(flowing) = self.flows.get(stream) {
            return Ok(Arc::clone(&flowing.flow));
        }
        let read = self.stored_flow(stream);
        let flow = Arc::new(self.noted(read)?);
        self.flows.insert(stream.clone(), Flowing { flow: Arc::clone(&flow), changed: false });
        Ok(flow)
    }

    /// Changes what is known of a stream.
    pub fn change_flow(&mut self, stream: &Stream, change: impl FnOnce(&mut Flow)) -> Result<(), BatchError> {
        if !self.flows.contains_key(stream) {
            self.flow(stream)?;
        }
        if let Some(flowing) = self.flows.get_mut(stream) {
            change(Arc::make_mut(&mut flowing.flow));
            flowing.changed = true;
        }
        Ok(())
    }

    /// Notes that something is sent to a person in this batch.
    pub fn texts(&mut self, person: PersonNumber) {
        self.texted.insert(person);
    }

    /// Whether anything was ever sent to a person. Of whom there is much, the oldest and the newest are asked; what is
    /// in archives alone is forgotten.
    pub fn was_texted(&mut self, person: PersonNumber) -> Result<bool, BatchError> {
        if self.texted.contains(&person) {
            return Ok(true);
        }
        // Whoever is new has no message in the file.
        if self.new_persons.contains_key(&person) {
            return Ok(false);
        }
        let read = self.stored_attempt(person);
        self.noted(read)
    }

    fn stored_attempt(&mut self, person: PersonNumber) -> Result<bool, BatchError> {
        let range = (person.get(), 0)..=(person.get(), u64::MAX);
        let by_person = self.tables.by_person.open()?;
        let mut keys = by_person.range(range).map_err(Fault::from)?;
        let mut numbers = Vec::with_capacity(ASKED.saturating_mul(2));
        for _ in 0..ASKED {
            for entry in [keys.next(), keys.next_back()].into_iter().flatten() {
                numbers.push(entry.map_err(Fault::from)?.0.value().1);
            }
        }
        drop(keys);
        for number in numbers {
            let stored = projection::message(self.tables.messages.open()?, MessageNumber::new(number))?;
            if stored.is_some_and(|row| row.message.attempt != Attempt::NONE) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn stored_flow(&mut self, stream: &Stream) -> Result<Flow, BatchError> {
        let hash = hash(&self.keyring, stream);
        let row = self.tables.flows.open()?.get(&hash).map_err(Fault::from)?;
        Ok(row.map(|bytes| take(&hash, bytes.value())).transpose()?.unwrap_or_default())
    }

    /// Writes what this batch counted.
    pub(crate) fn write_flows(&mut self) -> Result<(), BatchError> {
        for (stream, flowing) in self.flows.iter().filter(|(_, flowing)| flowing.changed) {
            let hash = hash(&self.keyring, stream);
            let row = put(&hash, &flowing.flow)?;
            self.tables.flows.open()?.insert(&hash, row.as_slice()).map_err(Fault::from)?;
        }
        Ok(())
    }

    /// Removes streams in which nothing matters after `then`, among `most` that follow `after`. Gives where to go on.
    pub fn purge_flows(
        &mut self,
        after: [u8; 16],
        then: Timestamp,
        most: usize,
    ) -> Result<[u8; 16], BatchError> {
        let purged = self.purge_stored_flows(after, then, most);
        self.noted(purged)
    }

    fn purge_stored_flows(
        &mut self,
        after: StreamHash,
        then: Timestamp,
        most: usize,
    ) -> Result<StreamHash, BatchError> {
        let flows = self.tables.flows.open()?;
        let (mut stale, mut looked, mut last) = (Vec::new(), 0_usize, StreamHash::default());
        for entry in flows.range::<&StreamHash>(&after..).map_err(Fault::from)?.take(most) {
            let (key, bytes) = entry.map_err(Fault::from)?;
            (looked, last) = (looked.saturating_add(1), *key.value());
            if !take(&last, bytes.value())?.matters_after(then) {
                stale.push(last);
            }
        }
        for hash in stale {
            flows.remove(&hash).map_err(Fault::from)?;
        }
        // Behind the last it begins again.
        Ok(if looked < most { StreamHash::default() } else { last })
    }
}

impl Reader {
    /// What flowed in a stream lately. Needs the keys.
    pub fn flow(&self, stream: &Stream) -> Result<Flow, ReadError> {
        let Some(keyring) = self.keyring() else { return Ok(Flow::default()) };
        let Some(flows) = self.open_if_there(table::FLOWS)? else { return Ok(Flow::default()) };
        let hash = hash(keyring, stream);
        let row = flows.get(&hash).map_err(Fault::from)?;
        Ok(row.map(|bytes| take(&hash, bytes.value())).transpose()?.unwrap_or_default())
    }

    /// Whether anything was ever sent to a person, as [`Batch::was_texted`] says.
    pub fn was_texted(&self, person: PersonNumber) -> Result<bool, ReadError> {
        let range = (person.get(), 0)..=(person.get(), u64::MAX);
        let mut keys = self.open(table::BY_PERSON)?.range(range).map_err(Fault::from)?;
        for _ in 0..ASKED {
            for entry in [keys.next(), keys.next_back()].into_iter().flatten() {
                let number = MessageNumber::new(entry.map_err(Fault::from)?.0.value().1);
                if self.message(number)?.is_some_and(|row| row.message.attempt != Attempt::NONE) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// Reports rows that can't be read.
pub(crate) fn check(reader: &Reader, report: &mut VerifyReport) -> Result<(), ReadError> {
    let Some(flows) = reader.open_if_there(table::FLOWS)? else { return Ok(()) };
    for entry in flows.range::<&StreamHash>(..).map_err(Fault::from)? {
        let (key, bytes) = entry.map_err(Fault::from)?;
        if let Err(error) = take(key.value(), bytes.value()) {
            report.add(Problem::Unreadable { why: error.to_string() });
        }
    }
    Ok(())
}
