//! `/v1/sync`: how things stand with Supabase, and asking for a look, a word or a repair at once.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State as Extract};
use axum::http::StatusCode;
use dunlin_sync::wire::{Conflict, Instant, Peer, Trouble};
use serde_json::{Value, json};

use crate::http::problem::{Code, Problem};
use crate::http::{App, instant, paging};
use crate::supabase::{Supabase, SyncError, Told};

/// `GET /v1/sync`.
pub(super) async fn show(Extract(app): Extract<Arc<App>>) -> Result<Json<Value>, Problem> {
    let supabase = supabase(&app)?;
    let told = supabase.standing().told();
    let end = app.on_duty()?.engine.progress().read().last_seq;
    Ok(Json(json!({
        "project": supabase.place(),
        "last_contact_at": told.contact_at.map(instant::format),
        "last_contact_age_seconds": age(&app, &told),
        "in_step_at": told.in_step_at.map(instant::format),
        "pull": {
            "error": told.pull_error,
            "texts_taken": told.taken,
            "texts_lost": told.lost,
            "changes": told.changes,
            "rows_parked": told.parked,
        },
        "push": {
            "error": told.push_error,
            "rows": told.pushed,
            "rows_refused": told.rejected,
            "refused_because": told.rejected_reason,
            "journal_position": told.pushed_to.get(),
            "journal_end": end,
            "records_behind": end.saturating_sub(told.pushed_to.get()),
        },
        "there": {
            "texts_waiting": told.waiting,
            "rows_parked": told.parked_there,
            "conflicts": told.conflicts_there,
        },
        "daemons": told.daemons.iter().map(peer).collect::<Vec<_>>(),
        "conflicts": told.troubles.conflicts.iter().map(conflict).collect::<Vec<_>>(),
        "parked": told.troubles.parked.iter().map(parked).collect::<Vec<_>>(),
    })))
}

/// `POST /v1/sync/pull`: looks at once.
pub(super) async fn pull(Extract(app): Extract<Arc<App>>) -> Result<StatusCode, Problem> {
    supabase(&app)?.pull_now();
    Ok(StatusCode::ACCEPTED)
}

/// `POST /v1/sync/push`: tells at once.
pub(super) async fn push(Extract(app): Extract<Arc<App>>) -> Result<StatusCode, Problem> {
    supabase(&app)?.push_now();
    Ok(StatusCode::ACCEPTED)
}

#[derive(Debug, Default)]
struct Wanted {
    dry_run: bool,
}

/// `POST /v1/sync/repair?dry_run=`: compares every text that is not finished, and makes good what differs.
pub(super) async fn repair(
    Extract(app): Extract<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let supabase = supabase(&app)?;
    let wanted = paging::wanted(query.as_deref(), |wanted: &mut Wanted, name, value| match name {
        "dry_run" => {
            wanted.dry_run = value.parse().map_err(|error| paging::refused(name, value, &error))?;
            Ok(())
        }
        unknown => Err(paging::unknown(unknown, "dry_run")),
    })?;
    let repaired = supabase.repair(wanted.dry_run).await?;
    Ok(Json(json!({
        "dry_run": wanted.dry_run,
        "texts_compared": repaired.compared,
        "texts_told_again": repaired.told_again,
        "texts_given_back": repaired.given_back,
    })))
}

fn supabase(app: &App) -> Result<&Supabase, Problem> {
    app.edge.supabase.as_deref().ok_or_else(|| {
        Problem::new(
            Code::NotFound,
            "nothing is kept in step: set SUPABASE_DB_URL, or SUPABASE_URL with SUPABASE_SECRET_KEY, and start again",
        )
    })
}

/// How many seconds ago the database last answered; `None` when it never did.
pub(super) fn age(app: &App, told: &Told) -> Option<u64> {
    let now_ms = app.edge.clock.monotonic_ms();
    told.contact_ms.map(|at_ms| now_ms.saturating_sub(at_ms).checked_div(1000).unwrap_or_default())
}

fn peer(peer: &Peer) -> Value {
    json!({
        "id": peer.id.to_string(),
        "name": peer.name,
        "version": peer.version,
        "seen_at": told(Some(peer.seen_at)),
        "lease_until": told(peer.lease_until),
    })
}

fn conflict(conflict: &Conflict) -> Value {
    json!({
        "relation": conflict.relation,
        "row_id": conflict.row_id.to_string(),
        "column": conflict.name,
        "theirs": conflict.theirs,
        "ours": conflict.ours,
        "writer": conflict.writer,
        "times": conflict.times,
        "first_at": told(Some(conflict.first_at)),
        "last_at": told(Some(conflict.last_at)),
    })
}

fn parked(row: &Trouble) -> Value {
    json!({
        "source": row.source,
        "row_id": row.row_id.to_string(),
        "reason": row.reason,
        "detail": row.detail,
        "daemon_id": row.daemon_id.map(|id| id.to_string()),
        "parked_at": told(Some(row.parked_at)),
    })
}

fn told(at: Option<Instant>) -> Option<String> {
    at.map(|at| at.to_string())
}

impl From<SyncError> for Problem {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::Engine(error) => error.into(),
            SyncError::Away(away) => away.into(),
            SyncError::Read(error) => error.into(),
            SyncError::Call(_) | SyncError::Task(_) => Self::new(Code::Unavailable, error.to_string()),
        }
    }
}
