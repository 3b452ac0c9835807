//! The persisted forms of what happens to a person, one per event.

use dunlin_workflows::actor::Reason;
use wincode::{SchemaRead, SchemaWrite};

use super::RecordError;
use super::codec::{put, take};

/// Something that happened to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonEvent {
    /// Their data key was destroyed: their number and texts can't be read any more.
    Erased {
        /// Why, when somebody said so.
        reason: Option<Reason>,
    },
}

/// `PersonEvent::Erased`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct ErasedV1 {
    reason: Option<String>,
}

impl PersonEvent {
    /// The event's name in exports, logs and the API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Erased { .. } => "person_erased",
        }
    }
}

/// Every record type of a person: number and name of its event.
pub const PERSON_RECORD_TYPES: [(u8, &str); 1] = [(1, "person_erased")];

/// Appends the payload of `event`; gives its record type and type version.
pub(super) fn put_event(event: &PersonEvent, out: &mut Vec<u8>) -> Result<(u8, u8), RecordError> {
    match event {
        PersonEvent::Erased { reason } => {
            let reason = reason.as_ref().map(|reason| reason.as_str().to_owned());
            put(&ErasedV1 { reason }, out).map(|()| (1, 1))
        }
    }
}

/// Reads the event that a payload of this type and version holds.
pub(super) fn take_event(record_type: u8, version: u8, payload: &[u8]) -> Result<PersonEvent, RecordError> {
    match (record_type, version) {
        (1, 1) => {
            let row: ErasedV1 = take(payload)?;
            let reason = row.reason.map(|reason| reason.parse()).transpose();
            let reason = reason.map_err(|_not_a_reason| RecordError::Value { what: "reason" })?;
            Ok(PersonEvent::Erased { reason })
        }
        (1, version) => Err(RecordError::UnknownVersion { name: "person_erased", version }),
        (number, _) => Err(RecordError::Unknown { what: "person record type", number }),
    }
}
