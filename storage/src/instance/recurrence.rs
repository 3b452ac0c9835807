//! The persisted forms of what happens to a recurrence, and of what is known of it.

use std::time::Duration;

use dunlin_workflows::id::{MessageId, PersonNumber, UserNumber};
use dunlin_workflows::recurrence::{
    Armed, End, Event, Grace, Outcome, Plan, Recipient, Recurrence, RecurrenceId, Skip, Standing, Tick,
};
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::zone::Wall;
use wincode::{SchemaRead, SchemaWrite};

use super::user::zone;
use super::{Holder, Workflow, wrapped};
use crate::record::RecordError;
use crate::record::accepted::kind_name;
use crate::record::codec::{put, take};
use crate::record::tag::{Tagged as _, word};

/// How recurrences are persisted.
#[derive(Debug, Clone, Copy)]
pub struct Recurrences;

/// When a recurrence comes, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct PlanV1 {
    cron: String,
    zone: Option<String>,
    starts_at_ms: Option<i64>,
    ends_at_ms: Option<i64>,
    missed: u8,
    grace_s: u32,
    priority: u8,
}

/// `recurrence::Event::Created`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct CreatedV1 {
    id: [u8; 16],
    /// A user and the slot of theirs; or else a person.
    user: Option<(u64, u8)>,
    person: Option<u64>,
    plan: PlanV1,
    text_at: u64,
}

/// `recurrence::Event::Changed`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct ChangedV1 {
    plan: PlanV1,
    text_at: u64,
}

/// `recurrence::Event::Armed`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct ArmedV1 {
    wall_ms: i64,
    at_ms: i64,
    zone: String,
}

/// `recurrence::Event::Ticked`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct TickedV1 {
    wall_ms: i64,
    message: Option<[u8; 16]>,
    /// Why there is none; 0 when there is one.
    skip: u8,
}

/// `recurrence::Event::Ended`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct EndedV1 {
    end: u8,
}

/// `recurrence::Event::Remarked`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct RemarkedV1 {
    reason: String,
}

/// What is known of a recurrence, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct RecurrenceV1 {
    created: CreatedV1,
    created_at_ms: i64,
    standing: u8,
    /// Only while it is active.
    armed: Option<ArmedV1>,
    last: Option<TickedV1>,
    texted: u64,
    skipped: u64,
}

/// What a plan says beyond its first form, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct AboutV1 {
    kind: Option<String>,
    template: Option<String>,
}

/// `recurrence::Event::Created`, second form: the first, and what its plan says beyond that.
#[derive(SchemaRead)]
#[cfg_attr(test, derive(SchemaWrite, Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct CreatedV2 {
    rest: CreatedV1,
    about: AboutV1,
}

/// `recurrence::Event::Changed`, second form.
#[derive(SchemaRead)]
#[cfg_attr(test, derive(SchemaWrite, Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct ChangedV2 {
    rest: ChangedV1,
    about: AboutV1,
}

/// What is known of a recurrence, second form.
#[derive(SchemaRead)]
#[cfg_attr(test, derive(SchemaWrite, Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct RecurrenceV2 {
    rest: RecurrenceV1,
    about: AboutV1,
}

/// Whose key seals what it says.
impl From<Recipient> for Holder {
    fn from(recipient: Recipient) -> Self {
        match recipient {
            Recipient::User { user, .. } => Self::User(user),
            Recipient::Person(person) => Self::Person(person),
        }
    }
}

/// Where a recurrence stands.
const ACTIVE: u8 = 1;
const PAUSED: u8 = 2;
const OVER: u8 = 3;
const ERASED: u8 = 4;
const DELETED: u8 = 5;

fn wrong<T>(what: &'static str) -> Result<T, RecordError> {
    Err(RecordError::Value { what })
}

impl From<&Plan> for PlanV1 {
    fn from(plan: &Plan) -> Self {
        Self {
            cron: plan.cron.as_str().to_owned(),
            zone: plan.zone.map(|zone| zone.name().to_owned()),
            starts_at_ms: plan.starts_at.map(Timestamp::as_millis),
            ends_at_ms: plan.ends_at.map(Timestamp::as_millis),
            missed: plan.missed.tag(),
            grace_s: u32::try_from(plan.grace.get().as_secs()).unwrap_or(u32::MAX),
            priority: plan.priority.tag(),
        }
    }
}

impl TryFrom<PlanV1> for Plan {
    type Error = RecordError;

    fn try_from(row: PlanV1) -> Result<Self, RecordError> {
        let grace = Duration::from_secs(u64::from(row.grace_s));
        Ok(Self {
            cron: row.cron.parse().or_else(|_no_cron| wrong("cron expression"))?,
            zone: row.zone.map(|name| zone(&name)).transpose()?,
            starts_at: row.starts_at_ms.map(Timestamp::from_millis),
            ends_at: row.ends_at_ms.map(Timestamp::from_millis),
            missed: word(row.missed)?,
            grace: Grace::new(grace).or_else(|_no_grace| wrong("grace"))?,
            priority: word(row.priority)?,
            kind: None,
            template: None,
        })
    }
}

impl AboutV1 {
    /// What the first form of a plan leaves out; `None` when it leaves out nothing.
    fn of(plan: &Plan) -> Option<Self> {
        let plain = plan.kind.is_none() && plan.template.is_none();
        (!plain).then(|| Self {
            kind: plan.kind.as_ref().map(|kind| kind.as_str().to_owned()),
            template: plan.template.as_ref().map(|key| key.as_str().to_owned()),
        })
    }

    /// Makes a first form, which was appended, the second when it leaves out something; gives its version.
    fn append(plan: &Plan, out: &mut Vec<u8>) -> Result<u8, RecordError> {
        match Self::of(plan) {
            None => Ok(1),
            Some(about) => put(&about, out).map(|()| 2),
        }
    }

    /// The plan in its first form, and what the second says beyond that.
    fn plan(first: PlanV1, about: Option<Self>) -> Result<Plan, RecordError> {
        let mut plan: Plan = first.try_into()?;
        let Some(about) = about else { return Ok(plan) };
        plan.kind = about.kind.map(|kind| kind_name(&kind)).transpose()?;
        let template = about.template.map(|key| key.parse()).transpose();
        plan.template = template.or_else(|_no_key| wrong("key of a template"))?;
        // What the first form says is written in it.
        if Self::of(&plan).is_some() { Ok(plan) } else { wrong("second form") }
    }
}

impl CreatedV1 {
    fn new(id: RecurrenceId, recipient: Recipient, plan: &Plan, text_at: u64) -> Self {
        let (user, person) = match recipient {
            Recipient::User { user, slot } => (Some((user.get(), slot)), None),
            Recipient::Person(person) => (None, Some(person.get())),
        };
        Self { id: *id.as_bytes(), user, person, plan: plan.into(), text_at }
    }

    fn take(self, about: Option<AboutV1>) -> Result<Event, RecordError> {
        let (id, recipient, text_at) = (self.id(), self.recipient()?, self.text_at);
        Ok(Event::Created { id, recipient, plan: AboutV1::plan(self.plan, about)?, text_at })
    }

    fn id(&self) -> RecurrenceId {
        RecurrenceId::from_bytes(self.id)
    }

    fn recipient(&self) -> Result<Recipient, RecordError> {
        match (self.user, self.person) {
            (Some((user, slot)), None) => Ok(Recipient::User { user: UserNumber::new(user), slot }),
            (None, Some(person)) => Ok(Recipient::Person(PersonNumber::new(person))),
            (Some(_), Some(_)) | (None, None) => wrong("recipient"),
        }
    }
}

impl ChangedV1 {
    fn take(self, about: Option<AboutV1>) -> Result<Event, RecordError> {
        Ok(Event::Changed { plan: AboutV1::plan(self.plan, about)?, text_at: self.text_at })
    }
}

impl From<Armed> for ArmedV1 {
    fn from(armed: Armed) -> Self {
        Self {
            wall_ms: armed.tick.wall.as_millis(),
            at_ms: armed.tick.at.as_millis(),
            zone: armed.zone.name().to_owned(),
        }
    }
}

impl TryFrom<ArmedV1> for Armed {
    type Error = RecordError;

    fn try_from(row: ArmedV1) -> Result<Self, RecordError> {
        let tick = Tick { wall: Wall::from_millis(row.wall_ms), at: Timestamp::from_millis(row.at_ms) };
        Ok(Self { tick, zone: zone(&row.zone)? })
    }
}

impl TickedV1 {
    fn new(wall: Wall, outcome: Outcome) -> Self {
        let (message, skip) = match outcome {
            Outcome::Texted(id) => (Some(*id.as_bytes()), 0),
            Outcome::Skipped(skip) => (None, skip.tag()),
        };
        Self { wall_ms: wall.as_millis(), message, skip }
    }

    fn take(&self) -> Result<(Wall, Outcome), RecordError> {
        let outcome = match (self.message, self.skip) {
            (Some(id), 0) => Outcome::Texted(MessageId::from_bytes(id)),
            (Some(_), _) => return wrong("outcome of a tick"),
            (None, skip) => Outcome::Skipped(word::<Skip>(skip)?),
        };
        Ok((Wall::from_millis(self.wall_ms), outcome))
    }
}

impl From<&Recurrence> for RecurrenceV1 {
    fn from(state: &Recurrence) -> Self {
        let (standing, armed) = match state.standing {
            Standing::Active(armed) => (ACTIVE, Some(armed)),
            Standing::Paused => (PAUSED, None),
            Standing::Ended(End::Over) => (OVER, None),
            Standing::Ended(End::Erased) => (ERASED, None),
            Standing::Deleted => (DELETED, None),
        };
        Self {
            created: CreatedV1::new(state.id, state.recipient, &state.plan, state.text_at),
            created_at_ms: state.created_at.as_millis(),
            standing,
            armed: armed.map(ArmedV1::from),
            last: state.last.map(|(wall, outcome)| TickedV1::new(wall, outcome)),
            texted: state.texted,
            skipped: state.skipped,
        }
    }
}

impl RecurrenceV1 {
    fn take(self, about: Option<AboutV1>) -> Result<Recurrence, RecordError> {
        let standing = match (self.standing, self.armed) {
            (ACTIVE, Some(armed)) => Standing::Active(armed.try_into()?),
            (PAUSED, None) => Standing::Paused,
            (OVER, None) => Standing::Ended(End::Over),
            (ERASED, None) => Standing::Ended(End::Erased),
            (DELETED, None) => Standing::Deleted,
            (_, _) => return wrong("standing of a recurrence"),
        };
        Ok(Recurrence {
            id: self.created.id(),
            recipient: self.created.recipient()?,
            text_at: self.created.text_at,
            plan: AboutV1::plan(self.created.plan, about)?,
            standing,
            last: self.last.map(|last| last.take()).transpose()?,
            texted: self.texted,
            skipped: self.skipped,
            created_at: Timestamp::from_millis(self.created_at_ms),
        })
    }
}

impl Workflow for Recurrences {
    wrapped!(Recurrence);

    type State = Option<Recurrence>;
    type Event = Event;

    const RECORD_TYPES: &'static [(u8, &'static str)] = &[
        (1, "recurrence_created"),
        (2, "recurrence_changed"),
        (3, "recurrence_armed"),
        (4, "recurrence_ticked"),
        (5, "recurrence_paused"),
        (6, "recurrence_resumed"),
        (7, "recurrence_ended"),
        (8, "recurrence_deleted"),
        (9, "recurrence_remarked"),
    ];

    fn apply(state: &mut Option<Recurrence>, event: &Event, at: Timestamp) {
        event.apply_to(state, at);
    }

    fn timer(state: &Option<Recurrence>) -> Option<Timestamp> {
        state.as_ref().and_then(Recurrence::timer)
    }

    fn is_named(state: &Option<Recurrence>) -> bool {
        state.is_some()
    }

    fn claim(state: &Option<Recurrence>) -> Option<u64> {
        state.as_ref().and_then(Recurrence::claim)
    }

    fn person(event: &Event) -> Option<PersonNumber> {
        match event {
            Event::Created { recipient: Recipient::Person(person), .. } => Some(*person),
            Event::Created { recipient: Recipient::User { .. }, .. }
            | Event::Changed { .. }
            | Event::Armed(_)
            | Event::Ticked { .. }
            | Event::Paused
            | Event::Resumed
            | Event::Ended(_)
            | Event::Deleted
            | Event::Remarked { .. } => None,
        }
    }

    fn event_name(event: &Event) -> &'static str {
        event.name()
    }

    fn put_event(event: &Event, out: &mut Vec<u8>) -> Result<(u8, u8), RecordError> {
        let (record_type, written) = match event {
            Event::Created { id, recipient, plan, text_at } => {
                put(&CreatedV1::new(*id, *recipient, plan, *text_at), out)?;
                return AboutV1::append(plan, out).map(|version| (1, version));
            }
            Event::Changed { plan, text_at } => {
                put(&ChangedV1 { plan: plan.into(), text_at: *text_at }, out)?;
                return AboutV1::append(plan, out).map(|version| (2, version));
            }
            Event::Armed(armed) => (3, put(&ArmedV1::from(*armed), out)),
            Event::Ticked { wall, outcome } => (4, put(&TickedV1::new(*wall, *outcome), out)),
            Event::Paused => (5, Ok(())),
            Event::Resumed => (6, Ok(())),
            Event::Ended(end) => (7, put(&EndedV1 { end: end.tag() }, out)),
            Event::Deleted => (8, Ok(())),
            Event::Remarked { reason } => (9, put(&RemarkedV1 { reason: reason.as_str().to_owned() }, out)),
        };
        written.map(|()| (record_type, 1))
    }

    fn take_event(record_type: u8, version: u8, payload: &[u8]) -> Result<Event, RecordError> {
        let name = super::record_type(Self::RECORD_TYPES, record_type, "recurrence record type")?;
        if version == 2 && matches!(record_type, 1 | 2) {
            return take_second(record_type, payload);
        }
        super::first_version(name, version)?;
        Ok(match record_type {
            1 => take::<CreatedV1>(payload)?.take(None)?,
            2 => take::<ChangedV1>(payload)?.take(None)?,
            3 => Event::Armed(take::<ArmedV1>(payload)?.try_into()?),
            4 => {
                let (wall, outcome) = take::<TickedV1>(payload)?.take()?;
                Event::Ticked { wall, outcome }
            }
            5 | 6 | 8 if !payload.is_empty() => {
                return Err(RecordError::Payload { why: format!("a {name} has no payload") });
            }
            5 => Event::Paused,
            6 => Event::Resumed,
            7 => Event::Ended(word(take::<EndedV1>(payload)?.end)?),
            8 => Event::Deleted,
            _remarked => {
                let reason = take::<RemarkedV1>(payload)?.reason.parse();
                Event::Remarked { reason: reason.or_else(|_no_reason| wrong("reason"))? }
            }
        })
    }

    fn put_state(state: &Option<Recurrence>, out: &mut Vec<u8>) -> Result<u8, RecordError> {
        let Some(state) = state else { return wrong("recurrence that was not created") };
        put(&RecurrenceV1::from(state), out)?;
        AboutV1::append(&state.plan, out)
    }

    fn take_state(version: u8, bytes: &[u8]) -> Result<Option<Recurrence>, RecordError> {
        if version == 2 {
            let row: RecurrenceV2 = take(bytes)?;
            return row.rest.take(Some(row.about)).map(Some);
        }
        super::first_version("recurrence", version)?;
        take::<RecurrenceV1>(bytes)?.take(None).map(Some)
    }
}

/// Reads an event whose plan has a second form.
fn take_second(record_type: u8, payload: &[u8]) -> Result<Event, RecordError> {
    if record_type == 1 {
        let row: CreatedV2 = take(payload)?;
        return row.rest.take(Some(row.about));
    }
    let row: ChangedV2 = take(payload)?;
    row.rest.take(Some(row.about))
}
