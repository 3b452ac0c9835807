//! The persisted forms of what happens to a message, one per event.
//!
//! A form is never edited once released: a changed event gets a second form and a second version,
//! and the first stays readable for ever.

use dunlin_workflows::id::{Attempt, MessageId, ProviderSid};
use dunlin_workflows::message::{Event, Terms, Verdict};
use dunlin_workflows::policy::Ban;
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::zone::LocalDay;
use wincode::{SchemaRead, SchemaWrite};

use super::RecordError;
use super::accepted::{AcceptedV2, AcceptedV3, AcceptedV4, AcceptedV5};
use super::codec::{put, take};
use super::failure::FailureV1;
use super::tag::{Tagged, word};

macro_rules! forms {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? })+) => {
        $(
            $(#[$doc])*
            #[derive(SchemaWrite, SchemaRead)]
            #[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
            pub(crate) struct $name {
                $(pub(super) $field: $type,)*
            }
        )+
    };
}

forms! {
    /// Every event without data, first form: no bytes at all.
    EmptyV1 {}

    /// `Held`, first form.
    HeldV1 { hold: u8, until_ms: i64 }

    /// `AttemptStarted`, first form.
    AttemptStartedV1 { attempt: u32 }

    /// `AttemptStarted`, second form: one that counts, on this local day (days since 1970-01-01).
    AttemptStartedV2 { attempt: u32, day: i32 }

    /// `AttemptSuspected`, first form. The local day counts days since 1970-01-01.
    AttemptSuspectedV1 { attempt: u32, started_at_ms: i64, day: Option<i32> }

    /// `Bypassed`, first form.
    BypassedV1 { hold: u8 }

    /// `Submitted`, first form.
    SubmittedV1 { attempt: u32, sid: [u8; 34], status: u8, via: u8 }

    /// `AttemptFailed`, first form. No retry means that the message failed for good.
    AttemptFailedV1 { attempt: u32, failure: FailureV1, retry: Option<RetryV1> }

    /// What `AttemptFailed` waits for before the next attempt, first form.
    RetryV1 { hold: u8, until_ms: i64, counts: u8 }

    /// `OutcomeLost`, first form.
    OutcomeLostV1 { attempt: u32, detail: String }

    /// `LookupFoundNothing`, first form.
    LookupFoundNothingV1 { attempt: u32, lookups: u8 }

    /// `StatusReported`, first form.
    StatusReportedV1 { status: u8, failure: Option<FailureV1>, via: u8 }

    /// `Polled`, first form.
    PolledV1 { polls: u8 }

    /// `Rescheduled`, first form.
    RescheduledV1 { scheduled_for_ms: Option<i64> }

    /// `RetriedAs`, first form.
    RetriedAsV1 { id: [u8; 16] }

    /// `Remarked`, first form.
    RemarkedV1 { reason: String }

    /// `Suppressed`, first form.
    SuppressedV1 { rule: u8, since_ms: i64, how: u8 }

    /// `Contradicted`, first form.
    ContradictedV1 { sid: [u8; 34], status: u8 }
}

/// Every record type of a message: number and name of its event.
pub const MESSAGE_RECORD_TYPES: [(u8, &str); 23] = [
    (1, "accepted"),
    (2, "held"),
    (3, "became_due"),
    (4, "attempt_started"),
    (5, "submitted"),
    (6, "attempt_failed"),
    (7, "outcome_lost"),
    (8, "lookup_found_nothing"),
    (9, "status_reported"),
    (10, "polled"),
    (11, "rescheduled"),
    (12, "canceled"),
    (13, "expired"),
    (14, "given_up"),
    (15, "retried_as"),
    (16, "contradicted"),
    (17, "unconfirmed"),
    (18, "remarked"),
    (19, "suppressed"),
    (20, "bypassed"),
    (21, "attempt_suspected"),
    (22, "relinquished"),
    (23, "reclaimed"),
];

/// Forms of each event's payload that are written and read, oldest first; the first alone unless it is listed here.
const VERSIONS: [(u8, &[u8]); 2] = [(1, &[2, 3, 4, 5]), (4, &[1, 2])];

fn versions(record_type: u8) -> &'static [u8] {
    VERSIONS.into_iter().find(|(known, _)| *known == record_type).map_or(&[1], |(_, versions)| versions)
}

/// Appends the payload of `event`; gives its record type and type version. `sealed` is the text of an
/// accepted message.
pub(super) fn put_event(event: &Event, sealed: &[u8], out: &mut Vec<u8>) -> Result<(u8, u8), RecordError> {
    // What an older form says is written in it: the newer ones are for what they add.
    let mut version = 1;
    let (record_type, written) = match event {
        Event::Accepted { terms } => {
            let (form, written) = put_accepted(terms, sealed, out);
            version = form;
            (1, written)
        }
        Event::Held { hold, until } => {
            (2, put(&HeldV1 { hold: hold.tag(), until_ms: until.as_millis() }, out))
        }
        Event::BecameDue => (3, put(&EmptyV1 {}, out)),
        Event::AttemptStarted { attempt, counted: None } => {
            (4, put(&AttemptStartedV1 { attempt: attempt.get() }, out))
        }
        Event::AttemptStarted { attempt, counted: Some(day) } => {
            version = 2;
            (4, put(&AttemptStartedV2 { attempt: attempt.get(), day: day.days() }, out))
        }
        Event::Submitted { attempt, sid, status, via } => {
            let (attempt, sid) = (attempt.get(), *sid.as_bytes());
            (5, put(&SubmittedV1 { attempt, sid, status: status.tag(), via: via.tag() }, out))
        }
        Event::AttemptFailed { attempt, failure, verdict } => {
            let retry = match *verdict {
                Verdict::RetryAt { hold, until, counts } => {
                    Some(RetryV1 { hold: hold.tag(), until_ms: until.as_millis(), counts: counts.tag() })
                }
                Verdict::Failed => None,
            };
            (6, put(&AttemptFailedV1 { attempt: attempt.get(), failure: failure.into(), retry }, out))
        }
        Event::OutcomeLost { attempt, detail } => {
            (7, put(&OutcomeLostV1 { attempt: attempt.get(), detail: detail.to_string() }, out))
        }
        Event::LookupFoundNothing { attempt, lookups } => {
            (8, put(&LookupFoundNothingV1 { attempt: attempt.get(), lookups: *lookups }, out))
        }
        Event::StatusReported { status, failure, via } => {
            let failure = failure.as_ref().map(FailureV1::from);
            (9, put(&StatusReportedV1 { status: status.tag(), failure, via: via.tag() }, out))
        }
        Event::Polled { polls } => (10, put(&PolledV1 { polls: *polls }, out)),
        Event::Rescheduled { scheduled_for } => {
            (11, put(&RescheduledV1 { scheduled_for_ms: scheduled_for.map(Timestamp::as_millis) }, out))
        }
        Event::Canceled => (12, put(&EmptyV1 {}, out)),
        Event::Expired => (13, put(&EmptyV1 {}, out)),
        Event::GivenUp => (14, put(&EmptyV1 {}, out)),
        Event::RetriedAs { id } => (15, put(&RetriedAsV1 { id: *id.as_bytes() }, out)),
        Event::Contradicted { sid, status } => {
            (16, put(&ContradictedV1 { sid: *sid.as_bytes(), status: status.tag() }, out))
        }
        Event::Unconfirmed => (17, put(&EmptyV1 {}, out)),
        Event::Remarked { reason } => (18, put(&RemarkedV1 { reason: reason.as_str().to_owned() }, out)),
        Event::Suppressed { ban } => (19, put(&SuppressedV1::from(*ban), out)),
        Event::AttemptSuspected { attempt, started_at, counted } => {
            let day = counted.map(LocalDay::days);
            let started_at_ms = started_at.as_millis();
            (21, put(&AttemptSuspectedV1 { attempt: attempt.get(), started_at_ms, day }, out))
        }
        Event::Relinquished => (22, put(&EmptyV1 {}, out)),
        Event::Reclaimed => (23, put(&EmptyV1 {}, out)),
        Event::Bypassed { hold } => (20, put(&BypassedV1 { hold: hold.tag() }, out)),
    };
    written.map(|()| (record_type, version))
}

/// Appends the payload of an acceptance in the oldest form that says all of it; gives the form's version.
fn put_accepted(terms: &Terms, sealed: &[u8], out: &mut Vec<u8>) -> (u8, Result<(), RecordError>) {
    if let Some(form) = AcceptedV5::new(terms, sealed) {
        (5, put(&form, out))
    } else if let Some(form) = AcceptedV4::new(terms, sealed) {
        (4, put(&form, out))
    } else if let Some(form) = AcceptedV3::new(terms, sealed) {
        (3, put(&form, out))
    } else {
        (2, put(&AcceptedV2::new(terms, sealed), out))
    }
}

/// Reads the event that a payload of this type and version holds, and the sealed text in it.
pub(super) fn take_event(
    record_type: u8,
    version: u8,
    payload: &[u8],
) -> Result<(Event, Vec<u8>), RecordError> {
    let Some((_, name)) = MESSAGE_RECORD_TYPES.into_iter().find(|(number, _)| *number == record_type) else {
        return Err(RecordError::Unknown { what: "message record type", number: record_type });
    };
    if (record_type, version) == (1, 1) {
        return Err(RecordError::InClear { name, version });
    }
    if !versions(record_type).contains(&version) {
        return Err(RecordError::UnknownVersion { name, version });
    }
    let event = match record_type {
        1 if version == 5 => {
            let mut row = take::<AcceptedV5>(payload)?;
            let sealed = std::mem::take(&mut row.rest.rest.sealed);
            return Ok((row.try_into()?, sealed));
        }
        1 if version == 4 => {
            let mut row = take::<AcceptedV4>(payload)?;
            let sealed = std::mem::take(&mut row.rest.rest.sealed);
            return Ok((row.try_into()?, sealed));
        }
        1 if version == 3 => {
            let mut row = take::<AcceptedV3>(payload)?;
            let sealed = std::mem::take(&mut row.rest.sealed);
            return Ok((row.try_into()?, sealed));
        }
        1 => {
            let mut row = take::<AcceptedV2>(payload)?;
            let sealed = std::mem::take(&mut row.sealed);
            return Ok((row.try_into()?, sealed));
        }
        2 => take::<HeldV1>(payload)?.try_into(),
        3 => take(payload).map(|EmptyV1 {}| Event::BecameDue),
        4 if version == 2 => take(payload).map(|row: AttemptStartedV2| Event::AttemptStarted {
            attempt: Attempt::new(row.attempt),
            counted: Some(LocalDay::from_days(row.day)),
        }),
        4 => take(payload).map(|row: AttemptStartedV1| Event::AttemptStarted {
            attempt: Attempt::new(row.attempt),
            counted: None,
        }),
        5 => take::<SubmittedV1>(payload)?.try_into(),
        6 => take::<AttemptFailedV1>(payload)?.try_into(),
        7 => take::<OutcomeLostV1>(payload).map(Event::from),
        8 => take::<LookupFoundNothingV1>(payload).map(Event::from),
        9 => take::<StatusReportedV1>(payload)?.try_into(),
        10 => take(payload).map(|row: PolledV1| Event::Polled { polls: row.polls }),
        11 => take::<RescheduledV1>(payload).map(Event::from),
        12 => take(payload).map(|EmptyV1 {}| Event::Canceled),
        13 => take(payload).map(|EmptyV1 {}| Event::Expired),
        14 => take(payload).map(|EmptyV1 {}| Event::GivenUp),
        15 => take(payload).map(|row: RetriedAsV1| Event::RetriedAs { id: MessageId::from_bytes(row.id) }),
        16 => take::<ContradictedV1>(payload)?.try_into(),
        17 => take(payload).map(|EmptyV1 {}| Event::Unconfirmed),
        18 => take::<RemarkedV1>(payload)?.try_into(),
        19 => take::<SuppressedV1>(payload)?.try_into().map(|ban| Event::Suppressed { ban }),
        20 => take::<BypassedV1>(payload).and_then(|row| word(row.hold)).map(|hold| Event::Bypassed { hold }),
        21 => take(payload).map(|row: AttemptSuspectedV1| Event::AttemptSuspected {
            attempt: Attempt::new(row.attempt),
            started_at: Timestamp::from_millis(row.started_at_ms),
            counted: row.day.map(LocalDay::from_days),
        }),
        22 => take(payload).map(|EmptyV1 {}| Event::Relinquished),
        23 => take(payload).map(|EmptyV1 {}| Event::Reclaimed),
        number => Err(RecordError::Unknown { what: "message record type", number }),
    };
    event.map(|event| (event, Vec::new()))
}

impl TryFrom<HeldV1> for Event {
    type Error = RecordError;

    fn try_from(row: HeldV1) -> Result<Self, Self::Error> {
        Ok(Self::Held { hold: word(row.hold)?, until: Timestamp::from_millis(row.until_ms) })
    }
}

impl TryFrom<SubmittedV1> for Event {
    type Error = RecordError;

    fn try_from(row: SubmittedV1) -> Result<Self, Self::Error> {
        Ok(Self::Submitted {
            attempt: Attempt::new(row.attempt),
            sid: provider_sid(&row.sid)?,
            status: word(row.status)?,
            via: word(row.via)?,
        })
    }
}

impl TryFrom<AttemptFailedV1> for Event {
    type Error = RecordError;

    fn try_from(row: AttemptFailedV1) -> Result<Self, Self::Error> {
        let verdict = match row.retry {
            Some(retry) => Verdict::RetryAt {
                hold: word(retry.hold)?,
                until: Timestamp::from_millis(retry.until_ms),
                counts: word(retry.counts)?,
            },
            None => Verdict::Failed,
        };
        Ok(Self::AttemptFailed {
            attempt: Attempt::new(row.attempt),
            failure: row.failure.try_into()?,
            verdict,
        })
    }
}

impl From<OutcomeLostV1> for Event {
    fn from(row: OutcomeLostV1) -> Self {
        Self::OutcomeLost { attempt: Attempt::new(row.attempt), detail: row.detail.into() }
    }
}

impl From<LookupFoundNothingV1> for Event {
    fn from(row: LookupFoundNothingV1) -> Self {
        Self::LookupFoundNothing { attempt: Attempt::new(row.attempt), lookups: row.lookups }
    }
}

impl TryFrom<StatusReportedV1> for Event {
    type Error = RecordError;

    fn try_from(row: StatusReportedV1) -> Result<Self, Self::Error> {
        Ok(Self::StatusReported {
            status: word(row.status)?,
            failure: row.failure.map(TryInto::try_into).transpose()?,
            via: word(row.via)?,
        })
    }
}

impl From<RescheduledV1> for Event {
    fn from(row: RescheduledV1) -> Self {
        Self::Rescheduled { scheduled_for: row.scheduled_for_ms.map(Timestamp::from_millis) }
    }
}

impl TryFrom<RemarkedV1> for Event {
    type Error = RecordError;

    fn try_from(row: RemarkedV1) -> Result<Self, Self::Error> {
        let reason = row.reason.parse().map_err(|_not_a_reason| RecordError::Value { what: "reason" })?;
        Ok(Self::Remarked { reason })
    }
}

/// The rules that forbid a text.
const OPTED_OUT: u8 = 1;
const TOGGLED_OFF: u8 = 2;
const NOT_VERIFIED: u8 = 3;
const COUNTRY: u8 = 4;
const DAILY_LIMIT: u8 = 5;
const DUPLICATE: u8 = 6;

impl From<Ban> for SuppressedV1 {
    /// What a rule does not have is zero; the limit of a daily limit stands in `since_ms`, a toggle in `how`.
    fn from(ban: Ban) -> Self {
        match ban {
            Ban::OptedOut { since, how } => {
                Self { rule: OPTED_OUT, since_ms: since.as_millis(), how: how.tag() }
            }
            Ban::ToggledOff { toggle } => Self { rule: TOGGLED_OFF, since_ms: 0, how: toggle.tag() },
            Ban::NotVerified => Self { rule: NOT_VERIFIED, since_ms: 0, how: 0 },
            Ban::Country => Self { rule: COUNTRY, since_ms: 0, how: 0 },
            Ban::DailyLimit { limit } => Self { rule: DAILY_LIMIT, since_ms: i64::from(limit), how: 0 },
            Ban::Duplicate { since } => Self { rule: DUPLICATE, since_ms: since.as_millis(), how: 0 },
        }
    }
}

impl TryFrom<SuppressedV1> for Ban {
    type Error = RecordError;

    fn try_from(row: SuppressedV1) -> Result<Self, Self::Error> {
        match row.rule {
            OPTED_OUT => {
                Ok(Self::OptedOut { since: Timestamp::from_millis(row.since_ms), how: word(row.how)? })
            }
            TOGGLED_OFF if row.since_ms == 0 => Ok(Self::ToggledOff { toggle: word(row.how)? }),
            NOT_VERIFIED if (row.since_ms, row.how) == (0, 0) => Ok(Self::NotVerified),
            COUNTRY if (row.since_ms, row.how) == (0, 0) => Ok(Self::Country),
            DAILY_LIMIT if row.how == 0 => {
                let limit =
                    u16::try_from(row.since_ms).map_err(|_too_large| RecordError::Value { what: "limit" })?;
                Ok(Self::DailyLimit { limit })
            }
            DUPLICATE if row.how == 0 => Ok(Self::Duplicate { since: Timestamp::from_millis(row.since_ms) }),
            TOGGLED_OFF | NOT_VERIFIED | COUNTRY | DAILY_LIMIT | DUPLICATE => {
                Err(RecordError::Value { what: "ban" })
            }
            tag => Err(RecordError::UnknownTag { what: "rule", tag }),
        }
    }
}

impl TryFrom<ContradictedV1> for Event {
    type Error = RecordError;

    fn try_from(row: ContradictedV1) -> Result<Self, Self::Error> {
        Ok(Self::Contradicted { sid: provider_sid(&row.sid)?, status: word(row.status)? })
    }
}

/// The SID with these bytes, checked again: persisted bytes are not trusted.
pub(crate) fn provider_sid(bytes: &[u8; 34]) -> Result<ProviderSid, RecordError> {
    let text = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
    text.ok_or(RecordError::Value { what: "provider SID" })
}
