//! The functions of the contract with types.

use dunlin_workflows::id::MessageId;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{CallError, Database, Function};
use crate::wire::{
    Acknowledged, Batch, CONTRACT, Claim, FieldError, Heartbeat, Held, Parking, Pull, Pulled, Pushed,
    Standing, Troubles, parked,
};

/// Says that a daemon is there. First of all, and then more often than its lease is long.
///
/// # Errors
/// [`CallError`]; [`CallError::OtherContract`] when database and program don't fit together.
pub async fn heartbeat(
    database: &impl Database,
    daemon: Uuid,
    heartbeat: &Heartbeat,
) -> Result<Standing, CallError> {
    let answer = database.call(Function::Heartbeat, &heartbeat.arguments(daemon)).await?;
    // First of all: another version may answer something else.
    let theirs = understood(Function::Heartbeat, Standing::contract(&answer))?;
    if theirs != CONTRACT {
        return Err(CallError::OtherContract { theirs, ours: CONTRACT });
    }
    understood(Function::Heartbeat, Standing::read(&answer))
}

/// Claims requests, and hears of changes.
///
/// # Errors
/// [`CallError`]. A row that can't be read is none: it stands in the answer.
pub async fn pull(database: &impl Database, daemon: Uuid, pull: &Pull) -> Result<Pulled, CallError> {
    let answer = database.call(Function::Pull, &pull.arguments(daemon)).await?;
    understood(Function::Pull, Pulled::read(&answer))
}

/// Says that claimed texts are durable. What comes back as lost must not be sent.
///
/// # Errors
/// [`CallError`].
pub async fn acknowledge(
    database: &impl Database,
    daemon: Uuid,
    accepted: &[Claim],
) -> Result<Acknowledged, CallError> {
    let answer = database.call(Function::Acknowledge, &Claim::arguments(daemon, accepted)).await?;
    understood(Function::Acknowledge, Acknowledged::read(&answer))
}

/// Keeps claimed texts that can't be understood out of the way. Answers how many; a claim that lapsed is not ours to park.
///
/// # Errors
/// [`CallError`].
pub async fn park(database: &impl Database, daemon: Uuid, rows: &[Parking]) -> Result<u64, CallError> {
    let answer = database.call(Function::Park, &Parking::arguments(daemon, rows)).await?;
    understood(Function::Park, parked(&answer))
}

/// Tells what became of texts, people and counts.
///
/// # Errors
/// [`CallError`]. A row that the database refuses is none: it stands in the answer.
pub async fn push(database: &impl Database, daemon: Uuid, batch: &Batch) -> Result<Pushed, CallError> {
    let arguments = batch
        .arguments(daemon)
        .map_err(|error| CallError::Refused { function: Function::Push, why: error.to_string() })?;
    let answer = database.call(Function::Push, &arguments).await?;
    understood(Function::Push, Pushed::read(&answer))
}

/// What a person should look at, newest first, at most `limit` (1,000) of each kind.
///
/// # Errors
/// [`CallError`].
pub async fn troubles(database: &impl Database, limit: u32) -> Result<Troubles, CallError> {
    let arguments: Value = json!({"p_limit": limit});
    let answer = database.call(Function::Troubles, &arguments).await?;
    understood(Function::Troubles, Troubles::read(&answer))
}

/// Texts that the daemon has and did not finish, in the order of their ids, after `after`; at most `limit` (1,000).
///
/// # Errors
/// [`CallError`].
pub async fn held(
    database: &impl Database,
    daemon: Uuid,
    after: Option<MessageId>,
    limit: u32,
) -> Result<Vec<Held>, CallError> {
    let after = after.map(|id| id.to_string());
    let arguments = json!({"p_daemon": daemon.to_string(), "p_after": after, "p_limit": limit});
    let answer = database.call(Function::Held, &arguments).await?;
    understood(Function::Held, Held::read_all(&answer))
}

/// Says which texts the daemon does not know. They wait again, for anybody, to be looked up first. Answers how many.
///
/// # Errors
/// [`CallError`].
pub async fn give_back(database: &impl Database, daemon: Uuid, ids: &[MessageId]) -> Result<u64, CallError> {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let arguments = json!({"p_daemon": daemon.to_string(), "p_ids": ids});
    let answer = database.call(Function::GiveBack, &arguments).await?;
    understood(Function::GiveBack, Held::given_back(&answer))
}

fn understood<T>(function: Function, read: Result<T, FieldError>) -> Result<T, CallError> {
    read.map_err(|why| CallError::NotUnderstood { function, why: why.to_string() })
}
