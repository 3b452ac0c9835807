//! What users prefer: `/v1/users/{id}/preferences`, and `/api/sms/preferences` as products built on the seed call it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State as Extract};
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use dunlin_storage::Reader;
use dunlin_workflows::message::UserId;
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::policy;
use dunlin_workflows::user::{Changes, TOGGLES, User};
use dunlin_workflows::zone::{LocalTime, Zone};
use serde_json::{Map, Value, json};

use crate::engine::ask::UserAsk;
use crate::http::accept::MESSAGE_MAX;
use crate::http::asker::Asker;
use crate::http::field_errors::{FieldErrors, object};
use crate::http::problem::{Code, Problem};
use crate::http::whole_body::JsonBody;
use crate::http::{App, etag, instant, paging};
use crate::timeline::instance_fields::of_preferences;

/// Most texts in a local day that a user may allow, and most minutes of lead.
const DAILY_MAX: u64 = 1000;
const LEAD_MAX: u64 = 24 * 60;

/// Fields besides the toggles that may be changed.
const FIELDS: [&str; 7] = [
    "quiet_hours_start",
    "quiet_hours_end",
    "daily_sms_limit",
    "timezone",
    "event_reminder_lead_time_minutes",
    "morning_kickoff_time",
    "phone_number",
];

/// Fields that are shown and never set this way.
const READ_ONLY: [(&str, &str); 8] = [
    ("user_id", "it stands in the address"),
    ("phone_verified", "a number is proven through /v1/verifications"),
    ("phone_verified_at", "a number is proven through /v1/verifications"),
    ("opted_out", "an opt-out is recorded through PUT /v1/consent"),
    ("opted_out_at", "an opt-out is recorded through PUT /v1/consent"),
    ("daily_sms_count", "it is counted"),
    ("daily_count_reset_at", "it is counted"),
    ("version", "it stands in If-Match"),
];

/// `GET /v1/users/{id}/preferences`.
pub(super) async fn show(
    Extract(app): Extract<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = user_id(&id)?;
    let (fields, version) = told(&app, &id)?;
    Ok(tagged(Json(Value::Object(fields)), version))
}

/// `PUT /v1/users/{id}/preferences`: changes the fields that are given.
pub(super) async fn put(
    Extract(app): Extract<Arc<App>>,
    Asker(asker): Asker,
    Path(id): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<MESSAGE_MAX>,
) -> Result<Response, Problem> {
    let id = user_id(&id)?;
    let ask = changes(&app, &object(&body)?, &headers)?;
    app.on_duty()?.engine.user(id.clone(), ask, asker).await?;
    let (fields, version) = told(&app, &id)?;
    Ok(tagged(Json(Value::Object(fields)), version))
}

/// `GET /api/sms/preferences?user_id=`, in the envelope of the seed.
pub(super) async fn show_enveloped(
    Extract(app): Extract<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let id = asked_for(query.as_deref())?;
    let (fields, version) = told(&app, &id)?;
    Ok(tagged(Json(enveloped(&fields)), version))
}

/// `PUT /api/sms/preferences`: the user id stands in the query or in the body.
pub(super) async fn put_enveloped(
    Extract(app): Extract<Arc<App>>,
    Asker(asker): Asker,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    JsonBody(body): JsonBody<MESSAGE_MAX>,
) -> Result<Response, Problem> {
    let mut object = object(&body)?;
    let given = object.remove("user_id");
    let id = match given.as_ref().and_then(Value::as_str) {
        Some(id) => user_id(id)?,
        None => asked_for(query.as_deref())?,
    };
    let ask = changes(&app, &object, &headers)?;
    app.on_duty()?.engine.user(id.clone(), ask, asker).await?;
    let (fields, version) = told(&app, &id)?;
    Ok(tagged(Json(enveloped(&fields)), version))
}

fn enveloped(fields: &Map<String, Value>) -> Value {
    json!({"success": true, "data": {"preferences": fields, "updated": true}})
}

fn user_id(text: &str) -> Result<UserId, Problem> {
    text.parse().map_err(|error: dunlin_workflows::message::UserIdError| {
        Problem::new(Code::InvalidFilter, error.to_string())
    })
}

#[derive(Debug, Default)]
struct Wanted(Option<UserId>);

fn asked_for(query: Option<&str>) -> Result<UserId, Problem> {
    let wanted = paging::wanted(query, |wanted: &mut Wanted, name, value| match name {
        "user_id" => {
            wanted.0 = Some(value.parse().map_err(|error| paging::refused(name, value, &error))?);
            Ok(())
        }
        unknown => Err(paging::unknown(unknown, "user_id")),
    })?;
    wanted.0.ok_or_else(|| Problem::new(Code::InvalidFilter, "say of whom: user_id=ID"))
}

/// What is known of a user, by the names of the API, and the version of it.
fn told(app: &App, id: &UserId) -> Result<(Map<String, Value>, u64), Problem> {
    let reader = app.reader()?;
    let user = match reader.user_of(id)? {
        Some(number) => reader.user_state(number)?,
        None => None,
    };
    let user =
        user.ok_or_else(|| Problem::new(Code::UserNotFound, "nothing was ever said about this user"))?;
    let mut fields = of_preferences(&user.preferences.unwrap_or_default());
    fields.insert("user_id".to_owned(), json!(id.as_str()));
    fields.insert("version".to_owned(), json!(user.version));
    about_number(app, &reader, &user, &mut fields)?;
    Ok((fields, user.version))
}

fn about_number(
    app: &App,
    reader: &Reader,
    user: &User,
    fields: &mut Map<String, Value>,
) -> Result<(), Problem> {
    let mut add = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    let number = user.number.map(|number| number.person);
    let to = number.map(|person| reader.number_of(person)).transpose()?.flatten();
    let verified_at = user.number.and_then(|number| number.verified_at);
    add("phone_number", json!(to.map(|to| to.to_string())));
    add("phone_verified", json!(verified_at.is_some()));
    add("phone_verified_at", json!(verified_at.map(instant::format)));
    let standing = number.map(|person| reader.consent(person)).transpose()?.unwrap_or_default().standing;
    add("opted_out", json!(standing.is_out()));
    add("opted_out_at", json!(standing.since().filter(|_| standing.is_out()).map(instant::format)));
    let region = to.and_then(PhoneNumber::region);
    let whereabouts = policy::whereabouts(user.preferences.as_ref(), region, &app.edge.rules.limits);
    let zone = whereabouts.map(|(zone, _)| zone);
    let now = app.edge.clock.wall();
    let usage = number.map(|person| reader.usage(person)).transpose()?.unwrap_or_default();
    add("daily_sms_count", json!(zone.map(|zone| usage.on(zone.day(now)))));
    add("daily_count_reset_at", json!(zone.map(|zone| instant::format(zone.next_day(now)))));
    Ok(())
}

fn tagged(body: Json<Value>, version: u64) -> Response {
    let mut response = body.into_response();
    if let Ok(tag) = HeaderValue::try_from(format!("\"{version}\"")) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// What a body changes.
fn changes(app: &App, object: &Map<String, Value>, headers: &HeaderMap) -> Result<UserAsk, Problem> {
    let mut wrong = FieldErrors::under("");
    let toggles = TOGGLES.map(|(_, name, _)| name);
    let known: Vec<&str> =
        toggles.iter().chain(&FIELDS).copied().chain(READ_ONLY.iter().map(|(name, _)| *name)).collect();
    wrong.unknown(object, &known);
    for (name, why) in READ_ONLY.iter().filter(|(name, _)| object.contains_key(*name)) {
        wrong.add(name, "read_only", format!("it can't be set this way: {why}"));
    }
    let mut changes = Changes::default();
    for (change, name) in changes.toggles.iter_mut().zip(toggles) {
        *change = switch(object, name, &mut wrong);
    }
    changes.quiet_start = clearable(object, "quiet_hours_start", &mut wrong, str::parse::<LocalTime>);
    changes.quiet_end = clearable(object, "quiet_hours_end", &mut wrong, str::parse::<LocalTime>);
    changes.zone = clearable(object, "timezone", &mut wrong, str::parse::<Zone>);
    changes.daily_limit = match object.get("daily_sms_limit") {
        None => None,
        Some(Value::Null) => Some(None),
        Some(value) => Some(number(value, "daily_sms_limit", DAILY_MAX, &mut wrong)),
    };
    changes.lead_minutes = object
        .get("event_reminder_lead_time_minutes")
        .and_then(|value| number(value, "event_reminder_lead_time_minutes", LEAD_MAX, &mut wrong));
    changes.kickoff_time =
        clearable(object, "morning_kickoff_time", &mut wrong, str::parse::<LocalTime>).flatten();
    if object.get("morning_kickoff_time").is_some_and(Value::is_null) {
        wrong.add("morning_kickoff_time", "invalid", "expected a time of day".to_owned());
    }
    let region = app.edge.default_region;
    let number = clearable(object, "phone_number", &mut wrong, |text| PhoneNumber::parse(text, region));
    wrong.none()?;
    Ok(UserAsk::Change {
        changes: Box::new(changes),
        number,
        is_proven: false,
        seen: etag::seen(headers, &IF_MATCH)?,
    })
}

fn switch(object: &Map<String, Value>, name: &str, wrong: &mut FieldErrors<'_>) -> Option<bool> {
    let value = object.get(name)?;
    if value.as_bool().is_none() {
        wrong.add(name, "invalid", "expected true or false".to_owned());
    }
    value.as_bool()
}

/// What a field of text changes: `None` when it is not given, an inner `None` when it is cleared with `null`.
#[expect(clippy::option_option, reason = "nothing is said, or it is cleared, or it is said")]
fn clearable<T, E: std::fmt::Display>(
    object: &Map<String, Value>,
    name: &str,
    wrong: &mut FieldErrors<'_>,
    read: impl FnOnce(&str) -> Result<T, E>,
) -> Option<Option<T>> {
    match object.get(name)? {
        Value::Null => Some(None),
        Value::String(text) => Some(Some(wrong.parse(name, Some(text.as_str()), read)?)),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            wrong.add(name, "invalid", "expected a string, or null".to_owned());
            None
        }
    }
}

fn number(value: &Value, name: &str, max: u64, wrong: &mut FieldErrors<'_>) -> Option<u16> {
    let number = value.as_u64().filter(|number| *number <= max).and_then(|number| u16::try_from(number).ok());
    if number.is_none() {
        wrong.add(name, "invalid", format!("expected a whole number from 0 to {max}"));
    }
    number
}
