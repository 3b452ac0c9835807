//! Recurrences as JSON: what callers give, and what they get.

use std::time::Duration;

use dunlin_storage::{JournalSeq, ReadError, Reader};
use dunlin_workflows::body::Body;
use dunlin_workflows::kind::Kinds;
use dunlin_workflows::message::UserId;
use dunlin_workflows::recurrence::{Changes, Grace, Recipient, Recurrence, Standing};
use dunlin_workflows::timestamp::Timestamp;
use serde_json::{Map, Value, json};

use crate::http::field_errors::FieldErrors;
use crate::http::instant;
use crate::http::wish::known_kind;
use crate::timeline::instance_fields;

/// How many ticks to come are shown.
const UPCOMING: usize = 5;

/// Fields that may be given whenever something is asked about a recurrence.
pub(super) const FIELDS: [&str; 9] =
    ["body", "cron", "timezone", "starts_at", "ends_at", "missed", "grace_seconds", "priority", "kind"];

/// The fields of an object, each read with its kind.
pub(super) struct Fields<'a>(pub(super) &'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// A text; `None` when it is not there or null.
    pub(super) fn text(&self, name: &str, wrong: &mut FieldErrors<'_>) -> Option<&'a str> {
        match self.0.get(name)? {
            Value::Null => None,
            Value::String(text) => Some(text),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                wrong.add(name, "invalid", "expected a string".to_owned());
                None
            }
        }
    }

    /// Tells `set` what `read` makes of a text, or that it is cleared with null.
    fn clearable<T, E: std::fmt::Display>(
        &self,
        name: &str,
        wrong: &mut FieldErrors<'_>,
        read: impl FnOnce(&'a str) -> Result<T, E>,
        set: impl FnOnce(Option<T>),
    ) {
        let text = self.text(name, wrong);
        match wrong.parse(name, text, read) {
            Some(value) => set(Some(value)),
            None if self.0.get(name).is_some_and(Value::is_null) => set(None),
            None => {}
        }
    }

    fn grace(&self, wrong: &mut FieldErrors<'_>) -> Option<Grace> {
        let name = "grace_seconds";
        let given = self.0.get(name).filter(|value| !value.is_null())?;
        let length = given.as_u64().map(Duration::from_secs);
        if length.is_none() {
            wrong.add(name, "invalid", "expected a whole number of seconds".to_owned());
        }
        let grace = Grace::new(length?);
        grace.map_err(|error| wrong.add(name, "invalid", error.to_string())).ok()
    }

    /// What changes of a plan, and what it says since.
    pub(super) fn changes(&self, kinds: &Kinds, wrong: &mut FieldErrors<'_>) -> (Changes, Option<Body>) {
        let body = self.text("body", wrong);
        let body = wrong.parse("body", body, Body::parse);
        let mut text = |name| self.text(name, wrong);
        let (cron, missed, priority) = (text("cron"), text("missed"), text("priority"));
        let mut changes = Changes {
            cron: wrong.parse("cron", cron, str::parse),
            missed: wrong.parse("missed", missed, str::parse),
            grace: self.grace(wrong),
            priority: wrong.parse("priority", priority, str::parse),
            ..Changes::default()
        };
        self.clearable("timezone", wrong, str::parse, |zone| changes.zone = Some(zone));
        self.clearable("starts_at", wrong, instant::read, |at| changes.starts_at = Some(at));
        self.clearable("ends_at", wrong, instant::read, |at| changes.ends_at = Some(at));
        self.clearable("kind", wrong, |name| known_kind(kinds, name), |kind| changes.kind = Some(kind));
        (changes, body)
    }
}

/// What is known of a recurrence, with the times that come next.
pub(super) fn told(reader: &Reader, known: &Recurrence, now: Timestamp) -> Result<Value, ReadError> {
    let mut fields = instance_fields::of_plan(&known.plan);
    let mut add = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    let (to, user_id) = match known.recipient {
        Recipient::User { user, .. } => (None, reader.user_id(user)?),
        Recipient::Person(person) => (reader.number_of(person)?, None),
    };
    add("id", json!(known.id.to_string()));
    add("status", json!(known.standing.as_str()));
    add("to", json!(to.map(|to| to.to_string())));
    add("user_id", json!(user_id.as_ref().map(UserId::as_str)));
    let says = reader.secret(&reader.record(JournalSeq::new(known.text_at))?, known.recipient.into())?;
    add("body", json!(says.and_then(|bytes| String::from_utf8(bytes).ok())));
    add("created_at", json!(instant::format(known.created_at)));
    let armed = match known.standing {
        Standing::Active(armed) => Some(armed),
        Standing::Paused | Standing::Ended(_) | Standing::Deleted => None,
    };
    add("comes_in_timezone", json!(armed.map(|armed| armed.zone.name())));
    let last = known.last.map(|(wall, _)| wall);
    let next = armed.map(|armed| {
        let ticks = known.plan.upcoming(armed.zone, last, now).take(UPCOMING);
        ticks.map(|tick| instant::format(tick.at)).collect::<Vec<_>>()
    });
    add("next", json!(next.unwrap_or_default()));
    add("last", json!(known.last.map(|(wall, outcome)| instance_fields::of_tick(wall, outcome))));
    add("texted", json!(known.texted));
    add("skipped", json!(known.skipped));
    Ok(Value::Object(fields))
}
