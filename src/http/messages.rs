//! `/v1/messages/{id}`: looking at one message, and what may be asked of it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use dunlin_storage::{Entry, ReadError, Reader};
use dunlin_workflows::actor::Origin;
use dunlin_workflows::id::{MessageId, MessageNumber};
use dunlin_workflows::message::{Command, Message};
use dunlin_workflows::timestamp::Timestamp;
use serde_json::{Map, Value, json};

use crate::engine::ask::{Again, Retried, Target};
use crate::http::accept::{MESSAGE_MAX, locate};
use crate::http::asker::Asker;
use crate::http::field_errors::{FieldErrors, object};
use crate::http::message_name::{MessageName, not_found};
use crate::http::problem::Problem;
use crate::http::whole_body::JsonBody;
use crate::http::{App, instant};
use crate::message_json::MessageJson;
use crate::timeline::{Recipient, Step, Timeline, event_fields};

impl App {
    /// A message by its own id, archives included.
    ///
    /// # Errors
    /// [`Code::MessageNotFound`](crate::http::problem::Code::MessageNotFound), or the store can't be read.
    pub(crate) fn message(&self, id: MessageId) -> Result<Message, Problem> {
        let reader = self.reader()?;
        let (row, _life) = reader.whole(MessageName::Id(id).find(&reader)?)?;
        Ok(row.message)
    }
}

/// `GET /v1/messages/{id}`: by its own id or by the provider's.
pub(super) async fn show(
    Extract(app): Extract<Arc<App>>,
    name: MessageName,
) -> Result<Json<MessageJson>, Problem> {
    let reader = app.reader()?;
    let located = name.find(&reader)?;
    let (row, _life) = reader.whole(located)?;
    let (terms, content) = reader.content_at(row.accepted_seq)?;
    let told = MessageJson::new(&reader, &terms, &content, &row.message)?;
    Ok(Json(if located.is_archived { told.archived() } else { told }))
}

/// `GET /v1/messages/{id}/events`: its life so far, in order.
pub(super) async fn events(
    Extract(app): Extract<Arc<App>>,
    name: MessageName,
) -> Result<Json<Value>, Problem> {
    let reader = app.reader()?;
    let (row, life) = reader.whole(name.find(&reader)?)?;
    let (_, content) = reader.content_at(row.accepted_seq)?;
    let recipient = Recipient::of(&content);
    let timeline = Timeline::of(&life, &recipient, app.edge.clock.wall(), &app.edge.rules);
    let told = life.iter().zip(&timeline.steps).map(|(entry, step)| event_json(&reader, entry, step));
    let told = told.collect::<Result<Vec<_>, ReadError>>()?;
    Ok(Json(json!({"data": told, "next": timeline.next})))
}

/// One thing that happened: `type` names it, as in an export; `event` is the same word.
fn event_json(reader: &Reader, entry: &Entry, step: &Step) -> Result<Map<String, Value>, ReadError> {
    let mut row = event_fields::of_message(&entry.event);
    row.insert("seq".to_owned(), json!(entry.seq.get()));
    row.insert("at".to_owned(), json!(instant::format(entry.at)));
    row.insert("source".to_owned(), json!(entry.source.as_str()));
    if let Some(actor) = reader.actor_name(entry.actor)? {
        row.insert("actor".to_owned(), json!(actor.as_str()));
    }
    row.insert("type".to_owned(), json!(entry.event.name()));
    row.insert("event".to_owned(), json!(entry.event.name()));
    row.insert("words".to_owned(), json!(step.words));
    row.insert("more".to_owned(), json!(step.more));
    Ok(row)
}

/// `POST /v1/messages/{id}/cancel`.
pub(super) async fn cancel(
    Extract(app): Extract<Arc<App>>,
    Asker(asker): Asker,
    name: MessageName,
) -> Result<Json<MessageJson>, Problem> {
    carry_out(&app, name, Command::Cancel, asker).await
}

/// `PATCH /v1/messages/{id}` with `scheduled_for`: an instant, or null for at once.
pub(super) async fn reschedule(
    Extract(app): Extract<Arc<App>>,
    Asker(asker): Asker,
    name: MessageName,
    JsonBody(body): JsonBody<MESSAGE_MAX>,
) -> Result<Json<MessageJson>, Problem> {
    let scheduled_for = given(&body, "scheduled_for", Missing::IsWrong)?;
    carry_out(&app, name, Command::Reschedule { scheduled_for }, asker).await
}

/// `POST /v1/messages/{id}/retry`, with `expires_at` for the new message when the old one's has passed.
pub(super) async fn retry(
    Extract(app): Extract<Arc<App>>,
    Asker(asker): Asker,
    name: MessageName,
    JsonBody(body): JsonBody<MESSAGE_MAX>,
) -> Result<Response, Problem> {
    let expires_at = if body.is_empty() { None } else { given(&body, "expires_at", Missing::MeansNull)? };
    app.room()?;
    let number = name.find_open(&app.reader()?)?;
    let fresh = app.edge.ids.message_id();
    let again = Again { target: Target::Number(number), id: fresh, scheduled_for: None, expires_at };
    let retried = app.on_duty()?.engine.retry(again, asker).await?;
    let reader = app.reader()?;
    let (number, is_new) = match retried {
        Retried::Same(_) => (number, false),
        Retried::As(receipt) => (reader.number_of_id(receipt.id)?.ok_or_else(not_found)?, true),
    };
    let mut response = (StatusCode::ACCEPTED, Json(message(&reader, number)?)).into_response();
    if is_new {
        locate(response.headers_mut(), fresh);
    }
    Ok(response)
}

async fn carry_out(
    app: &App,
    name: MessageName,
    command: Command,
    asker: Origin,
) -> Result<Json<MessageJson>, Problem> {
    let number = name.find_open(&app.reader()?)?;
    app.on_duty()?.engine.command(Target::Number(number), command, asker).await?;
    message(&app.reader()?, number).map(Json)
}

fn message(reader: &Reader, number: MessageNumber) -> Result<MessageJson, Problem> {
    let row = reader.message(number)?.ok_or_else(not_found)?;
    let (terms, content) = reader.content(number)?.ok_or_else(not_found)?;
    Ok(MessageJson::new(reader, &terms, &content, &row.message)?)
}

/// What it means when the one field of a small body is missing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    MeansNull,
    IsWrong,
}

/// The one field of a small body: an instant, or null.
fn given(body: &[u8], field: &str, missing: Missing) -> Result<Option<Timestamp>, Problem> {
    let object = object(body)?;
    let mut wrong = FieldErrors::under("");
    wrong.unknown(&object, &[field]);
    let given = match object.get(field) {
        None if missing == Missing::IsWrong => {
            wrong.add(field, "required", format!("{field} is required; null is a value too"));
            None
        }
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => wrong.parse(field, Some(text), instant::read),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            wrong.add(field, "invalid", "expected an instant such as 2026-12-24T14:00:00Z".to_owned());
            None
        }
    };
    wrong.none().map(|()| given)
}
