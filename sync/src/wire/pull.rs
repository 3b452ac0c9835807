//! Requests that a daemon claims, and changes that it hears of.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use super::fields::Fields;
use super::{Change, FieldError, Instant, Request, UnreadableChange, UnreadableRequest};

/// What a daemon asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// Where the answer before ended; `None` starts over.
    pub cursor: Option<String>,
    /// At most so many requests, 0 to 1,000.
    pub claims: u32,
    /// At most so many changes, 1 to 1,000.
    pub changes: u32,
    /// For how long requests are claimed, 5 s to 1 h in whole seconds.
    pub lease: Duration,
    /// What was due longer ago is parked, 1 min to 365 days in whole seconds.
    pub age_limit: Duration,
}

impl Default for Pull {
    /// 100 requests for a minute, 500 changes, a day, from the start.
    fn default() -> Self {
        Self {
            cursor: None,
            claims: 100,
            changes: 500,
            lease: Duration::from_mins(1),
            age_limit: Duration::from_hours(24),
        }
    }
}

impl Pull {
    /// The function's arguments.
    pub fn arguments(&self, daemon: Uuid) -> Value {
        json!({
            "p_daemon": daemon.to_string(),
            "p_cursor": self.cursor,
            "p_claims": self.claims,
            "p_changes": self.changes,
            "p_lease_seconds": self.lease.as_secs(),
            "p_age_limit_seconds": self.age_limit.as_secs(),
        })
    }
}

/// What a daemon got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// The database's clock.
    pub server_time: Instant,
    /// Claimed texts, urgent ones first; each one that can't be read says why.
    pub requests: Vec<Result<Request, UnreadableRequest>>,
    /// Rows as they are now; each one that can't be read says why.
    pub changes: Vec<Result<Change, UnreadableChange>>,
    /// Where to go on, once the changes are durable. Opaque, at most some kilobytes.
    pub cursor: String,
    /// Ask again at once.
    pub more: bool,
    /// Everything comes again from the start.
    pub reset: bool,
}

impl Pulled {
    /// Reads the answer.
    ///
    /// # Errors
    /// [`FieldError`] for what is not of one row: then nothing of the answer can be trusted.
    pub fn read(answer: &Value) -> Result<Self, FieldError> {
        let fields = Fields::of("the answer", answer)?;
        Ok(Self {
            server_time: fields.instant("server_time")?,
            requests: fields.list("requests")?.iter().map(Request::read).collect(),
            changes: fields.list("changes")?.iter().map(Change::read).collect(),
            cursor: fields.text("cursor")?,
            more: fields.flag("more")?,
            reset: fields.flag("reset")?,
        })
    }
}
