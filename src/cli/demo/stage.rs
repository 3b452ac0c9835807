//! The stage: carrier and daemon in processes of their own, and everything that is done to them.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli::client::Client;
use crate::cli::demo::cast::Text;
use crate::cli::demo::process::Process;
use crate::cli::demo::verdict::{Fate, Seen};
use crate::cli::exit::{Exit, Failure};
use crate::cli::message::Message;
use crate::cli::output::Output;
use crate::id_source::SystemIds;
use crate::trial_account::TrialAccount;

/// What the carrier does wrong, besides the seed.
const FAULTS: &str = "rate_429=0.01,error_500=0.02,reset_before=0.01,timeout_after_accept=0.05,\
    reset_after_accept=0.02,error_500_after_accept=0.03,callback_early=0.1,callback_duplicate=0.2,\
    callback_reorder=0.2,callback_lost=0.03,latency=40ms,callback_latency=250ms,hang=3s,retry_after=1s";

/// Everything that waits minutes or hours in earnest waits seconds here.
const HURRY: [(&str, &str); 9] = [
    ("DUNLIN_UNKNOWN_LOOKUPS", "100ms,1s,3s"),
    ("DUNLIN_POLL_AFTER", "2s,4s,6s,9s,12s,15s,20s,30s"),
    ("DUNLIN_RETRY_BASE", "300ms"),
    ("DUNLIN_RETRY_CAP", "2s"),
    ("DUNLIN_RETRY_ATTEMPTS", "10"),
    ("DUNLIN_PROVIDER_TIMEOUT", "1s"),
    ("DUNLIN_PROVIDER_CONCURRENCY", "8"),
    ("DUNLIN_SENDER_RATE", "50"),
    ("DUNLIN_LOG", "warn"),
];

/// Texts handed over per second.
const HANDED_OVER_PER_SECOND: u64 = 120;
/// Longest time until every text has a fate.
const FATES_MAX: Duration = Duration::from_mins(1);
/// How often a person decides about the same texts: a second try can lose its answer too.
const DECISIONS_MAX: usize = 5;
/// Longest time that the worst moment is waited for.
const WORST_MOMENT_MAX: Duration = Duration::from_secs(2);
/// How often fates are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Longest time that a text is offered.
const OFFER_MAX: Duration = Duration::from_secs(30);

/// Carrier and daemon, and where their files are.
#[derive(Debug)]
pub(super) struct Stage {
    variables: Vec<(&'static str, String)>,
    carrier: Process,
    carrier_client: Client,
    daemon: Process,
    client: Client,
    output: Output,
    /// Removed when dropped, after the processes that use it.
    dir: TempDir,
}

/// A text and the id its acceptance was acknowledged with.
#[derive(Debug, Clone)]
pub(super) struct Accepted<'a> {
    text: &'a Text,
    id: String,
}

impl Stage {
    /// Starts carrier and daemon.
    pub(super) async fn set(seed: u64, output: Output) -> Result<Self, Failure> {
        let dir = tempfile::Builder::new().prefix("dunlin-demo-").tempdir()?;
        let account = TrialAccount::draw(&SystemIds);
        let mut variables =
            vec![("TWILIO_ACCOUNT_SID", account.account_sid), ("TWILIO_AUTH_TOKEN", account.auth_token)];
        let faults = format!("{FAULTS},seed={seed}");
        let log = dir.path().join("carrier.log");
        let carrier = Process::start(&["sandbox", "--faults", &faults], &variables, log).await?;
        variables.push(("TWILIO_FROM", account.sender.to_owned()));
        variables.push(("TWILIO_API_BASE_URL", carrier.url().to_owned()));
        // Nobody is behind the numbers of a demonstration who could prove them, and all are of a few blocks.
        variables.push(("DUNLIN_VERIFIED_NUMBERS", "not_required".to_owned()));
        variables.push(("DUNLIN_PREFIX_VELOCITY", "off".to_owned()));
        variables.extend(HURRY.map(|(name, value)| (name, value.to_owned())));
        let daemon = start_daemon(&dir, &variables, "127.0.0.1:0").await?;
        let client = Client::new(daemon.url().to_owned(), None)?;
        let carrier_client = Client::new(carrier.url().to_owned(), None)?;
        Ok(Self { variables, carrier, carrier_client, daemon, client, output, dir })
    }

    /// Hands over every text, and kills and restarts the daemon when half are acknowledged. A caller
    /// whose request got no answer repeats it with the same key.
    pub(super) async fn accept_through_a_crash<'a>(
        &mut self,
        texts: &'a [Text],
    ) -> Result<Vec<Accepted<'a>>, Failure> {
        let pace = Duration::from_micros(1_000_000_u64.div_euclid(HANDED_OVER_PER_SECOND));
        let (mut before, rest) = texts.split_at(texts.len().div_euclid(2));
        let mut accepted = Vec::with_capacity(texts.len());
        while let Some((text, later)) = before.split_first() {
            accepted.push(offer(&self.client, text).await?);
            before = later;
            tokio::time::sleep(pace).await;
        }
        self.worst_moment().await?;
        // One request is on its way when the daemon dies: its caller can't know whether it was taken.
        let (in_doubt, rest) = rest.split_at(rest.len().min(1));
        let client = self.client.clone();
        let asked = async {
            match in_doubt.first() {
                Some(text) => Some(offer(&client, text).await),
                None => None,
            }
        };
        let (in_doubt, restarted) = tokio::join!(asked, self.crash());
        restarted?;
        accepted.extend(in_doubt.transpose()?);
        for text in rest {
            accepted.push(offer(&self.client, text).await?);
            tokio::time::sleep(pace).await;
        }
        Ok(accepted)
    }

    /// Waits for the worst moment to die: the carrier has taken a text, and the daemon does not know it yet.
    async fn worst_moment(&self) -> Result<(), Failure> {
        let started = Instant::now();
        while started.elapsed() < WORST_MOMENT_MAX {
            let page = self.client.get("/v1/messages?state=submitting&limit=250").await?;
            let ledger = self.ledger().await?;
            let data = page.get("data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let bodies = data.iter().filter_map(|message| message.get("body")?.as_str());
            if bodies.into_iter().any(|body| ledger.iter().any(|seen| seen.body == body)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Kills the daemon and starts it again on the same store and address.
    async fn crash(&mut self) -> Result<(), Failure> {
        let address = self.daemon.url().trim_start_matches("http://").to_owned();
        self.daemon.kill().await?;
        let started = Instant::now();
        self.daemon = start_daemon(&self.dir, &self.variables, &address).await?;
        self.output.talk(format_args!("   killed; running again after {} ms", started.elapsed().as_millis()));
        Ok(())
    }

    /// Waits until every text is final or waits for a person.
    pub(super) async fn wait_for_fates(&self, accepted: &[Accepted<'_>]) -> Result<(), Failure> {
        let progress = Progress::start(accepted.len(), self.output);
        let started = Instant::now();
        let mut open: Vec<&str> = accepted.iter().map(|accepted| accepted.id.as_str()).collect();
        while !open.is_empty() && started.elapsed() < FATES_MAX {
            tokio::time::sleep(LOOK_EVERY).await;
            let mut still_open = Vec::new();
            for id in open {
                let message = self.client.get(&format!("/v1/messages/{id}")).await?;
                let settled = Message::of(&message).is_some_and(|m| m.is_final() || m.waits_for_a_person());
                if !settled {
                    still_open.push(id);
                }
            }
            open = still_open;
            progress.at(accepted.len().saturating_sub(open.len()), started.elapsed());
        }
        progress.end();
        Ok(())
    }

    /// Texts that may or may not have been taken wait for a person. The demonstration plays that
    /// person: looks at the carrier, and tries again what the carrier does not have.
    pub(super) async fn decide_for_a_person(&self, accepted: &[Accepted<'_>]) -> Result<(), Failure> {
        for _ in 0..DECISIONS_MAX {
            let again = self.undecided(accepted).await?;
            if again.is_empty() {
                break;
            }
            self.output.talk(format_args!(
                "   {} may have left with a request that got no answer, and wait for a person to decide;\n   \
                 the carrier never took them, so they are tried again",
                again.len()
            ));
            for Accepted { id, .. } in &again {
                let path = format!("/v1/messages/{id}/retry");
                self.client.post(&path, &json!({}), None).await?.into_success()?;
            }
            self.wait_for_fates(&again).await?;
        }
        Ok(())
    }

    /// Texts that wait for a person and that the carrier does not have.
    async fn undecided<'a>(&self, accepted: &[Accepted<'a>]) -> Result<Vec<Accepted<'a>>, Failure> {
        let ledger = self.ledger().await?;
        let waits = |fate: &Fate<'_>| {
            let message = fate.message.as_ref().and_then(Message::of);
            message.is_some_and(|message| message.waits_for_a_person())
                && !ledger.iter().any(|seen| seen.is_of(fate.text))
        };
        let fates = self.fates(accepted).await?.into_iter().filter(waits);
        Ok(fates.map(|fate| Accepted { text: fate.text, id: fate.id }).collect())
    }

    /// What became of every text.
    pub(super) async fn fates<'a>(&self, accepted: &[Accepted<'a>]) -> Result<Vec<Fate<'a>>, Failure> {
        let mut fates = Vec::with_capacity(accepted.len());
        for Accepted { text, id } in accepted {
            let answer = self.client.fetch(&format!("/v1/messages/{id}")).await?;
            let message = if answer.status == 404 { None } else { Some(answer.into_success()?) };
            fates.push(Fate { text, id: id.clone(), message });
        }
        Ok(fates)
    }

    /// Everything the carrier accepted.
    pub(super) async fn ledger(&self) -> Result<Vec<Seen>, Failure> {
        let ledger = self.carrier_client.get("/sandbox/ledger").await?;
        serde_json::from_value(ledger).map_err(|error| {
            Failure::new(Exit::Failure, format!("the carrier's ledger can't be read: {error}"))
        })
    }

    /// The daemon.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Stops both in order and removes their files. Whether they stopped well.
    pub(super) async fn strike(self) -> Result<bool, Failure> {
        let daemon = self.daemon.stop().await?;
        let carrier = self.carrier.stop().await?;
        self.dir.close()?;
        Ok(daemon && carrier)
    }
}

async fn start_daemon(dir: &TempDir, variables: &[(&str, String)], listen: &str) -> Result<Process, Failure> {
    let data = dir.path().join("data").to_string_lossy().into_owned();
    let log = dir.path().join("daemon.log");
    Process::start(&["serve", "--data", &data, "--listen", listen], variables, log).await
}

/// Offers one text until it is acknowledged.
async fn offer<'a>(client: &Client, text: &'a Text) -> Result<Accepted<'a>, Failure> {
    let started = Instant::now();
    loop {
        let failure = match client.post("/v1/messages", &text.request, Some(&text.key)).await {
            Ok(answer) if !answer.is_busy() => {
                let message = answer.into_success()?;
                let id = message.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
                return Ok(Accepted { text, id });
            }
            Ok(answer) => Failure::new(Exit::Unreachable, format!("the daemon answered {}", answer.status)),
            Err(failure) => failure,
        };
        if started.elapsed() > OFFER_MAX {
            return Err(failure);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How many texts have a fate: a bar on a terminal, a line every few seconds elsewhere.
struct Progress {
    bar: ProgressBar,
    total: usize,
    plain: Option<Output>,
    told: std::cell::Cell<u64>,
}

impl Progress {
    fn start(total: usize, output: Output) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let style = ProgressStyle::with_template("   {bar:40} {pos}/{len} texts have a fate  {elapsed}");
        let style = style.unwrap_or_else(|_plain| ProgressStyle::default_bar());
        let length = u64::try_from(total).unwrap_or(u64::MAX);
        let bar = if terminal { ProgressBar::new(length).with_style(style) } else { ProgressBar::hidden() };
        Self { bar, total, plain: (!terminal).then_some(output), told: std::cell::Cell::new(0) }
    }

    fn at(&self, settled: usize, elapsed: Duration) {
        self.bar.set_position(u64::try_from(settled).unwrap_or(u64::MAX));
        if let Some(output) = self.plain
            && (elapsed.as_secs() >= self.told.get().saturating_add(2) || settled == self.total)
        {
            self.told.set(elapsed.as_secs());
            output.talk(format_args!(
                "   {settled} of {} texts have a fate after {} s",
                self.total,
                elapsed.as_secs()
            ));
        }
    }

    fn end(self) {
        self.bar.finish_and_clear();
    }
}
