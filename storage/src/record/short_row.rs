//! The short forms of a row of `messages`: half as long as the others, and as long from acceptance to delivery, so that a step is
//! patched into its page and moves no neighbor. What does not fit into one is written in an older form.

use dunlin_workflows::id::{Attempt, PersonNumber, ProviderSid, UserNumber};
use dunlin_workflows::message::{Custody, Message, State, StateName, TemplateVersion};
use dunlin_workflows::timestamp::Timestamp;
use wincode::{SchemaRead, SchemaWrite};

use super::RecordError;
use super::accepted::kind_name;
use super::message::provider_sid;
use super::tag::{Tagged, word};
use crate::journal::JournalSeq;
use crate::projection::Projection;

/// An instant in milliseconds, or a position: 48 bits, little-endian.
type Long = [u8; 6];

/// What stands for "no clock will release it".
const NEVER: Long = [u8::MAX; 6];

/// The digits of a SID.
const HEX: &[u8; 16] = b"0123456789abcdef";

/// The bit of a message whose lost outcome means that it is sent again; the priority stands below it.
const RESEND: u8 = 1 << 4;

/// A row of `messages`, sixth form: everything that most messages have, in fields of fixed width.
#[derive(SchemaWrite, SchemaRead, Debug, Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(bincode::Encode, bincode::Decode))]
pub(crate) struct MessageRowV6 {
    person: u32,
    /// 0: none.
    user: u32,
    /// Priority, and [`RESEND`].
    terms: u8,
    segments: u8,
    attempt: u8,
    counted: u8,
    /// 1 `SM` or 2 `MM`, and what the digits say; zeros: none.
    sid: [u8; 17],
    accepted_at: Long,
    /// Milliseconds after that.
    changed_after: u32,
    state: u8,
    /// Held: the hold. Submitted: the provider's status.
    word: u8,
    polls: u8,
    /// Held: until when. Due, submitting, submitted: since when. Sent: since when it is submitted.
    at: Long,
    /// 0: none.
    timer: Long,
    accepted_seq: Long,
    /// Records after that.
    last_after: u32,
}

/// A row of `messages`, seventh form: with what only some messages have, and keep for good.
#[derive(SchemaWrite, SchemaRead, Debug, Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(bincode::Encode, bincode::Decode))]
pub(crate) struct MessageRowV7 {
    short: MessageRowV6,
    may_bypass: bool,
    /// Number and version of a template.
    template: Option<(u64, u32)>,
    kind: Option<String>,
    scheduled_for_ms: Option<i64>,
    expires_at_ms: Option<i64>,
}

fn long(value: u64) -> Option<Long> {
    let bytes = value.to_le_bytes();
    let (low, high) = bytes.split_first_chunk()?;
    (high == [0, 0]).then_some(*low)
}

fn from_long(long: Long) -> u64 {
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(long).for_each(|(to, from)| *to = from);
    u64::from_le_bytes(bytes)
}

/// An instant after 1970 that is not the one which stands for never.
fn instant(at: Timestamp) -> Option<Long> {
    let long = long(u64::try_from(at.as_millis()).ok()?)?;
    (long != NEVER).then_some(long)
}

fn from_instant(long: Long) -> Timestamp {
    Timestamp::from_millis(i64::try_from(from_long(long)).unwrap_or(i64::MAX))
}

/// A SID in lower case, as the provider writes them.
fn sid(sid: ProviderSid) -> Option<[u8; 17]> {
    let (prefix, digits) = sid.as_bytes().split_at_checked(2)?;
    let nibble =
        |digit: u8| HEX.iter().position(|known| *known == digit).and_then(|at| u8::try_from(at).ok());
    let mut bytes = [if prefix == b"SM" { 1 } else { 2 }; 17];
    for (byte, pair) in bytes.iter_mut().skip(1).zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(bytes)
}

fn from_sid([prefix, digits @ ..]: [u8; 17]) -> Result<Option<ProviderSid>, RecordError> {
    if prefix == 0 {
        return Ok(None);
    }
    let digit = |nibble: u8| HEX.get(usize::from(nibble & 15)).copied().unwrap_or_default();
    let mut text = [if prefix == 1 { b'S' } else { b'M' }; 34];
    let pairs = digits.into_iter().flat_map(|byte| [digit(byte >> 4), digit(byte)]);
    text.iter_mut().skip(1).zip(std::iter::once(b'M').chain(pairs)).for_each(|(to, from)| *to = from);
    provider_sid(&text).map(Some)
}

impl MessageRowV6 {
    /// The sixth form; `None` when it does not say all.
    pub(crate) fn new(projection: &Projection) -> Option<Self> {
        let message = &projection.message;
        let is_plain = !message.may_bypass
            && message.template.is_none()
            && message.kind.is_none()
            && message.scheduled_for.is_none()
            && message.expires_at.is_none();
        if is_plain { Self::of(projection) } else { None }
    }

    /// What the sixth form says; `None` when something does not fit into its field, or is nothing that it has.
    fn of(projection: &Projection) -> Option<Self> {
        let message = &projection.message;
        if message.custody != Custody::Own || message.failure.is_some() || message.retried_as.is_some() {
            return None;
        }
        let (word, polls, at) = match message.state {
            State::Held { hold, until: Timestamp::MAX } => (hold.tag(), 0, NEVER),
            State::Held { hold, until } => (hold.tag(), 0, instant(until)?),
            State::Due { since } | State::Submitting { since } => (0, 0, instant(since)?),
            State::Submitted { status, since, polls } => (status.tag(), polls, instant(since)?),
            State::Sent { submitted_at, polls } => (0, polls, instant(submitted_at)?),
            State::Delivered => (0, 0, Long::default()),
            State::Accepted
            | State::Unknown { .. }
            | State::Unconfirmed { .. }
            | State::Relinquished
            | State::Undelivered
            | State::Failed
            | State::Canceled
            | State::Expired
            | State::Suppressed { .. } => return None,
        };
        let after = |later: u64, earlier: u64| u32::try_from(later.checked_sub(earlier)?).ok();
        let accepted_at = instant(message.accepted_at)?;
        let (accepted_seq, last_seq) = (projection.accepted_seq.get(), projection.last_seq.get());
        let resend = if message.on_unknown.tag() == 2 { RESEND } else { 0 };
        Some(Self {
            person: u32::try_from(message.person.get()).ok()?,
            user: match message.user {
                Some(user) => u32::try_from(user.get()).ok().filter(|user| *user > 0)?,
                None => 0,
            },
            terms: message.priority.tag() | resend,
            segments: u8::try_from(message.segments).ok()?,
            attempt: u8::try_from(message.attempt.get()).ok()?,
            counted: u8::try_from(message.counted).ok()?,
            sid: message.sid.map_or(Some([0; 17]), sid)?,
            accepted_at,
            changed_after: after(from_long(instant(message.changed_at)?), from_long(accepted_at))?,
            state: message.state.name().tag(),
            word,
            polls,
            at,
            timer: match projection.timer {
                Some(timer) => instant(timer).filter(|timer| *timer != Long::default())?,
                None => Long::default(),
            },
            accepted_seq: long(accepted_seq)?,
            last_after: after(last_seq, accepted_seq)?,
        })
    }

    fn take(&self) -> Result<Projection, RecordError> {
        let at = from_instant(self.at);
        let state = match word(self.state)? {
            StateName::Held => {
                let until = if self.at == NEVER { Timestamp::MAX } else { at };
                State::Held { hold: word(self.word)?, until }
            }
            StateName::Due => State::Due { since: at },
            StateName::Submitting => State::Submitting { since: at },
            StateName::Submitted => {
                State::Submitted { status: word(self.word)?, since: at, polls: self.polls }
            }
            StateName::Sent => State::Sent { submitted_at: at, polls: self.polls },
            StateName::Delivered => State::Delivered,
            StateName::Accepted
            | StateName::Unknown
            | StateName::Unconfirmed
            | StateName::Relinquished
            | StateName::Undelivered
            | StateName::Failed
            | StateName::Canceled
            | StateName::Expired
            | StateName::Suppressed => return Err(RecordError::Value { what: "state of a short row" }),
        };
        let (accepted_ms, accepted_seq) = (from_long(self.accepted_at), from_long(self.accepted_seq));
        let changed_ms = accepted_ms.saturating_add(u64::from(self.changed_after));
        let message = Message {
            person: PersonNumber::new(u64::from(self.person)),
            priority: word(self.terms & !RESEND)?,
            segments: u16::from(self.segments),
            user: (self.user > 0).then(|| UserNumber::new(u64::from(self.user))),
            kind: None,
            template: None,
            may_bypass: false,
            custody: Custody::Own,
            on_unknown: word(if self.terms & RESEND == 0 { 1 } else { 2 })?,
            accepted_at: from_instant(self.accepted_at),
            scheduled_for: None,
            expires_at: None,
            attempt: Attempt::new(u32::from(self.attempt)),
            counted: u32::from(self.counted),
            sid: from_sid(self.sid)?,
            failure: None,
            retried_as: None,
            changed_at: Timestamp::from_millis(i64::try_from(changed_ms).unwrap_or(i64::MAX)),
            state,
        };
        let projection = Projection {
            message,
            accepted_seq: JournalSeq::new(accepted_seq),
            last_seq: JournalSeq::new(accepted_seq.saturating_add(u64::from(self.last_after))),
            timer: (self.timer != Long::default()).then(|| from_instant(self.timer)),
        };
        // There is one way to write it.
        if Self::of(&projection).as_ref() == Some(self) {
            Ok(projection)
        } else {
            Err(RecordError::Value { what: "short row" })
        }
    }
}

impl MessageRowV7 {
    /// The seventh form; `None` when it does not say all, or the sixth does.
    pub(crate) fn new(projection: &Projection) -> Option<Self> {
        if MessageRowV6::new(projection).is_some() {
            return None;
        }
        let message = &projection.message;
        Some(Self {
            short: MessageRowV6::of(projection)?,
            may_bypass: message.may_bypass,
            template: message.template.map(|template| (template.number, template.version)),
            kind: message.kind.as_ref().map(|kind| kind.as_str().to_owned()),
            scheduled_for_ms: message.scheduled_for.map(Timestamp::as_millis),
            expires_at_ms: message.expires_at.map(Timestamp::as_millis),
        })
    }
}

impl TryFrom<MessageRowV6> for Projection {
    type Error = RecordError;

    fn try_from(row: MessageRowV6) -> Result<Self, Self::Error> {
        row.take()
    }
}

impl TryFrom<MessageRowV7> for Projection {
    type Error = RecordError;

    fn try_from(row: MessageRowV7) -> Result<Self, Self::Error> {
        let mut projection = row.short.take()?;
        let message = &mut projection.message;
        message.may_bypass = row.may_bypass;
        message.template = row.template.map(|(number, version)| TemplateVersion { number, version });
        message.kind = row.kind.map(|kind| kind_name(&kind)).transpose()?;
        message.scheduled_for = row.scheduled_for_ms.map(Timestamp::from_millis);
        message.expires_at = row.expires_at_ms.map(Timestamp::from_millis);
        if MessageRowV6::new(&projection).is_some() {
            return Err(RecordError::Value { what: "seventh form" });
        }
        Ok(projection)
    }
}
