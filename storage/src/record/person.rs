//! The persisted forms of what happens to a person, one per event.

use wincode::{SchemaRead, SchemaWrite};

use super::RecordError;
use super::codec::{put, take};

/// Something that happened to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonEvent {
    /// Their data key was destroyed: their number and texts can't be read any more.
    Erased {
        /// Who asked for it, as they called themselves.
        by: String,
        /// Why, as they said.
        reason: String,
    },
}

/// Most bytes of a name or a reason.
pub const REMARK_BYTES_MAX: usize = 200;

/// `PersonEvent::Erased`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct ErasedV1 {
    by: String,
    reason: String,
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
        PersonEvent::Erased { by, reason } => {
            put(&ErasedV1 { by: by.clone(), reason: reason.clone() }, out).map(|()| (1, 1))
        }
    }
}

/// Reads the event that a payload of this type and version holds.
pub(super) fn take_event(record_type: u8, version: u8, payload: &[u8]) -> Result<PersonEvent, RecordError> {
    match (record_type, version) {
        (1, 1) => take(payload).map(|row: ErasedV1| PersonEvent::Erased { by: row.by, reason: row.reason }),
        (1, version) => Err(RecordError::UnknownVersion { name: "person_erased", version }),
        (number, _) => Err(RecordError::Unknown { what: "person record type", number }),
    }
}
