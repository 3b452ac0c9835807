//! `/livez`, `/readyz`, `/version`: whether it runs, whether it makes progress, what it is.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::http::App;

/// The writer turns at least twice a second; after this long without a turn it does not make progress.
const TURN_MAX_MS: u64 = 5_000;

/// `GET /livez`: the process answers.
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the writer turned lately and the store works. `?verbose` tells every number.
pub(super) async fn ready(Extract(app): Extract<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let turned = app.edge.engine.progress().read();
    let since_turn_ms = app.edge.clock.monotonic_ms().saturating_sub(turned.turned_at_ms);
    let poisoned = app.edge.store.is_poisoned();
    // Looks once, without waiting.
    let has_ended = tokio::time::timeout(Duration::ZERO, app.edge.engine.ended()).await.is_ok();
    let is_ready = since_turn_ms <= TURN_MAX_MS && !poisoned && !has_ended;
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let verbose =
        query.as_deref().is_some_and(|query| query.split('&').any(|name| name.starts_with("verbose")));
    if !verbose {
        return (status, if is_ready { "ready\n" } else { "not ready; ask /readyz?verbose\n" })
            .into_response();
    }
    let told = json!({
        "ready": is_ready,
        "mode": app.edge.mode.as_str(),
        "store_failed": poisoned,
        "engine_ended": has_ended,
        "since_turn_ms": since_turn_ms,
        "last_seq": turned.last_seq,
        "head": app.edge.store.head().to_string(),
        "commits": turned.commits,
        "in_flight": turned.in_flight,
        "waiting": turned.waiting,
        "oldest_wait_ms": turned.oldest_wait_ms,
        "unknown": turned.unknown,
        "queue_bytes": turned.queue_bytes,
        "lane_cool_until_ms": turned.cool_until_ms,
    });
    (status, Json(told)).into_response()
}

/// `GET /version`.
pub(super) async fn version(Extract(app): Extract<Arc<App>>) -> Response {
    Json(json!({"name": "dunlin", "version": env!("CARGO_PKG_VERSION"), "mode": app.edge.mode.as_str()}))
        .into_response()
}
