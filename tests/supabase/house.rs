//! A daemon's inside in this process, with a clock that can be moved.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use dunlin::clock::{Clock, SystemClock};
use dunlin::config::supabase::{Supabase as Project, Way};
use dunlin::engine::dispatcher::DispatchLimits;
use dunlin::engine::duty::{Duty, OnDuty};
use dunlin::engine::lease::LeaseHandle;
use dunlin::engine::verifications::Verifying;
use dunlin::engine::{Engine, EngineConfig};
use dunlin::sandbox::{Faults, Sandbox, SandboxConfig};
use dunlin::supabase::{Settings, Supabase};
use dunlin::twilio::{Credentials, Sender, Twilio, TwilioConfig};
use dunlin_storage::{Entropy, Keyring, NEWCOMERS_MAX, OpenOptions, Store};
use dunlin_sync::postgres::Address;
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::policy::{Limits, Verified};
use dunlin_workflows::rules::Rules;
use dunlin_workflows::timestamp::Timestamp;
use secrecy::SecretString;
use serde_json::Value;
use tempfile::TempDir;

use crate::database::Database;
use crate::stage::get;

const ACCOUNT: &str = "AC00000000000000000000000000000000";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// How many there are.
static HOUSES: AtomicU64 = AtomicU64::new(1);
const CALLBACK_KEY: [u8; 32] = [7; 32];

/// Store, engine and both loops, and a carrier. Reports are asked for, since nothing listens for them.
pub(crate) struct House {
    clock: Arc<MovedClock>,
    sandbox: Sandbox,
    duty: Arc<Duty>,
    supabase: Supabase,
    _dir: TempDir,
}

/// The machine's clock, moved.
#[derive(Debug)]
struct MovedClock {
    real: SystemClock,
    ahead_ms: AtomicI64,
}

impl Clock for MovedClock {
    fn wall(&self) -> Timestamp {
        let real = self.real.wall().as_millis();
        Timestamp::from_millis(real.saturating_add(self.ahead_ms.load(Ordering::SeqCst)))
    }

    fn monotonic_ms(&self) -> u64 {
        self.real.monotonic_ms()
    }
}

impl House {
    /// Beside a migrated database, whose users need not prove their numbers.
    pub(crate) async fn beside(database: &Database) -> Self {
        Self::leased(database, None).await
    }

    /// The same with a lease.
    pub(crate) async fn leased(database: &Database, lease: Option<Duration>) -> Self {
        let clock = Arc::new(MovedClock { real: SystemClock::start(), ahead_ms: AtomicI64::new(0) });
        let ticking: Arc<dyn Clock> = Arc::<MovedClock>::clone(&clock);
        let carrier = SandboxConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            account_sid: ACCOUNT.to_owned(),
            auth_token: TOKEN.to_owned(),
            faults: Faults::default(),
        };
        let sandbox = Sandbox::start(carrier, Arc::clone(&ticking)).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(store(&dir, clock.wall()));
        let twilio = Arc::new(twilio(&sandbox));
        let seconds = |n| Duration::from_secs(n);
        let rules = Rules {
            polls: vec![seconds(1), seconds(2), seconds(4), seconds(8)],
            limits: Limits {
                zone: Some("UTC".parse().unwrap()),
                verified: Verified::NotRequired,
                ..Limits::default()
            },
            ..Rules::default()
        };
        let config = EngineConfig {
            rules: rules.clone(),
            limits: DispatchLimits { concurrency: 4, segments_per_second: None },
            queue_bytes_max: 1 << 20,
            timer_horizon: Duration::from_mins(1),
            idempotency_retention: Duration::from_hours(24),
            orphan_retention: Duration::from_hours(1),
            questions_max: 4,
            verifying: Verifying::default(),
            lease: lease.map_or_else(LeaseHandle::unlimited, |_| LeaseHandle::lapsed()),
            seed: 1,
        };
        let engine = Engine::start(Arc::clone(&store), twilio, Arc::clone(&ticking), config).unwrap();
        let duty = Arc::new(Duty::of(OnDuty { engine, store }));
        database.owner().await.batch_execute("alter role dunlin_worker login").await.unwrap();
        let address = Address::parse(&database.url_of("dunlin_worker", None)).unwrap();
        let project = Project {
            way: Way::Postgres(Box::new(address)),
            name: "house".to_owned(),
            lease,
            poll: Duration::from_secs(5),
            age_limit: Duration::from_hours(24),
            timeout: Duration::from_secs(10),
        };
        let settings = Settings {
            name: project.name.clone(),
            lease: project.lease,
            poll: project.poll,
            age_limit: project.age_limit,
            region: None,
            rules,
        };
        let supabase = Supabase::begin(&project, settings, Arc::clone(&duty), ticking).unwrap();
        Self { clock, sandbox, duty, supabase, _dir: dir }
    }

    /// Moves the wall clock of engine and carrier.
    pub(crate) fn let_pass(&self, time: Duration) {
        self.clock.ahead_ms.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Why the newest look at the database came to nothing.
    pub(crate) fn pull_error(&self) -> Option<String> {
        self.supabase.standing().told().pull_error
    }

    /// Whether the engine knows that nothing may be sent to a number.
    pub(crate) fn is_opted_out(&self, number: &str) -> bool {
        let number = PhoneNumber::parse(number, None).unwrap();
        let store = &self.duty.now().unwrap().store;
        store.reader().unwrap().consent_of(number).unwrap().standing.is_out()
    }

    /// What the carrier took: to whom, and what.
    pub(crate) async fn taken(&self) -> Vec<(String, String)> {
        let ledger: Value = get(&format!("{}/sandbox/ledger", self.sandbox.base_url())).await;
        let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
        let ledger = ledger.as_array().unwrap();
        ledger.iter().map(|entry| (text(entry, "to"), text(entry, "body"))).collect()
    }
}

/// A new store.
fn store(dir: &TempDir, now: Timestamp) -> Store {
    let options = OpenOptions {
        now,
        cache_bytes: 1 << 20,
        callback_key: CALLBACK_KEY,
        keys: Arc::new(Keyring::generate(&Entropy::seeded(1)).unwrap()),
        // Each house has a name of its own.
        entropy: Entropy::seeded(HOUSES.fetch_add(1, Ordering::Relaxed)),
        check_integrity: false,
        newcomers_max: NEWCOMERS_MAX,
    };
    Store::open(&dir.path().join("dunlin.redb"), &options).unwrap().0
}

/// The way to the carrier.
fn twilio(sandbox: &Sandbox) -> Twilio {
    let config = TwilioConfig {
        base_url: sandbox.base_url(),
        account_sid: ACCOUNT.to_owned(),
        credentials: Credentials::AuthToken(SecretString::from(TOKEN)),
        sender: Sender::From("+15005550006".to_owned()),
        status_callback_url: "http://127.0.0.1:9/nobody".to_owned(),
        callback_key: CALLBACK_KEY,
        connect_timeout: Duration::from_secs(1),
        timeout: Duration::from_secs(5),
    };
    Twilio::new(config).unwrap()
}
