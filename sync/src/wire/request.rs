//! A text that somebody asked for, as it was claimed.

use dunlin_workflows::id::MessageId;
use serde_json::Value;
use uuid::Uuid;

use super::fields::Fields;
use super::{Claim, FieldError, Instant};

/// A claimed text. What is text here is as somebody wrote it: whether it is any good is decided elsewhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The row of `sms_messages`, and the message's id everywhere.
    pub id: MessageId,
    /// Shown again when the text is acknowledged or parked.
    pub claim: Uuid,
    /// Until when the claim is ours, on the database's clock.
    pub claimed_until: Instant,
    /// Somebody else may have sent it: it is looked up before anything else happens to it.
    pub may_have_been_sent: bool,
    /// Whose text it is.
    pub user_id: Uuid,
    /// Where it goes.
    pub phone_number: String,
    /// What it says.
    pub message_content: String,
    /// `low`, `normal`, `high`, `urgent`, or another word that an adopted database has.
    pub priority: String,
    /// When it is due; `None`: now.
    pub scheduled_for: Option<Instant>,
    /// The key of the template that its row names.
    pub template_key: Option<String>,
    /// What the template was filled with; any JSON.
    pub template_vars: Option<Value>,
    /// The caller's own data; any JSON.
    pub metadata: Option<Value>,
    /// 1 to 255 characters.
    pub idempotency_key: Option<String>,
    /// When somebody asked for it.
    pub created_at: Option<Instant>,
    /// When somebody withdrew it meanwhile.
    pub cancel_requested_at: Option<Instant>,
    /// Attempts of whoever had it before.
    pub attempt_count: u64,
    /// The provider's name for the newest attempt of whoever had it before.
    pub twilio_sid: Option<String>,
    /// The provider's word for that attempt.
    pub twilio_status: Option<String>,
}

impl Request {
    /// What shows that the text is claimed.
    pub fn claim(&self) -> Claim {
        Claim { id: self.id, claim: Some(self.claim) }
    }

    /// Reads one of `requests`.
    ///
    /// # Errors
    /// [`UnreadableRequest`], which can still be parked when it has its id and claim.
    pub fn read(value: &Value) -> Result<Self, UnreadableRequest> {
        Self::fields(value).map_err(|why| {
            let fields = Fields::of("the row", value).ok();
            let id = fields.and_then(|fields| fields.id("id").ok());
            let claim = fields.and_then(|fields| fields.id("claim").ok());
            UnreadableRequest { id, claim, why }
        })
    }

    fn fields(value: &Value) -> Result<Self, FieldError> {
        let fields = Fields::of("the row", value)?;
        Ok(Self {
            id: fields.id("id")?,
            claim: fields.id("claim")?,
            claimed_until: fields.instant("claimed_until")?,
            may_have_been_sent: fields.flag("may_have_been_sent")?,
            user_id: fields.id("user_id")?,
            phone_number: fields.text("phone_number")?,
            message_content: fields.text("message_content")?,
            priority: fields.text("priority")?,
            scheduled_for: fields.maybe_instant("scheduled_for")?,
            template_key: fields.maybe_text("template_key")?,
            template_vars: fields.json("template_vars"),
            metadata: fields.json("metadata"),
            idempotency_key: fields.maybe_text("idempotency_key")?,
            created_at: fields.maybe_instant("created_at")?,
            cancel_requested_at: fields.maybe_instant("cancel_requested_at")?,
            attempt_count: fields.count("attempt_count")?,
            twilio_sid: fields.maybe_text("twilio_sid")?,
            twilio_status: fields.maybe_text("twilio_status")?,
        })
    }
}

/// Shows neither number nor text.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").field("id", &self.id).field("claim", &self.claim).finish_non_exhaustive()
    }
}

/// A request that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the request {} can't be read: {why}", .id.map_or_else(|| "without an id".to_owned(), |id| id.to_string()))]
pub struct UnreadableRequest {
    /// Its id, if that can be read.
    pub id: Option<MessageId>,
    /// Its claim, if that can be read.
    pub claim: Option<Uuid>,
    /// What is wrong with it.
    pub why: FieldError,
}

impl UnreadableRequest {
    /// What parks it; `None` when id or claim can't be read, and its claim lapses by itself.
    pub fn claim(&self) -> Option<Claim> {
        Some(Claim { id: self.id?, claim: Some(self.claim?) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn row_that_cannot_be_read_keeps_its_claim_and_says_why() {
        let good = json!({"id": "eeeeeeee-0000-4000-8000-000000000001", "claim": "cccccccc-0000-4000-8000-000000000001",
            "claimed_until": "2026-11-29T02:00:00+00:00", "may_have_been_sent": false,
            "user_id": "a0000000-0000-4000-8000-000000000001", "phone_number": "+15551230001", "message_content": "Hello",
            "priority": "normal", "scheduled_for": "infinity", "template_key": null, "metadata": {"a": [1]},
            "attempt_count": 0, "added_later": true});
        let request = Request::read(&good).unwrap();
        assert_eq!(request.scheduled_for, Some(Instant::Never));
        assert_eq!(request.metadata, Some(json!({"a": [1]})));
        assert!(!format!("{request:?}").contains("1555"));

        let mut bad = good.clone();
        bad["created_at"] = json!("0044-03-15T00:00:00+00:00 BC");
        let unreadable = Request::read(&bad).unwrap_err();
        assert_eq!(unreadable.claim(), Some(request.claim()));
        assert_eq!(unreadable.why.to_string(), "created_at: expected an instant or null, found other text");
        assert_eq!(Request::read(&json!("row")).unwrap_err().claim(), None);
    }
}
