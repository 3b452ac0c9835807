//! `POST /api/webhooks/twilio/status`: the signature first, then everything else.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{OriginalUri, State as Extract};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};

use crate::http::App;
use crate::http::problem::{Code, Problem};
use crate::twilio::callback::StatusCallback;
use crate::twilio::token;

/// Takes in one status callback. 204 only after it is durable.
pub(super) async fn status(
    Extract(app): Extract<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let url = format!("{}{path}", app.edge.webhook.public_base_url);
    let signature = headers.get("x-twilio-signature").and_then(|value| value.to_str().ok());
    let is_form = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if let Err(error) = app.verifier.verify(&url, &body, is_form, signature) {
        tracing::warn!(%error, "a webhook was refused");
        return Err(Problem::new(Code::SignatureInvalid, error.to_string()));
    }
    let callback = StatusCallback::parse(&body).map_err(|error| {
        tracing::warn!(%error, "a signed callback can't be understood");
        Problem::new(Code::Invalid, error.to_string())
    })?;
    let query = uri.query().unwrap_or_default();
    let named = query.split('&').find_map(|pair| pair.strip_prefix("t="));
    let named = named.and_then(|named| token::open(&app.edge.webhook.callback_key, named));
    app.edge.engine.callback(named, callback.report).await?;
    Ok(StatusCode::NO_CONTENT)
}
