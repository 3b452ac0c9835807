//! The persisted forms of what happens to a verification, and of what is known of it.

use dunlin_workflows::id::{PersonNumber, UserNumber};
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::verification::{CodeDigest, Event, Standing, Verification, VerificationSid, timer};
use wincode::{SchemaRead, SchemaWrite};

use super::{InstanceKind, Workflow, wrapped};
use crate::batch::Batch;
use crate::reader::Reader;
use crate::record::RecordError;
use crate::record::codec::{put, take};
use crate::record::tag::{Tagged as _, word};

/// How verifications are persisted.
#[derive(Debug, Clone, Copy)]
pub struct Verifications;

/// `verification::Event::Started`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct CodeStartedV1 {
    person: u64,
    user: Option<u64>,
    via: u8,
    expires_at_ms: i64,
    digest: Option<[u8; 16]>,
}

/// `verification::Event::CodeSent`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct CodeSentV1 {
    sid: [u8; 34],
}

/// `verification::Event::SendRefused`, `SendLost` and `CodeRefused`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct WordV1 {
    word: u8,
}

/// `verification::Event::CheckStarted`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct CheckStartedV1 {
    digest: [u8; 16],
}

/// What is known of a verification, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct VerificationV1 {
    person: Option<u64>,
    user: Option<u64>,
    via: u8,
    expires_at_ms: i64,
    sent_at_ms: i64,
    sends: u8,
    checks: u8,
    sid: Option<[u8; 34]>,
    digest: Option<[u8; 16]>,
    standing: u8,
    since_ms: i64,
    count: u8,
}

/// Numbers of the standings in rows.
const NOTHING: u8 = 1;
const STARTING: u8 = 2;
const PENDING: u8 = 3;
const CHECKING: u8 = 4;
const DOUBTFUL: u8 = 5;
const APPROVED: u8 = 6;
const FAILED: u8 = 7;
const EXPIRED: u8 = 8;
const SPENT: u8 = 9;

/// A standing as its number, an instant and a count; what it does not have is 0.
fn put_standing(standing: Standing) -> (u8, i64, u8) {
    match standing {
        Standing::Nothing => (NOTHING, 0, 0),
        Standing::Starting { since, lost } => (STARTING, since.as_millis(), lost),
        Standing::Pending => (PENDING, 0, 0),
        Standing::Checking { since } => (CHECKING, since.as_millis(), 0),
        Standing::Doubtful { since, lookups } => (DOUBTFUL, since.as_millis(), lookups),
        Standing::Approved => (APPROVED, 0, 0),
        Standing::Failed { refusal } => (FAILED, 0, refusal.tag()),
        Standing::Expired => (EXPIRED, 0, 0),
        Standing::Spent => (SPENT, 0, 0),
    }
}

fn take_standing((standing, since_ms, count): (u8, i64, u8)) -> Result<Standing, RecordError> {
    let since = Timestamp::from_millis(since_ms);
    Ok(match standing {
        NOTHING => Standing::Nothing,
        STARTING => Standing::Starting { since, lost: count },
        PENDING => Standing::Pending,
        CHECKING => Standing::Checking { since },
        DOUBTFUL => Standing::Doubtful { since, lookups: count },
        APPROVED => Standing::Approved,
        FAILED => Standing::Failed { refusal: word(count)? },
        EXPIRED => Standing::Expired,
        SPENT => Standing::Spent,
        tag => return Err(RecordError::UnknownTag { what: "standing of a verification", tag }),
    })
}

fn put_sid(sid: VerificationSid) -> [u8; 34] {
    let mut bytes = [0; 34];
    bytes.iter_mut().zip(sid.as_str().bytes()).for_each(|(to, from)| *to = from);
    bytes
}

fn take_sid(bytes: &[u8; 34]) -> Result<VerificationSid, RecordError> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    text.parse().map_err(|_not_a_sid| RecordError::Value { what: "verification SID" })
}

/// A yes or no as 1 or 0.
fn take_flag(payload: &[u8]) -> Result<bool, RecordError> {
    match take::<WordV1>(payload)?.word {
        0 => Ok(false),
        1 => Ok(true),
        tag => Err(RecordError::UnknownTag { what: "yes or no", tag }),
    }
}

impl Workflow for Verifications {
    wrapped!(Verification);

    type State = Verification;
    type Event = Event;

    const RECORD_TYPES: &'static [(u8, &'static str)] = &[
        (1, "verification_started"),
        (2, "code_sent"),
        (3, "code_not_sent"),
        (4, "code_perhaps_sent"),
        (5, "check_started"),
        (6, "code_refused"),
        (7, "number_proven"),
        (8, "number_taken"),
        (9, "checks_spent"),
        (10, "check_failed"),
        (11, "check_lost"),
        (12, "verification_looked_up"),
        (13, "verification_expired"),
    ];

    fn apply(state: &mut Verification, event: &Event, at: Timestamp) {
        state.apply(event, at);
    }

    fn timer(state: &Verification) -> Option<Timestamp> {
        timer(state)
    }

    fn is_named(state: &Verification) -> bool {
        state.person.is_some()
    }

    fn claim(state: &Verification) -> Option<u64> {
        state.person.map(PersonNumber::get)
    }

    fn person(event: &Event) -> Option<PersonNumber> {
        if let Event::Started { person, .. } = event { Some(*person) } else { None }
    }

    fn event_name(event: &Event) -> &'static str {
        event.name()
    }

    fn put_event(event: &Event, out: &mut Vec<u8>) -> Result<(u8, u8), RecordError> {
        let (record_type, written) = match event {
            Event::Started { person, user, via, expires_at, digest } => {
                let form = CodeStartedV1 {
                    person: person.get(),
                    user: user.map(UserNumber::get),
                    via: via.tag(),
                    expires_at_ms: expires_at.as_millis(),
                    digest: digest.map(|digest| *digest.as_bytes()),
                };
                (1, put(&form, out))
            }
            Event::CodeSent { sid } => (2, put(&CodeSentV1 { sid: put_sid(*sid) }, out)),
            Event::SendRefused { refusal } => (3, put(&WordV1 { word: refusal.tag() }, out)),
            Event::SendLost { again } => (4, put(&WordV1 { word: u8::from(*again) }, out)),
            Event::CheckStarted { digest } => (5, put(&CheckStartedV1 { digest: *digest.as_bytes() }, out)),
            Event::CodeRefused { is_last } => (6, put(&WordV1 { word: u8::from(*is_last) }, out)),
            Event::Approved => (7, Ok(())),
            Event::Preempted => (8, Ok(())),
            Event::ChecksSpent => (9, Ok(())),
            Event::CheckFailed => (10, Ok(())),
            Event::CheckLost => (11, Ok(())),
            Event::LookupStarted => (12, Ok(())),
            Event::Expired => (13, Ok(())),
        };
        written.map(|()| (record_type, 1))
    }

    fn take_event(record_type: u8, version: u8, payload: &[u8]) -> Result<Event, RecordError> {
        let name = super::record_type(Self::RECORD_TYPES, record_type, "verification record type")?;
        super::first_version(name, version)?;
        if record_type >= 7 && !payload.is_empty() {
            return Err(RecordError::Payload { why: format!("a {name} has no payload") });
        }
        Ok(match record_type {
            1 => {
                let form: CodeStartedV1 = take(payload)?;
                Event::Started {
                    person: PersonNumber::new(form.person),
                    user: form.user.map(UserNumber::new),
                    via: word(form.via)?,
                    expires_at: Timestamp::from_millis(form.expires_at_ms),
                    digest: form.digest.map(CodeDigest::from_bytes),
                }
            }
            2 => Event::CodeSent { sid: take_sid(&take::<CodeSentV1>(payload)?.sid)? },
            3 => Event::SendRefused { refusal: word(take::<WordV1>(payload)?.word)? },
            4 => Event::SendLost { again: take_flag(payload)? },
            5 => {
                let form: CheckStartedV1 = take(payload)?;
                Event::CheckStarted { digest: CodeDigest::from_bytes(form.digest) }
            }
            6 => Event::CodeRefused { is_last: take_flag(payload)? },
            7 => Event::Approved,
            8 => Event::Preempted,
            9 => Event::ChecksSpent,
            10 => Event::CheckFailed,
            11 => Event::CheckLost,
            12 => Event::LookupStarted,
            _expired => Event::Expired,
        })
    }

    fn put_state(state: &Verification, out: &mut Vec<u8>) -> Result<u8, RecordError> {
        let (standing, since_ms, count) = put_standing(state.standing);
        let row = VerificationV1 {
            person: state.person.map(PersonNumber::get),
            user: state.user.map(UserNumber::get),
            via: state.via.tag(),
            expires_at_ms: state.expires_at.as_millis(),
            sent_at_ms: state.sent_at.as_millis(),
            sends: state.sends,
            checks: state.checks,
            sid: state.sid.map(put_sid),
            digest: state.digest.map(|digest| *digest.as_bytes()),
            standing,
            since_ms,
            count,
        };
        put(&row, out).map(|()| 1)
    }

    fn take_state(version: u8, bytes: &[u8]) -> Result<Verification, RecordError> {
        super::first_version("verification", version)?;
        let row: VerificationV1 = take(bytes)?;
        Ok(Verification {
            person: row.person.map(PersonNumber::new),
            user: row.user.map(UserNumber::new),
            via: word(row.via)?,
            expires_at: Timestamp::from_millis(row.expires_at_ms),
            sent_at: Timestamp::from_millis(row.sent_at_ms),
            sends: row.sends,
            checks: row.checks,
            sid: row.sid.as_ref().map(take_sid).transpose()?,
            digest: row.digest.map(CodeDigest::from_bytes),
            standing: take_standing((row.standing, row.since_ms, row.count))?,
        })
    }
}

impl Batch<'_> {
    /// What is kept of a code for this verification. It can't be undone without the keys.
    pub fn code_digest(&self, number: u64, code: &str) -> CodeDigest {
        let text = format!("code {number} {code}");
        CodeDigest::from_bytes(self.keyring.blind_name(InstanceKind::Verification.number(), &text))
    }

    /// The public name of a verification: `VA` and 32 hexadecimal digits, which say nothing. It leads to the
    /// verification once [`Batch::name_instance`] was called with it.
    pub fn verification_name(&self, number: u64) -> String {
        name(self.keyring.blind_name(InstanceKind::Verification.number(), &format!("number {number}")))
    }
}

impl Reader {
    /// The public name of a verification, as [`Batch::verification_name`] gives it. Needs the keys.
    pub fn verification_name(&self, number: u64) -> Option<String> {
        let keyring = self.keyring()?;
        Some(name(keyring.blind_name(InstanceKind::Verification.number(), &format!("number {number}"))))
    }
}

fn name(hash: [u8; 16]) -> String {
    format!("VA{:032x}", u128::from_be_bytes(hash))
}
