//! The persisted forms of what happens to a person, one per event.

use dunlin_workflows::actor::Reason;
use dunlin_workflows::consent;
use dunlin_workflows::id::ProviderSid;
use dunlin_workflows::timestamp::Timestamp;
use wincode::{SchemaRead, SchemaWrite};

use super::RecordError;
use super::codec::{put, take};
use super::message::provider_sid;
use super::tag::{Tagged, word};

/// Something that happened to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonEvent {
    /// Their data key was destroyed: their number and texts can't be read any more.
    Erased {
        /// Why, when somebody said so.
        reason: Option<Reason>,
    },
    /// Something about their consent. The words of a text of theirs stand sealed in the record.
    Consent(consent::Event),
}

/// `PersonEvent::Erased`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct ErasedV1 {
    reason: Option<String>,
}

/// `consent::Event::OptedOut` and `OptedIn`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct StatedV1 {
    since_ms: i64,
    how: u8,
    text: Option<[u8; 34]>,
    reason: Option<String>,
    sealed: Vec<u8>,
}

/// `consent::Event::HelpAsked`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct HelpAskedV1 {
    text: [u8; 34],
    sealed: Vec<u8>,
}

/// `consent::Event::OptOutSuspected`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct SuspectedV1 {
    text: [u8; 34],
    since_ms: i64,
    sealed: Vec<u8>,
}

/// `consent::Event::ReviewResolved`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct ResolvedV1 {
    text: [u8; 34],
    finding: u8,
    reason: Option<String>,
}

impl PersonEvent {
    /// The event's name in exports, logs and the API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Erased { .. } => "person_erased",
            Self::Consent(event) => event.name(),
        }
    }
}

/// Every record type of a person: number and name of its event.
pub const PERSON_RECORD_TYPES: [(u8, &str); 6] = [
    (1, "person_erased"),
    (2, "opted_out"),
    (3, "opted_in"),
    (4, "help_asked"),
    (5, "opt_out_suspected"),
    (6, "review_resolved"),
];

/// Appends the payload of `event`; gives its record type and type version. `sealed` is what they wrote.
pub(super) fn put_event(
    event: &PersonEvent,
    sealed: &[u8],
    out: &mut Vec<u8>,
) -> Result<(u8, u8), RecordError> {
    use consent::Event as E;
    let told = |reason: &Option<Reason>| reason.as_ref().map(|reason| reason.as_str().to_owned());
    let (record_type, written) = match event {
        PersonEvent::Erased { reason } => (1, put(&ErasedV1 { reason: told(reason) }, out)),
        PersonEvent::Consent(
            stated @ (E::OptedOut { since, how, text, reason } | E::OptedIn { since, how, text, reason }),
        ) => {
            let form = StatedV1 {
                since_ms: since.as_millis(),
                how: how.tag(),
                text: text.map(|text| *text.as_bytes()),
                reason: told(reason),
                sealed: sealed.to_vec(),
            };
            let is_out = matches!(stated, E::OptedOut { .. });
            (if is_out { 2 } else { 3 }, put(&form, out))
        }
        PersonEvent::Consent(E::HelpAsked { text }) => {
            (4, put(&HelpAskedV1 { text: *text.as_bytes(), sealed: sealed.to_vec() }, out))
        }
        PersonEvent::Consent(E::OptOutSuspected { text, since }) => {
            let (text, sealed) = (*text.as_bytes(), sealed.to_vec());
            (5, put(&SuspectedV1 { text, since_ms: since.as_millis(), sealed }, out))
        }
        PersonEvent::Consent(E::ReviewResolved { text, finding, reason }) => {
            let text = *text.as_bytes();
            (6, put(&ResolvedV1 { text, finding: finding.tag(), reason: told(reason) }, out))
        }
    };
    written.map(|()| (record_type, 1))
}

/// Reads the event that a payload of this type and version holds, and what is sealed in it.
pub(super) fn take_event(
    record_type: u8,
    version: u8,
    payload: &[u8],
) -> Result<(PersonEvent, Vec<u8>), RecordError> {
    let Some((_, name)) = PERSON_RECORD_TYPES.into_iter().find(|(number, _)| *number == record_type) else {
        return Err(RecordError::Unknown { what: "person record type", number: record_type });
    };
    if version != 1 {
        return Err(RecordError::UnknownVersion { name, version });
    }
    let (event, sealed) = match record_type {
        1 => {
            let row: ErasedV1 = take(payload)?;
            return Ok((PersonEvent::Erased { reason: reason(row.reason)? }, Vec::new()));
        }
        2 | 3 => {
            let row: StatedV1 = take(payload)?;
            let (since, how) = (Timestamp::from_millis(row.since_ms), word(row.how)?);
            let text: Option<ProviderSid> = row.text.as_ref().map(provider_sid).transpose()?;
            let reason = reason(row.reason)?;
            let event = if record_type == 2 {
                consent::Event::OptedOut { since, how, text, reason }
            } else {
                consent::Event::OptedIn { since, how, text, reason }
            };
            (event, row.sealed)
        }
        4 => {
            let row: HelpAskedV1 = take(payload)?;
            (consent::Event::HelpAsked { text: provider_sid(&row.text)? }, row.sealed)
        }
        5 => {
            let row: SuspectedV1 = take(payload)?;
            let (text, since) = (provider_sid(&row.text)?, Timestamp::from_millis(row.since_ms));
            (consent::Event::OptOutSuspected { text, since }, row.sealed)
        }
        _resolved => {
            let row: ResolvedV1 = take(payload)?;
            let (text, finding) = (provider_sid(&row.text)?, word(row.finding)?);
            let reason = reason(row.reason)?;
            (consent::Event::ReviewResolved { text, finding, reason }, Vec::new())
        }
    };
    Ok((PersonEvent::Consent(event), sealed))
}

fn reason(text: Option<String>) -> Result<Option<Reason>, RecordError> {
    let reason = text.map(|text| text.parse()).transpose();
    reason.map_err(|_not_a_reason| RecordError::Value { what: "reason" })
}
