//! `POST /v1/messages`: one wish in, one receipt out.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State as Extract;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use dunlin_workflows::id::MessageId;

use crate::engine::ask::{AskError, Wish};
use crate::http::App;
use crate::http::accepted_json::AcceptedJson;
use crate::http::api_key::{Admitted, Scope};
use crate::http::asker::Asker;
use crate::http::paging;
use crate::http::problem::Problem;
use crate::http::whole_body::JsonBody;
use crate::http::wish::{Reading, read};

/// Largest body of one message, in bytes.
pub(super) const MESSAGE_MAX: usize = 64 * 1024;

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Takes in one wish. 202 only after it is durable.
pub(super) async fn one(
    Extract(app): Extract<Arc<App>>,
    Asker(asker): Asker,
    admitted: Admitted,
    headers: HeaderMap,
    JsonBody(body): JsonBody<MESSAGE_MAX>,
) -> Result<Response, Problem> {
    app.room()?;
    let answering = app.in_flight.enter(&headers, "/v1/messages", &body)?;
    let reading = app.reading(&admitted);
    let request = read(&body, reading, "")?;
    if request.id != reading.fresh && !archived(Arc::clone(&app), vec![request.id]).await?.is_empty() {
        return Err(exists(request.id));
    }
    let wish = Wish { request, claim: answering.claim() };
    let receipts = app.on_duty()?.engine.accept(vec![wish], asker).await?;
    let receipt = receipts.into_iter().next().unwrap_or(Err(AskError::Stopping))?;
    let body = serde_json::to_vec(&AcceptedJson::new(&receipt)).unwrap_or_default();
    let mut response = (StatusCode::ACCEPTED, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    locate(headers, receipt.id);
    if receipt.replayed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Those of these ids, which callers gave, that belong to messages in archives: the engine knows the
/// others.
pub(super) async fn archived(app: Arc<App>, ids: Vec<MessageId>) -> Result<BTreeSet<MessageId>, Problem> {
    paging::read(app, move |reader| {
        let mut archived = BTreeSet::new();
        for id in ids {
            if reader.is_archived(id)? {
                archived.insert(id);
            }
        }
        Ok(archived)
    })
    .await
}

/// There is a message with this id, if only in an archive.
pub(super) fn exists(id: MessageId) -> Problem {
    AskError::IdTaken(id).into()
}

/// Says where a new message is.
pub(super) fn locate(headers: &mut HeaderMap, id: MessageId) {
    if let Ok(location) = HeaderValue::try_from(format!("/v1/messages/{id}")) {
        headers.insert(LOCATION, location);
    }
}

impl App {
    /// What wishes are read with.
    pub(super) fn reading(&self, admitted: &Admitted) -> Reading<'_> {
        Reading {
            fresh: self.edge.ids.message_id(),
            region: self.edge.default_region,
            kinds: &self.edge.rules.kinds,
            now: self.edge.clock.wall(),
            shelf: self,
            may_mark_urgent: admitted.has(Scope::Urgent),
        }
    }
}
