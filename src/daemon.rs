//! The composition root: opens the store, finds the provider, starts the engine and the edge, and
//! stops them in order.

use std::fs::{DirBuilder, OpenOptions as OpenFile};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dunlin_storage::{
    Entropy, FaultKind, Head, NEWCOMERS_MAX, OpenError, OpenOptions, OpenReport, Store, Without, compact,
};
use dunlin_workflows::rules::Sending;
use dunlin_workflows::verification;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinHandle};

use crate::announcement::{Up, announce};
use crate::archivist;
use crate::backup::Backups;
use crate::clock::{Clock, SystemClock};
use crate::config::account::{Account, Destination};
use crate::config::resolve::Values;
use crate::config::verification::Verification;
use crate::config::{Config, STATUS_PATH};
use crate::engine::dispatcher::DispatchLimits;
use crate::engine::duty::{Away, Duty};
use crate::engine::lease::LeaseHandle;
use crate::engine::verifications::Verifying;
use crate::engine::verify_service::VerifyService;
use crate::engine::{Ended, Engine, EngineConfig, StartError};
use crate::events::{Events, ReceiverError};
use crate::http::{self, App, Edge, Mode, ServeLimits, WebhookConfig};
use crate::id_source::{IdSource, SystemIds};
use crate::keeper::Keeper;
use crate::keys::KeysError;
use crate::opt_out_link::OptOutLinks;
use crate::room::Room;
use crate::sandbox::{Faults, Sandbox, SandboxConfig};
use crate::shutdown::Shutdown;
use crate::supabase::{self, Supabase};
use crate::templates;
use crate::timeline::written;
use crate::trial_account::TrialAccount;
use crate::twilio::{Credentials, Twilio, TwilioConfig, TwilioError, TwilioVerify};

/// The store's file, inside the data directory.
pub const STORE_FILE: &str = "dunlin.redb";

/// Longest time to answer the requests that are being read when the stop begins.
const EDGE_STOP_MAX: Duration = Duration::from_secs(5);
/// How often closing the store is tried while somebody still holds it.
const CLOSE_TRIES: u32 = 200;
/// Wait between two tries.
const CLOSE_WAIT: Duration = Duration::from_millis(5);
/// Most questions (searches, polls) with the provider at once.
const QUESTIONS_MAX: usize = 8;

/// The daemon can't start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The data directory can't be used.
    #[error("the data directory {path} can't be used: {source}")]
    Data {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has the store.
    #[error("{path} is in use: another daemon runs on it; stop that one, or choose another DUNLIN_DATA")]
    InUse {
        /// The store's file.
        path: PathBuf,
    },
    /// There are no usable keys.
    #[error(transparent)]
    Keys(KeysError),
    /// The head of the journal can't be noted.
    #[error("DUNLIN_HEADS {path}: {source}")]
    Heads {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store can't be opened.
    #[error(transparent)]
    Open(OpenError),
    /// The address is taken or not ours.
    #[error("can't listen on {address}: {source}; choose another DUNLIN_LISTEN")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The sandbox can't start.
    #[error("the sandbox can't start: {0}")]
    Sandbox(#[source] io::Error),
    /// The provider's client can't be set up.
    #[error(transparent)]
    Provider(#[from] TwilioError),
    /// The engine can't start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The way to Supabase can't be set up.
    #[error(transparent)]
    Supabase(#[from] dunlin_sync::transport::SetupError),
    /// The way to the product's own server can't be set up.
    #[error(transparent)]
    Events(#[from] ReceiverError),
    /// The edge failed.
    #[error("the HTTP server failed: {0}")]
    Serve(#[source] io::Error),
    /// The engine ended because it could not go on; a restart recovers.
    #[error("the engine stopped: {0}; what was acknowledged is durable, restart to recover")]
    Engine(String),
    /// The disk failed: nothing is to be started on it again without a look.
    #[error("the disk under the store failed: {0}; check the disk, and restore a backup if it is broken")]
    Disk(String),
    /// A second signal came before the stop was over.
    #[error("stopped at once; requests on the wire will be looked up after the restart")]
    Impatient,
    /// Standard streams or signals failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Runs the daemon until a signal stops it. `without` is for the bench alone: then the store is a new one
/// that nothing opens again.
///
/// # Errors
/// [`DaemonError`]; nothing acknowledged is lost by any of them.
pub async fn run(config: Config, values: &Values, without: Option<Without>) -> Result<(), DaemonError> {
    let shutdown = Shutdown::listen()?;
    stand(config, without, shutdown, |up| announce(up, values)).await
}

/// Runs a daemon until `shutdown`, and tells `up` once it stands.
///
/// # Errors
/// As [`run`].
pub async fn stand(
    config: Config,
    without: Option<Without>,
    mut shutdown: Shutdown,
    up: impl FnOnce(&Up<'_>) -> Result<(), DaemonError>,
) -> Result<(), DaemonError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let ids: Arc<dyn IdSource> = Arc::new(SystemIds);
    let (store, report, options) = open(&config, clock.as_ref(), ids.as_ref(), without)?;
    note_head(&config, clock.as_ref(), "start", report.head)?;
    let (store, noting) = (Arc::new(store), Arc::clone(&clock));
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|source| DaemonError::Listen { address: config.listen, source })?;
    let address = listener.local_addr()?;
    let public_url = config.public_url.clone().unwrap_or_else(|| format!("http://{address}"));

    let callback_key = *store.callback_key();
    let (account, _sandbox) = account(&config, &clock, ids.as_ref()).await?;
    let provider = provider(&config, &account, &public_url, callback_key);
    let verifying = verifying(&config, &account, &provider)?;
    let twilio = Arc::new(Twilio::new(provider)?);
    let keeper =
        keeper(&config, Arc::clone(&clock), Arc::clone(&ids), (twilio, verifying), (store, options))?;
    let (mode, supabase) = (mode(&config), supabase(&config, keeper.duty(), &clock)?);
    begin_templates(keeper.duty()).await;
    let events = Events::begin(config.events.as_ref(), keeper.duty(), &clock)?;
    let edge = Edge {
        duty: Arc::clone(keeper.duty()),
        room: Room::new(config.data.clone(), config.disk_free_min),
        backups: Backups::new(config.backups.clone(), config.data.clone(), config.cache_bytes),
        clock,
        ids,
        webhook: webhook(&account, public_url, callback_key),
        api_keys: config.api_keys.clone().with_token(config.api_token.as_ref()),
        default_region: config.default_region,
        rules: config.rules.clone(),
        opt_out_links: config.public_url.as_deref().map(OptOutLinks::below),
        hook_secrets: config.verification.hook_secrets.clone(),
        mode,
        supabase: supabase.clone(),
        events: events.clone(),
    };
    let app = Arc::new(App::new(edge));
    up(&Up { address, config: &config, mode, report: &report, app: &app })?;
    let (stop, mut stopping) = tokio::sync::watch::channel(false);
    // The sender going away means the same as its word.
    let stops = async move { drop(stopping.wait_for(|stop| *stop).await) };
    archivist::begin(keeper.duty(), app.clock(), config.archive_after, stop.subscribe());
    let mut serving = tokio::spawn(http::serve(listener, http::routes(app), ServeLimits::default(), stops));
    tokio::select! {
        () = shutdown.asked() => {}
        ended = keeper.keep() => {
            keeper.duty().end(Away::Failed);
            return Err(reason(ended));
        }
        served = &mut serving => return Err(gone(served)),
    }
    stop.send_replace(true);
    tracing::info!("stopping; requests on the wire may finish, nothing new starts");
    tokio::select! {
        stopped = wind_down(serving, keeper.duty(), config.drain, (supabase, events)) => stopped?,
        () = shutdown.asked() => return Err(DaemonError::Impatient),
    }
    let Ok(on_duty) = keeper.duty().now() else {
        tracing::warn!("stopped while the disk was full; what was acknowledged is durable");
        return Ok(());
    };
    keeper.duty().end(Away::Stopping);
    let (ours, head) = (Arc::clone(&on_duty.store), on_duty.store.head());
    drop(on_duty);
    close(ours).await;
    note_head(&config, noting.as_ref(), "stop", head)?;
    tracing::info!(%head, "stopped");
    Ok(())
}

/// Puts the templates to start with into the store. What is missing is no reason not to send.
async fn begin_templates(duty: &Duty) {
    let Ok(on_duty) = duty.now() else { return };
    if let Err(error) = templates::begin(&on_duty.engine, &on_duty.store).await {
        tracing::warn!(%error, "some templates to start with are missing; the next start tries again");
    }
}

/// Opens the store, creating its directory for this user alone.
fn open(
    config: &Config,
    clock: &dyn Clock,
    ids: &dyn IdSource,
    without: Option<Without>,
) -> Result<(Store, OpenReport, OpenOptions), DaemonError> {
    let unusable = |source| DaemonError::Data { path: config.data.clone(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(&config.data).map_err(unusable)?;
    let path = config.data.join(STORE_FILE);
    let keys = config.keys.find_or_make(&path).map_err(|error| {
        if let KeysError::Store(OpenError::InUse { path }) = error {
            DaemonError::InUse { path }
        } else {
            DaemonError::Keys(error)
        }
    })?;
    if keys.made {
        tracing::warn!(
            file = keys.origin,
            "new keys were made; keep a copy apart from your backups: without them nobody can read the store"
        );
    }
    let options = OpenOptions {
        now: clock.wall(),
        cache_bytes: config.cache_bytes,
        callback_key: ids.secret(),
        keys: keys.ring,
        entropy: Entropy::system(),
        check_integrity: false,
        newcomers_max: NEWCOMERS_MAX,
    };
    if let Some(without) = without {
        tracing::warn!(
            left_out = without.as_str(),
            "FOR MEASURING ONLY: this store is not what dunlin promises, and nothing will open it again"
        );
        let (store, report) = Store::measured(&path, &options, without).map_err(refused)?;
        return Ok((store, report, options));
    }
    let (store, report) = Store::open(&path, &options).map_err(refused)?;
    if let Some(from) = report.upgraded_from {
        tracing::info!(from, "the store was upgraded");
    }
    if !report.is_unclean {
        return Ok((store, report, options));
    }
    tracing::info!("the store is rewritten once, without its free pages: they hold what was kept in clear");
    store.close().map_err(|fault| DaemonError::Open(fault.into()))?;
    compact(&path, config.cache_bytes).map_err(refused)?;
    let upgraded_from = report.upgraded_from;
    let (store, report) = Store::open(&path, &options).map_err(refused)?;
    Ok((store, OpenReport { upgraded_from, ..report }, options))
}

fn refused(error: OpenError) -> DaemonError {
    if let OpenError::InUse { path } = error { DaemonError::InUse { path } } else { DaemonError::Open(error) }
}

/// Starts an engine on the store, and whoever gets another one when the disk was full.
fn keeper(
    config: &Config,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    (twilio, verifying): (Arc<Twilio>, Verifying),
    (store, options): (Arc<Store>, OpenOptions),
) -> Result<Keeper, StartError> {
    let path = config.data.join(STORE_FILE);
    let open = move || {
        // One that is gone must not be taken for one that never was.
        std::fs::metadata(&path).map_err(|source| OpenError::Io { path: path.clone(), source })?;
        Ok(Store::open(&path, &options)?.0)
    };
    let config = config.clone();
    let start = move |store| {
        let provider = Arc::<Twilio>::clone(&twilio);
        Engine::start(store, provider, Arc::clone(&clock), engine_config(&config, &verifying, ids.as_ref()))
    };
    Keeper::begin(store, open, start)
}

/// Appends the head of the journal to the operator's file: a journal that does not continue it was
/// rewritten or cut.
fn note_head(config: &Config, clock: &dyn Clock, when: &str, head: Head) -> Result<(), DaemonError> {
    let Some(path) = &config.heads_file else { return Ok(()) };
    let failed = |source| DaemonError::Heads { path: path.clone(), source };
    let mut file = OpenFile::new().append(true).create(true).mode(0o600).open(path).map_err(failed)?;
    writeln!(file, "{} {when} {head}", written(clock.wall())).map_err(failed)?;
    file.sync_all().map_err(failed)
}

/// The account to send as: the configured one, or one at a carrier of our own that lives as long as
/// the second value.
async fn account(
    config: &Config,
    clock: &Arc<dyn Clock>,
    ids: &dyn IdSource,
) -> Result<(Account, Option<Sandbox>), DaemonError> {
    if let Destination::Live(account) = &config.destination {
        return Ok((account.as_ref().clone(), None));
    }
    let trial = TrialAccount::draw(ids);
    let config = SandboxConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        account_sid: trial.account_sid.clone(),
        auth_token: trial.auth_token.clone(),
        faults: Faults::default(),
    };
    let sandbox = Sandbox::start(config, Arc::clone(clock)).await.map_err(DaemonError::Sandbox)?;
    Ok((trial.at(sandbox.base_url()), Some(sandbox)))
}

fn provider(config: &Config, account: &Account, public_url: &str, callback_key: [u8; 32]) -> TwilioConfig {
    TwilioConfig {
        base_url: account.api_base_url.clone(),
        account_sid: account.account_sid.clone(),
        credentials: match &account.api_key {
            Some(key) => Credentials::ApiKey { sid: key.sid.clone(), secret: key.secret.clone() },
            None => Credentials::AuthToken(account.auth_token.clone()),
        },
        sender: account.sender.clone(),
        status_callback_url: format!("{public_url}{STATUS_PATH}"),
        callback_key,
        connect_timeout: config.provider_connect_timeout,
        timeout: config.provider_timeout,
    }
}

/// What webhooks of the provider are checked with.
fn webhook(account: &Account, public_base_url: String, callback_key: [u8; 32]) -> WebhookConfig {
    let tokens = [Some(account.auth_token.clone()), account.auth_token_secondary.clone()];
    WebhookConfig {
        public_base_url,
        account_sid: account.account_sid.clone(),
        auth_tokens: tokens.into_iter().flatten().collect(),
        callback_key,
    }
}

/// How numbers are proven: by the provider's service when the account has one, else with codes of ours.
fn verifying(config: &Config, account: &Account, provider: &TwilioConfig) -> Result<Verifying, TwilioError> {
    let service = match &account.verify {
        Some(verify) => {
            let service = TwilioVerify::new(provider, &verify.api_base_url, &verify.service_sid)?;
            let service: Arc<dyn VerifyService> = Arc::new(service);
            Some(service)
        }
        None => None,
    };
    let Verification { wording, allowances, .. } = config.verification.clone();
    Ok(Verifying { rules: verification::Rules::default(), allowances, wording, service })
}

fn engine_config(config: &Config, verifying: &Verifying, ids: &dyn IdSource) -> EngineConfig {
    EngineConfig {
        rules: config.rules.clone(),
        limits: DispatchLimits {
            concurrency: config.provider_concurrency,
            segments_per_second: config.sender_rate,
        },
        queue_bytes_max: config.queue_bytes,
        timer_horizon: config.timer_horizon,
        idempotency_retention: config.idempotency_retention,
        orphan_retention: config.orphan_retention,
        questions_max: QUESTIONS_MAX,
        verifying: verifying.clone(),
        // With a lease nothing that was claimed leaves before somebody gave it one.
        lease: match &config.supabase {
            Some(project) if project.lease.is_some() => LeaseHandle::lapsed(),
            Some(_) | None => LeaseHandle::unlimited(),
        },
        seed: ids.secret().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)),
    }
}

/// Keeps in step with a Supabase project from now on, if there is one.
fn supabase(
    config: &Config,
    duty: &Arc<Duty>,
    clock: &Arc<dyn Clock>,
) -> Result<Option<Arc<Supabase>>, DaemonError> {
    let Some(project) = &config.supabase else { return Ok(None) };
    let settings = supabase::Settings {
        name: project.name.clone(),
        lease: project.lease,
        poll: project.poll,
        age_limit: project.age_limit,
        region: config.default_region,
        rules: config.rules.clone(),
    };
    let begun = Supabase::begin(project, settings, Arc::clone(duty), Arc::clone(clock))?;
    Ok(Some(Arc::new(begun)))
}

fn mode(config: &Config) -> Mode {
    match (config.rules.sending, &config.destination) {
        (Sending::Disabled, _) => Mode::Off,
        (Sending::Enabled, Destination::Live(_)) => Mode::Live,
        (Sending::Enabled, Destination::Sandbox) => Mode::Sandbox,
    }
}

fn reason(ended: Ended) -> DaemonError {
    match ended {
        Ended::Failed { kind: FaultKind::Disk, why } => DaemonError::Disk(why),
        Ended::Failed { kind: FaultKind::NoRoom | FaultKind::Engine, why } => DaemonError::Engine(why),
        Ended::Stopped => DaemonError::Engine("nobody asked it to".to_owned()),
    }
}

/// The server ended although nobody asked it to.
fn gone(served: Result<io::Result<()>, JoinError>) -> DaemonError {
    let error = match served {
        Ok(Ok(())) => io::Error::other("it ended by itself"),
        Ok(Err(error)) => error,
        Err(panicked) => io::Error::other(panicked),
    };
    DaemonError::Serve(error)
}

/// First no more connections, then no more requests to the provider, then the writer.
async fn wind_down(
    serving: JoinHandle<io::Result<()>>,
    duty: &Duty,
    longest: Duration,
    (supabase, events): (Option<Arc<Supabase>>, Option<Arc<Events>>),
) -> Result<(), DaemonError> {
    let served = tokio::time::timeout(EDGE_STOP_MAX, serving).await;
    if let Some(supabase) = supabase {
        supabase.finish().await;
    }
    if let Some(events) = events {
        events.finish().await;
    }
    if let Ok(on_duty) = duty.now() {
        on_duty.engine.drain(longest).await;
        let ended = on_duty.engine.ended().await;
        if ended != Ended::Stopped {
            return Err(reason(ended));
        }
    }
    // A caller that does not hang up in time must not keep the daemon from stopping.
    if let Ok(Ok(Err(error))) = served {
        return Err(DaemonError::Serve(error));
    }
    Ok(())
}

/// Closes the store, so that the next start need not verify every page of it. Whoever still holds it
/// (a connection that does not end) gets a moment; a store left open loses nothing.
async fn close(mut store: Arc<Store>) {
    for _ in 0..CLOSE_TRIES {
        match Arc::try_unwrap(store) {
            Ok(store) => {
                if let Err(error) = store.close() {
                    tracing::warn!(%error, "the store did not close in order; the next start repairs it");
                }
                return;
            }
            Err(shared) => store = shared,
        }
        tokio::time::sleep(CLOSE_WAIT).await;
    }
    tracing::warn!("somebody still reads the store; the next start repairs it");
}
