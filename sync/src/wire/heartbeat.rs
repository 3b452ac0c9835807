//! A daemon says that it is there.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use super::fields::Fields;
use super::{FieldError, Instant};

/// The version of the contract that this program knows.
pub const CONTRACT: u64 = 1;

/// What a daemon says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// Its name, for people; 100 characters are kept.
    pub name: String,
    /// Its version; 100 characters are kept.
    pub version: String,
    /// For how long it keeps what it acknowledges, 5 s to 1 h in whole seconds; `None`: for good; zero: others may have it.
    pub lease: Option<Duration>,
}

impl Heartbeat {
    /// The function's arguments.
    pub fn arguments(&self, daemon: Uuid) -> Value {
        json!({
            "p_daemon": daemon.to_string(),
            "p_name": self.name,
            "p_version": self.version,
            "p_lease_seconds": self.lease.map(|lease| lease.as_secs()),
        })
    }
}

/// A daemon that was ever there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its id.
    pub id: Uuid,
    /// Its name, for people.
    pub name: String,
    /// Its version.
    pub version: String,
    /// When it was there last.
    pub seen_at: Instant,
    /// Until when it keeps what it acknowledged; `None`: for good.
    pub lease_until: Option<Instant>,
}

/// How things stand between a daemon and the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The database's clock.
    pub server_time: Instant,
    /// The version of the contract that the database has.
    pub contract: u64,
    /// Until when what is acknowledged is this daemon's; `None`: for good.
    pub lease_until: Option<Instant>,
    /// The lease before this one had lapsed: pull to the end before sending anything.
    pub lapsed: bool,
    /// Requests that nobody claimed.
    pub waiting: u64,
    /// Rows that nobody mended.
    pub parked: u64,
    /// Rows of `dunlin.conflicts`.
    pub conflicts: u64,
    /// Everybody who was ever there, the latest first.
    pub daemons: Vec<Peer>,
}

impl Standing {
    /// Reads the answer.
    ///
    /// # Errors
    /// [`FieldError`], which names the field.
    pub fn read(answer: &Value) -> Result<Self, FieldError> {
        let fields = Fields::of("the answer", answer)?;
        Ok(Self {
            server_time: fields.instant("server_time")?,
            contract: Self::contract(answer)?,
            lease_until: fields.maybe_instant("lease_until")?,
            lapsed: fields.flag("lapsed")?,
            waiting: fields.count("waiting")?,
            parked: fields.count("parked")?,
            conflicts: fields.count("conflicts")?,
            daemons: fields.list("daemons")?.iter().map(peer).collect::<Result<_, _>>()?,
        })
    }

    /// The version of the contract alone, which every version's answer has.
    ///
    /// # Errors
    /// [`FieldError`] when it has none.
    pub fn contract(answer: &Value) -> Result<u64, FieldError> {
        Fields::of("the answer", answer)?.count("contract")
    }
}

fn peer(value: &Value) -> Result<Peer, FieldError> {
    let fields = Fields::of("daemons", value)?;
    Ok(Peer {
        id: fields.id("id")?,
        name: fields.text("name")?,
        version: fields.text("version")?,
        seen_at: fields.instant("seen_at")?,
        lease_until: fields.maybe_instant("lease_until")?,
    })
}
