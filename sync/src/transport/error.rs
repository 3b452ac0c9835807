//! What can go wrong with a call, told apart by what somebody can do about it.

use std::time::Duration;

use super::{Function, KeyError};
use crate::postgres::ConnectError;

/// Why a call did not end well.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody answered, or the connection broke. Nobody knows whether the call took effect.
    #[error("{place} can't be reached: {why}")]
    Unreachable {
        /// Where, without secrets.
        place: String,
        /// What happened.
        why: String,
    },
    /// No answer in time. Nobody knows whether the call took effect.
    #[error("{place} did not answer {function} within {} s", .after.as_secs_f32())]
    TimedOut {
        /// Where, without secrets.
        place: String,
        /// What was called.
        function: Function,
        /// How long it was given.
        after: Duration,
    },
    /// It is there and can't do it now.
    #[error("{place} can't do it now: {why}")]
    Busy {
        /// Where, without secrets.
        place: String,
        /// What it said.
        why: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// Others were faster, or held what was needed for too long; it took no effect.
    #[error("{function} had to give way: {why}")]
    Conflict {
        /// What was called.
        function: Function,
        /// What the database said.
        why: String,
    },
    /// It does not know who calls.
    #[error("{place} does not let us in: {why}; {remedy}")]
    Unauthorized {
        /// Where, without secrets.
        place: String,
        /// What it said.
        why: String,
        /// What mends it.
        remedy: String,
    },
    /// It knows who calls, and they may not.
    #[error("{function} is not allowed: {why}; {remedy}")]
    Forbidden {
        /// What was called.
        function: Function,
        /// What the database said.
        why: String,
        /// What mends it, as a statement where there is one.
        remedy: String,
    },
    /// The functions are not there.
    #[error("{function} is not there: {why}; {remedy}")]
    ContractMissing {
        /// What was called.
        function: Function,
        /// What the database said.
        why: String,
        /// What mends it.
        remedy: String,
    },
    /// Database and program don't fit together.
    #[error("the database has version {theirs} of the contract and this program knows version {ours}; {}", upgrade(*.theirs, *.ours))]
    OtherContract {
        /// The database's version.
        theirs: u64,
        /// Ours.
        ours: u64,
    },
    /// An argument is wrong: calling again with it ends the same way.
    #[error("{function} refused its arguments: {why}")]
    Refused {
        /// What was called.
        function: Function,
        /// Which argument, and what was expected.
        why: String,
    },
    /// The answer is none of the contract's.
    #[error(
        "the answer of {function} can't be understood: {why}; if migrations are pending, run dunlin migrate apply"
    )]
    NotUnderstood {
        /// What was called.
        function: Function,
        /// What is wrong with it.
        why: String,
    },
    /// This machine can't make a connection.
    #[error("no connection can be set up: {0}")]
    Setup(ConnectError),
    /// Anything else.
    #[error("{function} failed: {why}")]
    Other {
        /// What was called.
        function: Function,
        /// What was answered.
        why: String,
    },
}

impl CallError {
    /// Whether calling again later may end well without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Busy { .. } | Self::Conflict { .. } => {
                true
            }
            Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::ContractMissing { .. }
            | Self::OtherContract { .. }
            | Self::Refused { .. }
            | Self::NotUnderstood { .. }
            | Self::Setup(_)
            | Self::Other { .. } => false,
        }
    }

    /// How long the other side wants to be left alone; `None` when it did not say.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Conflict { .. }
            | Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::ContractMissing { .. }
            | Self::OtherContract { .. }
            | Self::Refused { .. }
            | Self::NotUnderstood { .. }
            | Self::Setup(_)
            | Self::Other { .. } => None,
        }
    }
}

fn upgrade(theirs: u64, ours: u64) -> &'static str {
    if theirs > ours {
        "install a newer dunlin"
    } else {
        "bring the database up to date with dunlin migrate apply"
    }
}

/// Why a way to a database can't be set up. Nothing was tried yet.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The project's address is not one.
    #[error(
        "SUPABASE_URL is \"{0}\", which is no project's address; expected one such as https://abcdefghijklmnopqrst.supabase.co, without a path"
    )]
    NotAProject(String),
    /// The key would travel in clear.
    #[error(
        "SUPABASE_URL is \"{0}\", which is neither https nor this machine; the key would travel in clear"
    )]
    NotPrivate(String),
    /// The key is none, or not one for daemons.
    #[error("the key is of no use: {0}")]
    Key(#[from] KeyError),
    /// The HTTP client can't be built.
    #[error("the HTTP client can't be built: {0}")]
    Client(#[from] reqwest::Error),
}
