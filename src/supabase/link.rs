//! What both directions share: the engine on duty, the way to the database, and how things stand.

use std::sync::Arc;
use std::time::Duration;

use dunlin_sync::transport::CallError;
use dunlin_workflows::phone_number::Region;
use dunlin_workflows::rules::Rules;
use dunlin_workflows::timestamp::Timestamp;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::clock::Clock;
use crate::engine::duty::{Duty, OnDuty};
use crate::supabase::error::SyncError;
use crate::supabase::outlet::Again;
use crate::supabase::standing::Standing;

/// What is read and said on behalf of one project.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) duty: Arc<Duty>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) standing: Arc<Standing>,
    pub(super) settings: Settings,
    /// Texts to tell of although nothing happened to them since.
    pub(super) again: Again,
    /// Texts of whose new time the database was told: those that waited for that are confirmed.
    pub(super) moved: Again,
    /// Somebody wants a look at once.
    pub(super) pull_now: Notify,
    /// Somebody wants everything told at once.
    pub(super) push_now: Notify,
}

/// What the loops are told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the daemon is called there.
    pub name: String,
    /// How long what it has is its own; for good when `None`.
    pub lease: Option<Duration>,
    /// How often it looks.
    pub poll: Duration,
    /// How overdue a text may be that is still taken.
    pub age_limit: Duration,
    /// Where numbers without a country code belong.
    pub region: Option<Region>,
    /// The rules in force.
    pub rules: Rules,
}

impl Link {
    /// Whoever is on duty. Held for one round only.
    pub(super) fn on_duty(&self) -> Result<Arc<OnDuty>, SyncError> {
        self.duty.now().map_err(SyncError::Away)
    }

    /// The name of the store that is on duty.
    pub(super) async fn daemon(&self, on_duty: &OnDuty) -> Result<Uuid, SyncError> {
        Ok(Uuid::from_bytes(*on_duty.engine.daemon_id().await?.as_bytes()))
    }

    /// Notes an answer of the database.
    pub(super) fn answered<T>(&self, answer: Result<T, CallError>) -> Result<T, SyncError> {
        let answer = answer?;
        let (now_ms, now) = (self.clock.monotonic_ms(), self.clock.wall());
        self.standing.tell(|told| (told.contact_ms, told.contact_at) = (Some(now_ms), Some(now)));
        Ok(answer)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.wall()
    }
}
