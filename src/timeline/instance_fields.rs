//! What is in an event of a small workflow, as fields of JSON. They hold nothing about a person but numbers of
//! ours, and what somebody prefers.

use dunlin_storage::InstanceEvent;
use dunlin_workflows::allowance;
use dunlin_workflows::id::{PersonNumber, UserNumber};
use dunlin_workflows::kind::KindName;
use dunlin_workflows::recurrence::{self, Outcome, Plan, Recipient, Skip};
use dunlin_workflows::template::{self, Content, TemplateKey, Variable, VariableKind, decimal};
use dunlin_workflows::user::{self, Preferences, TOGGLES};
use dunlin_workflows::verification;
use dunlin_workflows::zone::{Wall, Zone};
use serde_json::{Map, Value, json};

use crate::timeline::event_fields::instant;
use crate::timeline::written;

/// The fields of an instance's event.
pub fn of_instance(event: &InstanceEvent) -> Map<String, Value> {
    super::event_fields::object(match event {
        InstanceEvent::User(event) => of_user(event),
        InstanceEvent::Verification(event) => of_verification(event),
        InstanceEvent::Allowance(allowance::Event::Taken { .. }) => Value::Null,
        InstanceEvent::Recurrence(event) => of_recurrence(event),
        InstanceEvent::Template(event) => of_template(event),
    })
}

fn of_user(event: &user::Event) -> Value {
    use user::Event as E;
    match event {
        E::Met | E::PreferencesUnreadable => Value::Null,
        E::PreferencesChanged { preferences } => Value::Object(of_preferences(preferences)),
        E::NumberChanged { person } => json!({"person": person.map(PersonNumber::get)}),
        E::NumberVerified { person } => json!({"person": person.get()}),
        E::Remarked { reason } => json!({"reason_given": reason.as_str()}),
        E::Erased { reason } => {
            json!({"reason_given": reason.as_ref().map(|reason| reason.as_str().to_owned())})
        }
    }
}

/// What happened to a verification, without digests: they are of no use to anybody but us.
fn of_verification(event: &verification::Event) -> Value {
    use verification::Event as E;
    match event {
        E::Started { person, user, via, expires_at, .. } => json!({
            "person": person.get(),
            "user": user.map(UserNumber::get),
            "via": via.as_str(),
            "expires_at": instant(*expires_at),
        }),
        E::CodeSent { sid } => json!({"provider_sid": sid.as_str()}),
        E::SendRefused { refusal } => json!({"why": refusal.as_str()}),
        E::SendLost { again } => json!({"again": again}),
        E::CodeRefused { is_last } => json!({"is_last": is_last}),
        E::CheckStarted { .. }
        | E::Approved
        | E::Preempted
        | E::ChecksSpent
        | E::CheckFailed
        | E::CheckLost
        | E::LookupStarted
        | E::Expired => Value::Null,
    }
}

fn of_recurrence(event: &recurrence::Event) -> Value {
    use recurrence::Event as E;
    match event {
        E::Created { id, recipient, plan, .. } => {
            let mut fields = of_plan(plan);
            fields.insert("id".to_owned(), json!(id.to_string()));
            let (name, number) = match recipient {
                Recipient::User { user, .. } => ("user", user.get()),
                Recipient::Person(person) => ("person", person.get()),
            };
            fields.insert(name.to_owned(), json!(number));
            Value::Object(fields)
        }
        E::Changed { plan, .. } => Value::Object(of_plan(plan)),
        E::Armed(armed) => json!({
            "tick": armed.tick.wall.to_string(),
            "at": written(armed.tick.at),
            "timezone": armed.zone.name(),
        }),
        E::Ticked { wall, outcome } => Value::Object(of_tick(*wall, *outcome)),
        E::Ended(end) => json!({"why": recurrence::Standing::Ended(*end).as_str()}),
        E::Paused | E::Resumed | E::Deleted => Value::Null,
        E::Remarked { reason } => json!({"reason_given": reason.as_str()}),
    }
}

fn of_template(event: &template::Event) -> Value {
    use template::Event as E;
    match event {
        E::Created { key, draft } => {
            let mut fields = of_content(draft);
            fields.insert("key".to_owned(), json!(key.as_str()));
            Value::Object(fields)
        }
        E::Drafted { draft } => Value::Object(of_content(draft)),
        E::Published { published, .. } | E::RolledBack { published } => {
            let mut fields = of_content(&published.content);
            fields.insert("version".to_owned(), json!(published.version));
            Value::Object(fields)
        }
        E::DraftDiscarded | E::Deactivated | E::Activated => Value::Null,
        E::Remarked { reason } => json!({"reason_given": reason.as_str()}),
    }
}

/// What a template says, by the names of the API.
pub fn of_content(content: &Content) -> Map<String, Value> {
    let locales: Map<String, Value> =
        content.locales.iter().map(|(locale, text)| (locale.to_string(), json!(&**text))).collect();
    let variables: Map<String, Value> =
        content.variables.iter().map(|(name, variable)| (name.to_string(), of_variable(variable))).collect();
    let fields = [
        ("name", json!(&*content.name)),
        ("description", json!(content.description.as_deref())),
        ("text", json!(&*content.text)),
        ("locales", Value::Object(locales)),
        ("variables", Value::Object(variables)),
        ("max_length", json!(content.length_max)),
        ("may_be_urgent", json!(content.may_bypass)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn of_variable(variable: &Variable) -> Value {
    let mut fields = json!({"type": variable.kind.as_str(), "required": variable.is_required});
    if let Value::Object(fields) = &mut fields {
        if let Some(default) = &variable.default {
            let default = match default {
                template::Value::String(text) => json!(text),
                template::Value::Integer(number) => json!(number),
                template::Value::Number(millionths) => json!(decimal(*millionths).parse::<f64>().ok()),
                template::Value::Boolean(value) => json!(value),
                template::Value::Instant(at) => json!(written(*at)),
            };
            fields.insert("default".to_owned(), default);
        }
        if variable.kind == VariableKind::String {
            fields.insert("max_length".to_owned(), json!(variable.length_max));
            fields.insert("on_long".to_owned(), json!(variable.on_long.as_str()));
        }
    }
    fields
}

/// What became of a tick, by the names of the API.
pub fn of_tick(tick: Wall, outcome: Outcome) -> Map<String, Value> {
    let (message, skipped) = match outcome {
        Outcome::Texted(id) => (Some(id.to_string()), None),
        Outcome::Skipped(skip) => (None, Some(Skip::as_str(skip))),
    };
    let fields =
        [("tick", json!(tick.to_string())), ("message_id", json!(message)), ("skipped", json!(skipped))];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// When a recurrence comes, by the names of the API.
pub fn of_plan(plan: &Plan) -> Map<String, Value> {
    let fields = [
        ("cron", json!(plan.cron.as_str())),
        ("timezone", json!(plan.zone.map(Zone::name))),
        ("starts_at", json!(plan.starts_at.map(written))),
        ("ends_at", json!(plan.ends_at.map(written))),
        ("missed", json!(plan.missed.as_str())),
        ("grace_seconds", json!(plan.grace.get().as_secs())),
        ("priority", json!(plan.priority.as_str())),
        ("kind", json!(plan.kind.as_ref().map(KindName::as_str))),
        ("template", json!(plan.template.as_ref().map(TemplateKey::as_str))),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What somebody prefers, by the names of the API.
pub fn of_preferences(preferences: &Preferences) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut add = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    for (toggle, name, _) in TOGGLES {
        add(name, preferences.toggles.has(toggle).into());
    }
    let quiet = preferences.quiet_hours;
    add("quiet_hours_start", json!(quiet.map(|hours| hours.start.to_string())));
    add("quiet_hours_end", json!(quiet.map(|hours| hours.end.to_string())));
    add("daily_sms_limit", json!(preferences.daily_limit));
    add("timezone", json!(preferences.zone.map(Zone::name)));
    add("event_reminder_lead_time_minutes", json!(preferences.lead_minutes));
    add("morning_kickoff_time", json!(preferences.kickoff_time.to_string()));
    fields
}
