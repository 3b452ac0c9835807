//! Inward: what people ask of us there becomes durable here, and only then ours.
//!
//! ```text
//! heartbeat -> pull -> changes to the engine -> texts to the engine -> acknowledge -> confirm | relinquish -> cursor
//! ```
//!
//! A text is durable before it is acknowledged, and held until it is. Whatever fails in between comes again: a claim that
//! nobody acknowledged lapses, a change is told again until the cursor is durable.

use std::sync::Arc;
use std::time::Duration;

use dunlin_storage::PullCursor;
use dunlin_sync::transport::{AnyDatabase, Database as _, heartbeat, park, pull, troubles};
use dunlin_sync::wire::{Heartbeat, Parking, Pull, Standing};
use dunlin_workflows::message::Lease;
use dunlin_workflows::timestamp::Timestamp;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::engine::duty::OnDuty;
use crate::supabase::direction::Direction;
use crate::supabase::error::SyncError;
use crate::supabase::link::Link;
use crate::supabase::repair::{Mend, repair};
use crate::supabase::standing::Told;

/// Texts that are claimed in one round.
const CLAIMS: u32 = 500;
/// Changes that are heard in one round.
const CHANGES: u32 = 500;
/// So many at once that there may be more.
const CHANGES_MANY: usize = 500;
/// How long a claim lasts: a round takes a fraction of it.
const CLAIM_FOR: Duration = Duration::from_secs(20);
/// How often a daemon without a lease says that it is there.
const BEAT: Duration = Duration::from_secs(15);
/// Least time between two looks when there was nothing more.
const BREATH: Duration = Duration::from_millis(20);
/// How far our clock may be from the database's, in milliseconds, under a lease. The contract forgives as much.
const SKEW_MAX_MS: u64 = 60_000;
/// Conflicts and parked rows that are shown.
const TROUBLES: u32 = 100;

/// The loop inward, with a connection of its own.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) link: Arc<Link>,
    pub(super) database: AnyDatabase,
    beaten_at_ms: Option<u64>,
    /// Not everything that is another daemon's by now is known: what is held for want of a confirmation stays so.
    pub(super) catching_up: bool,
    /// More changes wait: texts are claimed once all are heard, since some say who wants them and when.
    has_backlog: bool,
    /// How many seconds our clock is apart from the database's, when that is too much for a lease.
    skew: Option<u64>,
    /// Until when what is ours stays so: the monotonic clock in milliseconds, and the wall clock.
    lease_until: (u64, Timestamp),
    /// How many rows were parked, and columns written to by others, when they were last looked at.
    troubles_seen: (u64, u64),
}

impl Intake {
    pub(super) fn new(link: Arc<Link>, database: AnyDatabase) -> Self {
        Self {
            link,
            database,
            beaten_at_ms: None,
            catching_up: true,
            has_backlog: true,
            skew: None,
            lease_until: (0, Timestamp::EPOCH),
            troubles_seen: (0, 0),
        }
    }

    /// Says that this daemon is there, when it is time to.
    async fn beat(&mut self, on_duty: &OnDuty, daemon: Uuid) -> Result<(), SyncError> {
        let (now_ms, now) = (self.link.clock.monotonic_ms(), self.link.now());
        let since = self.beaten_at_ms.map(|at_ms| Duration::from_millis(now_ms.saturating_sub(at_ms)));
        let has_lapsed = on_duty.engine.lease().standing(self.link.clock.as_ref()) == Lease::Lapsed;
        if since.is_some_and(|since| since < self.beat_every()) && !has_lapsed {
            return Ok(());
        }
        let settings = &self.link.settings;
        let said = Heartbeat {
            name: settings.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            // With such a clock nothing is sent, so others may have what waits.
            lease: if self.skew.is_some() { Some(Duration::ZERO) } else { settings.lease },
        };
        let standing = self.link.answered(heartbeat(&self.database, daemon, &said).await)?;
        self.beaten_at_ms = Some(now_ms);
        let apart_ms = now.as_millis().abs_diff(standing.server_time.timestamp().as_millis());
        let is_too_far = settings.lease.is_some() && apart_ms > SKEW_MAX_MS;
        self.skew = is_too_far.then(|| apart_ms.div_euclid(1000));
        if standing.lapsed || has_lapsed || self.skew.is_some() {
            on_duty.engine.lease().lapse();
            self.catching_up = true;
        }
        // Others get what is ours when the lease lapses there, where it began later than we asked for it.
        if let Some(lease) = said.lease {
            let lease_ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
            self.lease_until = (now_ms.saturating_add(lease_ms), now.plus(lease));
            if !self.catching_up {
                // It may have lapsed since it was looked at.
                let (monotonic_ms, wall) = self.lease_until;
                let was = on_duty.engine.lease().extend(monotonic_ms, wall, self.link.clock.as_ref());
                self.catching_up = was == Lease::Lapsed;
            }
        }
        self.look_at_troubles(&standing).await?;
        self.link.standing.tell(|told| {
            told.waiting = standing.waiting;
            told.parked_there = standing.parked;
            told.conflicts_there = standing.conflicts;
            told.daemons = standing.daemons;
        });
        Ok(())
    }

    /// Three beats may fail before the lease does.
    fn beat_every(&self) -> Duration {
        self.link.settings.lease.map_or(BEAT, |lease| lease.checked_div(4).unwrap_or_default().min(BEAT))
    }

    async fn look_at_troubles(&mut self, standing: &Standing) -> Result<(), SyncError> {
        let there = (standing.parked, standing.conflicts);
        if there != self.troubles_seen {
            let found = self.link.answered(troubles(&self.database, TROUBLES).await)?;
            self.link.standing.tell(|told| told.troubles = found);
            self.troubles_seen = there;
        }
        Ok(())
    }

    /// Everything that is another daemon's is known: what waits for its confirmation gets it, and the lease is in force.
    async fn caught_up(&mut self, on_duty: &OnDuty, daemon: Uuid) -> Result<(), SyncError> {
        let now = self.link.now();
        if self.catching_up {
            let (monotonic_ms, wall) = self.lease_until;
            match self.link.settings.lease {
                Some(_) => on_duty.engine.lease().until(monotonic_ms, wall),
                None => on_duty.engine.lease().grant(),
            }
            self.confirm_waiting(on_duty, daemon).await?;
            let compared = repair(&self.link, &self.database, Mend::Older).await?;
            if compared.given_back > 0 {
                tracing::error!(
                    texts = compared.given_back,
                    "the project says that this daemon has texts which its store does not know: was a backup restored? `dunlin sync repair` gives them back"
                );
            }
            self.catching_up = false;
        }
        self.confirm_moved(on_duty, daemon).await?;
        self.link.standing.tell(|told| told.in_step_at = Some(now));
        Ok(())
    }

    async fn park(&self, daemon: Uuid, unfit: &[Parking]) -> Result<(), SyncError> {
        for row in unfit {
            tracing::warn!(row = %row.id, reason = row.reason, detail = row.detail, "a row can't be understood; it is parked until somebody mends it");
        }
        let parked = self.link.answered(park(&self.database, daemon, unfit).await)?;
        self.link.standing.tell(|told| told.parked = told.parked.saturating_add(parked));
        Ok(())
    }
}

impl Direction for Intake {
    const NAME: &'static str = "inward";

    /// At the latest when it is time to look.
    async fn idle(&self) {
        let beat = self.beat_every();
        // However often it is said that there is something.
        tokio::time::sleep(BREATH).await;
        tokio::select! {
            () = tokio::time::sleep(self.link.settings.poll.min(beat)) => {}
            () = self.database.woken() => {}
            () = self.link.pull_now.notified() => {}
        }
    }

    async fn round(&mut self) -> Result<bool, SyncError> {
        let on_duty = self.link.on_duty()?;
        let daemon = self.link.daemon(&on_duty).await?;
        self.beat(&on_duty, daemon).await?;
        let reader = on_duty.store.reader()?;
        let cursor = reader.pull_cursor()?.map(|cursor| cursor.as_str().to_owned());
        drop(reader);
        let ask = Pull {
            cursor: cursor.clone(),
            claims: if self.has_backlog || self.skew.is_some() { 0 } else { CLAIMS },
            changes: CHANGES,
            lease: CLAIM_FOR,
            age_limit: self.link.settings.age_limit,
        };
        let pulled = self.link.answered(pull(&self.database, daemon, &ask).await)?;
        let mut unfit: Vec<Parking> = Vec::new();
        self.hear(&on_duty, &pulled.changes, pulled.reset, &mut unfit).await?;
        self.take(&on_duty, daemon, &pulled.requests, &mut unfit).await?;
        if !unfit.is_empty() {
            self.park(daemon, &unfit).await?;
        }
        if cursor.as_deref() != Some(pulled.cursor.as_str()) {
            on_duty.engine.note_pulled(PullCursor::new(&pulled.cursor)?).await?;
        }
        let had_backlog = std::mem::replace(&mut self.has_backlog, pulled.changes.len() >= CHANGES_MANY);
        // Nothing is sent with such a clock, and whoever opted out is heard all the same.
        if let Some(seconds) = self.skew.filter(|_| !pulled.more) {
            return Err(SyncError::Clock { seconds });
        }
        if !pulled.more {
            self.caught_up(&on_duty, daemon).await?;
        }
        Ok(pulled.more || had_backlog)
    }

    fn error(told: &mut Told) -> &mut Option<String> {
        &mut told.pull_error
    }

    fn now(link: &Link) -> &Notify {
        &link.pull_now
    }
}
