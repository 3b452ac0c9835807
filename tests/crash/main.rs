//! The crash test: two thousand texts, a carrier that misbehaves, a daemon that is killed again and
//! again, and afterwards every promise as a law over what callers, carrier and store say.
//!
//! `DUNLIN_SEED`, `DUNLIN_CRASH_KILLS` and `DUNLIN_CRASH_MESSAGES` choose another run; the seed of
//! every run is printed.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop at what it did not expect"
)]

mod caller;
mod carrier;
mod daemon;
mod evidence;
mod journal;
mod killer;
mod laws;
mod settings;
mod workload;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::caller::{Caller, Told};
use crate::carrier::Carrier;
use crate::daemon::{Daemon, look};
use crate::evidence::Evidence;
use crate::journal::Life;
use crate::settings::Settings;

/// Load per kill: about the mean life of a daemon.
const WINDOW_PER_KILL: Duration = Duration::from_millis(900);
/// Longest time until every text is final or explained, once nothing dies any more.
const SETTLE_MAX: Duration = Duration::from_secs(90);
/// Most broken promises that a failure lists.
const LISTED: usize = 20;

#[test]
fn nothing_acknowledged_is_lost_or_sent_twice_however_often_the_daemon_is_killed() {
    let settings = Settings::from_environment().unwrap();
    say(&format!("DUNLIN_SEED={} with {settings:?}", settings.seed));
    let dir = tempfile::tempdir().unwrap();
    if let Err(error) = run(settings, dir.path()) {
        // The files are the evidence.
        let kept = dir.keep();
        panic!(
            "{error:#}\nrepeat this run with DUNLIN_SEED={}; its files are in {}",
            settings.seed,
            kept.display()
        );
    }
}

fn run(settings: Settings, dir: &Path) -> anyhow::Result<()> {
    let account = [
        ("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000001".to_owned()),
        ("TWILIO_AUTH_TOKEN", "a-token-for-this-test-only".to_owned()),
        ("DUNLIN_VERIFIED_NUMBERS", "not_required".to_owned()),
        ("DUNLIN_PREFIX_VELOCITY", "off".to_owned()),
    ];
    let carrier = Carrier::start(dir, &account, settings.seed)?;
    let mut daemon = Daemon::new(dir, &account, carrier.address())?;
    let caller = Arc::new(Caller::new(daemon.address())?);
    let window = WINDOW_PER_KILL * settings.kills.max(1);
    let wishes = workload::draw(settings.messages, window, settings.seed, &mut settings.random(1));

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let started = Instant::now();
    daemon.start()?;
    let killing =
        thread::spawn(move || killer::run(&mut daemon, settings.kills, settings.random(2)).map(|()| daemon));
    let told = runtime.block_on(Arc::clone(&caller).bring(wishes));
    let mut daemon = killing.join().map_err(|_panicked| anyhow::anyhow!("the killer stumbled"))??;
    let told = told.map_err(|error| daemon.explain(&error))?;
    let loaded = started.elapsed();
    runtime.block_on(settle(&caller, &told)).map_err(|error| daemon.explain(&error))?;
    let settled = started.elapsed();
    let ledger = runtime.block_on(carrier.ledger())?;
    daemon.stop()?;

    let evidence = Evidence { told, ledger, lives: Life::all(&daemon.data())? };
    summarize(&evidence, settings, loaded, settled);
    let mut broken = laws::broken(&evidence);
    for command in ["verify", "replay"] {
        broken.extend(
            look(command, &daemon.data())
                .err()
                .map(|error| format!("the store agrees with itself: {error:#}")),
        );
    }
    let listed: Vec<&str> = broken.iter().map(String::as_str).take(LISTED).collect();
    ensure!(broken.is_empty(), "{} promises are broken:\n{}", broken.len(), listed.join("\n"));
    Ok(())
}

/// Waits until every text is final or waits for a person, as the API tells; it must list each once.
async fn settle(caller: &Caller, told: &[Told]) -> anyhow::Result<()> {
    let acknowledged = told.iter().filter(|told| told.id.is_some()).count();
    let started = Instant::now();
    loop {
        let messages = caller.list().await?;
        ensure!(messages.len() == acknowledged, "{acknowledged} texts, but {} are listed", messages.len());
        let open: Vec<&Value> = messages.iter().filter(|message| !is_settled(message)).collect();
        if open.is_empty() {
            return Ok(());
        }
        if started.elapsed() > SETTLE_MAX {
            bail!("{} texts stay open, one of them {}", open.len(), open.first().context("none")?);
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn is_settled(message: &Value) -> bool {
    let state = message.get("state").and_then(Value::as_str).unwrap_or_default();
    let hold = message.pointer("/hold/reason").and_then(Value::as_str).unwrap_or_default();
    matches!(state, "delivered" | "undelivered" | "failed" | "canceled" | "expired" | "suppressed")
        || hold == "outcome_unknown"
}

fn summarize(evidence: &Evidence, settings: Settings, loaded: Duration, settled: Duration) {
    let mut states: BTreeMap<&str, u32> = BTreeMap::new();
    for life in &evidence.lives {
        *states.entry(life.message.state.name().as_str()).or_default() += 1;
    }
    let refused = evidence.told.iter().filter(|told| told.id.is_none()).count();
    let resent = evidence.submissions().values().filter(|submissions| submissions.len() > 1).count();
    say(&format!(
        "{} kills, {} texts ({refused} refused as too late) in {:.1} s, settled after {:.1} s: {states:?}; \
         the carrier took {}, {resent} of them again",
        settings.kills,
        evidence.told.len(),
        loaded.as_secs_f64(),
        settled.as_secs_f64(),
        evidence.ledger.len(),
    ));
}

fn say(text: &str) {
    // Shown when the test fails, or when output is not captured.
    drop(writeln!(std::io::stderr(), "{text}"));
}
