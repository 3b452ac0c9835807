//! Every setting there is: its names, its default, its unit and what it means.

use self::Fallback::{Depends, Text, Unset};

/// Which setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// The provider's account.
    AccountSid,
    /// The account's primary token.
    AuthToken,
    /// The account's second token, while tokens are being rotated.
    AuthTokenSecondary,
    /// A key to call the provider with instead of the token.
    ApiKeySid,
    /// That key's secret.
    ApiKeySecret,
    /// The pool of senders.
    MessagingServiceSid,
    /// The one sender.
    From,
    /// Where the provider reports to, as the provider writes it.
    StatusCallbackUrl,
    /// Where the provider is.
    ApiBaseUrl,
    /// The service that sends and checks codes.
    VerifyServiceSid,
    /// Where that service is.
    VerifyApiBaseUrl,
    /// Whose code it is, in our own texts.
    VerifyBrand,
    /// The web site that codes are for.
    VerifySite,
    /// Most codes to one number in an hour.
    VerifyNumberHour,
    /// Most codes to one number in a day.
    VerifyNumberDay,
    /// Most codes for one user in an hour.
    VerifyUserHour,
    /// Most codes from one address in an hour.
    VerifyAddressHour,
    /// What signs the hook of Supabase Auth.
    AuthHookSecrets,
    /// Whether anything is sent at all.
    SendingEnabled,
    /// Where the store is.
    Data,
    /// The keys that seal numbers and texts.
    Keys,
    /// The service manager's credentials.
    Credentials,
    /// Where the head of the journal is noted.
    HeadsFile,
    /// Where backups go.
    Backups,
    /// Where the daemon listens.
    Listen,
    /// Where the world reaches the daemon.
    PublicUrl,
    /// What callers of the API must show.
    ApiToken,
    /// What the command line calls whoever uses it.
    Actor,
    /// Where the command line finds the daemon.
    Url,
    /// The country of numbers written without one.
    DefaultRegion,
    /// When a lost outcome is searched for.
    UnknownLookups,
    /// How long a lost outcome waits for a person.
    UnknownHold,
    /// When the provider is asked about a silent message.
    PollAfter,
    /// First delay between attempts.
    RetryBase,
    /// Longest delay between attempts.
    RetryCap,
    /// Most attempts.
    RetryAttempts,
    /// Whether to send again what the carrier failed to deliver.
    Redeliver,
    /// The sender's rate.
    SenderRate,
    /// Most requests on the wire.
    ProviderConcurrency,
    /// Longest time to reach the provider.
    ProviderConnectTimeout,
    /// Longest time for the provider's answer.
    ProviderTimeout,
    /// Most bytes in front of the writer.
    QueueBytes,
    /// How far ahead timers are in memory.
    TimerHorizon,
    /// How long idempotency keys are kept.
    IdempotencyRetention,
    /// How long callbacks without a message are kept.
    OrphanRetention,
    /// When records move to archives.
    ArchiveAfter,
    /// The store's cache.
    CacheBytes,
    /// How much of the disk stays free.
    DiskFreeMin,
    /// How long a stop waits for requests on the wire.
    Drain,
    /// What is logged.
    Log,
}

/// Whether a value may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    /// Shown as it is.
    Plain,
    /// Shown masked; can also be read from the file that its name with `_FILE` points at.
    Secret,
}

/// What holds when nothing is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// There is none.
    Unset,
    /// This text, read like any other value.
    Text(&'static str),
    /// It depends on other settings; this says how.
    Depends(&'static str),
}

/// One row of [`SETTINGS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Which setting.
    pub name: Name,
    /// The environment variables that set it. Where there are two they are twins: equal in
    /// meaning, and refused when they differ.
    pub variables: &'static [&'static str],
    /// What holds when nothing is set.
    pub default: Fallback,
    /// Whether its value may be shown.
    pub secrecy: Secrecy,
    /// How a value is written.
    pub form: &'static str,
    /// What it means, in one sentence.
    pub meaning: &'static str,
}

/// A row with a plain value.
const fn plain(
    name: Name,
    variables: &'static [&'static str],
    default: Fallback,
    form: &'static str,
    meaning: &'static str,
) -> Setting {
    Setting { name, variables, default, secrecy: Secrecy::Plain, form, meaning }
}

/// A row with a secret value.
const fn secret(name: Name, variables: &'static [&'static str], meaning: &'static str) -> Setting {
    Setting { name, variables, default: Unset, secrecy: Secrecy::Secret, form: "text", meaning }
}

/// Every setting, in the order in which it is shown.
pub const SETTINGS: &[Setting] = &[
    plain(
        Name::AccountSid,
        &["TWILIO_ACCOUNT_SID", "PRIVATE_TWILIO_ACCOUNT_SID"],
        Unset,
        "AC and 32 hexadecimal digits",
        "the provider's account; with a token and a sender, texts go out for real",
    ),
    secret(
        Name::AuthToken,
        &["TWILIO_AUTH_TOKEN", "PRIVATE_TWILIO_AUTH_TOKEN"],
        "the account's token; also proves that callbacks are the provider's",
    ),
    secret(
        Name::AuthTokenSecondary,
        &["TWILIO_AUTH_TOKEN_SECONDARY", "PRIVATE_TWILIO_AUTH_TOKEN_SECONDARY"],
        "the second token while tokens are rotated; callbacks signed with either are believed",
    ),
    plain(
        Name::ApiKeySid,
        &["TWILIO_API_KEY_SID", "PRIVATE_TWILIO_API_KEY_SID"],
        Unset,
        "SK and 32 hexadecimal digits",
        "a key to call the provider with instead of the account's token",
    ),
    secret(
        Name::ApiKeySecret,
        &["TWILIO_API_KEY_SECRET", "PRIVATE_TWILIO_API_KEY_SECRET"],
        "that key's secret",
    ),
    plain(
        Name::MessagingServiceSid,
        &["TWILIO_MESSAGING_SERVICE_SID", "PRIVATE_TWILIO_MESSAGING_SERVICE_SID"],
        Unset,
        "MG and 32 hexadecimal digits",
        "the pool of senders to send from; either this or the one sender",
    ),
    plain(
        Name::From,
        &["TWILIO_FROM", "PRIVATE_TWILIO_FROM"],
        Unset,
        "E.164, such as +15550100000",
        "the one sender to send from; either this or the pool",
    ),
    plain(
        Name::StatusCallbackUrl,
        &["TWILIO_STATUS_CALLBACK_URL", "PRIVATE_TWILIO_STATUS_CALLBACK_URL"],
        Unset,
        "https://HOST[/PREFIX]/api/webhooks/twilio/status",
        "where the provider reports to; says the same as DUNLIN_PUBLIC_URL with the path added",
    ),
    plain(
        Name::ApiBaseUrl,
        &["TWILIO_API_BASE_URL", "PRIVATE_TWILIO_API_BASE_URL"],
        Text("https://api.twilio.com"),
        "https URL, or http on loopback",
        "where the provider's API is; elsewhere only for tests",
    ),
    plain(
        Name::VerifyServiceSid,
        &["TWILIO_VERIFY_SERVICE_SID", "PRIVATE_TWILIO_VERIFY_SERVICE_SID"],
        Unset,
        "VA and 32 hexadecimal digits",
        "the provider's service that sends and checks codes; without it codes are our own texts",
    ),
    plain(
        Name::VerifyApiBaseUrl,
        &["TWILIO_VERIFY_API_BASE_URL", "PRIVATE_TWILIO_VERIFY_API_BASE_URL"],
        Depends("https://verify.twilio.com, or TWILIO_API_BASE_URL when that is elsewhere"),
        "https URL, or http on loopback",
        "where that service's API is; elsewhere only for tests",
    ),
    plain(
        Name::VerifyBrand,
        &["DUNLIN_VERIFY_BRAND"],
        Unset,
        "1 to 32 visible characters",
        "whose code it is, in our own texts with codes",
    ),
    plain(
        Name::VerifySite,
        &["DUNLIN_VERIFY_SITE"],
        Unset,
        "a host such as example.com",
        "the web site that codes are for; telephones fill them in there and nowhere else",
    ),
    plain(
        Name::VerifyNumberHour,
        &["DUNLIN_VERIFY_NUMBER_HOUR"],
        Text("5"),
        "1 to 100",
        "most codes that are sent to one number in an hour",
    ),
    plain(
        Name::VerifyNumberDay,
        &["DUNLIN_VERIFY_NUMBER_DAY"],
        Text("20"),
        "1 to 100",
        "most codes that are sent to one number in a day",
    ),
    plain(
        Name::VerifyUserHour,
        &["DUNLIN_VERIFY_USER_HOUR"],
        Text("5"),
        "1 to 100",
        "most codes that are sent for one user in an hour",
    ),
    plain(
        Name::VerifyAddressHour,
        &["DUNLIN_VERIFY_ADDRESS_HOUR"],
        Text("10"),
        "1 to 100",
        "most codes that are asked for from one IP address in an hour, when the caller tells it",
    ),
    secret(
        Name::AuthHookSecrets,
        &["DUNLIN_AUTH_HOOK_SECRETS"],
        "what signs the Send SMS hook of Supabase Auth, v1,whsec_...; several with | while one is replaced",
    ),
    plain(
        Name::SendingEnabled,
        &["SMS_SENDING_ENABLED", "PRIVATE_SMS_SENDING_ENABLED"],
        Text("true"),
        "true or false",
        "false holds everything that becomes due, and says so",
    ),
    plain(Name::Data, &["DUNLIN_DATA"], Text("./dunlin-data"), "path", "the directory of the store"),
    secret(
        Name::Keys,
        &["DUNLIN_KEYS"],
        "the keys that seal numbers and texts; without them those in the file beside DUNLIN_DATA",
    ),
    plain(
        Name::Credentials,
        &["CREDENTIALS_DIRECTORY"],
        Unset,
        "path",
        "set by the service manager; a file dunlin-keys in it holds the keys",
    ),
    plain(
        Name::HeadsFile,
        &["DUNLIN_HEADS"],
        Unset,
        "path",
        "a file to which the head of the journal is appended at start and stop",
    ),
    plain(
        Name::Backups,
        &["DUNLIN_BACKUPS"],
        Depends("DATA/backups"),
        "path",
        "the directory of backups; better on another disk than the store",
    ),
    plain(
        Name::Listen,
        &["DUNLIN_LISTEN"],
        Text("127.0.0.1:8080"),
        "IP:PORT, port 0 for any free one",
        "where the daemon listens; off loopback only with an API token",
    ),
    plain(
        Name::PublicUrl,
        &["DUNLIN_PUBLIC_URL"],
        Depends("http://LISTEN"),
        "http or https URL without query",
        "where the provider reaches the daemon; signatures are checked against it",
    ),
    secret(Name::ApiToken, &["DUNLIN_API_TOKEN"], "what callers of /v1 show as a bearer token"),
    plain(
        Name::Actor,
        &["DUNLIN_ACTOR"],
        Depends("cli:USER"),
        "1 to 64 visible ASCII characters",
        "who uses the command line, for the audit",
    ),
    plain(
        Name::Url,
        &["DUNLIN_URL"],
        Text("http://127.0.0.1:8080"),
        "http or https URL",
        "where send, show, list, cancel, retry and import find the daemon",
    ),
    plain(
        Name::DefaultRegion,
        &["DUNLIN_DEFAULT_REGION"],
        Unset,
        "two letters, such as US",
        "the country of numbers written without +; without it such numbers are refused",
    ),
    plain(
        Name::UnknownLookups,
        &["DUNLIN_UNKNOWN_LOOKUPS"],
        Text("30s,2m,10m"),
        "rising durations",
        "when to search the provider's list for a submission whose answer was lost",
    ),
    plain(
        Name::UnknownHold,
        &["DUNLIN_UNKNOWN_HOLD"],
        Text("24h"),
        "duration",
        "how long a text that may have been taken waits for a person",
    ),
    plain(
        Name::PollAfter,
        &["DUNLIN_POLL_AFTER"],
        Text("10m,1h,12h,24h,72h"),
        "rising durations",
        "when to ask the provider about a text whose callbacks stay away",
    ),
    plain(
        Name::RetryBase,
        &["DUNLIN_RETRY_BASE"],
        Text("5s"),
        "duration",
        "delay after the first failed attempt; doubles",
    ),
    plain(Name::RetryCap, &["DUNLIN_RETRY_CAP"], Text("1h"), "duration", "longest delay between attempts"),
    plain(
        Name::RetryAttempts,
        &["DUNLIN_RETRY_ATTEMPTS"],
        Text("5"),
        "1 to 100",
        "most attempts that count, the first included",
    ),
    plain(
        Name::Redeliver,
        &["DUNLIN_REDELIVER"],
        Text("off"),
        "on or off",
        "whether to send again what the carrier gave up on; such a text may have arrived",
    ),
    plain(
        Name::SenderRate,
        &["DUNLIN_SENDER_RATE"],
        Depends("100 when live, unlimited in the sandbox"),
        "segments per second, or unlimited",
        "most segments handed to the provider per second",
    ),
    plain(
        Name::ProviderConcurrency,
        &["DUNLIN_PROVIDER_CONCURRENCY"],
        Text("32"),
        "1 to 1000",
        "most requests on the wire to the provider",
    ),
    plain(
        Name::ProviderConnectTimeout,
        &["DUNLIN_PROVIDER_CONNECT_TIMEOUT"],
        Text("5s"),
        "duration",
        "longest time to make a connection to the provider; nothing was sent when it runs out",
    ),
    plain(
        Name::ProviderTimeout,
        &["DUNLIN_PROVIDER_TIMEOUT"],
        Text("15s"),
        "duration",
        "longest time for the provider's answer; the outcome is looked up when it runs out",
    ),
    plain(
        Name::QueueBytes,
        &["DUNLIN_QUEUE_BYTES"],
        Text("16MiB"),
        "bytes, KiB, MiB or GiB",
        "most bytes of requests waiting to become durable; more is answered with 503",
    ),
    plain(
        Name::TimerHorizon,
        &["DUNLIN_TIMER_HORIZON"],
        Text("60s"),
        "duration",
        "how far ahead timers are kept in memory; the rest stay on disk",
    ),
    plain(
        Name::IdempotencyRetention,
        &["DUNLIN_IDEMPOTENCY_RETENTION"],
        Text("48h"),
        "duration, at least 24h",
        "how long an idempotency key is remembered",
    ),
    plain(
        Name::OrphanRetention,
        &["DUNLIN_ORPHAN_RETENTION"],
        Text("24h"),
        "duration",
        "how long a callback that fits no message yet is kept",
    ),
    plain(
        Name::ArchiveAfter,
        &["DUNLIN_ARCHIVE_AFTER"],
        Text("90d"),
        "duration, at least DUNLIN_IDEMPOTENCY_RETENTION; or off",
        "how old records are when they move to compressed archives beside the store",
    ),
    plain(
        Name::CacheBytes,
        &["DUNLIN_CACHE_BYTES"],
        Text("32MiB"),
        "bytes, KiB, MiB or GiB",
        "memory for the store's pages",
    ),
    plain(
        Name::DiskFreeMin,
        &["DUNLIN_DISK_FREE_MIN"],
        Text("64MiB"),
        "bytes, KiB, MiB or GiB",
        "with less room on the disk no new texts are taken (507), and what becomes of the others is still recorded",
    ),
    plain(
        Name::Drain,
        &["DUNLIN_DRAIN"],
        Text("30s"),
        "duration",
        "how long a stop waits for requests on the wire",
    ),
    plain(
        Name::Log,
        &["DUNLIN_LOG"],
        Text("info"),
        "level, or target=level, ...",
        "what is logged to the standard error output",
    ),
];

impl Setting {
    /// The row of `name`.
    pub fn of(name: Name) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// The name to use in sentences: the first variable.
    pub fn variable(&self) -> &'static str {
        self.variables.first().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_has_one_row_and_no_variable_is_shared() {
        let names: BTreeSet<Name> = SETTINGS.iter().map(|setting| setting.name).collect();
        assert_eq!(names.len(), SETTINGS.len());
        let variables: Vec<&str> = SETTINGS.iter().flat_map(|setting| setting.variables).copied().collect();
        let distinct: BTreeSet<&str> = variables.iter().copied().collect();
        assert_eq!(distinct.len(), variables.len());
        assert!(variables.iter().all(|variable| !variable.ends_with("_FILE")));
    }

    #[test]
    fn both_families_of_provider_variables_are_complete() {
        let of_the_provider = |setting: &&Setting| {
            !setting.variable().starts_with("DUNLIN_") && setting.name != Name::Credentials
        };
        for setting in SETTINGS.iter().filter(of_the_provider) {
            let [first, twin] = setting.variables else { panic!("{:?} has no twin", setting.name) };
            assert_eq!(format!("PRIVATE_{first}"), *twin);
        }
    }
}
