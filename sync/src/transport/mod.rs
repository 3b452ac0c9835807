//! The two ways to the functions of the contract: HTTPS with a secret key, and the database's own protocol.
//!
//! Both call the same functions with the same arguments and get the same answers. Neither tries again by itself: every
//! function may be called again with the same arguments, and whoever calls knows best when. What goes wrong is told
//! apart by what somebody can do about it ([`CallError`]).

mod call; // the functions with types
mod error;
mod function;
mod key;
mod postgres;
mod rest;
mod verdict; // what a refusal means

use std::future::Future;

use serde_json::Value;

pub use call::{acknowledge, give_back, heartbeat, held, park, pull, push, troubles};
pub use error::{CallError, SetupError};
pub use function::Function;
pub use key::{KeyError, ServiceKey};
pub use postgres::PostgresDatabase;
pub use rest::RestDatabase;

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Making a connection, whose password or certificate is checked meanwhile.
    pub connect: std::time::Duration,
    /// One call, from asking to the last byte of the answer.
    pub call: std::time::Duration,
}

impl Default for Timeouts {
    /// 10 seconds to connect, 60 for a call: Supabase's gateway gives a request no more.
    fn default() -> Self {
        Self { connect: std::time::Duration::from_secs(10), call: std::time::Duration::from_mins(1) }
    }
}

/// A database that has the contract.
pub trait Database: Send + Sync {
    /// Calls one function. `arguments` is an object of its named arguments.
    ///
    /// # Errors
    /// [`CallError`]. After a transient one nobody knows whether the call took effect.
    fn call(
        &self,
        function: Function,
        arguments: &Value,
    ) -> impl Future<Output = Result<Value, CallError>> + Send;

    /// Comes back when there may be something for us: one waits at a time. A hint that may come for nothing or not at
    /// all; polling finds the same.
    fn woken(&self) -> impl Future<Output = ()> + Send;
}

/// A database reached either way.
#[derive(Debug)]
pub enum AnyDatabase {
    /// By HTTPS.
    Rest(RestDatabase),
    /// By the database's own protocol.
    Postgres(Box<PostgresDatabase>),
}

impl Database for AnyDatabase {
    async fn call(&self, function: Function, arguments: &Value) -> Result<Value, CallError> {
        match self {
            Self::Rest(rest) => rest.call(function, arguments).await,
            Self::Postgres(postgres) => postgres.call(function, arguments).await,
        }
    }

    async fn woken(&self) {
        match self {
            Self::Rest(rest) => rest.woken().await,
            Self::Postgres(postgres) => postgres.woken().await,
        }
    }
}

/// Says where it is.
impl std::fmt::Display for AnyDatabase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rest(rest) => rest.fmt(f),
            Self::Postgres(postgres) => postgres.fmt(f),
        }
    }
}
