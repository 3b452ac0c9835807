//! What every answer has: an id, a bound on its time, and a document when it says no.

use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::http::backups;
use crate::http::problem::{Code, Problem};

/// Longest time from the headers of a request to its answer. The provider gives up on a webhook
/// after 15 seconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Longest request id of a caller that is taken over, in bytes.
const REQUEST_ID_MAX: usize = 128;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest time to the answer of a request for this path.
pub(super) fn within(path: &str) -> Duration {
    if path == backups::PATH { backups::ANSWER_WITHIN } else { ANSWER_WITHIN }
}

/// Answers within `within`, with the caller's request id or one of ours.
pub(super) async fn finish(request: Request, next: Next, within: Duration) -> Response {
    let id = request_id(request.headers());
    let uri = request.uri().clone();
    let mut response = match tokio::time::timeout(within, next.run(request)).await {
        Ok(response) => response,
        Err(_too_long) => {
            let detail = "it may still be carried out; repeat it with the same Idempotency-Key";
            Problem::new(Code::Timeout, detail).into_response()
        }
    };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        // The headers that came with it stay, such as Allow; the query stays out: it may name a recipient.
        let mut told = problem.document_response(uri.path(), id.to_str().unwrap_or_default());
        for (name, value) in response.headers() {
            told.headers_mut().entry(name).or_insert_with(|| value.clone());
        }
        response = told;
    }
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// The caller's id when it is short and visible ASCII, else a fresh one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let given = headers.get(REQUEST_ID).filter(|id| {
        !id.is_empty() && id.len() <= REQUEST_ID_MAX && id.as_bytes().iter().all(u8::is_ascii_graphic)
    });
    given.cloned().unwrap_or_else(|| {
        HeaderValue::try_from(format!("req_{:016x}", fastrand::u64(..)))
            .unwrap_or(HeaderValue::from_static("req_0"))
    })
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::http::StatusCode;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use serde_json::{Value, json};
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(path: &str, id: &str) -> (StatusCode, String, Value) {
        let within = Duration::from_millis(20);
        let refuse = async || Problem::new(Code::NotFound, "look elsewhere");
        let router = Router::new()
            .route("/never", get(std::future::pending::<StatusCode>))
            .route("/refuse", get(refuse))
            .layer(from_fn(move |request, next| finish(request, next, within)));
        let request = Request::get(path).header("x-request-id", id).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 16).await.unwrap();
        let id = parts.headers["x-request-id"].to_str().unwrap().to_owned();
        (parts.status, id, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn an_answer_that_takes_too_long_is_a_problem() {
        let (status, _, problem) = ask("/never", "mine").await;
        assert_eq!((status, &problem["code"]), (StatusCode::REQUEST_TIMEOUT, &json!("timeout")));
    }

    #[tokio::test]
    async fn a_problem_names_its_request_and_place_but_not_its_query() {
        let (_, id, problem) = ask("/refuse?to=%2B15551234567", "mine").await;
        assert_eq!((id.as_str(), &problem["request_id"]), ("mine", &json!("mine")));
        assert_eq!(problem["instance"], "/refuse");
    }

    #[tokio::test]
    async fn a_request_id_that_would_spoil_a_log_is_replaced() {
        for odd in ["", "two words", "\t", "\u{e9}", &"x".repeat(129)] {
            let (_, id, problem) = ask("/refuse", odd).await;
            assert!(id.starts_with("req_") && id.len() == 20, "{odd:?} became {id}");
            assert_eq!(problem["request_id"], id);
        }
    }
}
