//! The daemon's side of Supabase: two loops between the engine and the project, one inward and one outward.
//!
//! The file on our disk is the truth for everything that was acknowledged. So either side may be away for a week: what
//! people ask waits there, what became of it waits here, and nobody sends anything that is not confirmed to be theirs.

mod changes;
mod direction;
mod error;
mod intake;
mod link;
mod outlet;
mod repair;
mod standing;
mod texts;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dunlin_sync::transport::{AnyDatabase, PostgresDatabase, RestDatabase, SetupError, Timeouts};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::config::supabase::{Supabase as Project, Way};
use crate::engine::duty::Duty;

pub use error::SyncError;
pub use link::Settings;
pub use repair::Repaired;
pub use standing::{Standing, Told};

use direction::{Direction as _, keep_up};
use intake::Intake;
use link::Link;
use outlet::{Again, Outlet};
use repair::Mend;

/// Longest time for making a connection.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Longest time for telling what is left when the daemon stops.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Both loops, and how they stand.
#[derive(Debug)]
pub struct Supabase {
    link: Arc<Link>,
    place: String,
    /// For what operators ask, beside the loops.
    database: AnyDatabase,
    loops: Mutex<Vec<JoinHandle<()>>>,
    stop: watch::Sender<bool>,
}

impl Supabase {
    /// Starts both loops.
    ///
    /// # Errors
    /// When the way to the project can't be set up. That it can't be reached is no error: it is tried again and again.
    pub fn begin(
        project: &Project,
        settings: Settings,
        duty: Arc<Duty>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SetupError> {
        let link = Arc::new(Link {
            duty,
            clock,
            standing: Arc::default(),
            settings,
            again: Again::default(),
            moved: Again::default(),
            pull_now: Notify::new(),
            push_now: Notify::new(),
        });
        let (stop, stopping) = watch::channel(false);
        let intake = Intake::new(Arc::clone(&link), open(project)?);
        let outlet = Outlet::new(Arc::clone(&link), open(project)?);
        let database = open(project)?;
        let place = database.to_string();
        tracing::info!(project = %place, "in step with Supabase from now on");
        let loops =
            vec![tokio::spawn(inward(intake, stopping.clone())), tokio::spawn(outward(outlet, stopping))];
        Ok(Self { link, place, database, loops: Mutex::new(loops), stop })
    }

    /// How things stand.
    pub fn standing(&self) -> &Standing {
        &self.link.standing
    }

    /// Where the project is, without secrets.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Looks at once, instead of when it is time to.
    pub fn pull_now(&self) {
        self.link.pull_now.notify_one();
    }

    /// Tells at once.
    pub fn push_now(&self) {
        self.link.push_now.notify_one();
    }

    /// Compares every text that the project says is ours with the store, and makes good what differs. With `dry_run`, only says
    /// what differs.
    ///
    /// # Errors
    /// [`SyncError`]; what was made good before it stays so.
    pub async fn repair(&self, dry_run: bool) -> Result<Repaired, SyncError> {
        let mend = if dry_run { Mend::Nothing } else { Mend::Everything };
        repair::repair(&self.link, &self.database, mend).await
    }

    /// Takes nothing more, tells what is left if that takes no longer than some seconds, and ends.
    pub async fn finish(&self) {
        self.stop.send_replace(true);
        let loops = std::mem::take(&mut *self.loops.lock().unwrap_or_else(PoisonError::into_inner));
        for mut running in loops {
            if tokio::time::timeout(LAST_WORDS.saturating_mul(2), &mut running).await.is_err() {
                running.abort();
            }
        }
    }
}

/// A connection to the project; nothing is tried yet.
///
/// # Errors
/// When address or key are of no use.
pub fn open(project: &Project) -> Result<AnyDatabase, SetupError> {
    let timeouts = Timeouts { connect: project.timeout.min(CONNECT_MAX), call: project.timeout };
    match &project.way {
        Way::Postgres(address) => {
            let database = PostgresDatabase::new(address.as_ref().clone(), timeouts);
            if let Some(limits) = database.limits() {
                tracing::warn!("{limits}");
            }
            Ok(AnyDatabase::Postgres(Box::new(database)))
        }
        Way::Rest { url, key } => Ok(AnyDatabase::Rest(RestDatabase::new(url, key, timeouts)?)),
    }
}

/// Looks, again and again.
async fn inward(mut intake: Intake, mut stopping: watch::Receiver<bool>) {
    let link = Arc::clone(&intake.link);
    keep_up(&link, &mut intake, &mut stopping).await;
}

/// Tells, again and again; at the end what is left.
async fn outward(mut outlet: Outlet, mut stopping: watch::Receiver<bool>) {
    let link = Arc::clone(&outlet.link);
    // The database hears nothing of whom it does not know.
    while link.standing.told().contact_ms.is_none() {
        tokio::select! {
            _stop = stopping.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
    }
    keep_up(&link, &mut outlet, &mut stopping).await;
    let rest = async { while matches!(outlet.round().await, Ok(true)) {} };
    if link.standing.told().push_error.is_none() && tokio::time::timeout(LAST_WORDS, rest).await.is_err() {
        tracing::info!("what is left is told to Supabase after the next start");
    }
}
