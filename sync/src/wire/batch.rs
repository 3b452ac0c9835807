//! What became of texts, of consent, of numbers and of counts: what a daemon pushes.

use std::fmt;

use dunlin_workflows::id::MessageId;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::fields::Fields;
use super::{FieldError, Instant, columns, text};

/// A batch: at most some thousand rows. `version` is everywhere a position in the daemon's journal, up to 2^63 - 1, which
/// never goes back: what is not newer than what the database has changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Batch {
    /// States of texts; of one text the newest counts.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "columns::of")]
    pub messages: Vec<MessageRow>,
    /// What people said about being texted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub consents: Vec<ConsentRow>,
    /// Whose number is proven.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub verifications: Vec<VerificationRow>,
    /// How many texts a user got on their day.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub usage: Vec<UsageRow>,
}

impl Batch {
    /// The function's arguments.
    ///
    /// # Errors
    /// When a row can't be written as JSON.
    pub fn arguments(&self, daemon: Uuid) -> Result<Value, serde_json::Error> {
        Ok(json!({"p_daemon": daemon.to_string(), "p_batch": serde_json::to_value(self)?}))
    }

    /// How many rows it has.
    pub fn len(&self) -> usize {
        [self.messages.len(), self.consents.len(), self.verifications.len(), self.usage.len()].iter().sum()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The status that people see: a word of `sms_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words themselves")]
pub enum SmsStatus {
    Pending,
    Queued,
    Sending,
    Sent,
    Delivered,
    Failed,
    Undelivered,
    Scheduled,
    Cancelled,
}

/// The engine's own word for where a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words themselves")]
pub enum EngineState {
    Accepted,
    Held,
    Due,
    Submitting,
    Unknown,
    Submitted,
    Sent,
    Unconfirmed,
    Delivered,
    Undelivered,
    Failed,
    Canceled,
    Expired,
    Suppressed,
}

/// How one text is now. Every field counts: what is `None` is cleared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRow {
    /// The text.
    pub id: MessageId,
    /// Position in the journal.
    pub version: u64,
    /// For people.
    pub status: SmsStatus,
    /// The engine's word.
    pub state: EngineState,
    /// Why it is there, for people.
    pub reason: Option<String>,
    /// Nothing is awaited any more; no other daemon ever gets it.
    pub finished: bool,
    /// Attempts made, up to 2^31 - 1.
    pub attempt_count: u32,
    /// The provider's name for the newest attempt.
    pub twilio_sid: Option<String>,
    /// The provider's word for it.
    pub twilio_status: Option<String>,
    /// The provider's error.
    pub twilio_error_code: Option<i32>,
    /// The error in words.
    pub twilio_error_message: Option<String>,
    /// When the provider had it.
    pub sent_at: Option<Instant>,
    /// When the handset had it.
    pub delivered_at: Option<Instant>,
    /// When it is tried again.
    pub next_retry_at: Option<Instant>,
    /// When it is due now that somebody rescheduled it through the engine.
    pub rescheduled_for: Option<Instant>,
    /// What the database needs to know of a text that it never saw.
    pub born: Option<Box<Born>>,
}

impl MessageRow {
    /// A text that is in this state, and nothing else known of it.
    pub fn new(id: MessageId, version: u64, status: SmsStatus, state: EngineState) -> Self {
        Self {
            id,
            version,
            status,
            state,
            reason: None,
            finished: false,
            attempt_count: 0,
            twilio_sid: None,
            twilio_status: None,
            twilio_error_code: None,
            twilio_error_message: None,
            sent_at: None,
            delivered_at: None,
            next_retry_at: None,
            rescheduled_for: None,
            born: None,
        }
    }
}

/// A text that began in the engine.
#[derive(Clone, PartialEq, Eq)]
pub struct Born {
    /// Whose text it is; a text of nobody has no row.
    pub user_id: Uuid,
    /// E.164.
    pub phone_number: String,
    /// What it says.
    pub message_content: String,
    /// The key of its template.
    pub template_key: Option<String>,
    /// What the template was filled with.
    pub template_vars: Option<Value>,
    /// `low`, `normal`, `high` or `urgent`.
    pub priority: &'static str,
    /// When it is due; `None`: at once.
    pub scheduled_for: Option<Instant>,
    /// The caller's own data.
    pub metadata: Option<Value>,
    /// When it was accepted.
    pub created_at: Instant,
}

/// What somebody said about being texted.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct ConsentRow {
    /// E.164.
    pub phone_number: String,
    /// Whose number it is, if anybody's.
    #[serde(serialize_with = "text::or_null")]
    pub user_id: Option<Uuid>,
    /// Position in the journal.
    pub version: u64,
    /// Whether they are not to be texted.
    pub opted_out: bool,
    /// When they said so. An opt-in counts only after the opt-out that stands.
    pub at: Instant,
    /// In what words, for people.
    pub reason: Option<String>,
}

/// Whether a user's number is proven.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct VerificationRow {
    /// The user.
    #[serde(serialize_with = "text::plain")]
    pub user_id: Uuid,
    /// Position in the journal.
    pub version: u64,
    /// E.164; `None` when it is theirs no more.
    pub phone_number: Option<String>,
    /// Whether it is proven.
    pub phone_verified: bool,
    /// When it was.
    pub phone_verified_at: Option<Instant>,
}

/// How many texts a user got on their day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsageRow {
    /// The user.
    #[serde(serialize_with = "text::plain")]
    pub user_id: Uuid,
    /// Position in the journal.
    pub version: u64,
    /// Texts on that day, up to 2^31 - 1.
    pub daily_sms_count: u32,
    /// When that day ends.
    pub daily_count_reset_at: Instant,
}

/// What became of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Texts that changed.
    pub applied: u64,
    /// Texts whose row has this version or a newer one: done.
    pub stale: Vec<MessageId>,
    /// Texts that another daemon has, or that were never acknowledged: not ours to tell of.
    pub foreign: Vec<MessageId>,
    /// Texts that people deleted, or whose user is not known there: nothing to do.
    pub missing: Vec<MessageId>,
    /// Consents, verifications and usage that changed something.
    pub others_applied: u64,
    /// Rows that the database refuses until somebody mends something.
    pub rejected: Vec<Rejected>,
}

/// A row that the database refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// `messages`, `consents`, `verifications` or `usage`.
    pub kind: String,
    /// The text of `messages`, else the user; a consent of nobody has none.
    pub id: Option<Uuid>,
    /// What the database said.
    pub reason: String,
}

impl Pushed {
    /// Reads the answer.
    ///
    /// # Errors
    /// [`FieldError`], which names the field.
    pub fn read(answer: &Value) -> Result<Self, FieldError> {
        let fields = Fields::of("the answer", answer)?;
        Ok(Self {
            applied: fields.count("applied")?,
            stale: fields.ids("stale")?,
            foreign: fields.ids("foreign")?,
            missing: fields.ids("missing")?,
            others_applied: fields.count("others_applied")?,
            rejected: fields.list("rejected")?.iter().map(rejected).collect::<Result<_, _>>()?,
        })
    }
}

fn rejected(value: &Value) -> Result<Rejected, FieldError> {
    let fields = Fields::of("rejected", value)?;
    Ok(Rejected { kind: fields.text("kind")?, id: fields.maybe_id("id")?, reason: fields.text("reason")? })
}

/// Shows neither number nor text.
impl fmt::Debug for Born {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Born").field("user_id", &self.user_id).finish_non_exhaustive()
    }
}

/// Shows no number.
impl fmt::Debug for ConsentRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = f.debug_struct("ConsentRow");
        row.field("user_id", &self.user_id)
            .field("version", &self.version)
            .field("opted_out", &self.opted_out);
        row.finish_non_exhaustive()
    }
}

/// Shows no number.
impl fmt::Debug for VerificationRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = f.debug_struct("VerificationRow");
        row.field("user_id", &self.user_id).field("version", &self.version);
        row.field("phone_verified", &self.phone_verified).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_is_written_as_the_contract_says_and_what_no_row_has_is_left_out() {
        let id = |n| format!("eeeeeeee-0000-4000-8000-{n:012}").parse().unwrap();
        let mut row = MessageRow::new(id(1), 7, SmsStatus::Cancelled, EngineState::Canceled);
        row.sent_at = Some("2026-11-29T10:00:00Z".parse().unwrap());
        let mut born = MessageRow::new(id(2), 8, SmsStatus::Queued, EngineState::Due);
        born.born = Some(Box::new(Born {
            user_id: Uuid::nil(),
            phone_number: "+15551230001".into(),
            message_content: "Hello".into(),
            template_key: None,
            template_vars: None,
            priority: "low",
            scheduled_for: None,
            metadata: Some(json!({"a": [1]})),
            created_at: "2026-11-29T09:00:00Z".parse().unwrap(),
        }));
        let batch = Batch { messages: vec![row, born], ..Batch::default() };
        let daemon = Uuid::nil();
        assert_eq!(
            batch.arguments(daemon).unwrap(),
            json!({"p_daemon": "00000000-0000-0000-0000-000000000000", "p_batch": {"messages": {
                "id": ["eeeeeeee-0000-4000-8000-000000000001", "eeeeeeee-0000-4000-8000-000000000002"], "version": [7, 8],
                "status": ["cancelled", "queued"], "state": ["canceled", "due"], "finished": [false, false],
                "attempt_count": [0, 0], "sent_at": ["2026-11-29T10:00:00.000Z", null],
                "user_id": [null, "00000000-0000-0000-0000-000000000000"], "phone_number": [null, "+15551230001"],
                "message_content": [null, "Hello"], "priority": [null, "low"], "metadata": [null, {"a": [1]}],
                "created_at": [null, "2026-11-29T09:00:00.000Z"]}}})
        );
        assert_eq!((batch.len(), Batch::default().is_empty()), (2, true));
    }
}
