//! The persisted forms of what happens to a user, and of what is known of them.

use dunlin_workflows::actor::Reason;
use dunlin_workflows::id::PersonNumber;
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::user::{Event, OwnNumber, Preferences, Toggles, User};
use dunlin_workflows::zone::{Hours, LocalTime, Zone};
use wincode::{SchemaRead, SchemaWrite};

use super::{Workflow, wrapped};
use crate::record::RecordError;
use crate::record::codec::{put, take};

/// How users are persisted.
#[derive(Debug, Clone, Copy)]
pub struct Users;

/// What somebody prefers, first form. Times are minutes of the day.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct PreferencesV1 {
    /// One bit each, see the table of toggles.
    toggles: u16,
    quiet: Option<(u16, u16)>,
    daily_limit: Option<u16>,
    zone: Option<String>,
    lead_minutes: u16,
    kickoff: u16,
}

/// `user::Event::NumberChanged` and `NumberVerified`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct NumberV1 {
    person: Option<u64>,
}

/// `user::Event::Remarked` and `Erased`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct ReasonV1 {
    reason: Option<String>,
}

/// What is known of a user, first form. The second has the same fields and says that nobody understands what they prefer.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct UserV1 {
    preferences: Option<PreferencesV1>,
    version: u64,
    person: Option<u64>,
    verified_at_ms: Option<i64>,
    is_erased: bool,
}

impl From<&Preferences> for PreferencesV1 {
    fn from(preferences: &Preferences) -> Self {
        Self {
            toggles: preferences.toggles.bits(),
            quiet: preferences.quiet_hours.map(|hours| (hours.start.minute(), hours.end.minute())),
            daily_limit: preferences.daily_limit,
            zone: preferences.zone.map(|zone| zone.name().to_owned()),
            lead_minutes: preferences.lead_minutes,
            kickoff: preferences.kickoff_time.minute(),
        }
    }
}

impl TryFrom<PreferencesV1> for Preferences {
    type Error = RecordError;

    fn try_from(row: PreferencesV1) -> Result<Self, Self::Error> {
        let wrong = |what| RecordError::Value { what };
        let time = |minute| LocalTime::from_minute(minute).ok_or(wrong("time of day"));
        let quiet = row.quiet.map(|(start, end)| Ok(Hours { start: time(start)?, end: time(end)? }));
        Ok(Self {
            toggles: Toggles::from_bits(row.toggles).ok_or(wrong("toggles"))?,
            quiet_hours: quiet.transpose()?,
            daily_limit: row.daily_limit,
            zone: row.zone.map(|name| zone(&name)).transpose()?,
            lead_minutes: row.lead_minutes,
            kickoff_time: time(row.kickoff)?,
        })
    }
}

/// The zone with this name. A newer version may know zones that this one does not.
pub(super) fn zone(name: &str) -> Result<Zone, RecordError> {
    name.parse().map_err(|_unknown| RecordError::Value { what: "time zone" })
}

impl Workflow for Users {
    wrapped!(User);

    type State = User;
    type Event = Event;

    const RECORD_TYPES: &'static [(u8, &'static str)] = &[
        (1, "user_met"),
        (2, "preferences_changed"),
        (3, "number_changed"),
        (4, "number_verified"),
        (5, "user_remarked"),
        (6, "user_erased"),
        (7, "preferences_unreadable"),
    ];

    fn apply(state: &mut User, event: &Event, at: Timestamp) {
        state.apply(event, at);
    }

    fn timer(_state: &User) -> Option<Timestamp> {
        None
    }

    fn is_named(state: &User) -> bool {
        !state.is_erased
    }

    fn claim(state: &User) -> Option<u64> {
        state.verified().map(PersonNumber::get)
    }

    fn person(event: &Event) -> Option<PersonNumber> {
        match event {
            Event::NumberChanged { person } => *person,
            Event::NumberVerified { person } => Some(*person),
            Event::Met
            | Event::PreferencesChanged { .. }
            | Event::PreferencesUnreadable
            | Event::Remarked { .. }
            | Event::Erased { .. } => None,
        }
    }

    fn event_name(event: &Event) -> &'static str {
        event.name()
    }

    fn put_event(event: &Event, out: &mut Vec<u8>) -> Result<(u8, u8), RecordError> {
        let told = |reason: &Reason| reason.as_str().to_owned();
        let (record_type, written) = match event {
            Event::Met => (1, Ok(())),
            Event::PreferencesChanged { preferences } => (2, put(&PreferencesV1::from(preferences), out)),
            Event::NumberChanged { person } => {
                (3, put(&NumberV1 { person: person.map(PersonNumber::get) }, out))
            }
            Event::NumberVerified { person } => (4, put(&NumberV1 { person: Some(person.get()) }, out)),
            Event::Remarked { reason } => (5, put(&ReasonV1 { reason: Some(told(reason)) }, out)),
            Event::Erased { reason } => (6, put(&ReasonV1 { reason: reason.as_ref().map(told) }, out)),
            Event::PreferencesUnreadable => (7, Ok(())),
        };
        written.map(|()| (record_type, 1))
    }

    fn take_event(record_type: u8, version: u8, payload: &[u8]) -> Result<Event, RecordError> {
        let name = super::record_type(Self::RECORD_TYPES, record_type, "user record type")?;
        super::first_version(name, version)?;
        let missing = |what| RecordError::Value { what };
        let reason = |payload| -> Result<Option<Reason>, RecordError> {
            let row: ReasonV1 = take(payload)?;
            let reason = row.reason.map(|text| text.parse()).transpose();
            reason.map_err(|_not_a_reason| missing("reason"))
        };
        let number = |payload| -> Result<Option<PersonNumber>, RecordError> {
            Ok(take::<NumberV1>(payload)?.person.map(PersonNumber::new))
        };
        Ok(match record_type {
            1 | 7 if !payload.is_empty() => {
                return Err(RecordError::Payload { why: format!("a {name} has no payload") });
            }
            1 => Event::Met,
            2 => Event::PreferencesChanged { preferences: take::<PreferencesV1>(payload)?.try_into()? },
            3 => Event::NumberChanged { person: number(payload)? },
            4 => Event::NumberVerified { person: number(payload)?.ok_or(missing("person"))? },
            5 => Event::Remarked { reason: reason(payload)?.ok_or(missing("reason"))? },
            6 => Event::Erased { reason: reason(payload)? },
            _unreadable => Event::PreferencesUnreadable,
        })
    }

    fn put_state(state: &User, out: &mut Vec<u8>) -> Result<u8, RecordError> {
        let row = UserV1 {
            preferences: state.preferences.as_ref().map(PreferencesV1::from),
            version: state.version,
            person: state.number.map(|number| number.person.get()),
            verified_at_ms: state.number.and_then(|number| number.verified_at).map(Timestamp::as_millis),
            is_erased: state.is_erased,
        };
        put(&row, out).map(|()| if state.is_unreadable { 2 } else { 1 })
    }

    fn take_state(version: u8, bytes: &[u8]) -> Result<User, RecordError> {
        let is_unreadable = version == 2;
        if !is_unreadable {
            super::first_version("user", version)?;
        }
        let row: UserV1 = take(bytes)?;
        let number = match (row.person, row.verified_at_ms) {
            (Some(person), verified_at) => Some(OwnNumber {
                person: PersonNumber::new(person),
                verified_at: verified_at.map(Timestamp::from_millis),
            }),
            (None, None) => None,
            (None, Some(_)) => return Err(RecordError::Value { what: "verified number" }),
        };
        Ok(User {
            preferences: row.preferences.map(Preferences::try_from).transpose()?,
            version: row.version,
            number,
            is_unreadable,
            is_erased: row.is_erased,
        })
    }
}
