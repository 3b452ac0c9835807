//! `/livez`, `/readyz`, `/version`: whether it runs, whether it makes progress, what it is.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use dunlin_storage::LaneNumber;
use serde_json::{Value, json};

use crate::engine::duty::Away;
use crate::engine::progress::Turned;
use crate::events::Events;
use crate::http::{App, sync};
use crate::timeline::event_fields::alarm_json;

/// The writer turns at least twice a second; after this long without a turn it does not make progress.
const TURN_MAX_MS: u64 = 5_000;

/// `GET /livez`: the process answers.
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: somebody is on duty, the writer turned lately, the store works and there is room.
/// `?verbose` tells every number.
pub(super) async fn ready(Extract(app): Extract<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let now_ms = app.edge.clock.monotonic_ms();
    let on_duty = app.edge.duty.now();
    let turned = on_duty.as_ref().map_or_else(|_| Turned::default(), |on| on.engine.progress().read());
    let since_turn_ms = now_ms.saturating_sub(turned.turned_at_ms);
    let (failed, has_ended, head) = match &on_duty {
        Ok(on_duty) => {
            // Looks once, without waiting.
            let has_ended = tokio::time::timeout(Duration::ZERO, on_duty.engine.ended()).await.is_ok();
            (on_duty.store.is_poisoned(), has_ended, Some(on_duty.store.head().to_string()))
        }
        Err(_away) => (true, true, None),
    };
    let reason = match on_duty {
        Err(Away::NoRoom) => Some("no room on the disk; an engine comes back when there is"),
        Err(Away::Failed) => Some("the store failed"),
        Err(Away::Stopping) => Some("stopping"),
        Ok(_) if failed => Some("the store failed"),
        Ok(_) if has_ended => Some("the engine has ended"),
        Ok(_) if since_turn_ms > TURN_MAX_MS => Some("the writer makes no progress"),
        Ok(_) if app.edge.room.shortage(now_ms).is_some() => {
            Some("less room on the disk than DUNLIN_DISK_FREE_MIN; no new texts are taken")
        }
        Ok(_) => None,
    };
    let status = if reason.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let verbose =
        query.as_deref().is_some_and(|query| query.split('&').any(|name| name.starts_with("verbose")));
    if !verbose {
        let told = reason.map_or_else(|| "ready\n".to_owned(), |reason| format!("not ready: {reason}\n"));
        return (status, told).into_response();
    }
    let told = json!({
        "ready": reason.is_none(),
        "reason": reason,
        "mode": app.edge.mode.as_str(),
        "disk_free_bytes": app.edge.room.free(now_ms),
        "store_failed": failed,
        "engine_ended": has_ended,
        "since_turn_ms": since_turn_ms,
        "last_seq": turned.last_seq,
        "head": head,
        "commits": turned.commits,
        "in_flight": turned.in_flight,
        "waiting": turned.waiting,
        "oldest_wait_ms": turned.oldest_wait_ms,
        "unknown": turned.unknown,
        "queue_bytes": turned.queue_bytes,
        "lane_cool_until_ms": turned.cool_until_ms,
        "supabase": app.edge.supabase.as_ref().map(|supabase| {
            let told = supabase.standing().told();
            json!({
                "last_contact_age_seconds": sync::age(&app, &told),
                "pull_error": told.pull_error,
                "push_error": told.push_error,
                "records_behind": turned.last_seq.saturating_sub(told.pushed_to.get()),
            })
        }),
        "failures_repeat": alarms(&app),
        "events": app.edge.events.as_ref().map(|events| events_json(events, turned.last_seq)),
    });
    (status, Json(told)).into_response()
}

/// Failures that repeat; nothing when nobody can tell.
fn alarms(app: &App) -> Vec<Value> {
    let lane = app.reader().and_then(|reader| Ok(reader.lane(LaneNumber::FIRST)?));
    lane.map(|lane| lane.alarms.iter().map(alarm_json).collect()).unwrap_or_default()
}

/// How far the product's own server is told.
fn events_json(events: &Events, last_seq: u64) -> Value {
    let told = events.standing().told();
    json!({
        "error": told.error,
        "stuck": told.stuck.map(|stuck| json!({"id": stuck.id, "type": stuck.kind, "refusals": stuck.refusals})),
        "waiting": told.waiting,
        "records_behind": last_seq.saturating_sub(told.told_to.get()),
    })
}

/// `GET /version`.
pub(super) async fn version(Extract(app): Extract<Arc<App>>) -> Response {
    Json(json!({"name": "dunlin", "version": env!("CARGO_PKG_VERSION"), "mode": app.edge.mode.as_str()}))
        .into_response()
}
