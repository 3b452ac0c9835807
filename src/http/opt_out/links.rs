//! `POST /v1/consent/link` and `/v1/users/{id}/opt-out-link`: the link by which somebody opts out, for a product to show or send.
//!
//! Asked for by POST, since an answer is a secret that no cache may keep; nothing is stored. Who gives it away gives away an
//! opt-out, so it takes a key that may record one.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State as Extract};
use dunlin_storage::Reader;
use dunlin_workflows::id::PersonNumber;
use dunlin_workflows::message::{UserId, UserIdError};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::user::Rejection;
use serde_json::{Value, json};

use crate::engine::ask::AskError;
use crate::http::App;
use crate::http::accept::MESSAGE_MAX;
use crate::http::field_errors::{FieldErrors, object};
use crate::http::problem::{Code, Problem};
use crate::http::whole_body::JsonBody;

/// `POST /v1/consent/link` with `to`, or with `user_id` for the number that is theirs now.
pub(in crate::http) async fn of_somebody(
    Extract(app): Extract<Arc<App>>,
    JsonBody(body): JsonBody<MESSAGE_MAX>,
) -> Result<Json<Value>, Problem> {
    let object = object(&body)?;
    let text = |field: &str| object.get(field).and_then(Value::as_str);
    let mut wrong = FieldErrors::under("");
    wrong.unknown(&object, &["to", "user_id"]);
    let user = wrong.parse("user_id", text("user_id"), str::parse::<UserId>);
    let number = |text: &str| PhoneNumber::parse(text, app.edge.default_region);
    let to = if text("user_id").is_none() {
        wrong.required("to", text("to"), number)
    } else {
        if object.contains_key("to") {
            wrong.add("to", "invalid", "say either to or user_id".to_owned());
        }
        None
    };
    wrong.none()?;
    let reader = app.reader()?;
    let person = match user {
        Some(user) => person_of(&reader, &user)?,
        None => to.map(|to| reader.person_of(to)).transpose()?.flatten().ok_or_else(|| {
            let why = "no text was ever accepted for this number, so there is nothing to opt out of";
            Problem::new(Code::PersonNotFound, why)
        })?,
    };
    link(&app, &reader, person)
}

/// `POST /v1/users/{id}/opt-out-link`: the same of a user.
pub(in crate::http) async fn of_user(
    Extract(app): Extract<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let id = id.parse().map_err(|error: UserIdError| Problem::new(Code::InvalidFilter, error.to_string()))?;
    let reader = app.reader()?;
    let person = person_of(&reader, &id)?;
    link(&app, &reader, person)
}

fn person_of(reader: &Reader, id: &UserId) -> Result<PersonNumber, Problem> {
    let user = reader.user_of(id)?.map(|user| reader.user_state(user)).transpose()?.flatten();
    let unknown = || Problem::new(Code::UserNotFound, "nothing was ever said about this user");
    Ok(user.ok_or_else(unknown)?.number.ok_or(AskError::User(Rejection::NoNumber))?.person)
}

fn link(app: &App, reader: &Reader, person: PersonNumber) -> Result<Json<Value>, Problem> {
    let links = app.edge.opt_out_links.as_ref().ok_or_else(|| {
        Problem::new(
            Code::PublicUrlMissing,
            "set DUNLIN_PUBLIC_URL to where people reach this daemon; links begin with it",
        )
    })?;
    let token = reader.opt_out_token(person)?.ok_or(AskError::Erased)?;
    Ok(Json(json!({"person": person.get(), "url": links.with(token)})))
}
