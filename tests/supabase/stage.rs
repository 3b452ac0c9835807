//! Real daemons between a real database and a carrier that outlives them.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use dunlin_storage::{Entropy, Keyring};
use serde_json::Value;
use tempfile::TempDir;
use tokio_postgres::Client;

use crate::database::{one, rows};

const ACCOUNT: (&str, &str) = ("TWILIO_ACCOUNT_SID", "AC0123456789abcdef0123456789abcdef");
const TOKEN: (&str, &str) = ("TWILIO_AUTH_TOKEN", "hush");
/// Longest time until something that must come has come.
const PATIENCE: Duration = Duration::from_mins(1);

/// A carrier, and the places of daemons.
pub(crate) struct Stage {
    pub(crate) carrier: Program,
    dir: TempDir,
}

/// A running daemon or carrier; killed when dropped.
pub(crate) struct Program {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    pub(crate) url: String,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let carrier = Program::start(&["sandbox"], &[ACCOUNT, TOKEN]);
        Self { carrier, dir: tempfile::tempdir().unwrap() }
    }

    /// With a carrier that takes its time, so that a daemon that is killed has something on the wire.
    pub(crate) fn slow() -> Self {
        let carrier = Program::start(&["sandbox", "--faults", "latency=150ms"], &[ACCOUNT, TOKEN]);
        Self { carrier, dir: tempfile::tempdir().unwrap() }
    }

    /// Starts the daemon called `name`, on its own data, with this way to the database.
    pub(crate) fn daemon(&self, name: &str, way: &[(&str, &str)]) -> Program {
        let data = self.dir.path().join(name);
        let variables = [
            ACCOUNT,
            TOKEN,
            ("TWILIO_FROM", "+15005550006"),
            ("TWILIO_API_BASE_URL", self.carrier.url.as_str()),
            ("DUNLIN_DATA", data.to_str().unwrap()),
            ("DUNLIN_DEFAULT_TIME_ZONE", "UTC"),
            ("DUNLIN_LEGAL_HOURS", "off"),
            ("DUNLIN_PREFIX_VELOCITY", "off"),
            ("DUNLIN_SENDER_RATE", "unlimited"),
            ("DUNLIN_UNKNOWN_LOOKUPS", "200ms,1s,3s"),
            ("DUNLIN_POLL_AFTER", "1s,2s,3s,5s,8s,13s,21s,34s"),
            ("DUNLIN_SYNC_NAME", name),
        ];
        Program::start(&["serve", "--listen", "127.0.0.1:0"], &[&variables, way].concat())
    }

    /// How often the carrier took each text.
    pub(crate) async fn taken(&self) -> BTreeMap<String, u32> {
        let mut taken = BTreeMap::<String, u32>::new();
        for entry in get(&format!("{}/sandbox/ledger", self.carrier.url)).await.as_array().unwrap() {
            let times = taken.entry(entry["body"].as_str().unwrap().to_owned()).or_default();
            *times = times.saturating_add(1);
        }
        taken
    }
}

impl Program {
    fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let keys = Keyring::generate(&Entropy::seeded(1)).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_dunlin"))
            .args(arguments)
            .env_clear()
            .env("DUNLIN_KEYS", keys.to_text().as_str())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let Some(url) = line.trim().strip_prefix("listening on ") else {
            let mut log = String::new();
            stderr.read_to_string(&mut log).unwrap();
            panic!("it did not start: {log}");
        };
        // Whatever it says is shown when the test fails, and a pipe that is full would stop it.
        drop(std::thread::spawn(move || {
            BufReader::new(stderr)
                .lines()
                .map_while(Result::ok)
                .for_each(|line| drop(writeln!(std::io::stderr(), "{line}")));
        }));
        Self { url: url.to_owned(), child, _stdout: stdout }
    }

    /// Ends it at once, in the middle of whatever it does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Runs a command against it: exit code and everything that it wrote. What is between the two runs on this thread meanwhile.
    pub(crate) async fn ask(&self, arguments: &[&str]) -> (i32, String) {
        let ended = tokio::process::Command::new(env!("CARGO_BIN_EXE_dunlin"))
            .args(arguments)
            .env_clear()
            .env("DUNLIN_URL", &self.url)
            .output()
            .await
            .unwrap();
        let text = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        (ended.status.code().unwrap_or(-1), text)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Asks for a text to Ada; gives the id of its row.
pub(crate) async fn queue(service: &Client, message: &str, more: &str) -> String {
    let ada = crate::database::ADA;
    let query = format!("select queue_sms_message('{ada}', '+15551230001', '{message}'{more})");
    one(service, &query).await.as_str().unwrap().to_owned()
}

/// The row of a text.
pub(crate) async fn row(service: &Client, id: &str) -> Value {
    let found = rows(service, &format!("select * from sms_messages where id = '{id}'")).await;
    found.into_iter().next().unwrap_or_default()
}

/// Waits until the row of a text is so.
pub(crate) async fn until_row(service: &Client, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let row = row(service, id).await;
        if is_so(&row) {
            return row;
        }
        assert!(started.elapsed() < PATIENCE, "{row:#}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// Waits until a query answers this.
pub(crate) async fn until_answer(client: &Client, query: &str, wanted: &Value) {
    let started = Instant::now();
    loop {
        let answer = one(client, query).await;
        if answer == *wanted {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{query}: {answer}, not {wanted}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// Waits until something else is so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What is at an address, as JSON.
pub(crate) async fn get(url: &str) -> Value {
    reqwest::get(url).await.unwrap().json().await.unwrap()
}
