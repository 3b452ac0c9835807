//! `POST /v1/messages`: one wish in, one receipt out.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State as Extract;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use dunlin_workflows::actor::Origin;
use dunlin_workflows::id::MessageId;

use crate::engine::ask::{AskError, Claim, Receipt, Wish};
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

/// Where single wishes are taken in: their idempotency keys are of this route.
const ROUTE: &str = "/v1/messages";

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
    let answering = app.in_flight.enter(&headers, ROUTE, &body)?;
    let may_mark_urgent = admitted.has(Scope::Urgent);
    let receipt = app.accept(&body, answering.claim(), may_mark_urgent, asker).await?;
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
    /// Takes in a wish of the program that this daemon is part of. `asked` is what a repeat with the same `key` is
    /// known by, `json` the wish itself.
    ///
    /// # Errors
    /// As over HTTP.
    pub(crate) async fn accept_own(
        self: &Arc<Self>,
        asked: &[u8],
        json: Result<Vec<u8>, Problem>,
        key: Option<&str>,
        origin: Origin,
    ) -> Result<Receipt, Problem> {
        self.room()?;
        let answering = self.in_flight.enter_key(key.map(str::as_bytes), ROUTE, asked)?;
        match json {
            Ok(json) => self.accept(&json, answering.claim(), false, origin).await,
            Err(problem) => self.or_answered(answering.claim(), problem),
        }
    }

    /// Takes in a wish, written as JSON. Answered once it is durable.
    async fn accept(
        self: &Arc<Self>,
        json: &[u8],
        claim: Option<Claim>,
        may_mark_urgent: bool,
        origin: Origin,
    ) -> Result<Receipt, Problem> {
        let reading = self.reading(may_mark_urgent);
        let request = match read(json, reading, "") {
            Ok(request) => request,
            Err(problem) => return self.or_answered(claim, problem),
        };
        if request.id != reading.fresh && !archived(Arc::clone(self), vec![request.id]).await?.is_empty() {
            return Err(exists(request.id));
        }
        let receipts = self.on_duty()?.engine.accept(vec![Wish { request, claim }], origin).await?;
        Ok(receipts.into_iter().next().unwrap_or(Err(AskError::Stopping))?)
    }

    /// What was answered to the wish with this claim, if it was accepted before it became wrong: its template may have
    /// changed since.
    ///
    /// # Errors
    /// `problem` when it was not.
    pub(super) fn or_answered(&self, claim: Option<Claim>, problem: Problem) -> Result<Receipt, Problem> {
        let Some(claim) = claim else { return Err(problem) };
        Receipt::answered(&self.reader()?, &claim)?.ok_or(problem)
    }

    /// What wishes are read with.
    pub(super) fn reading(&self, may_mark_urgent: bool) -> Reading<'_> {
        Reading {
            fresh: self.edge.ids.message_id(),
            region: self.edge.default_region,
            kinds: &self.edge.rules.kinds,
            now: self.edge.clock.wall(),
            shelf: self,
            may_mark_urgent,
        }
    }
}
