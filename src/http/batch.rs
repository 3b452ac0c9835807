//! `POST /v1/messages/batch`: many wishes at once, every one for itself.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Extract;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::engine::ask::{Receipt, Wish};
use crate::http::App;
use crate::http::accept::{archived, exists};
use crate::http::accepted_json::AcceptedJson;
use crate::http::api_key::{Admitted, Scope};
use crate::http::asker::Asker;
use crate::http::field_errors::{FieldErrors, object};
use crate::http::problem::{Code, Problem};
use crate::http::whole_body::JsonBody;
use crate::http::wish::read;

/// Largest body of a batch, in bytes.
pub(super) const BATCH_MAX: usize = 4 * 1024 * 1024;

/// Most rows in a batch.
const ROWS_MAX: usize = 1000;

/// Rows, each still as JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchJson<'a> {
    #[serde(borrow)]
    messages: Vec<&'a RawValue>,
}

/// What became of the rows, in their order.
#[derive(Debug, Serialize)]
pub(super) struct BatchAnswer {
    data: Vec<RowAnswer>,
    accepted: usize,
    refused: usize,
}

/// What became of one row.
#[derive(Debug, Serialize)]
struct RowAnswer {
    index: usize,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Outcome {
    Accepted {
        #[serde(flatten)]
        accepted: Box<AcceptedJson>,
        replayed: bool,
    },
    Refused {
        error: Value,
    },
}

/// Takes in many wishes. 200 only after those that are accepted are durable; the answer tells the
/// rows apart.
pub(super) async fn batch(
    Extract(app): Extract<Arc<App>>,
    Asker(asker): Asker,
    admitted: Admitted,
    headers: HeaderMap,
    JsonBody(body): JsonBody<BATCH_MAX>,
) -> Result<Json<BatchAnswer>, Problem> {
    app.room()?;
    let answering = app.in_flight.enter(&headers, "/v1/messages/batch", &body)?;
    let rows = rows(&body)?;
    let mut wishes = Vec::with_capacity(rows.len());
    let mut places = Vec::with_capacity(rows.len());
    let mut data = Vec::with_capacity(rows.len());
    let mut given = Vec::new();
    for (index, row) in rows.into_iter().map(|row| row.get().as_bytes()).enumerate() {
        let reading = app.reading(admitted.has(Scope::Urgent));
        match read(row, reading, &format!("/messages/{index}")) {
            Ok(request) => {
                given.extend(Some(request.id).filter(|id| *id != reading.fresh));
                wishes.push(Wish { request, claim: answering.claim_of_row(index, row) });
                places.push(index);
            }
            Err(problem) => {
                let outcome = match app.or_answered(answering.claim_of_row(index, row), problem) {
                    Ok(receipt) => accepted(&receipt),
                    Err(problem) => refused(&problem),
                };
                data.push(RowAnswer { index, outcome });
            }
        }
    }
    if !given.is_empty() {
        let archived = archived(Arc::clone(&app), given).await?;
        let (mut new, mut new_places) = (Vec::with_capacity(wishes.len()), Vec::with_capacity(wishes.len()));
        for (wish, index) in wishes.into_iter().zip(places) {
            if archived.contains(&wish.request.id) {
                data.push(RowAnswer { index, outcome: refused(&exists(wish.request.id)) });
            } else {
                new.push(wish);
                new_places.push(index);
            }
        }
        (wishes, places) = (new, new_places);
    }
    if !wishes.is_empty() {
        let receipts = app.on_duty()?.engine.accept(wishes, asker).await?;
        data.extend(places.into_iter().zip(receipts).map(|(index, receipt)| {
            let outcome = match receipt {
                Ok(receipt) => accepted(&receipt),
                Err(error) => refused(&Problem::from(error)),
            };
            RowAnswer { index, outcome }
        }));
    }
    data.sort_by_key(|row| row.index);
    let refused = data.iter().filter(|row| matches!(row.outcome, Outcome::Refused { .. })).count();
    let accepted = data.len().saturating_sub(refused);
    Ok(Json(BatchAnswer { data, accepted, refused }))
}

fn accepted(receipt: &Receipt) -> Outcome {
    Outcome::Accepted { accepted: Box::new(AcceptedJson::new(receipt)), replayed: receipt.replayed }
}

fn refused(problem: &Problem) -> Outcome {
    Outcome::Refused { error: problem.to_json() }
}

/// The rows of a batch; one that is no batch is explained.
///
/// # Errors
/// A [`Problem`] that says why it is none, or that it has too few rows or too many.
pub fn rows(body: &[u8]) -> Result<Vec<&RawValue>, Problem> {
    let is_object = body.trim_ascii_start().starts_with(b"{");
    let rows = match serde_json::from_slice::<BatchJson<'_>>(body) {
        Ok(batch) if is_object => batch.messages,
        Ok(_) | Err(_) => return Err(explain(body)),
    };
    if rows.is_empty() || rows.len() > ROWS_MAX {
        let mut wrong = FieldErrors::under("");
        wrong.add("messages", "invalid", format!("a batch has 1 to {ROWS_MAX} messages, not {}", rows.len()));
        wrong.none()?;
    }
    Ok(rows)
}

fn explain(body: &[u8]) -> Problem {
    let object = match object(body) {
        Ok(object) => object,
        Err(problem) => return problem,
    };
    let mut wrong = FieldErrors::under("");
    wrong.unknown(&object, &["messages"]);
    match object.get("messages") {
        Some(Value::Array(_)) => {}
        Some(_) => wrong.add("messages", "invalid", "expected an array".to_owned()),
        None => wrong.add("messages", "required", "messages is required".to_owned()),
    }
    match wrong.none() {
        Err(problem) => problem,
        Ok(()) => Problem::new(Code::InvalidJson, "the body names a field twice"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_batch_is_explained() {
        let many = format!("{{\"messages\":[{}1]}}", "1,".repeat(ROWS_MAX));
        for (body, code, pointer) in [
            ("[[]]", "invalid_json", None),
            ("{", "invalid_json", None),
            (r#"{"messages":[1],"messages":[1]}"#, "invalid_json", None),
            ("{}", "invalid_request", Some("/messages")),
            (r#"{"messages":7}"#, "invalid_request", Some("/messages")),
            (r#"{"messages":[]}"#, "invalid_request", Some("/messages")),
            (r#"{"messages":[1],"colour":"red"}"#, "invalid_request", Some("/colour")),
            (&many, "invalid_request", Some("/messages")),
        ] {
            let problem = rows(body.as_bytes()).unwrap_err().to_json();
            assert_eq!(problem["code"], code, "{body:.40}");
            assert_eq!(problem["errors"][0]["pointer"].as_str(), pointer, "{body:.40}");
        }
        assert_eq!(rows(br#"{"messages":[1,{}]}"#).unwrap().len(), 2);
    }
}
