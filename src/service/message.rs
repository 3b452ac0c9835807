//! A text as a program asks for it, and the three that most products send.

use std::fmt;

use dunlin_workflows::message::{OnUnknown, Priority, UserId};
use dunlin_workflows::template::on_the_clock;
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::zone::Zone;
use serde_json::{Map, Value, json};

use crate::http::instant;
use crate::http::problem::{FieldError, Problem};

/// A text to be sent. What is wrong with it is said when it is sent. `Debug` shows names of fields only.
#[derive(Clone, PartialEq)]
pub struct Message {
    fields: Map<String, Value>,
    vars: Map<String, Value>,
    /// Values that are shown on the recipient's clock.
    moments: Vec<(&'static str, Timestamp)>,
    key: Option<String>,
}

/// When a task is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// In words as they stand in the text, such as `in 1 hour`: at most 30 characters.
    Words(String),
    /// An instant, shown on the clock where the user is.
    At(Timestamp),
}

/// A reminder of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskReminder {
    /// Whose task it is.
    pub user_id: String,
    /// Where to; the number that is the user's own when `None`.
    pub phone_number: Option<String>,
    /// What the task is called; longer than 60 characters it is cut.
    pub task_name: String,
    /// When it is due.
    pub due: Due,
    /// What else helps, such as the name of its project; longer than 40 characters it is cut.
    pub context: Option<String>,
}

/// Word that a user's brief is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DailyBrief {
    /// Whose brief it is.
    pub user_id: String,
    /// Where to; the number that is the user's own when `None`.
    pub phone_number: Option<String>,
    /// What comes first today; longer than 80 characters it is cut.
    pub main_focus: Option<String>,
}

/// Something that a user must know now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrgentAlert {
    /// Whom it is for.
    pub user_id: String,
    /// Where to; the number that is the user's own when `None`.
    pub phone_number: Option<String>,
    /// What they must know; longer than 150 characters it is cut.
    pub alert: String,
}

impl Message {
    /// To the number that is this user's own when it is accepted.
    pub fn to_user(user_id: &str) -> Self {
        Self::empty().with("user_id", user_id)
    }

    /// To this number: `+`, country code and number, or without a country code when the deployment has a default region.
    pub fn to_number(number: &str) -> Self {
        Self::empty().with("to", number)
    }

    fn empty() -> Self {
        Self { fields: Map::new(), vars: Map::new(), moments: Vec::new(), key: None }
    }

    fn of_kind(user_id: &str, number: Option<String>, kind: &str, template: &str) -> Self {
        let message = Self::to_user(user_id).kind(kind).template(template);
        match number {
            Some(number) => message.with("to", number),
            None => message,
        }
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// Belongs to this user: their preferences count.
    #[must_use]
    pub fn of_user(self, user_id: &str) -> Self {
        self.with("user_id", user_id)
    }

    /// What it says. Either this or a template.
    #[must_use]
    pub fn body(self, body: &str) -> Self {
        self.with("body", body)
    }

    /// The template that it is made of.
    #[must_use]
    pub fn template(self, key: &str) -> Self {
        self.with("template", key)
    }

    /// A value for its template: a string, a number, true or false.
    #[must_use]
    pub fn var(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.vars.insert(name.to_owned(), value.into());
        self
    }

    /// The language to choose among those of its template, such as `da`.
    #[must_use]
    pub fn locale(self, locale: &str) -> Self {
        self.with("locale", locale)
    }

    /// What it is about: decides which switch of the user turns it off, and which hours it keeps.
    #[must_use]
    pub fn kind(self, kind: &str) -> Self {
        self.with("kind", kind)
    }

    /// Who goes first when not all can; that of its kind when left out.
    #[must_use]
    pub fn priority(self, priority: Priority) -> Self {
        self.with("priority", priority.as_str())
    }

    /// Not before this instant.
    #[must_use]
    pub fn scheduled_for(self, at: Timestamp) -> Self {
        self.with("scheduled_for", instant::format(at))
    }

    /// Not at or after this instant.
    #[must_use]
    pub fn expires_at(self, at: Timestamp) -> Self {
        self.with("expires_at", instant::format(at))
    }

    /// What to do when nobody can learn whether the provider took it; hold when left out.
    #[must_use]
    pub fn on_unknown(self, policy: OnUnknown) -> Self {
        self.with("on_unknown", policy.as_str())
    }

    /// Notes of yours, kept with it as they are: a JSON object of at most 4 kB.
    #[must_use]
    pub fn metadata(self, notes: Value) -> Self {
        self.with("metadata", notes)
    }

    /// What makes a repeat safe: 1 to 255 visible ASCII characters, new for each text. The same key with the same text is
    /// answered as the first time, and sent once.
    #[must_use]
    pub fn idempotency_key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    pub(super) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Its user, if it names one well.
    pub(super) fn user(&self) -> Option<UserId> {
        self.fields.get("user_id").and_then(Value::as_str)?.parse().ok()
    }

    /// Whether it can only be worded by whoever knows where its recipient is.
    pub(super) fn needs_zone(&self) -> bool {
        !self.moments.is_empty()
    }

    /// What was asked for, whatever it comes to say: a repeat is known by this.
    pub(super) fn asked(&self) -> Vec<u8> {
        let moments = self.moments.iter().map(|(name, at)| ((*name).to_owned(), instant::format(*at)));
        let asked = json!([self.fields, self.vars, moments.collect::<Vec<_>>()]);
        serde_json::to_vec(&asked).unwrap_or_default()
    }

    /// As the HTTP API takes it.
    ///
    /// # Errors
    /// Nobody knows where the recipient is, and it holds an instant.
    pub(super) fn json(&self, zone: Option<Zone>) -> Result<Vec<u8>, Problem> {
        let mut vars = self.vars.clone();
        for (name, at) in &self.moments {
            let shown = zone.and_then(|zone| on_the_clock(*at, zone)).ok_or_else(|| zone_unknown(name))?;
            vars.insert((*name).to_owned(), shown.into());
        }
        let mut fields = self.fields.clone();
        if !vars.is_empty() {
            fields.insert("vars".to_owned(), vars.into());
        }
        Ok(serde_json::to_vec(&fields).unwrap_or_default())
    }
}

fn zone_unknown(name: &str) -> Problem {
    let detail = "nobody knows where the user is, so no clock can be read; set their timezone or \
        DUNLIN_DEFAULT_TIME_ZONE, or say it in words";
    Problem::fields(vec![FieldError {
        pointer: format!("/vars/{name}"),
        code: "timezone_unknown",
        detail: detail.to_owned(),
    }])
}

impl From<TaskReminder> for Message {
    fn from(reminder: TaskReminder) -> Self {
        let TaskReminder { user_id, phone_number, task_name, due, context } = reminder;
        let mut message = Self::of_kind(&user_id, phone_number, "task_reminder", "task_reminder");
        message = message.var("task_name", task_name);
        message = match due {
            Due::Words(words) => message.var("due_time", words),
            Due::At(at) => Self { moments: vec![("due_time", at)], ..message },
        };
        match context {
            Some(context) => message.var("task_context", context),
            None => message,
        }
    }
}

impl From<DailyBrief> for Message {
    fn from(brief: DailyBrief) -> Self {
        let DailyBrief { user_id, phone_number, main_focus } = brief;
        let message = Self::of_kind(&user_id, phone_number, "daily_brief", "daily_brief_ready");
        match main_focus {
            Some(focus) => message.var("main_focus", focus),
            None => message,
        }
    }
}

impl From<UrgentAlert> for Message {
    fn from(alert: UrgentAlert) -> Self {
        let UrgentAlert { user_id, phone_number, alert } = alert;
        let message = Self::of_kind(&user_id, phone_number, "urgent_alert", "notif_urgent_alert");
        message.priority(Priority::Urgent).var("alert_message", alert)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Message").field(&self.fields.keys().collect::<Vec<_>>()).finish()
    }
}
