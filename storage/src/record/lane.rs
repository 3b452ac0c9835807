//! The persisted forms of what happens to a lane.

use dunlin_workflows::alarm::Alarm;
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

/// An alarm, first form: `lane::Event::FailuresRepeated` and `lane::Event::FailuresEnded`, and in the row of a lane.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct AlarmV1 {
    failure: FailureV1,
    count: u32,
    since_ms: i64,
}

impl From<&Alarm> for AlarmV1 {
    fn from(alarm: &Alarm) -> Self {
        Self { failure: (&alarm.failure).into(), count: alarm.count, since_ms: alarm.since.as_millis() }
    }
}

impl TryFrom<AlarmV1> for Alarm {
    type Error = RecordError;

    fn try_from(row: AlarmV1) -> Result<Self, Self::Error> {
        let since = Timestamp::from_millis(row.since_ms);
        Ok(Self { failure: row.failure.try_into()?, count: row.count, since })
    }
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
        Event::FailuresRepeated(alarm) => {
            put(&AlarmV1::from(&**alarm), out)?;
            3
        }
        Event::FailuresEnded(alarm) => {
            put(&AlarmV1::from(&**alarm), out)?;
            4
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
        (3, 1) => Ok(Event::FailuresRepeated(Box::new(take::<AlarmV1>(payload)?.try_into()?))),
        (4, 1) => Ok(Event::FailuresEnded(Box::new(take::<AlarmV1>(payload)?.try_into()?))),
        (1, version) => Err(RecordError::UnknownVersion { name: "lane_cooled", version }),
        (2, version) => Err(RecordError::UnknownVersion { name: "lane_warmed", version }),
        (3, version) => Err(RecordError::UnknownVersion { name: "failures_repeated", version }),
        (4, version) => Err(RecordError::UnknownVersion { name: "failures_ended", version }),
        (number, _) => Err(RecordError::Unknown { what: "lane record type", number }),
    }
}
