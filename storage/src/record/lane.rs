//! The persisted forms of what happens to a lane.

use dunlin_workflows::lane::Event;
use dunlin_workflows::timestamp::Timestamp;
use wincode::{SchemaRead, SchemaWrite};

use super::RecordError;
use super::codec::{put, take};
use super::failure::FailureV1;
use super::message::EmptyV1;

/// `lane::Event::Cooled`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct CooledV1 {
    until_ms: i64,
    failure: FailureV1,
}

/// Appends the payload of `event`; gives its record type and type version.
pub(super) fn put_event(event: &Event, out: &mut Vec<u8>) -> Result<(u8, u8), RecordError> {
    let record_type = match event {
        Event::Cooled { until, failure } => {
            put(&CooledV1 { until_ms: until.as_millis(), failure: failure.into() }, out)?;
            1
        }
        Event::Warmed => {
            put(&EmptyV1 {}, out)?;
            2
        }
    };
    Ok((record_type, 1))
}

/// Reads the event that a payload of this type and version holds.
pub(super) fn take_event(record_type: u8, version: u8, payload: &[u8]) -> Result<Event, RecordError> {
    match (record_type, version) {
        (1, 1) => {
            let row: CooledV1 = take(payload)?;
            Ok(Event::Cooled {
                until: Timestamp::from_millis(row.until_ms),
                failure: row.failure.try_into()?,
            })
        }
        (2, 1) => take(payload).map(|EmptyV1 {}| Event::Warmed),
        (1, version) => Err(RecordError::UnknownVersion { name: "lane_cooled", version }),
        (2, version) => Err(RecordError::UnknownVersion { name: "lane_warmed", version }),
        (number, _) => Err(RecordError::Unknown { what: "lane record type", number }),
    }
}
