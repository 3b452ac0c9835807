//! The persisted forms of what is taken of an allowance, and of what is known of it.

use dunlin_workflows::allowance::{Allowance, Event};
use dunlin_workflows::id::PersonNumber;
use dunlin_workflows::timestamp::Timestamp;
use wincode::{SchemaRead, SchemaWrite};

use super::{Workflow, wrapped};
use crate::record::RecordError;
use crate::record::codec::{put, take};

/// How allowances are persisted.
#[derive(Debug, Clone, Copy)]
pub struct Allowances;

/// `allowance::Event::Taken`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct TakenV1 {
    keep_from_ms: i64,
}

/// What is known of an allowance, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct AllowanceV1 {
    taken_ms: Vec<i64>,
}

impl Workflow for Allowances {
    wrapped!(Allowance);

    type State = Allowance;
    type Event = Event;

    const RECORD_TYPES: &'static [(u8, &'static str)] = &[(1, "allowance_taken")];

    fn apply(state: &mut Allowance, event: &Event, at: Timestamp) {
        state.apply(event, at);
    }

    fn timer(_state: &Allowance) -> Option<Timestamp> {
        None
    }

    fn is_named(_state: &Allowance) -> bool {
        true
    }

    fn claim(_state: &Allowance) -> Option<u64> {
        None
    }

    fn person(_event: &Event) -> Option<PersonNumber> {
        None
    }

    fn event_name(event: &Event) -> &'static str {
        event.name()
    }

    fn put_event(event: &Event, out: &mut Vec<u8>) -> Result<(u8, u8), RecordError> {
        let Event::Taken { keep_from } = event;
        put(&TakenV1 { keep_from_ms: keep_from.as_millis() }, out).map(|()| (1, 1))
    }

    fn take_event(record_type: u8, version: u8, payload: &[u8]) -> Result<Event, RecordError> {
        let name = super::record_type(Self::RECORD_TYPES, record_type, "allowance record type")?;
        super::first_version(name, version)?;
        let form: TakenV1 = take(payload)?;
        Ok(Event::Taken { keep_from: Timestamp::from_millis(form.keep_from_ms) })
    }

    fn put_state(state: &Allowance, out: &mut Vec<u8>) -> Result<u8, RecordError> {
        let taken_ms = state.taken.iter().map(|taken| taken.as_millis()).collect();
        put(&AllowanceV1 { taken_ms }, out).map(|()| 1)
    }

    fn take_state(version: u8, bytes: &[u8]) -> Result<Allowance, RecordError> {
        super::first_version("allowance", version)?;
        let row: AllowanceV1 = take(bytes)?;
        Ok(Allowance { taken: row.taken_ms.into_iter().map(Timestamp::from_millis).collect() })
    }
}
