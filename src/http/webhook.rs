//! `POST /api/webhooks/twilio/status`: the signature first, then everything else.

use std::sync::Arc;

use axum::extract::{OriginalUri, State as Extract};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};

use crate::http::App;
use crate::http::problem::{Code, Problem};
use crate::http::whole_body::WholeBody;
use crate::twilio::callback::StatusCallback;
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
    let ours = &app.edge.webhook;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let url = format!("{}{path}", ours.public_base_url);
    let signature = headers.get("x-twilio-signature").and_then(|value| value.to_str().ok());
    if let Err(error) = app.verifier.verify(&url, &body, is_form(&headers), signature) {
        tracing::warn!(%error, "a webhook was refused");
        return Err(Problem::new(Code::SignatureInvalid, error.to_string()));
    }
    let callback = StatusCallback::parse(&body).map_err(|error| {
        tracing::warn!(%error, "a signed callback can't be understood");
        Problem::new(Code::Invalid, error.to_string())
    })?;
    if callback.account_sid != ours.account_sid {
        tracing::warn!("a signed callback is about another account; check which account calls this address");
        return Err(Problem::new(Code::AccountMismatch, "AccountSid is not the configured account's"));
    }
    let query = uri.query().unwrap_or_default();
    let named = query.split('&').find_map(|pair| pair.strip_prefix("t="));
    let named = named.and_then(|named| token::open(&ours.callback_key, named));
    app.on_duty()?.engine.callback(named, callback.report).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether the body is a form, whose fields are signed; of another body the hash is.
fn is_form(headers: &HeaderMap) -> bool {
    const FORM: &[u8] = b"application/x-www-form-urlencoded";
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.get(..FORM.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(FORM))
}
