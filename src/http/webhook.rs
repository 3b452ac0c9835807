//! Webhooks: the signature first, then everything else. `POST /api/webhooks/twilio/status` here.

use std::sync::Arc;

use axum::extract::{OriginalUri, State as Extract};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};

use crate::http::App;
use crate::http::problem::{Code, Problem};
use crate::http::whole_body::WholeBody;
use crate::twilio::callback::{CallbackError, StatusCallback};
use crate::twilio::token;

/// Largest body of a webhook, in bytes; the provider's have less than one kibibyte.
const WEBHOOK_MAX: usize = 16 * 1024;

/// Takes in one status callback. 204 only after it is durable.
pub(super) async fn status(
    Extract(app): Extract<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    WholeBody(body): WholeBody<WEBHOOK_MAX>,
) -> Result<StatusCode, Problem> {
    signed(&app, &uri, &headers, &body)?;
    let callback = StatusCallback::parse(&body).map_err(|error| unreadable(&error))?;
    ours(&app, &callback.account_sid)?;
    let query = uri.query().unwrap_or_default();
    let named = query.split('&').find_map(|pair| pair.strip_prefix("t="));
    let named = named.and_then(|named| token::open(&app.edge.webhook.callback_key, named));
    app.on_duty()?.engine.callback(named, callback.report).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether the provider signed this request.
///
/// # Errors
/// [`Code::SignatureInvalid`]; nothing else of the request may be looked at then.
pub(super) fn signed(app: &App, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let url = format!("{}{path}", app.edge.webhook.public_base_url);
    let signature = headers.get("x-twilio-signature").and_then(|value| value.to_str().ok());
    app.verifier.verify(&url, body, is_form(headers), signature).map_err(|error| {
        tracing::warn!(%error, "a webhook was refused");
        Problem::new(Code::SignatureInvalid, error.to_string())
    })
}

/// Whether a signed webhook is about our account.
///
/// # Errors
/// [`Code::AccountMismatch`].
pub(super) fn ours(app: &App, account_sid: &str) -> Result<(), Problem> {
    if account_sid == app.edge.webhook.account_sid {
        return Ok(());
    }
    tracing::warn!("a signed webhook is about another account; check which account calls this address");
    Err(Problem::new(Code::AccountMismatch, "AccountSid is not the configured account's"))
}

/// A signed webhook that says something we don't know.
pub(super) fn unreadable(error: &CallbackError) -> Problem {
    tracing::warn!(%error, "a signed webhook can't be understood");
    Problem::new(Code::Invalid, error.to_string())
}

/// Whether the body is a form, whose fields are signed; of another body the hash is.
fn is_form(headers: &HeaderMap) -> bool {
    const FORM: &[u8] = b"application/x-www-form-urlencoded";
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.get(..FORM.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(FORM))
}
