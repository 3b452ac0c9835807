//! What somebody asked for when they asked for a message. Written once, never changed.

use std::fmt;
use std::str::FromStr;

use crate::body::{Body, Encoding};
use crate::id::{MessageId, PersonNumber, UserNumber};
use crate::kind::KindName;
use crate::phone_number::PhoneNumber;
use crate::timestamp::Timestamp;

/// A wish to send one text to one recipient: a number, once it is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request<To = PhoneNumber> {
    /// The message's public name.
    pub id: MessageId,
    /// The recipient.
    pub to: To,
    /// The text.
    pub body: Body,
    /// Which messages go first when not all can.
    pub priority: Priority,
    /// Not before this instant; `None` means at once.
    pub scheduled_for: Option<Timestamp>,
    /// Not at or after this instant: late text is worse than none.
    pub expires_at: Option<Timestamp>,
    /// What to do when it can't be learned whether an attempt was taken.
    pub on_unknown: OnUnknown,
    /// Whose message this is in the caller's product.
    pub user_id: Option<UserId>,
    /// The caller's own notes, returned as they came.
    pub metadata: Option<Metadata>,
    /// The finalized message that this one tries again.
    pub retry_of: Option<MessageId>,
    /// What it is about.
    pub kind: Option<KindName>,
    /// The version of a template that rendered the body.
    pub template: Option<TemplateVersion>,
    /// Whether an urgent one may pass quiet hours, if its recipient wants urgent alerts: its template or whoever asks may say so.
    pub may_bypass: bool,
    /// Whether it was claimed from a database that several daemons may share: it waits until that is confirmed.
    pub is_claimed: bool,
}

/// One version of one template, by its number inside the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateVersion {
    /// The template.
    pub number: u64,
    /// Which version of it, from 1.
    pub version: u32,
}

/// What of a request is no secret: all that decisions need. Journaled, and kept after an erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The message's public name.
    pub id: MessageId,
    /// The recipient.
    pub person: PersonNumber,
    /// Which messages go first when not all can.
    pub priority: Priority,
    /// Not before this instant; `None` means at once.
    pub scheduled_for: Option<Timestamp>,
    /// Not at or after this instant.
    pub expires_at: Option<Timestamp>,
    /// What to do when it can't be learned whether an attempt was taken.
    pub on_unknown: OnUnknown,
    /// The finalized message that this one tries again.
    pub retry_of: Option<MessageId>,
    /// How the body is encoded on the air, as judged on acceptance.
    pub encoding: Encoding,
    /// Billed parts, as judged on acceptance.
    pub segments: u16,
    /// The user whose message it is, inside the store.
    pub user: Option<UserNumber>,
    /// What it is about.
    pub kind: Option<KindName>,
    /// The version of a template that rendered the body.
    pub template: Option<TemplateVersion>,
    /// Whether an urgent one may pass quiet hours, if its recipient wants urgent alerts: its template or whoever asks may say so.
    pub may_bypass: bool,
    /// Whether it was claimed from a database that several daemons may share: it waits until that is confirmed.
    pub is_claimed: bool,
}

/// What of a request identifies a person or is written to them. Sealed at rest, and gone once the
/// person is erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The recipient.
    pub to: PhoneNumber,
    /// The text.
    pub body: Body,
    /// Whose message this is in the caller's product.
    pub user_id: Option<UserId>,
    /// The caller's own notes.
    pub metadata: Option<Metadata>,
}

impl Request {
    /// The request that these two parts belong to.
    pub fn of(terms: &Terms, text: Text) -> Self {
        Self {
            id: terms.id,
            to: text.to,
            body: text.body,
            priority: terms.priority,
            scheduled_for: terms.scheduled_for,
            expires_at: terms.expires_at,
            on_unknown: terms.on_unknown,
            user_id: text.user_id,
            metadata: text.metadata,
            retry_of: terms.retry_of,
            kind: terms.kind.clone(),
            template: terms.template,
            may_bypass: terms.may_bypass,
            is_claimed: terms.is_claimed,
        }
    }

    /// What of it identifies a person or is written to them.
    pub fn text(&self) -> Text {
        Text {
            to: self.to,
            body: self.body.clone(),
            user_id: self.user_id.clone(),
            metadata: self.metadata.clone(),
        }
    }

    /// What of it is no secret, for the recipient known as `person` and the user known as `user`.
    pub fn terms(&self, person: PersonNumber, user: Option<UserNumber>) -> Terms {
        let (encoding, segments) = self.body.measure();
        Terms {
            id: self.id,
            person,
            priority: self.priority,
            scheduled_for: self.scheduled_for,
            expires_at: self.expires_at,
            on_unknown: self.on_unknown,
            retry_of: self.retry_of,
            encoding,
            segments,
            user,
            kind: self.kind.clone(),
            template: self.template,
            may_bypass: self.may_bypass,
            is_claimed: self.is_claimed,
        }
    }
}

/// Which messages go first when not all can. Waiting raises a message over newer ones, so low never starves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// First.
    Urgent,
    /// Before normal.
    High,
    /// The default.
    #[default]
    Normal,
    /// When nothing else waits.
    Low,
}

/// Every priority, first to go first.
pub const PRIORITIES: [(Priority, &str); 4] = [
    (Priority::Urgent, "urgent"),
    (Priority::High, "high"),
    (Priority::Normal, "normal"),
    (Priority::Low, "low"),
];

/// The word is not a priority.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a priority; expected urgent, high, normal or low")]
pub struct PriorityError(String);

impl Priority {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }
}

impl FromStr for Priority {
    type Err = PriorityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        PRIORITIES
            .into_iter()
            .find(|(_, word)| *word == text)
            .map(|(priority, _)| priority)
            .ok_or_else(|| PriorityError(text.chars().take(32).collect()))
    }
}

/// What to do when every lookup has found nothing and an attempt may still have been taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnUnknown {
    /// Keep it for a person to decide; nothing is sent twice.
    #[default]
    Hold,
    /// Send again: for texts where twice is better than never.
    Resend,
}

/// The word is not a policy for unknown outcomes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a policy for unknown outcomes; expected hold or resend")]
pub struct OnUnknownError(String);

impl OnUnknown {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Resend => "resend",
        }
    }
}

impl FromStr for OnUnknown {
    type Err = OnUnknownError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "hold" => Ok(Self::Hold),
            "resend" => Ok(Self::Resend),
            other => Err(OnUnknownError(other.chars().take(32).collect())),
        }
    }
}

/// Whose message this is in the caller's product: 1 to 64 visible ASCII characters, often a UUID.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(Box<str>);

/// The text can't name a user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a user id has 1 to 64 visible ASCII characters; this one has {length} bytes or other characters")]
pub struct UserIdError {
    /// Length of the refused text in bytes.
    length: usize,
}

impl UserId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserId {
    type Err = UserIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.is_empty() || text.len() > 64 || !visible {
            return Err(UserIdError { length: text.len() });
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The caller's own notes: JSON text of at most [`Metadata::BYTES_MAX`] bytes, returned as it came.
#[derive(Clone, PartialEq, Eq)]
pub struct Metadata(Box<str>);

/// The notes are too long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("metadata has {length} bytes; at most {max} are kept", max = Metadata::BYTES_MAX)]
pub struct MetadataError {
    /// Length of the refused text in bytes.
    length: usize,
}

impl Metadata {
    /// Most bytes kept.
    pub const BYTES_MAX: usize = 4096;

    /// Keeps `json` as it is. That it is JSON is the edge's promise.
    pub fn new(json: &str) -> Result<Self, MetadataError> {
        if json.len() > Self::BYTES_MAX {
            return Err(MetadataError { length: json.len() });
        }
        Ok(Self(json.into()))
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metadata({} bytes)", self.0.len())
    }
}
