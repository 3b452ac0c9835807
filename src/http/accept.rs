//! `POST /v1/messages` and `/v1/messages/batch`: wishes in, receipts out.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State as Extract;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use dunlin_workflows::message::{Hold, State};
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::engine::ask::{AskError, Receipt, Wish};
use crate::http::problem::{Code, Problem};
use crate::http::wish::{Reading, read};
use crate::http::{App, instant};
use crate::timeline::hold_words;

/// Most rows in a batch.
const ROWS_MAX: usize = 1000;

/// The answer to an accepted wish.
#[derive(Serialize)]
struct AcceptedJson {
    id: String,
    status: &'static str,
    state: &'static str,
    accepted_at: String,
    decision: DecisionJson,
}

/// What was decided on acceptance, and why.
#[derive(Serialize)]
struct DecisionJson {
    action: &'static str,
    held_by: Option<&'static str>,
    release_at: Option<String>,
    why: Option<String>,
    segments: u16,
    encoding: String,
}

/// Rows, each still as JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchJson<'a> {
    #[serde(borrow)]
    messages: Vec<&'a RawValue>,
}

/// `POST /v1/messages`.
pub(super) async fn one(
    Extract(app): Extract<Arc<App>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    json_only(&headers)?;
    let answering = app.in_flight.enter(&headers, "/v1/messages", &body)?;
    let request = read(&body, app.reading(), "")?;
    let wish = Wish { request, claim: answering.claim() };
    let receipts = app.edge.engine.accept(vec![wish], Source::Api).await?;
    let receipt = receipts.into_iter().next().unwrap_or(Err(AskError::Stopping))?;
    let body = serde_json::to_vec(&accepted(&receipt)).unwrap_or_default();
    let mut response = (StatusCode::ACCEPTED, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(location) = HeaderValue::try_from(format!("/v1/messages/{}", receipt.id)) {
        headers.insert(LOCATION, location);
    }
    if receipt.replayed {
        headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// `POST /v1/messages/batch`: every row for itself; the answer tells them apart.
pub(super) async fn batch(
    Extract(app): Extract<Arc<App>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    json_only(&headers)?;
    let answering = app.in_flight.enter(&headers, "/v1/messages/batch", &body)?;
    let rows: BatchJson<'_> = serde_json::from_slice(&body).map_err(|error| {
        Problem::new(Code::InvalidJson, format!("expected {{\"messages\": [...]}}: {error}"))
    })?;
    if rows.messages.is_empty() || rows.messages.len() > ROWS_MAX {
        let detail = format!("a batch has 1 to {ROWS_MAX} messages; this one has {}", rows.messages.len());
        return Err(Problem::new(Code::Invalid, detail));
    }
    let mut refused = Vec::new();
    let (mut wishes, mut places) = (Vec::with_capacity(rows.messages.len()), Vec::new());
    for (index, row) in rows.messages.iter().enumerate() {
        match read(row.get().as_bytes(), app.reading(), &format!("/messages/{index}")) {
            Ok(request) => {
                wishes.push(Wish { request, claim: answering.claim_of_row(index) });
                places.push(index);
            }
            Err(problem) => refused.push((index, problem)),
        }
    }
    let receipts =
        if wishes.is_empty() { Vec::new() } else { app.edge.engine.accept(wishes, Source::Api).await? };
    let mut data: Vec<(usize, Value)> =
        refused.into_iter().map(|(index, problem)| (index, row_error(index, &problem))).collect();
    let mut accepted_count = 0_usize;
    for (index, receipt) in places.into_iter().zip(receipts) {
        let row = match receipt {
            Ok(receipt) => {
                accepted_count = accepted_count.saturating_add(1);
                row_accepted(index, &receipt)
            }
            Err(error) => row_error(index, &Problem::from(error)),
        };
        data.push((index, row));
    }
    data.sort_by_key(|(index, _)| *index);
    let refused = data.len().saturating_sub(accepted_count);
    let data: Vec<Value> = data.into_iter().map(|(_, row)| row).collect();
    Ok(axum::Json(json!({"data": data, "accepted": accepted_count, "refused": refused})).into_response())
}

fn row_accepted(index: usize, receipt: &Receipt) -> Value {
    let mut row = serde_json::to_value(accepted(receipt)).unwrap_or_default();
    if let Some(row) = row.as_object_mut() {
        row.insert("index".to_owned(), json!(index));
        row.insert("replayed".to_owned(), json!(receipt.replayed));
    }
    row
}

fn row_error(index: usize, problem: &Problem) -> Value {
    json!({"index": index, "error": problem.to_json()})
}

fn accepted(receipt: &Receipt) -> AcceptedJson {
    let held = held(receipt.state);
    AcceptedJson {
        id: receipt.id.to_string(),
        status: receipt.status.as_str(),
        state: receipt.state.name().as_str(),
        accepted_at: instant::format(receipt.accepted_at),
        decision: DecisionJson {
            action: if held.is_some() { "hold" } else { "send" },
            held_by: held.map(|(hold, _)| hold.as_str()),
            release_at: held
                .filter(|(_, until)| *until < Timestamp::MAX)
                .map(|(_, until)| instant::format(until)),
            why: held.map(|(hold, _)| hold_words(hold).to_owned()),
            segments: receipt.segments,
            encoding: receipt.encoding.to_string(),
        },
    }
}

fn held(state: State) -> Option<(Hold, Timestamp)> {
    if let State::Held { hold, until } = state { Some((hold, until)) } else { None }
}

/// Bodies are JSON; a missing content type is taken as that, another one is refused.
pub(super) fn json_only(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(given) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let given = given.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if given.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let shown: String = given.chars().take(64).collect();
    Err(Problem::new(Code::UnsupportedMediaType, format!("expected application/json, not \"{shown}\"")))
}

impl App {
    /// What wishes are read with.
    pub(super) fn reading(&self) -> Reading {
        Reading { fresh: self.edge.ids.message_id(), region: self.edge.default_region }
    }
}
