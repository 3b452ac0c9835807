//! The persisted forms of table rows outside the journal.

use dunlin_workflows::alarm::Alarm;
use dunlin_workflows::id::{Attempt, MessageId, PersonNumber, UserNumber};
use dunlin_workflows::lane::Lane;
use dunlin_workflows::message::{Custody, Failure, Message, State, StateName, TemplateVersion};
use dunlin_workflows::timestamp::Timestamp;
use wincode::{SchemaRead, SchemaWrite};

use super::RecordError;
use super::accepted::kind_name;
use super::envelope::{put_row, take_row};
use super::failure::FailureV1;
use super::lane::AlarmV1;
use super::message::{SuppressedV1, provider_sid};
use super::tag::{Tagged, word};
use crate::journal::JournalSeq;
use crate::projection::{LaneProjection, Projection};

/// A row of `messages`, second form: the recipient is the number of a person.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct MessageRowV2 {
    person: u64,
    priority: u8,
    segments: u16,
    on_unknown: u8,
    accepted_at_ms: i64,
    scheduled_for_ms: Option<i64>,
    expires_at_ms: Option<i64>,
    attempt: u32,
    counted: u32,
    sid: Option<[u8; 34]>,
    failure: Option<FailureV1>,
    retried_as: Option<[u8; 16]>,
    changed_at_ms: i64,
    state: StateV1,
    accepted_seq: u64,
    last_seq: u64,
    timer_ms: Option<i64>,
}

/// A row of `messages`, third form: with what only some messages have. Others are written in the second.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct MessageRowV3 {
    user: Option<u64>,
    kind: Option<String>,
    rest: MessageRowV2,
}

/// A row of `messages`, fourth form: of a message that a template rendered, or that may pass quiet hours.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct MessageRowV4 {
    may_bypass: bool,
    /// Number and version of a template.
    template: Option<(u64, u32)>,
    rest: MessageRowV3,
}

/// A row of `messages`, fifth form: of a message that was claimed from a shared database.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct MessageRowV5 {
    custody: u8,
    rest: MessageRowV4,
}

impl MessageRowV3 {
    /// The third form; `None` when the second says all.
    pub(crate) fn new(projection: &Projection) -> Option<Self> {
        let message = &projection.message;
        let plain = message.user.is_none() && message.kind.is_none();
        (!plain).then(|| projection.into())
    }
}

impl From<&Projection> for MessageRowV3 {
    fn from(projection: &Projection) -> Self {
        let message = &projection.message;
        Self {
            user: message.user.map(UserNumber::get),
            kind: message.kind.as_ref().map(|kind| kind.as_str().to_owned()),
            rest: projection.into(),
        }
    }
}

impl From<&Projection> for MessageRowV4 {
    fn from(projection: &Projection) -> Self {
        let message = &projection.message;
        Self {
            may_bypass: message.may_bypass,
            template: message.template.map(|template| (template.number, template.version)),
            rest: projection.into(),
        }
    }
}

impl MessageRowV4 {
    /// The fourth form; `None` when an older one says all.
    pub(crate) fn new(projection: &Projection) -> Option<Self> {
        let message = &projection.message;
        let plain = !message.may_bypass && message.template.is_none();
        (!plain).then(|| projection.into())
    }
}

impl MessageRowV5 {
    /// The fifth form; `None` when an older one says all.
    pub(crate) fn new(projection: &Projection) -> Option<Self> {
        let custody = projection.message.custody;
        (custody != Custody::Own).then(|| Self { custody: custody.tag(), rest: projection.into() })
    }
}

impl TryFrom<MessageRowV5> for Projection {
    type Error = RecordError;

    fn try_from(row: MessageRowV5) -> Result<Self, Self::Error> {
        let mut projection = Self::try_from(row.rest)?;
        projection.message.custody = word(row.custody)?;
        // What an older form says is written in it.
        if projection.message.custody == Custody::Own {
            return Err(RecordError::Value { what: "fifth form" });
        }
        Ok(projection)
    }
}

impl TryFrom<MessageRowV4> for Projection {
    type Error = RecordError;

    fn try_from(row: MessageRowV4) -> Result<Self, Self::Error> {
        let mut projection = Self::try_from(row.rest)?;
        projection.message.may_bypass = row.may_bypass;
        projection.message.template =
            row.template.map(|(number, version)| TemplateVersion { number, version });
        Ok(projection)
    }
}

impl TryFrom<MessageRowV3> for Projection {
    type Error = RecordError;

    fn try_from(row: MessageRowV3) -> Result<Self, Self::Error> {
        let mut projection = Self::try_from(row.rest)?;
        projection.message.user = row.user.map(UserNumber::new);
        projection.message.kind = row.kind.map(|kind| kind_name(&kind)).transpose()?;
        Ok(projection)
    }
}

/// A state with its data, first form. What a state does not have is zero.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct StateV1 {
    name: u8,
    /// Held: the hold. Submitted and unconfirmed: the provider's status. Suppressed: how it is known, or the toggle.
    word: u8,
    /// Unknown: lookups. Submitted and sent: polls. Suppressed: the rule.
    count: u8,
    /// Due, submitting, unknown, submitted, suppressed: since when; suppressed by a limit: the limit. Sent: since when it is submitted.
    since_ms: i64,
    /// Held: until when. Unknown: when the attempt started.
    other_ms: i64,
}

impl From<&Projection> for MessageRowV2 {
    fn from(projection: &Projection) -> Self {
        let message = &projection.message;
        Self {
            person: message.person.get(),
            priority: message.priority.tag(),
            segments: message.segments,
            on_unknown: message.on_unknown.tag(),
            accepted_at_ms: message.accepted_at.as_millis(),
            scheduled_for_ms: message.scheduled_for.map(Timestamp::as_millis),
            expires_at_ms: message.expires_at.map(Timestamp::as_millis),
            attempt: message.attempt.get(),
            counted: message.counted,
            sid: message.sid.map(|sid| *sid.as_bytes()),
            failure: message.failure.as_ref().map(FailureV1::from),
            retried_as: message.retried_as.map(|id| *id.as_bytes()),
            changed_at_ms: message.changed_at.as_millis(),
            state: message.state.into(),
            accepted_seq: projection.accepted_seq.get(),
            last_seq: projection.last_seq.get(),
            timer_ms: projection.timer.map(Timestamp::as_millis),
        }
    }
}

impl TryFrom<MessageRowV2> for Projection {
    type Error = RecordError;

    fn try_from(row: MessageRowV2) -> Result<Self, Self::Error> {
        let message = Message {
            person: PersonNumber::new(row.person),
            priority: word(row.priority)?,
            segments: row.segments,
            user: None,
            kind: None,
            template: None,
            may_bypass: false,
            custody: Custody::Own,
            on_unknown: word(row.on_unknown)?,
            accepted_at: Timestamp::from_millis(row.accepted_at_ms),
            scheduled_for: row.scheduled_for_ms.map(Timestamp::from_millis),
            expires_at: row.expires_at_ms.map(Timestamp::from_millis),
            attempt: Attempt::new(row.attempt),
            counted: row.counted,
            sid: row.sid.as_ref().map(provider_sid).transpose()?,
            failure: row.failure.map(Failure::try_from).transpose()?,
            retried_as: row.retried_as.map(MessageId::from_bytes),
            changed_at: Timestamp::from_millis(row.changed_at_ms),
            state: row.state.try_into()?,
        };
        Ok(Self {
            message,
            accepted_seq: JournalSeq::new(row.accepted_seq),
            last_seq: JournalSeq::new(row.last_seq),
            timer: row.timer_ms.map(Timestamp::from_millis),
        })
    }
}

impl From<State> for StateV1 {
    fn from(state: State) -> Self {
        let (word, count, since_ms, other_ms) = match state {
            State::Accepted
            | State::Relinquished
            | State::Delivered
            | State::Undelivered
            | State::Failed
            | State::Canceled
            | State::Expired => (0, 0, 0, 0),
            State::Suppressed { ban } => {
                let SuppressedV1 { rule, since_ms, how } = ban.into();
                (how, rule, since_ms, 0)
            }
            State::Held { hold, until } => (hold.tag(), 0, 0, until.as_millis()),
            State::Due { since } | State::Submitting { since } => (0, 0, since.as_millis(), 0),
            State::Unknown { started_at, since, lookups } => {
                (0, lookups, since.as_millis(), started_at.as_millis())
            }
            State::Submitted { status, since, polls } => (status.tag(), polls, since.as_millis(), 0),
            State::Unconfirmed { status } => (status.tag(), 0, 0, 0),
            State::Sent { submitted_at, polls } => (0, polls, submitted_at.as_millis(), 0),
        };
        Self { name: state.name().tag(), word, count, since_ms, other_ms }
    }
}

impl TryFrom<StateV1> for State {
    type Error = RecordError;

    fn try_from(row: StateV1) -> Result<Self, Self::Error> {
        let since = Timestamp::from_millis(row.since_ms);
        let other = Timestamp::from_millis(row.other_ms);
        let state = match word(row.name)? {
            StateName::Accepted => Self::Accepted,
            StateName::Held => Self::Held { hold: word(row.word)?, until: other },
            StateName::Due => Self::Due { since },
            StateName::Submitting => Self::Submitting { since },
            StateName::Unknown => Self::Unknown { started_at: other, since, lookups: row.count },
            StateName::Submitted => Self::Submitted { status: word(row.word)?, since, polls: row.count },
            StateName::Sent => Self::Sent { submitted_at: since, polls: row.count },
            StateName::Unconfirmed => Self::Unconfirmed { status: word(row.word)? },
            StateName::Relinquished => Self::Relinquished,
            StateName::Delivered => Self::Delivered,
            StateName::Undelivered => Self::Undelivered,
            StateName::Failed => Self::Failed,
            StateName::Canceled => Self::Canceled,
            StateName::Expired => Self::Expired,
            StateName::Suppressed => {
                let row = SuppressedV1 { rule: row.count, since_ms: row.since_ms, how: row.word };
                Self::Suppressed { ban: row.try_into()? }
            }
        };
        let written = StateV1::from(state);
        let same = (written.word, written.count, written.since_ms, written.other_ms)
            == (row.word, row.count, row.since_ms, row.other_ms);
        if same { Ok(state) } else { Err(RecordError::Value { what: "state" }) }
    }
}

/// A row of `messages`, first form: with the recipient's number. Read only to replace it.
#[derive(SchemaWrite, SchemaRead)]
struct MessageRowV1 {
    to: u64,
    priority: u8,
    segments: u16,
    on_unknown: u8,
    accepted_at_ms: i64,
    scheduled_for_ms: Option<i64>,
    expires_at_ms: Option<i64>,
    attempt: u32,
    counted: u32,
    sid: Option<[u8; 34]>,
    failure: Option<FailureV1>,
    retried_as: Option<[u8; 16]>,
    changed_at_ms: i64,
    state: StateV1,
    accepted_seq: u64,
    last_seq: u64,
    timer_ms: Option<i64>,
}

/// The second form of a row of `messages` of the first form, and its person, whom `person` knows by
/// the digits of their number.
pub(crate) fn upgrade_message(
    number: u64,
    bytes: &[u8],
    person: impl FnOnce(u64) -> Option<PersonNumber>,
) -> Result<(PersonNumber, Vec<u8>), RecordError> {
    let key = number.to_le_bytes();
    let row: MessageRowV1 = take_row("messages", &key, 1, bytes)?;
    let person = person(row.to).ok_or(RecordError::Value { what: "recipient" })?;
    let row = MessageRowV2 {
        person: person.get(),
        priority: row.priority,
        segments: row.segments,
        on_unknown: row.on_unknown,
        accepted_at_ms: row.accepted_at_ms,
        scheduled_for_ms: row.scheduled_for_ms,
        expires_at_ms: row.expires_at_ms,
        attempt: row.attempt,
        counted: row.counted,
        sid: row.sid,
        failure: row.failure,
        retried_as: row.retried_as,
        changed_at_ms: row.changed_at_ms,
        state: row.state,
        accepted_seq: row.accepted_seq,
        last_seq: row.last_seq,
        timer_ms: row.timer_ms,
    };
    Ok((person, put_row("messages", &key, 2, &row)?))
}

/// A row of `persons`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct PersonRowV1 {
    /// Id of the master key that wraps the data key.
    pub(crate) master: u32,
    /// The data key, sealed with that master key.
    pub(crate) wrapped: Vec<u8>,
    /// Digits of the E.164 number as eight bytes, sealed with the data key.
    pub(crate) number: Vec<u8>,
}

/// A row of `archives`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct SegmentRowV1 {
    /// The head before the archive's first record.
    pub(crate) before: [u8; 40],
    /// The head after its last.
    pub(crate) after: [u8; 40],
    /// Bytes of the file.
    pub(crate) bytes: u64,
    /// BLAKE3 of the file.
    pub(crate) digest: [u8; 32],
}

/// A row of `lanes`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct LaneRowV1 {
    cool_until_ms: i64,
    streak: u32,
    failure: Option<FailureV1>,
    last_seq: u64,
}

impl From<&LaneProjection> for LaneRowV1 {
    fn from(projection: &LaneProjection) -> Self {
        Self {
            cool_until_ms: projection.lane.cool_until.as_millis(),
            streak: projection.lane.streak,
            failure: projection.lane.failure.as_ref().map(FailureV1::from),
            last_seq: projection.last_seq.get(),
        }
    }
}

impl TryFrom<LaneRowV1> for LaneProjection {
    type Error = RecordError;

    fn try_from(row: LaneRowV1) -> Result<Self, Self::Error> {
        let lane = Lane {
            cool_until: Timestamp::from_millis(row.cool_until_ms),
            streak: row.streak,
            failure: row.failure.map(Failure::try_from).transpose()?,
            alarms: Vec::new(),
        };
        Ok(Self { lane, last_seq: JournalSeq::new(row.last_seq) })
    }
}

/// A row of `lanes`, second form: one on which failures repeat.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct LaneRowV2 {
    lane: LaneRowV1,
    alarms: Vec<AlarmV1>,
}

impl LaneRowV2 {
    /// `None` when nothing repeats: then the first form is enough.
    pub(crate) fn new(projection: &LaneProjection) -> Option<Self> {
        let alarms: Vec<_> = projection.lane.alarms.iter().map(AlarmV1::from).collect();
        (!alarms.is_empty()).then(|| Self { lane: projection.into(), alarms })
    }
}

impl TryFrom<LaneRowV2> for LaneProjection {
    type Error = RecordError;

    fn try_from(row: LaneRowV2) -> Result<Self, Self::Error> {
        let Self { lane, last_seq } = row.lane.try_into()?;
        let alarms = row.alarms.into_iter().map(Alarm::try_from).collect::<Result<_, _>>()?;
        Ok(Self { lane: Lane { alarms, ..lane }, last_seq })
    }
}

/// A row of `orphans`, first form. The SID stands in the key.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct OrphanRowV1 {
    pub(crate) status: u8,
    pub(crate) code: Option<u32>,
    pub(crate) at_ms: i64,
}

/// A row of `idempotency`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct IdempotencyRowV1 {
    pub(crate) fingerprint: [u8; 16],
    pub(crate) first: u64,
    pub(crate) count: u32,
    pub(crate) at_ms: i64,
}
