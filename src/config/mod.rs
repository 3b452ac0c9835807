//! What the daemon is told: read once at the start, typed, with the origin of every value.
//!
//! Flags win over environment variables, those over defaults. Everything that is wrong is reported
//! together, and nothing starts until it is right.

pub mod account;
pub mod environment;
pub mod events;
mod people;
pub mod problem;
mod rates;
pub mod resolve;
pub mod setting;
pub mod supabase;
pub mod value;
pub mod verification;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use dunlin_workflows::alarm::AlarmRules;
use dunlin_workflows::phone_number::Region;
use dunlin_workflows::rules::{Redeliver, RetryRules, Rules, Sending};
use secrecy::SecretString;

use crate::config::account::Destination;
use crate::config::environment::Environment;
use crate::config::events::Events;
use crate::config::problem::{Problem, Problems};
use crate::config::resolve::Values;
use crate::config::setting::Name;
use crate::config::supabase::Supabase;
use crate::config::verification::Verification;
use crate::http::api_key::ApiKeys;
use crate::keys::KeySources;
use crate::opt_out_link::OptOutLinks;

/// Where the provider's reports arrive, below the public URL.
pub const STATUS_PATH: &str = "/api/webhooks/twilio/status";

/// Shortest and longest time that a failure counts for an alarm.
const ALARM_WINDOW: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(24));

/// Everything the daemon is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The directory of the store.
    pub data: PathBuf,
    /// Where the keys may be that seal numbers and texts.
    pub keys: KeySources,
    /// The file to which the head of the journal is appended.
    pub heads_file: Option<PathBuf>,
    /// The directory of backups.
    pub backups: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where the provider reaches us, without a slash at the end; the listener's own address when `None`.
    pub public_url: Option<String>,
    /// What callers of the API must show.
    pub api_token: Option<SecretString>,
    /// Keys of the API, each with what it is for.
    pub api_keys: ApiKeys,
    /// The country of numbers written without one.
    pub default_region: Option<Region>,
    /// Where texts go.
    pub destination: Destination,
    /// What decisions depend on.
    pub rules: Rules,
    /// Most segments per second; no limit when `None`.
    pub sender_rate: Option<u32>,
    /// Most requests on the wire to the provider.
    pub provider_concurrency: usize,
    /// Longest time to make a connection to the provider.
    pub provider_connect_timeout: Duration,
    /// Longest time for the provider's answer.
    pub provider_timeout: Duration,
    /// Most bytes of requests in front of the writer.
    pub queue_bytes: usize,
    /// How far ahead timers are in memory.
    pub timer_horizon: Duration,
    /// How long idempotency keys are kept.
    pub idempotency_retention: Duration,
    /// How long callbacks without a message are kept.
    pub orphan_retention: Duration,
    /// How old records are when they move to archives; `None` when they never do.
    pub archive_after: Option<Duration>,
    /// Memory for the store's pages, in bytes.
    pub cache_bytes: usize,
    /// Bytes of the disk that stay free.
    pub disk_free_min: u64,
    /// How long a stop waits for requests on the wire.
    pub drain: Duration,
    /// How codes are worded, and how often they may be asked for.
    pub verification: Verification,
    /// The Supabase project to keep in step with, if there is one.
    pub supabase: Option<Supabase>,
    /// The product's own server that is told what became of texts, if there is one.
    pub events: Option<Events>,
    /// What is logged: a filter in the words of `tracing-subscriber`.
    pub log: String,
}

/// Reads values of one kind each, and gathers what is wrong with them.
struct Reader<'a> {
    values: &'a Values,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    /// The value of `name` as `parse` reads it; `None` when it is unset or wrong.
    fn read<T, E: ToString>(&mut self, name: Name, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        match parse(self.values.text(name)?) {
            Ok(value) => Some(value),
            Err(why) => {
                self.wrong(name, &why.to_string());
                None
            }
        }
    }

    fn wrong(&mut self, name: Name, why: &str) {
        let what = format!("{}: {why}", self.values.named(name));
        self.problems.push(Problem { setting: Some(name), what });
    }
}

impl Config {
    /// What these variables say.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn of(environment: &Environment) -> Result<Self, Problems> {
        Self::read(&Values::resolve(&[], environment))
    }

    /// Types the values and checks them against each other.
    ///
    /// # Errors
    /// Everything that is wrong, those of `values` included.
    pub fn read(values: &Values) -> Result<Self, Problems> {
        let mut reader = Reader { values, problems: values.problems.clone() };
        let config = Self::read_all(&mut reader);
        match config {
            Some(config) if reader.problems.is_empty() => Ok(config),
            Some(_) | None => Err(Problems(reader.problems)),
        }
    }

    /// `None` only after a problem was noted.
    fn read_all(reader: &mut Reader<'_>) -> Option<Self> {
        let destination = account::read(reader.values, &mut reader.problems);
        let live = matches!(destination, Some(Destination::Live(_)));
        let public_url = public_url(reader, live);
        let rules = rules(reader, live, public_url.as_deref().map(OptOutLinks::below).as_ref());
        let listen = reader.read(Name::Listen, |text| {
            text.parse::<SocketAddr>()
                .map_err(|_not_an_address| format!("\"{text}\" is not IP:PORT, such as 127.0.0.1:8080"))
        });
        let default_region = reader.read(Name::DefaultRegion, str::parse::<Region>);
        let given_rate = reader.read(Name::SenderRate, value::rate);
        let concurrency = reader.read(Name::ProviderConcurrency, |text| value::number(text, 1, 1000));
        let provider_connect_timeout = reader.read(Name::ProviderConnectTimeout, value::duration);
        let provider_timeout = reader.read(Name::ProviderTimeout, value::duration);
        let queue_bytes = reader.read(Name::QueueBytes, |text| at_least(text, 1 << 20));
        let cache_bytes = reader.read(Name::CacheBytes, |text| at_least(text, 1 << 20));
        let disk_free_min = reader.read(Name::DiskFreeMin, value::bytes);
        let timer_horizon = reader.read(Name::TimerHorizon, value::duration);
        let idempotency_retention = reader.read(Name::IdempotencyRetention, at_least_a_day);
        let orphan_retention = reader.read(Name::OrphanRetention, value::duration);
        let archive_after = reader.read(Name::ArchiveAfter, value::duration_or_off);
        let verification = verification::read(reader);
        let supabase = supabase::read(reader);
        let events = events::read(reader);
        let drain = reader.read(Name::Drain, value::duration);
        let log = reader.read(Name::Log, |text| {
            text.parse::<tracing_subscriber::EnvFilter>().map(|_checked| text.to_owned())
        });
        let (api_token, api_keys) = api_keys(reader, listen);
        if let (Some(Some(after)), Some(retention)) = (archive_after, idempotency_retention)
            && after < retention
        {
            reader.wrong(
                Name::ArchiveAfter,
                "is shorter than DUNLIN_IDEMPOTENCY_RETENTION; a request may be repeated so long, and is answered from the store",
            );
        }
        let data: PathBuf = reader.values.text(Name::Data)?.into();
        let keys = key_sources(reader.values, data.clone());
        let destination = destination?;
        Some(Self {
            backups: reader.values.text(Name::Backups).map_or_else(|| data.join("backups"), PathBuf::from),
            data,
            keys,
            heads_file: reader.values.text(Name::HeadsFile).map(PathBuf::from),
            listen: listen?,
            public_url,
            api_token,
            api_keys,
            default_region,
            sender_rate: given_rate.unwrap_or(live.then_some(100)),
            destination,
            rules: rules?,
            provider_concurrency: usize::try_from(concurrency?).ok()?,
            provider_connect_timeout: provider_connect_timeout?,
            provider_timeout: provider_timeout?,
            queue_bytes: queue_bytes?,
            timer_horizon: timer_horizon?,
            idempotency_retention: idempotency_retention?,
            orphan_retention: orphan_retention?,
            archive_after: archive_after?,
            cache_bytes: cache_bytes?,
            disk_free_min: u64::try_from(disk_free_min?).ok()?,
            drain: drain?,
            verification: verification?,
            supabase,
            events,
            log: log?,
        })
    }
}

/// What callers show: a token for everything, and keys for less. Beyond this machine there must be one.
fn api_keys(reader: &mut Reader<'_>, listen: Option<SocketAddr>) -> (Option<SecretString>, ApiKeys) {
    let api_token = reader.values.text(Name::ApiToken).map(SecretString::from);
    let api_keys = reader.read(Name::ApiKeys, str::parse::<ApiKeys>);
    let open = api_token.is_none() && api_keys.as_ref().is_none_or(ApiKeys::is_empty);
    if listen.is_some_and(|listen| !listen.ip().is_loopback()) && open {
        reader.wrong(
            Name::Listen,
            "listening beyond loopback lets anyone send texts; set DUNLIN_API_TOKEN or DUNLIN_API_KEYS, or listen on 127.0.0.1",
        );
    }
    (api_token, api_keys.unwrap_or_default())
}

/// Where the keys of the store in `data` may be.
pub fn key_sources(values: &Values, data: PathBuf) -> KeySources {
    KeySources {
        given: values.text(Name::Keys).map(SecretString::from),
        credentials: values.text(Name::Credentials).map(PathBuf::from),
        data,
    }
}

fn rules(reader: &mut Reader<'_>, live: bool, links: Option<&OptOutLinks>) -> Option<Rules> {
    let enabled = reader.read(Name::SendingEnabled, value::switch);
    let base = reader.read(Name::RetryBase, value::duration);
    let cap = reader.read(Name::RetryCap, value::duration);
    let attempts_max = reader.read(Name::RetryAttempts, |text| value::number(text, 1, 100));
    let redeliver = reader.read(Name::Redeliver, value::switch);
    let lookups = reader.read(Name::UnknownLookups, value::rising_durations);
    let unknown_hold = reader.read(Name::UnknownHold, value::duration);
    let polls = reader.read(Name::PollAfter, value::rising_durations);
    let limits = people::limits(reader, live, links);
    let kinds = people::kinds(reader);
    let failures = reader.read(Name::AlarmFailures, |text| match text {
        "off" => Ok(None),
        number => value::number(number, 2, 1000).map(Some),
    });
    let window = reader.read(Name::AlarmWindow, |text| value::within(text, ALARM_WINDOW, "1s to 24h"));
    let (base, cap) = (base?, cap?);
    if cap < base {
        reader
            .wrong(Name::RetryCap, "is shorter than DUNLIN_RETRY_BASE; delays grow from the base to the cap");
    }
    Some(Rules {
        sending: if enabled? { Sending::Enabled } else { Sending::Disabled },
        retry: RetryRules {
            base,
            cap,
            attempts_max: attempts_max?,
            redeliver: if redeliver? { Redeliver::On } else { Redeliver::Off },
        },
        lookups: lookups?,
        unknown_hold: unknown_hold?,
        polls: polls?,
        limits: limits?,
        kinds: kinds?,
        alarm: AlarmRules { failures: failures?, window: window? },
    })
}

/// The public URL, from its own setting or from the provider's words for it. Both may be set when they agree. What the
/// provider sends there when live are numbers and words of people.
fn public_url(reader: &mut Reader<'_>, live: bool) -> Option<String> {
    let read = |text: &str| match value::base_url(text) {
        Ok(base) if live && !value::is_guarded(&base) => Err(format!(
            "\"{text}\" would carry people's numbers and texts in clear; use https, or http on loopback"
        )),
        read => read,
    };
    let own = reader.read(Name::PublicUrl, read);
    let callback = reader.read(Name::StatusCallbackUrl, |text| {
        let base = text.strip_suffix(STATUS_PATH).ok_or_else(|| {
            format!("\"{text}\" does not end in {STATUS_PATH}; that is where reports are taken")
        })?;
        read(base)
    });
    match (own, callback) {
        (Some(own), Some(callback)) if own != callback => {
            let what = format!(
                "{} ({own}) and {} ({callback}) disagree about the public URL; remove one of them",
                reader.values.named(Name::PublicUrl),
                reader.values.named(Name::StatusCallbackUrl),
            );
            reader.problems.push(Problem { setting: Some(Name::PublicUrl), what });
            None
        }
        (Some(url), _) | (None, Some(url)) => Some(url),
        (None, None) => None,
    }
}

fn at_least(text: &str, min: usize) -> Result<usize, String> {
    let bytes = value::bytes(text)?;
    if bytes < min {
        Err(format!("\"{text}\" is too small; at least {min} bytes are needed"))
    } else {
        Ok(bytes)
    }
}

/// Callers may repeat a request for a day: the shortest time clients of such keys count on.
fn at_least_a_day(text: &str) -> Result<Duration, String> {
    let duration = value::duration(text)?;
    if duration < Duration::from_hours(24) {
        return Err(format!("\"{text}\" is too short; callers may repeat a request for 24h"));
    }
    Ok(duration)
}

#[cfg(test)]
mod tests;
