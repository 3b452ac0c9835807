//! A carrier that outlives the daemon, the daemon's files, and a caller.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::world::{Daemon, run};

const ACCOUNT: (&str, &str) = ("TWILIO_ACCOUNT_SID", "AC0123456789abcdef0123456789abcdef");
const TOKEN: (&str, &str) = ("TWILIO_AUTH_TOKEN", "hush");
/// Longest time until something that must come has come.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A carrier that outlives the daemon, and the daemon's files.
pub(crate) struct Stage {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) carrier: Daemon,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), carrier: Daemon::carrier(&[ACCOUNT, TOKEN]) }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn backup(&self, name: &str) -> PathBuf {
        self.data().join("backups").join(name)
    }

    pub(crate) fn daemon(&self) -> Daemon {
        self.daemon_with(&[])
    }

    pub(crate) fn daemon_with(&self, more: &[(&str, &str)]) -> Daemon {
        let variables = [
            ACCOUNT,
            ("DUNLIN_VERIFIED_NUMBERS", "not_required"),
            ("DUNLIN_PREFIX_VELOCITY", "off"),
            TOKEN,
            ("TWILIO_FROM", "+15005550006"),
            ("TWILIO_API_BASE_URL", self.carrier.url.as_str()),
            ("DUNLIN_SENDER_RATE", "unlimited"),
            ("DUNLIN_UNKNOWN_LOOKUPS", "200ms,1s,3s"),
            ("DUNLIN_POLL_AFTER", "1s,2s,3s,5s,8s,13s,21s,34s"),
        ];
        Daemon::start(&self.data(), &[&variables, more].concat())
    }

    /// Runs an offline command; no daemon listens where it looks for one.
    pub(crate) fn offline(&self, arguments: &[&str]) -> (i32, String, String) {
        let data = self.data();
        run(arguments, &[("DUNLIN_DATA", data.to_str().unwrap()), ("DUNLIN_URL", "http://127.0.0.1:9")])
    }

    /// How often the carrier took each text.
    pub(crate) fn taken(&self) -> BTreeMap<String, u32> {
        let (_, ledger) = get(&format!("{}/sandbox/ledger", self.carrier.url));
        let ledger: Value = serde_json::from_str(&ledger).unwrap();
        let mut taken = BTreeMap::<String, u32>::new();
        for entry in ledger.as_array().unwrap() {
            let times = taken.entry(entry["body"].as_str().unwrap().to_owned()).or_default();
            *times = times.saturating_add(1);
        }
        taken
    }
}

pub(crate) fn send(daemon: &Daemon, body: &str, more: &[&str]) -> String {
    let arguments = [&["send", "+15551234567", body, "--json"][..], more].concat();
    let (code, out, talk) = daemon.ask(&arguments);
    assert_eq!(code, 0, "{talk}");
    let accepted: Value = serde_json::from_str(out.trim()).unwrap();
    accepted["id"].as_str().unwrap().to_owned()
}

pub(crate) fn show(daemon: &Daemon, id: &str) -> Value {
    let (code, out, talk) = daemon.ask(&["show", id, "--json"]);
    assert_eq!(code, 0, "{talk}");
    let shown: Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    shown.get("message").unwrap_or(&shown).clone()
}

pub(crate) fn until_delivered(daemon: &Daemon, id: &str) {
    until(daemon, id, |message| message["state"] == "delivered");
}

/// Waits until the message is so.
pub(crate) fn until(daemon: &Daemon, id: &str, is_so: impl Fn(&Value) -> bool) {
    let started = Instant::now();
    loop {
        let message = show(daemon, id);
        if is_so(&message) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{message}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Status and body of an answer.
pub(crate) fn get(url: &str) -> (u16, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let answer = reqwest::get(url).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    })
}
