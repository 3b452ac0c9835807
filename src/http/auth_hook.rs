//! `POST /api/hooks/supabase/send-sms`: the codes of Supabase Auth go out as texts of ours.
//!
//! Source: <https://supabase.com/docs/guides/auth/auth-hooks/send-sms-hook>, read 2026-11-24. It gives up after 5
//! seconds, and tries again after 429 and 503 with `Retry-After` alone. Its body has at most 20 KB.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State as Extract;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use dunlin_workflows::message::UserId;
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::verification::Code as SmsCode;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::engine::ask::{AskError, Claim};
use crate::engine::verifications::CodeWish;
use crate::http::App;
use crate::http::whole_body::WholeBody;

/// Largest body, in bytes.
const BODY_MAX: usize = 20 * 1024;
/// Longest time to the answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);
/// When to try again what was not our word.
const AGAIN: Duration = Duration::from_secs(2);

/// What the hook says.
#[derive(Deserialize)]
struct Hook {
    user: HookUser,
    sms: HookSms,
}

#[derive(Deserialize)]
struct HookUser {
    id: String,
    #[serde(default)]
    phone: String,
}

#[derive(Deserialize)]
struct HookSms {
    otp: String,
    /// Where it goes when the user is about to change their number.
    phone: Option<String>,
}

/// A no, in the hook's own form.
struct Refusal {
    status: StatusCode,
    message: String,
    retry_after: Option<Duration>,
}

impl Refusal {
    fn new(status: StatusCode, message: &(impl ToString + ?Sized)) -> Self {
        Self { status, message: message.to_string(), retry_after: None }
    }

    fn again(status: StatusCode, message: &(impl ToString + ?Sized), wait: Duration) -> Self {
        Self { status, message: message.to_string(), retry_after: Some(wait) }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let error = json!({"error": {"http_code": self.status.as_u16(), "message": self.message}});
        let mut response = (self.status, Json(error)).into_response();
        if let Some(wait) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        response
    }
}

/// Takes in one code. 200 only after its text is durable; a repeat of the webhook sends nothing twice.
pub(super) async fn send_sms(
    Extract(app): Extract<Arc<App>>,
    headers: HeaderMap,
    WholeBody(body): WholeBody<BODY_MAX>,
) -> Response {
    match tokio::time::timeout(ANSWER_WITHIN, take_in(&app, &headers, &body)).await {
        Ok(Ok(())) => Json(json!({})).into_response(),
        Ok(Err(refusal)) => refusal.into_response(),
        Err(_too_long) => {
            let message = "not answered in time; the same webhook can be sent again";
            Refusal::again(StatusCode::SERVICE_UNAVAILABLE, message, AGAIN).into_response()
        }
    }
}

async fn take_in(app: &App, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
    let secrets = app.edge.hook_secrets.as_ref().ok_or_else(|| {
        Refusal::new(StatusCode::NOT_FOUND, "no secret is set for this hook: DUNLIN_AUTH_HOOK_SECRETS")
    })?;
    let now = app.edge.clock.wall();
    let id = secrets.verify(headers, body, now).map_err(|error| {
        tracing::warn!(%error, "a hook was refused");
        Refusal::new(StatusCode::UNAUTHORIZED, &error)
    })?;
    let unreadable = |why: &dyn ToString| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, &why.to_string());
    // The parser's words may quote a code.
    let hook: Hook = serde_json::from_slice(body)
        .map_err(|_says_too_much| unreadable(&"expected user.id, user.phone and sms.otp"))?;
    let phone = hook.sms.phone.as_ref().filter(|phone| !phone.is_empty()).unwrap_or(&hook.user.phone);
    let e164 = format!("+{}", phone.trim_start_matches('+'));
    let to = PhoneNumber::parse(&e164, None).map_err(|error| unreadable(&error))?;
    let user: UserId = hook.user.id.parse().map_err(|error| unreadable(&error))?;
    let code: SmsCode = hook.sms.otp.parse().map_err(|error| unreadable(&error))?;
    let claim = Claim {
        key: hash(&[b"auth hook", id.as_bytes()]),
        fingerprint: hash(&[to.to_string().as_bytes(), user.as_str().as_bytes(), code.as_str().as_bytes()]),
    };
    let wish = CodeWish { to, user: Some(user), address: None, code, message: app.edge.ids.message_id() };
    let on_duty = app.on_duty().map_err(|_away| {
        Refusal::again(StatusCode::SERVICE_UNAVAILABLE, "the engine is stopping or has failed", AGAIN)
    })?;
    app.room().map_err(|_problem| {
        Refusal::again(StatusCode::SERVICE_UNAVAILABLE, "there is no room on the disk", AGAIN)
    })?;
    on_duty.engine.relay(wish, claim).await.map(drop).map_err(|error| refused(&error))
}

fn refused(error: &AskError) -> Refusal {
    match error {
        // Three tries in a few seconds would not help: an hour must pass.
        AskError::Allowance(_) => Refusal::new(StatusCode::TOO_MANY_REQUESTS, error),
        AskError::Forbidden(_) => Refusal::new(StatusCode::FORBIDDEN, error),
        AskError::Crowded { .. } => Refusal::again(StatusCode::TOO_MANY_REQUESTS, error, AGAIN),
        AskError::KeyReused | AskError::Wording => Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error),
        AskError::Busy { .. } | AskError::NoRoom { .. } | AskError::Stopping | AskError::SendingDisabled => {
            Refusal::again(StatusCode::SERVICE_UNAVAILABLE, error, AGAIN)
        }
        AskError::Rejected(_)
        | AskError::Consent(_)
        | AskError::User(_)
        | AskError::Recurrence(_)
        | AskError::Template(_)
        | AskError::Verification(_)
        | AskError::NotFound
        | AskError::IdTaken(_)
        | AskError::Altered(_)
        | AskError::Erased => Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error),
    }
}

/// SHA-256 of the parts, each behind its length, cut to 16 bytes.
fn hash(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_le_bytes());
        hasher.update(part);
    }
    let mut hash = [0; 16];
    hash.iter_mut().zip(hasher.finalize()).for_each(|(to, from)| *to = from);
    hash
}
