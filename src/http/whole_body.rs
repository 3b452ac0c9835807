//! Bodies of requests: read whole, never more than was agreed.

use axum::body::{Bytes, HttpBody as _};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::http::problem::{Code, Problem};

/// A whole body of at most `MAX` bytes.
#[derive(Debug)]
pub(super) struct WholeBody<const MAX: usize>(pub(super) Bytes);

/// A whole body of at most `MAX` bytes that says it is JSON, or does not say what it is.
#[derive(Debug)]
pub(super) struct JsonBody<const MAX: usize>(pub(super) Bytes);

impl<S: Sync, const MAX: usize> FromRequest<S> for WholeBody<MAX> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let body = request.into_body();
        // What the headers announce need not be read to be refused.
        if usize::try_from(body.size_hint().lower()).is_ok_and(|announced| announced <= MAX) {
            match Limited::new(body, MAX).collect().await {
                Ok(collected) => return Ok(Self(collected.to_bytes())),
                Err(error) if error.is::<LengthLimitError>() => {}
                Err(_connection_broke) => {
                    return Err(Problem::new(Code::BadRequest, "the body broke off; send it again"));
                }
            }
        }
        let detail = format!("at most {MAX} bytes are read here; send less at a time");
        Err(Problem::new(Code::PayloadTooLarge, detail))
    }
}

impl<S: Sync, const MAX: usize> FromRequest<S> for JsonBody<MAX> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        json_only(request.headers())?;
        WholeBody::<MAX>::from_request(request, state).await.map(|body| Self(body.0))
    }
}

/// A missing content type is taken as JSON, another one is refused.
fn json_only(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(given) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let given = given.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if given.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let shown: String = given.chars().take(64).collect();
    Err(Problem::new(Code::UnsupportedMediaType, format!("expected application/json, not \"{shown}\"")))
}
