//! The functions over the database's own protocol, on one connection that is made anew when it broke.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Mutex, Notify};
use tokio::time::timeout;
use tokio_postgres::Client;
use tokio_postgres::error::Severity;
use tokio_postgres::types::{ToSql, Type};

use super::verdict::Refusal;
use super::{CallError, Database, Function, Timeouts};
use crate::postgres::{Address, ConnectError, Connection, connect_hearing};

/// How much longer than the database we wait: it ends what takes too long, and says so.
const GRACE: Duration = Duration::from_secs(2);

/// A database reached with a password. Connects when it is called first.
pub struct PostgresDatabase {
    address: Address,
    timeouts: Timeouts,
    /// Taken out while a call runs, so that one that was given up leaves no half answer to the next.
    slot: Mutex<Option<Connection>>,
    heard: Arc<Notify>,
}

impl PostgresDatabase {
    /// The database at `address`. Nothing is tried yet.
    pub fn new(address: Address, timeouts: Timeouts) -> Self {
        Self { address, timeouts, slot: Mutex::new(None), heard: Arc::new(Notify::new()) }
    }

    /// What the address does not allow, for people: behind a pooler that gives each transaction another connection nobody
    /// is ever woken.
    pub fn limits(&self) -> Option<String> {
        self.address.is_pooled_by_transaction().then(|| {
            format!(
                "{} is a transaction pooler (port 6543): LISTEN does not work there, so requests are found by polling only; take port 5432 of the same host, or the direct address",
                self.address
            )
        })
    }

    async fn connected(&self, function: Function) -> Result<Connection, CallError> {
        let heard = Arc::clone(&self.heard);
        let made = async {
            let connection = connect_hearing(&self.address, move || heard.notify_one()).await?;
            if let Some(session) = self.session() {
                let set = connection.client.batch_execute(&session).await;
                set.map_err(|source| ConnectError::Refused { address: self.address.to_string(), source })?;
            }
            Ok(connection)
        };
        match timeout(self.timeouts.connect, made).await {
            Ok(made) => made.map_err(|error| self.not_connected(function, error)),
            Err(_elapsed) => Err(CallError::Unreachable {
                place: self.address.to_string(),
                why: format!("no connection within {} s", self.timeouts.connect.as_secs_f32()),
            }),
        }
    }

    /// What a session of ours begins with. A transaction pooler would give it to somebody else's.
    fn session(&self) -> Option<String> {
        let limit = self.timeouts.call.as_millis();
        (!self.address.is_pooled_by_transaction()).then(|| {
            format!("set statement_timeout = {limit}; set client_min_messages = warning; listen dunlin")
        })
    }

    fn not_connected(&self, function: Function, error: ConnectError) -> CallError {
        let ConnectError::Refused { source, .. } = &error else { return CallError::Setup(error) };
        if source.as_db_error().is_some() {
            return self.refused(function, source);
        }
        let place = self.address.to_string();
        let words = source.to_string();
        if words.starts_with("invalid configuration") || words.starts_with("authentication error") {
            let remedy = "check user and password of SUPABASE_DB_URL".to_owned();
            return CallError::Unauthorized { place, why: causes(source), remedy };
        }
        if words.contains("TLS handshake") && !was_cut(source) {
            return CallError::Setup(error);
        }
        CallError::Unreachable { place, why: causes(source) }
    }

    /// What the database's refusal means, or the connection's end.
    fn refused(&self, function: Function, error: &tokio_postgres::Error) -> CallError {
        let place = self.address.to_string();
        let Some(said) = error.as_db_error() else {
            return CallError::Unreachable { place, why: causes(error) };
        };
        let refusal = Refusal {
            place: &place,
            function,
            role: self.address.role(),
            status: None,
            code: said.code().code(),
            message: said.message(),
            hint: said.hint(),
            retry_after: None,
        };
        refusal.verdict()
    }
}

impl Database for PostgresDatabase {
    async fn call(&self, function: Function, arguments: &Value) -> Result<Value, CallError> {
        let mut slot = self.slot.lock().await;
        let connection = match slot.take().filter(|connection| !connection.client.is_closed()) {
            Some(connection) => connection,
            None => self.connected(function).await?,
        };
        let limit = self.timeouts.call.saturating_add(GRACE);
        let Ok(asked) = timeout(limit, ask(&connection.client, function, arguments)).await else {
            return Err(CallError::TimedOut { place: self.address.to_string(), function, after: limit });
        };
        match asked {
            Ok(answer) => {
                *slot = Some(connection);
                let answer = answer.ok_or_else(|| "there is none".to_owned());
                let answer =
                    answer.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
                answer.map_err(|why| CallError::NotUnderstood { function, why })
            }
            Err(error) => {
                if is_refusal(&error) {
                    *slot = Some(connection);
                }
                Err(self.refused(function, &error))
            }
        }
    }

    fn woken(&self) -> impl Future<Output = ()> + Send {
        self.heard.notified()
    }
}

/// Asks in one round trip, with a statement that is not kept, so that any pooler may stand between.
async fn ask(
    client: &Client,
    function: Function,
    arguments: &Value,
) -> Result<Option<String>, tokio_postgres::Error> {
    let mut names = Vec::new();
    let mut values = Vec::new();
    for (name, kind) in function.parameters() {
        if let Some(value) = arguments.get(name) {
            values.push(text_of(value, *kind == "jsonb"));
            names.push(format!("{name} => ${}::{kind}", values.len()));
        }
    }
    let statement = format!("select public.{}({})::text", function.name(), names.join(", "));
    let mut typed: Vec<(&(dyn ToSql + Sync), Type)> = Vec::new();
    for value in &values {
        typed.push((value, Type::TEXT));
    }
    let rows = client.query_typed(&statement, &typed).await?;
    rows.first().map_or(Ok(None), |row| row.try_get(0))
}

/// An argument as text, which the database reads as the argument's type.
fn text_of(value: &Value, is_json: bool) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) if !is_json => Some(text.clone()),
        Value::String(_) | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Some(value.to_string())
        }
    }
}

/// Whether the database said no and goes on listening.
fn is_refusal(error: &tokio_postgres::Error) -> bool {
    let severity = error.as_db_error().and_then(tokio_postgres::error::DbError::parsed_severity);
    severity == Some(Severity::Error)
}

/// Whether somebody cut the connection.
fn was_cut(error: &tokio_postgres::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        if let Some(error) = next.downcast_ref::<io::Error>() {
            return error.kind() != io::ErrorKind::InvalidData && error.kind() != io::ErrorKind::Other;
        }
        cause = next.source();
    }
    false
}

/// The words of an error and of everything that caused it.
fn causes(error: &tokio_postgres::Error) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        words = format!("{words}: {next}");
        cause = next.source();
    }
    words
}

impl fmt::Display for PostgresDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

impl fmt::Debug for PostgresDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresDatabase({})", self.address)
    }
}
