//! The persisted form of an accepted wish: the only place where the body is kept, and that sealed.

use dunlin_workflows::body::{Body, Encoding};
use dunlin_workflows::id::{MessageId, PersonNumber, UserNumber};
use dunlin_workflows::kind::KindName;
use dunlin_workflows::message::{Event, Metadata, Request, TemplateVersion, Terms, Text, UserId};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::timestamp::Timestamp;
use wincode::{SchemaRead, SchemaWrite};

use super::RecordError;
use super::codec;
use super::tag::{Tagged, word};

/// `message::Event::Accepted`, second form: what identifies a person or is written to them is sealed.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct AcceptedV2 {
    id: [u8; 16],
    person: u64,
    priority: u8,
    scheduled_for_ms: Option<i64>,
    expires_at_ms: Option<i64>,
    on_unknown: u8,
    retry_of: Option<[u8; 16]>,
    encoding: u8,
    segments: u16,
    /// A [`TextV1`], sealed.
    pub(super) sealed: Vec<u8>,
}

/// `message::Event::Accepted`, third form: with what only some messages have. Others are written in the second.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct AcceptedV3 {
    user: Option<u64>,
    kind: Option<String>,
    /// Number and version of a template.
    template: Option<(u64, u32)>,
    pub(super) rest: AcceptedV2,
}

/// `message::Event::Accepted`, fourth form: an urgent one may pass quiet hours. Others are written in the third or second.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct AcceptedV4 {
    pub(super) rest: AcceptedV3,
}

/// `message::Event::Accepted`, fifth form: claimed from a shared database. Others are written in an older form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct AcceptedV5 {
    may_bypass: bool,
    pub(super) rest: AcceptedV3,
}

/// What is sealed in [`AcceptedV2`], first form. The number stands with the person.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct TextV1 {
    body: String,
    user_id: Option<String>,
    metadata: Option<String>,
}

/// `message::Event::Accepted`, first form: in clear. Read only to seal it.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct AcceptedV1 {
    id: [u8; 16],
    /// Digits of the E.164 number, without the plus sign.
    to: u64,
    body: String,
    priority: u8,
    scheduled_for_ms: Option<i64>,
    expires_at_ms: Option<i64>,
    on_unknown: u8,
    user_id: Option<String>,
    metadata: Option<String>,
    retry_of: Option<[u8; 16]>,
    encoding: u8,
    segments: u16,
}

impl AcceptedV2 {
    /// The persisted form of these terms.
    pub(crate) fn new(terms: &Terms, sealed: &[u8]) -> Self {
        Self {
            id: *terms.id.as_bytes(),
            person: terms.person.get(),
            priority: terms.priority.tag(),
            scheduled_for_ms: terms.scheduled_for.map(Timestamp::as_millis),
            expires_at_ms: terms.expires_at.map(Timestamp::as_millis),
            on_unknown: terms.on_unknown.tag(),
            retry_of: terms.retry_of.map(|id| *id.as_bytes()),
            encoding: terms.encoding.tag(),
            segments: terms.segments,
            sealed: sealed.to_vec(),
        }
    }
}

impl AcceptedV3 {
    /// The persisted form of these terms; `None` when the second form says all of them.
    pub(crate) fn new(terms: &Terms, sealed: &[u8]) -> Option<Self> {
        let plain = terms.user.is_none() && terms.kind.is_none() && terms.template.is_none();
        (!plain).then(|| Self::of(terms, sealed))
    }

    fn of(terms: &Terms, sealed: &[u8]) -> Self {
        Self {
            user: terms.user.map(UserNumber::get),
            kind: terms.kind.as_ref().map(|kind| kind.as_str().to_owned()),
            template: terms.template.map(|template| (template.number, template.version)),
            rest: AcceptedV2::new(terms, sealed),
        }
    }

    fn take(self) -> Result<Event, RecordError> {
        let mut event = Event::try_from(self.rest)?;
        if let Event::Accepted { terms } = &mut event {
            terms.user = self.user.map(UserNumber::new);
            terms.kind = self.kind.map(|kind| kind_name(&kind)).transpose()?;
            terms.template = self.template.map(|(number, version)| TemplateVersion { number, version });
        }
        Ok(event)
    }
}

impl AcceptedV4 {
    /// The persisted form of these terms; `None` when an older form says all of them.
    pub(crate) fn new(terms: &Terms, sealed: &[u8]) -> Option<Self> {
        terms.may_bypass.then(|| Self { rest: AcceptedV3::of(terms, sealed) })
    }
}

impl AcceptedV5 {
    /// The persisted form of these terms; `None` when an older form says all of them.
    pub(crate) fn new(terms: &Terms, sealed: &[u8]) -> Option<Self> {
        let form = || Self { may_bypass: terms.may_bypass, rest: AcceptedV3::of(terms, sealed) };
        terms.is_claimed.then(form)
    }
}

impl TryFrom<AcceptedV5> for Event {
    type Error = RecordError;

    fn try_from(row: AcceptedV5) -> Result<Self, Self::Error> {
        let mut event = row.rest.take()?;
        if let Self::Accepted { terms } = &mut event {
            terms.may_bypass = row.may_bypass;
            terms.is_claimed = true;
        }
        Ok(event)
    }
}

impl TryFrom<AcceptedV4> for Event {
    type Error = RecordError;

    fn try_from(row: AcceptedV4) -> Result<Self, Self::Error> {
        let mut event = row.rest.take()?;
        if let Self::Accepted { terms } = &mut event {
            terms.may_bypass = true;
        }
        Ok(event)
    }
}

impl TryFrom<AcceptedV3> for Event {
    type Error = RecordError;

    fn try_from(row: AcceptedV3) -> Result<Self, Self::Error> {
        let event = row.take()?;
        // What the second form says is written in it.
        if matches!(&event, Self::Accepted { terms } if AcceptedV3::new(terms, &[]).is_none()) {
            return Err(RecordError::Value { what: "third form" });
        }
        Ok(event)
    }
}

impl TryFrom<AcceptedV2> for Event {
    type Error = RecordError;

    fn try_from(row: AcceptedV2) -> Result<Self, Self::Error> {
        let terms = Terms {
            id: MessageId::from_bytes(row.id),
            person: PersonNumber::new(row.person),
            priority: word(row.priority)?,
            scheduled_for: row.scheduled_for_ms.map(Timestamp::from_millis),
            expires_at: row.expires_at_ms.map(Timestamp::from_millis),
            on_unknown: word(row.on_unknown)?,
            retry_of: row.retry_of.map(MessageId::from_bytes),
            encoding: word(row.encoding)?,
            segments: row.segments,
            user: None,
            kind: None,
            template: None,
            may_bypass: false,
            is_claimed: false,
        };
        Ok(Self::Accepted { terms: Box::new(terms) })
    }
}

impl TextV1 {
    /// The text of a request, to be sealed.
    pub(crate) fn put(request: &Request) -> Result<Vec<u8>, RecordError> {
        let text = Self {
            body: request.body.as_str().to_owned(),
            user_id: request.user_id.as_ref().map(|user| user.as_str().to_owned()),
            metadata: request.metadata.as_ref().map(|notes| notes.as_str().to_owned()),
        };
        let mut bytes = Vec::with_capacity(64_usize.saturating_add(text.body.len()));
        codec::put(&text, &mut bytes)?;
        Ok(bytes)
    }

    /// The text that was put, for the recipient `to`.
    pub(crate) fn take(to: PhoneNumber, bytes: &[u8]) -> Result<Text, RecordError> {
        let row: Self = codec::take(bytes)?;
        text(to, &row.body, row.user_id, row.metadata)
    }
}

impl AcceptedV1 {
    /// The wish, and how its body was judged: encoding and billed parts.
    pub(crate) fn open(self) -> Result<(Request, Encoding, u16), RecordError> {
        let text = text(phone_number(self.to)?, &self.body, self.user_id, self.metadata)?;
        let request = Request {
            id: MessageId::from_bytes(self.id),
            to: text.to,
            body: text.body,
            priority: word(self.priority)?,
            scheduled_for: self.scheduled_for_ms.map(Timestamp::from_millis),
            expires_at: self.expires_at_ms.map(Timestamp::from_millis),
            on_unknown: word(self.on_unknown)?,
            user_id: text.user_id,
            metadata: text.metadata,
            retry_of: self.retry_of.map(MessageId::from_bytes),
            kind: None,
            template: None,
            may_bypass: false,
            is_claimed: false,
        };
        Ok((request, word(self.encoding)?, self.segments))
    }
}

fn text(
    to: PhoneNumber,
    body: &str,
    user_id: Option<String>,
    metadata: Option<String>,
) -> Result<Text, RecordError> {
    let user_id = user_id.map(|user| user.parse::<UserId>()).transpose();
    let metadata = metadata.map(|notes| Metadata::new(&notes)).transpose();
    Ok(Text {
        to,
        body: Body::parse(body).map_err(|_not_a_body| RecordError::Value { what: "body" })?,
        user_id: user_id.map_err(|_not_a_user| RecordError::Value { what: "user id" })?,
        metadata: metadata.map_err(|_too_long| RecordError::Value { what: "metadata" })?,
    })
}

/// The name of a kind, checked again: persisted bytes are not trusted.
pub(crate) fn kind_name(text: &str) -> Result<KindName, RecordError> {
    text.parse().map_err(|_not_a_name| RecordError::Value { what: "kind" })
}

/// The number with these digits, checked again: persisted bytes are not trusted.
pub(crate) fn phone_number(digits: u64) -> Result<PhoneNumber, RecordError> {
    PhoneNumber::from_digits(digits).ok_or(RecordError::Value { what: "phone number" })
}
