//! Recurrences as JSON: what callers give, and what they get.

use std::time::Duration;

use dunlin_storage::{JournalSeq, ReadError, Reader};
use dunlin_workflows::kind::Kinds;
use dunlin_workflows::message::UserId;
use dunlin_workflows::recurrence::{Changes, Grace, Recipient, Recurrence, Standing};
use dunlin_workflows::timestamp::Timestamp;
use serde_json::{Map, Value, json};

use crate::engine::script::{Script, Values};
use crate::http::field_errors::FieldErrors;
use crate::http::instant;
use crate::http::problem::Problem;
use crate::http::wish::known_kind;
use crate::http::wording::{Asked, Shelf};
use crate::timeline::instance_fields;

/// How many ticks to come are shown.
const UPCOMING: usize = 5;

/// Fields that may be given whenever something is asked about a recurrence.
pub(super) const FIELDS: [&str; 12] = [
    "body",
    "template",
    "vars",
    "locale",
    "cron",
    "timezone",
    "starts_at",
    "ends_at",
    "missed",
    "grace_seconds",
    "priority",
    "kind",
];

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

    /// What it says since: a text, or values for a template, which must fit now.
    ///
    /// # Errors
    /// The store can't be read.
    fn script(
        &self,
        shelf: &dyn Shelf,
        changes: &mut Changes,
        wrong: &mut FieldErrors<'_>,
    ) -> Result<Option<Script>, Problem> {
        let mut text = |name| self.text(name, wrong);
        let (body, template, locale) = (text("body"), text("template"), text("locale"));
        let user_id = text("user_id").and_then(|user| user.parse().ok());
        let vars = match self.0.get("vars") {
            None | Some(Value::Null) => None,
            Some(vars) => Some(vars),
        };
        if body.is_none() && template.is_none() {
            for (name, is_there) in [("vars", vars.is_some()), ("locale", locale.is_some())] {
                if is_there {
                    wrong.add(name, "invalid", "name the template that it is for".to_owned());
                }
            }
            return Ok(None);
        }
        let json = vars.map(Value::to_string);
        let asked =
            Asked { body, template, vars: json.as_deref(), locale, kind: None, user_id: user_id.as_ref() };
        let Some(wording) = asked.wording(shelf, wrong)? else { return Ok(None) };
        changes.template = Some(template.and_then(|key| key.parse().ok()));
        Ok(Some(match (template, vars) {
            (None, _) => Script::Text(wording.body),
            (Some(_), Some(Value::Object(vars))) => {
                Script::Values(Values { vars: vars.clone(), locale: locale.map(str::to_owned) })
            }
            (Some(_), _) => Script::Values(Values { locale: locale.map(str::to_owned), ..Values::default() }),
        }))
    }

    /// What changes of a plan, and what it says since.
    ///
    /// # Errors
    /// The store can't be read.
    pub(super) fn changes(
        &self,
        kinds: &Kinds,
        shelf: &dyn Shelf,
        wrong: &mut FieldErrors<'_>,
    ) -> Result<(Changes, Option<Script>), Problem> {
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
        let script = self.script(shelf, &mut changes, wrong)?;
        Ok((changes, script))
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
    match says.and_then(|bytes| Script::read(&bytes, known.plan.template.is_some())) {
        Some(Script::Text(body)) => add("body", json!(body.as_str())),
        Some(Script::Values(values)) => {
            add("vars", Value::Object(values.vars));
            add("locale", json!(values.locale))
        }
        None => add("body", Value::Null),
    };
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
