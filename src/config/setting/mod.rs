//! Every setting there is: its names, its default, its unit and what it means.

mod events;
mod supabase;
mod table;

pub use table::SETTINGS;

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
    /// Where the database of the Supabase project is.
    SupabaseDbUrl,
    /// Where the Supabase project is.
    SupabaseUrl,
    /// The project's secret key.
    SupabaseSecretKey,
    /// The project's older secret key.
    SupabaseServiceRoleKey,
    /// Which way the daemon keeps in step with the project.
    Sync,
    /// What the daemon is called there.
    SyncName,
    /// How long texts are the daemon's after it was last heard of.
    SyncLease,
    /// How often the project is looked at.
    SyncPoll,
    /// How overdue a text may be that is still sent.
    SyncAgeLimit,
    /// Longest time for the project's answer.
    SyncTimeout,
    /// Where the product's own server is told what became of texts.
    EventsUrl,
    /// What that is signed with.
    EventsSecret,
    /// Longest time for that server's answer.
    EventsTimeout,
    /// How many failures are an alarm.
    AlarmFailures,
    /// How long a failure counts for one.
    AlarmWindow,
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
    /// Keys of the API, each with what it is for.
    ApiKeys,
    /// What the command line calls whoever uses it.
    Actor,
    /// Where the command line finds the daemon.
    Url,
    /// The country of numbers written without one.
    DefaultRegion,
    /// Where people are of whom nobody said it.
    DefaultTimeZone,
    /// Whether a number says where its user is.
    ZoneByRegion,
    /// Quiet hours of whoever said nothing about them.
    QuietHours,
    /// Hours that the law leaves.
    LegalHours,
    /// When texts of low priority leave.
    LowPriorityHours,
    /// Most texts a day to whoever named no limit.
    DailyLimit,
    /// What becomes of a text over the daily limit.
    OverDailyLimit,
    /// Most texts to one person in a minute.
    RatePerMinute,
    /// Most texts to one person in an hour.
    RatePerHour,
    /// Most texts altogether.
    RateGlobal,
    /// Most texts of the sender.
    RateSender,
    /// Most texts to countries.
    RateCountries,
    /// Most new numbers of one block.
    PrefixVelocity,
    /// How long the same text does not go to the same person again.
    DuplicateWindow,
    /// What the first text to a person ends with.
    OptOutLine,
    /// Where texts may go.
    Countries,
    /// Whether only proven numbers are texted.
    VerifiedNumbers,
    /// The file that names kinds of messages.
    KindsFile,
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
