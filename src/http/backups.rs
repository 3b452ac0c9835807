//! `/v1/backups`: taking one, and what there is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use dunlin_storage::FaultKind;
use serde::Serialize;
use serde_json::Value;

use crate::backup::{BackupError, BackupName, Listed};
use crate::engine::ROOM_AFTER;
use crate::http::App;
use crate::http::field_errors::{FieldErrors, object};
use crate::http::instant;
use crate::http::problem::{Code, Problem};
use crate::http::whole_body::JsonBody;

/// Where backups are asked for.
pub(super) const PATH: &str = "/v1/backups";
/// Longest time that somebody waits for a backup; it is completed all the same.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_hours(1);
/// Largest body, in bytes.
const BODY_MAX: usize = 1024;

/// A backup that was taken and verified.
#[derive(Debug, Serialize)]
pub(super) struct TakenJson {
    name: String,
    bytes: u64,
    head: String,
    records: u64,
    seconds: f64,
}

/// Every backup.
#[derive(Debug, Serialize)]
pub(super) struct ListJson {
    data: Vec<ListedJson>,
}

#[derive(Debug, Serialize)]
struct ListedJson {
    name: String,
    bytes: u64,
    taken_at: String,
}

/// `POST /v1/backups`: 201 only when it is verified, durable and has its name.
pub(super) async fn take(
    Extract(app): Extract<Arc<App>>,
    JsonBody(body): JsonBody<BODY_MAX>,
) -> Result<(StatusCode, Json<TakenJson>), Problem> {
    let name = named(&body)?.unwrap_or_else(|| BackupName::of(app.edge.clock.wall()));
    let on_duty = app.on_duty()?;
    // Copies and reads a whole file: not on a thread that answers others. Goes on when the caller leaves.
    let taking = tokio::task::spawn_blocking(move || {
        let copy = move |path: &Path, cache_bytes| on_duty.store.copy_to(path, cache_bytes);
        let taken = app.edge.backups.take(name, copy);
        match &taken {
            Ok(backup) => tracing::info!(
                name = %backup.name, bytes = backup.bytes, records = backup.records, head = %backup.head,
                seconds = backup.took.as_secs_f64(), "a backup was taken and verified"
            ),
            Err(error) => tracing::warn!(%error, "no backup was taken"),
        }
        taken
    });
    let backup = taking.await.map_err(|_panicked| gave_up())??;
    let taken = TakenJson {
        name: backup.name.to_string(),
        bytes: backup.bytes,
        head: backup.head.to_string(),
        records: backup.records,
        seconds: backup.took.as_secs_f64(),
    };
    Ok((StatusCode::CREATED, Json(taken)))
}

/// `GET /v1/backups`.
pub(super) async fn list(Extract(app): Extract<Arc<App>>) -> Result<Json<ListJson>, Problem> {
    let listing = tokio::task::spawn_blocking(move || app.edge.backups.list());
    let listed = listing.await.map_err(|_panicked| gave_up())??;
    Ok(Json(ListJson { data: listed.into_iter().map(ListedJson::from).collect() }))
}

/// The name in the body, if there is one.
fn named(body: &[u8]) -> Result<Option<BackupName>, Problem> {
    if body.is_empty() {
        return Ok(None);
    }
    let object = object(body)?;
    let mut wrong = FieldErrors::under("");
    wrong.unknown(&object, &["name"]);
    let name = match object.get("name") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => wrong.parse("name", Some(text), str::parse),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            wrong.add("name", "invalid", "expected a name such as before-the-move.redb".to_owned());
            None
        }
    };
    wrong.none().map(|()| name)
}

fn gave_up() -> Problem {
    Problem::new(Code::Internal, "the backup was given up; the operator's log says more")
}

impl From<Listed> for ListedJson {
    fn from(listed: Listed) -> Self {
        Self {
            name: listed.name.to_string(),
            bytes: listed.bytes,
            taken_at: instant::format(listed.taken_at),
        }
    }
}

impl From<BackupError> for Problem {
    fn from(error: BackupError) -> Self {
        let detail = error.to_string();
        match error {
            _ if error.fault_kind() == Some(FaultKind::NoRoom) => {
                Self::new(Code::NoRoom, detail).after(ROOM_AFTER)
            }
            BackupError::Exists { .. } => Self::new(Code::BackupExists, detail),
            BackupError::Running { .. } => {
                Self::new(Code::BackupRunning, detail).after(Duration::from_secs(5))
            }
            BackupError::Io { .. }
            | BackupError::Copy(_)
            | BackupError::Read(_)
            | BackupError::Archives(_)
            | BackupError::Unsound { .. }
            | BackupError::OtherHead { .. } => Self::new(Code::Internal, detail),
        }
    }
}
