//! `/v1/messages`: looking at messages, and what may be asked of one.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State as Extract};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use dunlin_storage::{Filter, Reader};
use dunlin_workflows::id::{MessageId, MessageNumber, ProviderSid};
use dunlin_workflows::message::{Command, Priority, PublicStatus, STATES, StateName, UserId};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::rules::Rules;
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::engine::ask::{Retried, Target};
use crate::http::accept::json_only;
use crate::http::message_json::MessageJson;
use crate::http::problem::{Code, FieldError, Problem};
use crate::http::wish::moment;
use crate::http::{App, instant};
use crate::timeline::{Timeline, event_fields};

/// Most messages on a page, and how many without a wish.
const LIMIT_MAX: usize = 250;
const LIMIT_DEFAULT: usize = 50;

/// `GET /v1/messages/{id}`: by its own id or by the provider's.
pub(super) async fn show(
    Extract(app): Extract<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let reader = app.edge.store.reader()?;
    let number = locate(&reader, &id)?;
    Ok(Json(message(&reader, number)?).into_response())
}

/// `GET /v1/messages/{id}/events`: its life so far, in order.
pub(super) async fn events(
    Extract(app): Extract<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let reader = app.edge.store.reader()?;
    let life = reader.life(locate(&reader, &id)?)?;
    let timeline = Timeline::of(&life, app.edge.clock.wall(), &Rules::default());
    let told = life.iter().zip(&timeline.steps).map(|(entry, step)| {
        let mut row = event_fields::of_message(&entry.event);
        row.insert("seq".to_owned(), json!(entry.seq.get()));
        row.insert("at".to_owned(), json!(instant::format(entry.at)));
        row.insert("source".to_owned(), json!(entry.source.as_str()));
        row.insert("event".to_owned(), json!(entry.event.name()));
        row.insert("words".to_owned(), json!(step.words));
        row.insert("more".to_owned(), json!(step.more));
        Value::Object(row)
    });
    Ok(Json(json!({"data": told.collect::<Vec<_>>(), "next": timeline.next})).into_response())
}

/// `POST /v1/messages/{id}/cancel`.
pub(super) async fn cancel(
    Extract(app): Extract<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    carry_out(&app, &id, Command::Cancel).await
}

/// `PATCH /v1/messages/{id}` with `scheduled_for`: an instant, or null for at once.
pub(super) async fn reschedule(
    Extract(app): Extract<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    json_only(&headers)?;
    let scheduled_for = match given(&body, "scheduled_for")? {
        Given::Absent => return Err(wrong("scheduled_for", "required", "scheduled_for is required")),
        Given::Null => None,
        Given::At(at) => Some(at),
    };
    carry_out(&app, &id, Command::Reschedule { scheduled_for }).await
}

/// `POST /v1/messages/{id}/retry`, with `expires_at` for the new message when the old one's has passed.
pub(super) async fn retry(
    Extract(app): Extract<Arc<App>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let expires_at = match if body.is_empty() { Given::Absent } else { given(&body, "expires_at")? } {
        Given::Absent | Given::Null => None,
        Given::At(at) => Some(at),
    };
    let number = locate(&app.edge.store.reader()?, &id)?;
    let fresh = app.edge.ids.message_id();
    let retried = app.edge.engine.retry(Target::Number(number), fresh, expires_at, Source::Api).await?;
    let reader = app.edge.store.reader()?;
    let number = match retried {
        Retried::Same(_) => number,
        Retried::As(receipt) => reader.number_of_id(receipt.id)?.unwrap_or(number),
    };
    Ok((axum::http::StatusCode::ACCEPTED, Json(message(&reader, number)?)).into_response())
}

async fn carry_out(app: &App, id: &str, command: Command) -> Result<Response, Problem> {
    let number = locate(&app.edge.store.reader()?, id)?;
    app.edge.engine.command(Target::Number(number), command, Source::Api).await?;
    let reader = app.edge.store.reader()?;
    Ok(Json(message(&reader, number)?).into_response())
}

fn locate(reader: &Reader, id: &str) -> Result<MessageNumber, Problem> {
    let found = if let Ok(id) = id.parse::<MessageId>() {
        reader.number_of_id(id)?
    } else if let Ok(sid) = id.parse::<ProviderSid>() {
        reader.number_of_sid(sid)?
    } else {
        None
    };
    found.ok_or_else(|| Problem::new(Code::MessageNotFound, "there is no message with that id"))
}

fn message(reader: &Reader, number: MessageNumber) -> Result<MessageJson, Problem> {
    let gone = || Problem::new(Code::MessageNotFound, "there is no message with that id");
    let row = reader.message(number)?.ok_or_else(gone)?;
    let request = reader.request(number)?.ok_or_else(gone)?;
    Ok(MessageJson::new(&request, &row.message))
}

/// The one field that a small body may have.
enum Given {
    Absent,
    Null,
    At(Timestamp),
}

fn given(body: &[u8], field: &str) -> Result<Given, Problem> {
    let object: serde_json::Map<String, Value> = serde_json::from_slice(body).map_err(|error| {
        Problem::new(Code::InvalidJson, format!("the body is not a JSON object: {error}"))
    })?;
    if let Some(unknown) = object.keys().find(|name| *name != field) {
        let shown: String = unknown.chars().take(64).collect();
        return Err(wrong(&shown, "unknown", &format!("there is no such field; known is {field}")));
    }
    match object.get(field) {
        None => Ok(Given::Absent),
        Some(Value::Null) => Ok(Given::Null),
        Some(Value::String(text)) => {
            moment(text).map(Given::At).map_err(|detail| wrong(field, "invalid", &detail))
        }
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(wrong(field, "invalid", "expected an instant such as 2026-12-24T14:00:00Z"))
        }
    }
}

fn wrong(field: &str, code: &'static str, detail: &str) -> Problem {
    Problem::fields(vec![FieldError { pointer: format!("/{field}"), code, detail: detail.to_owned() }])
}

/// What a list lets through.
#[derive(Default)]
struct Wanted {
    filter: Filter,
    status: Option<PublicStatus>,
    user_id: Option<UserId>,
    priority: Option<Priority>,
}

/// `GET /v1/messages`: newest first, with filters and an opaque cursor.
pub(super) async fn list(
    Extract(app): Extract<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let wanted = wanted(query.as_deref().unwrap_or_default(), &app)?;
    let reader = app.edge.store.reader()?;
    let page = reader.list(&wanted.filter)?;
    let mut data = Vec::with_capacity(page.messages.len());
    for (number, row) in &page.messages {
        let fits_status = wanted.status.is_none_or(|status| row.message.public_status() == status);
        let fits_priority = wanted.priority.is_none_or(|priority| row.message.priority == priority);
        if !(fits_status && fits_priority) {
            continue;
        }
        if let Some(request) = reader.request(*number)?
            && (wanted.user_id.is_none() || request.user_id == wanted.user_id)
        {
            data.push(MessageJson::new(&request, &row.message));
        }
    }
    let next = page.next.map(|number| format!("{:x}", number.get()));
    Ok(Json(json!({"data": data, "has_more": next.is_some(), "next_cursor": next})).into_response())
}

fn wanted(query: &str, app: &App) -> Result<Wanted, Problem> {
    let mut wanted =
        Wanted { filter: Filter { limit: LIMIT_DEFAULT, ..Filter::default() }, ..Wanted::default() };
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let shown: String = value.chars().take(64).collect();
        let refuse = |why: &str| Problem::new(Code::InvalidFilter, format!("{name}=\"{shown}\": {why}"));
        match name.as_ref() {
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
                wanted.filter.limit = limit.ok_or_else(|| refuse("expected 1 to 250"))?;
            }
            "cursor" => {
                let before = u64::from_str_radix(&value, 16).ok().map(MessageNumber::new);
                wanted.filter.before = Some(before.ok_or_else(|| {
                    Problem::new(Code::InvalidCursor, "use next_cursor of the page before, as it is")
                })?);
            }
            "state" => {
                let state = StateName::parse(&value).ok_or_else(|| refuse("there is no such state"))?;
                wanted.filter.states.push(state);
            }
            "status" => {
                let status = PublicStatus::parse(&value).ok_or_else(|| refuse("there is no such status"))?;
                wanted.status = Some(status);
                wanted.filter.states.extend(states_of(status));
            }
            "to" => {
                let number = PhoneNumber::parse(&value, app.edge.default_region)
                    .map_err(|e| refuse(&e.to_string()))?;
                wanted.filter.recipient = Some(number);
            }
            "user_id" => {
                wanted.user_id = Some(
                    value
                        .parse()
                        .map_err(|e: dunlin_workflows::message::UserIdError| refuse(&e.to_string()))?,
                );
            }
            "priority" => {
                let parsed: Result<Priority, _> = value.parse();
                wanted.priority = Some(parsed.map_err(|e| refuse(&e.to_string()))?);
            }
            unknown => {
                let known = "limit, cursor, state, status, to, user_id, priority";
                let shown: String = unknown.chars().take(64).collect();
                return Err(Problem::new(
                    Code::InvalidFilter,
                    format!("there is no filter \"{shown}\"; known are {known}"),
                ));
            }
        }
    }
    Ok(wanted)
}

/// States that may show this status.
fn states_of(status: PublicStatus) -> impl Iterator<Item = StateName> {
    STATES.into_iter().map(|(state, _)| state).filter(move |state| match state {
        StateName::Accepted => status == PublicStatus::Pending,
        StateName::Held => {
            status == PublicStatus::Scheduled
                || status == PublicStatus::Queued
                || status == PublicStatus::Sending
        }
        StateName::Due => status == PublicStatus::Queued,
        StateName::Submitting | StateName::Unknown => status == PublicStatus::Sending,
        StateName::Submitted => status == PublicStatus::Queued || status == PublicStatus::Sending,
        StateName::Sent => status == PublicStatus::Sent,
        StateName::Delivered => status == PublicStatus::Delivered,
        StateName::Undelivered => status == PublicStatus::Undelivered,
        StateName::Failed => status == PublicStatus::Failed,
        StateName::Canceled | StateName::Expired => status == PublicStatus::Cancelled,
    })
}
