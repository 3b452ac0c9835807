//! Projections: where messages and lanes are now. Always the fold of the journal, kept beside it.

use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::lane::Lane;
use dunlin_workflows::message::Message;
use dunlin_workflows::timestamp::Timestamp;
use redb::ReadableTable;

use crate::error::{Fault, ReadError};
use crate::journal::{JournalSeq, LaneNumber};
use crate::record::envelope::{put_row, take_row};
use crate::record::row::{LaneRowV1, LaneRowV2, MessageRowV2, MessageRowV3, MessageRowV4, MessageRowV5};
use crate::record::short_row::{MessageRowV6, MessageRowV7};
use crate::record::{Record, RecordError};

/// Forms of the rows of `messages`: plain, with a user or a kind, with a template or leave to pass quiet hours, and
/// claimed from a shared database. The short ones come first: what fits into one is written in it.
const MESSAGE_ROW: u8 = 2;
const MESSAGE_ROW_WITH_USER: u8 = 3;
const MESSAGE_ROW_WITH_TEMPLATE: u8 = 4;
const MESSAGE_ROW_CLAIMED: u8 = 5;
const MESSAGE_ROW_SHORT: u8 = 6;
const MESSAGE_ROW_SHORT_WITH_MORE: u8 = 7;
/// Forms of the rows of `lanes`: plain, and with alarms.
const LANE_ROW: u8 = 1;
const LANE_ROW_WITH_ALARMS: u8 = 2;

/// Where a message is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projection {
    /// The fold of its events.
    pub message: Message,
    /// Position of the record that began it and that holds its request.
    pub accepted_seq: JournalSeq,
    /// Position of its newest record.
    pub last_seq: JournalSeq,
    /// Its durable timer.
    pub timer: Option<Timestamp>,
}

/// Where a lane is now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LaneProjection {
    /// The fold of its events.
    pub lane: Lane,
    /// Position of its newest record.
    pub last_seq: JournalSeq,
}

impl Projection {
    pub(crate) fn put(&self, number: MessageNumber) -> Result<Vec<u8>, RecordError> {
        let key = number.get().to_le_bytes();
        if let Some(row) = MessageRowV6::new(self) {
            return put_row("messages", &key, MESSAGE_ROW_SHORT, &row);
        }
        if let Some(row) = MessageRowV7::new(self) {
            return put_row("messages", &key, MESSAGE_ROW_SHORT_WITH_MORE, &row);
        }
        if let Some(row) = MessageRowV5::new(self) {
            return put_row("messages", &key, MESSAGE_ROW_CLAIMED, &row);
        }
        if let Some(row) = MessageRowV4::new(self) {
            return put_row("messages", &key, MESSAGE_ROW_WITH_TEMPLATE, &row);
        }
        match MessageRowV3::new(self) {
            Some(row) => put_row("messages", &key, MESSAGE_ROW_WITH_USER, &row),
            None => put_row("messages", &key, MESSAGE_ROW, &MessageRowV2::from(self)),
        }
    }

    pub(crate) fn take(number: u64, bytes: &[u8]) -> Result<Self, ReadError> {
        let key = number.to_le_bytes();
        let row = match bytes.first() {
            Some(&MESSAGE_ROW_SHORT) => {
                take_row::<MessageRowV6>("messages", &key, MESSAGE_ROW_SHORT, bytes).and_then(Self::try_from)
            }
            Some(&MESSAGE_ROW_SHORT_WITH_MORE) => {
                take_row::<MessageRowV7>("messages", &key, MESSAGE_ROW_SHORT_WITH_MORE, bytes)
                    .and_then(Self::try_from)
            }
            Some(&MESSAGE_ROW_CLAIMED) => {
                take_row::<MessageRowV5>("messages", &key, MESSAGE_ROW_CLAIMED, bytes)
                    .and_then(Self::try_from)
            }
            Some(&MESSAGE_ROW_WITH_TEMPLATE) => {
                take_row::<MessageRowV4>("messages", &key, MESSAGE_ROW_WITH_TEMPLATE, bytes)
                    .and_then(Self::try_from)
            }
            Some(&MESSAGE_ROW_WITH_USER) => {
                take_row::<MessageRowV3>("messages", &key, MESSAGE_ROW_WITH_USER, bytes)
                    .and_then(Self::try_from)
            }
            Some(_) | None => {
                take_row::<MessageRowV2>("messages", &key, MESSAGE_ROW, bytes).and_then(Self::try_from)
            }
        };
        row.map_err(|source| ReadError::Row { table: "messages", key: number.to_string(), source })
    }
}

impl LaneProjection {
    pub(crate) fn put(&self, lane: LaneNumber) -> Result<Vec<u8>, RecordError> {
        let key = lane.get().to_le_bytes();
        match LaneRowV2::new(self) {
            Some(row) => put_row("lanes", &key, LANE_ROW_WITH_ALARMS, &row),
            None => put_row("lanes", &key, LANE_ROW, &LaneRowV1::from(self)),
        }
    }

    pub(crate) fn take(lane: u64, bytes: &[u8]) -> Result<Self, ReadError> {
        let key = lane.to_le_bytes();
        let row = match bytes.first() {
            Some(&LANE_ROW_WITH_ALARMS) => {
                take_row::<LaneRowV2>("lanes", &key, LANE_ROW_WITH_ALARMS, bytes).and_then(Self::try_from)
            }
            Some(_) | None => take_row::<LaneRowV1>("lanes", &key, LANE_ROW, bytes).and_then(Self::try_from),
        };
        row.map_err(|source| ReadError::Row { table: "lanes", key: lane.to_string(), source })
    }
}

/// The message's row.
pub(crate) fn message(
    table: &impl ReadableTable<u64, &'static [u8]>,
    number: MessageNumber,
) -> Result<Option<Projection>, ReadError> {
    let row = table.get(number.get()).map_err(Fault::from)?;
    row.map(|bytes| Projection::take(number.get(), bytes.value())).transpose()
}

/// The lane's row.
pub(crate) fn lane(
    table: &impl ReadableTable<u64, &'static [u8]>,
    lane: LaneNumber,
) -> Result<Option<LaneProjection>, ReadError> {
    let row = table.get(lane.get()).map_err(Fault::from)?;
    row.map(|bytes| LaneProjection::take(lane.get(), bytes.value())).transpose()
}

/// The journal record at `seq`.
pub(crate) fn record(
    journal: &impl ReadableTable<u64, &'static [u8]>,
    seq: JournalSeq,
) -> Result<Record, ReadError> {
    let bytes = journal.get(seq.get()).map_err(Fault::from)?;
    let bytes = bytes.ok_or(ReadError::Missing { seq })?;
    Record::decode(seq, bytes.value()).map_err(|source| ReadError::Record { seq, source })
}
