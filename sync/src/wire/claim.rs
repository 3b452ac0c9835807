//! What becomes of claimed texts: they are acknowledged, or parked with a reason.

use dunlin_workflows::id::MessageId;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::fields::Fields;
use super::{FieldError, text};

/// What shows that a text is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// The text.
    #[serde(serialize_with = "text::plain")]
    pub id: MessageId,
    /// The claim; `None` when the daemon does not know it any more, and asks whether the text is its own.
    #[serde(serialize_with = "text::or_null")]
    pub claim: Option<Uuid>,
}

impl Claim {
    /// The arguments that acknowledge texts, which are durable in the daemon's file.
    pub fn arguments(daemon: Uuid, accepted: &[Self]) -> Value {
        json!({"p_daemon": daemon.to_string(), "p_accepted": accepted})
    }
}

/// Which texts are the daemon's now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acknowledged {
    /// They are the daemon's.
    pub accepted: Vec<MessageId>,
    /// They are not, and must not be sent.
    pub lost: Vec<MessageId>,
}

impl Acknowledged {
    /// Reads the answer.
    ///
    /// # Errors
    /// [`FieldError`], which names the field.
    pub fn read(answer: &Value) -> Result<Self, FieldError> {
        let fields = Fields::of("the answer", answer)?;
        Ok(Self { accepted: fields.ids("accepted")?, lost: fields.ids("lost")? })
    }
}

/// A row that nothing can be made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parking {
    /// The table; of texts none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'static str>,
    /// The row; of preferences their user.
    #[serde(serialize_with = "text::plain")]
    pub id: Uuid,
    /// The claim of a text.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text::or_null")]
    pub claim: Option<Uuid>,
    /// A word, up to 100 characters.
    pub reason: String,
    /// A sentence, up to 1,000 characters.
    pub detail: String,
}

impl Parking {
    /// A claimed text.
    pub fn claimed(claim: Claim, reason: impl Into<String>, detail: impl Into<String>) -> Self {
        let id = Uuid::from_bytes(*claim.id.as_bytes());
        Self { source: None, id, claim: claim.claim, reason: reason.into(), detail: detail.into() }
    }

    /// A row of `user_sms_preferences` or `sms_templates`.
    pub fn row(source: &'static str, id: Uuid, reason: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { source: Some(source), id, claim: None, reason: reason.into(), detail: detail.into() }
    }

    /// The arguments that park texts.
    pub fn arguments(daemon: Uuid, rows: &[Self]) -> Value {
        json!({"p_daemon": daemon.to_string(), "p_rows": rows})
    }
}

/// Reads how many were parked.
pub(crate) fn parked(answer: &Value) -> Result<u64, FieldError> {
    Fields::of("the answer", answer)?.count("parked")
}
