//! The persisted form of an accepted wish: the only place where the body is kept.

use dunlin_workflows::body::{Body, Encoding};
use dunlin_workflows::id::MessageId;
use dunlin_workflows::message::{Event, Metadata, Request, UserId};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::timestamp::Timestamp;
use wincode::{SchemaRead, SchemaWrite};

use super::RecordError;
use super::tag::{Tagged, word};

/// `message::Event::Accepted`, first form.
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

impl AcceptedV1 {
    /// The persisted form of these parts of the event.
    pub(crate) fn new(request: &Request, encoding: Encoding, segments: u16) -> Self {
        Self {
            id: *request.id.as_bytes(),
            to: request.to.digits(),
            body: request.body.as_str().to_owned(),
            priority: request.priority.tag(),
            scheduled_for_ms: request.scheduled_for.map(Timestamp::as_millis),
            expires_at_ms: request.expires_at.map(Timestamp::as_millis),
            on_unknown: request.on_unknown.tag(),
            user_id: request.user_id.as_ref().map(|user| user.as_str().to_owned()),
            metadata: request.metadata.as_ref().map(|notes| notes.as_str().to_owned()),
            retry_of: request.retry_of.map(|id| *id.as_bytes()),
            encoding: encoding.tag(),
            segments,
        }
    }
}

impl TryFrom<AcceptedV1> for Event {
    type Error = RecordError;

    fn try_from(row: AcceptedV1) -> Result<Self, Self::Error> {
        let user_id = row.user_id.map(|user| user.parse::<UserId>()).transpose();
        let metadata = row.metadata.map(|notes| Metadata::new(&notes)).transpose();
        let request = Request {
            id: MessageId::from_bytes(row.id),
            to: phone_number(row.to)?,
            body: Body::parse(row.body.as_str())
                .map_err(|_not_a_body| RecordError::Value { what: "body" })?,
            priority: word(row.priority)?,
            scheduled_for: row.scheduled_for_ms.map(Timestamp::from_millis),
            expires_at: row.expires_at_ms.map(Timestamp::from_millis),
            on_unknown: word(row.on_unknown)?,
            user_id: user_id.map_err(|_not_a_user| RecordError::Value { what: "user id" })?,
            metadata: metadata.map_err(|_too_long| RecordError::Value { what: "metadata" })?,
            retry_of: row.retry_of.map(MessageId::from_bytes),
        };
        Ok(Self::Accepted {
            request: Box::new(request),
            encoding: word(row.encoding)?,
            segments: row.segments,
        })
    }
}

/// The number with these digits, checked again: persisted bytes are not trusted.
pub(crate) fn phone_number(digits: u64) -> Result<PhoneNumber, RecordError> {
    PhoneNumber::from_digits(digits).ok_or(RecordError::Value { what: "phone number" })
}
