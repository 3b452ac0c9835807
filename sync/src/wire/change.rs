//! Rows that changed, as they are now.

use std::fmt;

use serde_json::Value;
use uuid::Uuid;

use super::fields::Fields;
use super::{FieldError, Instant};

/// Most characters of a kind that is not known that are kept.
const KIND_SHOWN_MAX: usize = 40;

/// One row that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// What a user wants; the key is the user's id.
    Preferences(Uuid, ChangedRow<PreferencesRow>),
    /// A template; the key is its row's id.
    Template(Uuid, ChangedRow<TemplateRow>),
    /// A text of this daemon's; the key is the message's id.
    Message(Uuid, ChangedRow<AskedRow>),
    /// A row that could not be understood; the key is the parking's id.
    Parked(Uuid, ChangedRow<ParkedRow>),
}

/// A row, or that it is there no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangedRow<T> {
    /// As it is now.
    Now(Box<T>),
    /// Somebody deleted it.
    Deleted,
}

/// A row of `user_sms_preferences`. `None` is null: nobody said.
#[derive(Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns' own names")]
pub struct PreferencesRow {
    pub phone_number: Option<String>,
    pub phone_verified: Option<bool>,
    pub phone_verified_at: Option<Instant>,
    pub task_reminders: Option<bool>,
    pub daily_brief_sms: Option<bool>,
    pub event_reminders_enabled: Option<bool>,
    pub event_reminder_lead_time_minutes: Option<i64>,
    pub morning_kickoff_enabled: Option<bool>,
    /// `HH:MM:SS`, as the three other times of day.
    pub morning_kickoff_time: Option<String>,
    pub evening_recap_enabled: Option<bool>,
    pub urgent_alerts: Option<bool>,
    pub quiet_hours_start: Option<String>,
    pub quiet_hours_end: Option<String>,
    /// The user's zone; of `public.users` when there is none here.
    pub timezone: Option<String>,
    pub daily_sms_limit: Option<i64>,
    pub daily_sms_count: Option<i64>,
    pub daily_count_reset_at: Option<Instant>,
    pub opted_out: Option<bool>,
    pub opted_out_at: Option<Instant>,
    pub opt_out_reason: Option<String>,
}

/// A row of `sms_templates`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns' own names")]
pub struct TemplateRow {
    pub template_key: String,
    pub name: Option<String>,
    pub description: Option<String>,
    pub message_template: String,
    pub template_vars: Option<Value>,
    pub required_vars: Option<Value>,
    pub max_length: Option<i64>,
    pub is_active: Option<bool>,
    pub created_at: Option<Instant>,
    pub updated_at: Option<Instant>,
}

/// What people ask of a text that is a daemon's.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns' own names")]
pub struct AskedRow {
    /// False when another daemon has it now.
    pub yours: bool,
    pub phone_number: String,
    pub message_content: String,
    pub priority: String,
    pub scheduled_for: Option<Instant>,
    pub cancel_requested_at: Option<Instant>,
}

/// A row of `dunlin.parked`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns' own names")]
pub struct ParkedRow {
    /// `sms_messages` or `queue_jobs`.
    pub source: String,
    pub row_id: Uuid,
    pub reason: String,
    pub detail: String,
    pub daemon_id: Option<Uuid>,
    pub parked_at: Instant,
    /// When somebody mended it.
    pub resolved_at: Option<Instant>,
}

/// A change that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a change of kind {kind} can't be read: {why}")]
pub struct UnreadableChange {
    /// Its kind; empty when that can't be read either.
    pub kind: String,
    /// Its key, if that can be read.
    pub key: Option<Uuid>,
    /// What is wrong with it.
    pub why: FieldError,
}

impl Change {
    /// Reads one of `changes`.
    ///
    /// # Errors
    /// [`UnreadableChange`], which has kind and key where they can be read.
    pub fn read(value: &Value) -> Result<Self, UnreadableChange> {
        Self::fields(value).map_err(|why| {
            let fields = Fields::of("the row", value).ok();
            let kind = fields.and_then(|fields| fields.text("kind").ok()).unwrap_or_default();
            UnreadableChange {
                kind: kind.chars().take(KIND_SHOWN_MAX).collect(),
                key: fields.and_then(|fields| fields.id("key").ok()),
                why,
            }
        })
    }

    fn fields(value: &Value) -> Result<Self, FieldError> {
        let fields = Fields::of("the row", value)?;
        let key = fields.id("key")?;
        Ok(match fields.text("kind")?.as_str() {
            "preferences" => Self::Preferences(key, row(fields, preferences)?),
            "template" => Self::Template(key, row(fields, template)?),
            "message" => Self::Message(key, row(fields, asked)?),
            "parked" => Self::Parked(key, row(fields, parked)?),
            _ => {
                let expected = "preferences, template, message or parked";
                return Err(FieldError { name: "kind", expected, found: "another word" });
            }
        })
    }
}

fn row<'a, T>(
    fields: Fields<'a>,
    read: impl FnOnce(Fields<'a>) -> Result<T, FieldError>,
) -> Result<ChangedRow<T>, FieldError> {
    if fields.flag("deleted")? {
        return Ok(ChangedRow::Deleted);
    }
    let row = fields.any("row").unwrap_or(&Value::Null);
    Ok(ChangedRow::Now(Box::new(read(Fields::of("row", row)?)?)))
}

fn preferences(fields: Fields<'_>) -> Result<PreferencesRow, FieldError> {
    Ok(PreferencesRow {
        phone_number: fields.maybe_text("phone_number")?,
        phone_verified: fields.maybe_flag("phone_verified")?,
        phone_verified_at: fields.maybe_instant("phone_verified_at")?,
        task_reminders: fields.maybe_flag("task_reminders")?,
        daily_brief_sms: fields.maybe_flag("daily_brief_sms")?,
        event_reminders_enabled: fields.maybe_flag("event_reminders_enabled")?,
        event_reminder_lead_time_minutes: fields.maybe_number("event_reminder_lead_time_minutes")?,
        morning_kickoff_enabled: fields.maybe_flag("morning_kickoff_enabled")?,
        morning_kickoff_time: fields.maybe_text("morning_kickoff_time")?,
        evening_recap_enabled: fields.maybe_flag("evening_recap_enabled")?,
        urgent_alerts: fields.maybe_flag("urgent_alerts")?,
        quiet_hours_start: fields.maybe_text("quiet_hours_start")?,
        quiet_hours_end: fields.maybe_text("quiet_hours_end")?,
        timezone: fields.maybe_text("timezone")?,
        daily_sms_limit: fields.maybe_number("daily_sms_limit")?,
        daily_sms_count: fields.maybe_number("daily_sms_count")?,
        daily_count_reset_at: fields.maybe_instant("daily_count_reset_at")?,
        opted_out: fields.maybe_flag("opted_out")?,
        opted_out_at: fields.maybe_instant("opted_out_at")?,
        opt_out_reason: fields.maybe_text("opt_out_reason")?,
    })
}

fn template(fields: Fields<'_>) -> Result<TemplateRow, FieldError> {
    Ok(TemplateRow {
        template_key: fields.text("template_key")?,
        name: fields.maybe_text("name")?,
        description: fields.maybe_text("description")?,
        message_template: fields.text("message_template")?,
        template_vars: fields.json("template_vars"),
        required_vars: fields.json("required_vars"),
        max_length: fields.maybe_number("max_length")?,
        is_active: fields.maybe_flag("is_active")?,
        created_at: fields.maybe_instant("created_at")?,
        updated_at: fields.maybe_instant("updated_at")?,
    })
}

fn asked(fields: Fields<'_>) -> Result<AskedRow, FieldError> {
    Ok(AskedRow {
        yours: fields.flag("yours")?,
        phone_number: fields.text("phone_number")?,
        message_content: fields.text("message_content")?,
        priority: fields.text("priority")?,
        scheduled_for: fields.maybe_instant("scheduled_for")?,
        cancel_requested_at: fields.maybe_instant("cancel_requested_at")?,
    })
}

fn parked(fields: Fields<'_>) -> Result<ParkedRow, FieldError> {
    Ok(ParkedRow {
        source: fields.text("source")?,
        row_id: fields.id("row_id")?,
        reason: fields.text("reason")?,
        detail: fields.text("detail")?,
        daemon_id: fields.maybe_id("daemon_id")?,
        parked_at: fields.instant("parked_at")?,
        resolved_at: fields.maybe_instant("resolved_at")?,
    })
}

/// Shows whether the number is proven and whether they opted out; nothing that is personal.
impl fmt::Debug for PreferencesRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreferencesRow")
            .field("phone_verified", &self.phone_verified)
            .field("opted_out", &self.opted_out)
            .finish_non_exhaustive()
    }
}

/// Shows neither number nor text.
impl fmt::Debug for AskedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AskedRow")
            .field("yours", &self.yours)
            .field("scheduled_for", &self.scheduled_for)
            .field("cancel_requested_at", &self.cancel_requested_at)
            .finish_non_exhaustive()
    }
}
