//! `/v1/recurrences`: texts that come again and again.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, RawQuery, State as Extract};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::{Json, RequestPartsExt as _};
use dunlin_storage::{InstanceKind, Reader, Recurrences};
use dunlin_workflows::actor::Origin;
use dunlin_workflows::message::{Addressee, Priority, UserId};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::recurrence::{
    Command, PER_USER_MAX, Plan, Recipient, Recurrence, RecurrenceId, Standing,
};
use serde_json::{Value, json};

use crate::engine::ask::RecurrenceAsk;
use crate::engine::script::Script;
use crate::http::App;
use crate::http::accept::MESSAGE_MAX;
use crate::http::asker::Asker;
use crate::http::field_errors::{FieldErrors, object};
use crate::http::paging::{self, Paging};
use crate::http::problem::{Code, Problem};
use crate::http::recurrence_json::{FIELDS, Fields, told};
use crate::http::whole_body::JsonBody;

/// `POST /v1/recurrences`. A caller who gives the `id` may repeat the request: there will be one.
pub(super) async fn create(
    Extract(app): Extract<Arc<App>>,
    Asker(asker): Asker,
    JsonBody(body): JsonBody<MESSAGE_MAX>,
) -> Result<Response, Problem> {
    app.room()?;
    let ask = wanted(&app, &body)?;
    let known = app.on_duty()?.engine.recurrence(ask, asker).await?;
    let told = told(&app.reader()?, &known, app.edge.clock.wall())?;
    let location = format!("/v1/recurrences/{}", known.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(told)).into_response())
}

fn wanted(app: &App, body: &[u8]) -> Result<RecurrenceAsk, Problem> {
    let object = object(body)?;
    let mut wrong = FieldErrors::under("");
    wrong.unknown(&object, &[&["id", "to", "user_id"][..], &FIELDS].concat());
    let fields = Fields(&object);
    let [id, to, user_id] = ["id", "to", "user_id"].map(|name| fields.text(name, &mut wrong));
    let id = wrong.parse("id", id, str::parse::<RecurrenceId>);
    let both_or_none = to.is_some() == user_id.is_some();
    let to = wrong.parse("to", to, |to| PhoneNumber::parse(to, app.edge.default_region));
    let user_id = wrong.parse("user_id", user_id, str::parse::<UserId>);
    if both_or_none {
        wrong.add("to", "required", "say who gets it: either to or user_id".to_owned());
    }
    let kinds = &app.edge.rules.kinds;
    let (changes, script) = fields.changes(kinds, app, &mut wrong)?;
    if !object.contains_key("cron") {
        wrong.add("cron", "required", "cron is required".to_owned());
    }
    if !["body", "template"].into_iter().any(|name| object.contains_key(name)) {
        wrong.add("body", "required", "say what it says: body, or template with its vars".to_owned());
    }
    wrong.none()?;
    let to = user_id.map(Addressee::User).or(to.map(Addressee::Number));
    let (Some(to), Some(cron), Some(script)) = (to, changes.cron.clone(), script) else {
        return Err(Problem::new(Code::Invalid, "cron, and body or template, must not be null"));
    };
    let id = id.unwrap_or_else(|| RecurrenceId::from_bytes(*app.edge.ids.message_id().as_bytes()));
    let told = kinds.get(changes.kind.as_ref().and_then(Option::as_ref));
    let priority = told.map_or_else(Priority::default, |kind| kind.priority);
    let plan = Box::new(changes.of(&Plan { priority, ..Plan::new(cron) }));
    Ok(RecurrenceAsk::Create { id, to, plan, script })
}

/// `GET /v1/recurrences/{id}`.
pub(super) async fn show(
    Extract(app): Extract<Arc<App>>,
    RecurrenceName(id): RecurrenceName,
) -> Result<Json<Value>, Problem> {
    let reader = app.reader()?;
    let number = reader.instance_named(InstanceKind::Recurrence, &id.to_string())?;
    let known = number.map(|number| reader.instance::<Recurrences>(number)).transpose()?.flatten().flatten();
    let known = known.filter(|known| known.standing != Standing::Deleted).ok_or_else(not_found)?;
    Ok(Json(told(&reader, &known, app.edge.clock.wall())?))
}

/// `PATCH /v1/recurrences/{id}`: what is given changes; null clears what may be left out.
pub(super) async fn change(
    Extract(app): Extract<Arc<App>>,
    Asker(asker): Asker,
    RecurrenceName(id): RecurrenceName,
    JsonBody(body): JsonBody<MESSAGE_MAX>,
) -> Result<Json<Value>, Problem> {
    let object = object(&body)?;
    let mut wrong = FieldErrors::under("");
    wrong.unknown(&object, &FIELDS);
    let (changes, script) = Fields(&object).changes(&app.edge.rules.kinds, &*app, &mut wrong)?;
    wrong.none()?;
    let command = Command::Change { changes: Box::new(changes), new_text: script.is_some() };
    tell(&app, id, command, script, asker).await
}

/// `DELETE /v1/recurrences/{id}`: nothing comes of it any more. Texts that it made stay.
pub(super) async fn delete(
    Extract(app): Extract<Arc<App>>,
    Asker(asker): Asker,
    RecurrenceName(id): RecurrenceName,
) -> Result<StatusCode, Problem> {
    let ask = RecurrenceAsk::Tell { id, command: Command::Delete, script: None };
    app.on_duty()?.engine.recurrence(ask, asker).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/recurrences/{id}/pause`: nothing comes until it is resumed.
pub(super) async fn pause(
    Extract(app): Extract<Arc<App>>,
    Asker(asker): Asker,
    RecurrenceName(id): RecurrenceName,
) -> Result<Json<Value>, Problem> {
    tell(&app, id, Command::Pause, None, asker).await
}

/// `POST /v1/recurrences/{id}/resume`: it comes again, from now on.
pub(super) async fn resume(
    Extract(app): Extract<Arc<App>>,
    Asker(asker): Asker,
    RecurrenceName(id): RecurrenceName,
) -> Result<Json<Value>, Problem> {
    tell(&app, id, Command::Resume, None, asker).await
}

async fn tell(
    app: &App,
    id: RecurrenceId,
    command: Command,
    script: Option<Script>,
    asker: Origin,
) -> Result<Json<Value>, Problem> {
    let ask = RecurrenceAsk::Tell { id, command, script };
    let known = app.on_duty()?.engine.recurrence(ask, asker).await?;
    Ok(Json(told(&app.reader()?, &known, app.edge.clock.wall())?))
}

/// Whose, and which part.
#[derive(Debug, Default)]
struct Wanted {
    user_id: Option<UserId>,
    paging: Paging,
}

/// `GET /v1/recurrences`: all but the deleted ones, oldest first; with `user_id`, those of a user of which
/// anything may still come.
pub(super) async fn list(
    Extract(app): Extract<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let wanted = paging::wanted(query.as_deref(), |wanted: &mut Wanted, name, value| {
        if wanted.paging.take(name, value)? {
            return Ok(());
        }
        match name {
            "user_id" => {
                wanted.user_id = Some(value.parse().map_err(|error| paging::refused(name, value, &error))?);
            }
            unknown => return Err(paging::unknown(unknown, "limit, cursor, user_id")),
        }
        Ok(())
    })?;
    let now = app.edge.clock.wall();
    let page = paging::read(app, move |reader| {
        let (found, next) = match &wanted.user_id {
            Some(user) => (of_user(reader, user)?, None),
            None => page(reader, wanted.paging)?,
        };
        let shown = found.iter().filter(|known| known.standing != Standing::Deleted);
        let rows = shown.map(|known| told(reader, known, now)).collect::<Result<Vec<_>, _>>()?;
        Ok(json!({"data": rows, "has_more": next.is_some(), "next_cursor": next}))
    });
    page.await.map(Json)
}

fn page(reader: &Reader, paging: Paging) -> Result<(Vec<Recurrence>, Option<String>), Problem> {
    let found = reader.instances::<Recurrences>(paging.before.unwrap_or(0), paging.limit)?;
    let last = found.last().filter(|_| found.len() >= paging.limit);
    let next = last.map(|(number, _)| paging::cursor(*number));
    Ok((found.into_iter().filter_map(|(_, known)| known).collect(), next))
}

fn of_user(reader: &Reader, user: &UserId) -> Result<Vec<Recurrence>, Problem> {
    let Some(user) = reader.user_of(user)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for claim in (0..PER_USER_MAX).filter_map(|slot| Recipient::slot(user, slot)) {
        if let Some(number) = reader.claimant(InstanceKind::Recurrence, claim)? {
            found.extend(reader.instance::<Recurrences>(number)?.flatten());
        }
    }
    Ok(found)
}

fn not_found() -> Problem {
    Problem::new(Code::RecurrenceNotFound, "there is no recurrence with that id")
}

/// The `{id}` in a path.
pub(super) struct RecurrenceName(RecurrenceId);

impl<S: Sync> FromRequestParts<S> for RecurrenceName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let path = parts.extract::<Path<String>>().await;
        let id = path.ok().and_then(|Path(name)| name.parse().ok());
        id.map(Self).ok_or_else(not_found)
    }
}
