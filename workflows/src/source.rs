//! Who asked: the origin of a command, kept beside every event that came of it.

/// Who or what asked for the change that an event records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A caller of the HTTP API, or a person in the console.
    Api,
    /// A signed callback of the provider.
    Webhook,
    /// A durable timer that fired.
    Timer,
    /// The dispatcher: a slot became free, or the provider answered a submission.
    Dispatcher,
    /// A search or a question at the provider.
    Lookup,
    /// The start after a stop: what the last process left open.
    Recovery,
    /// A person at the command line.
    Cli,
    /// Rows taken over from another system.
    Import,
    /// A database that several daemons may share.
    Sync,
    /// Whoever had a person's link by which they opt out.
    Link,
}

/// Every source with the word for it.
pub const SOURCES: [(Source, &str); 10] = [
    (Source::Api, "api"),
    (Source::Webhook, "webhook"),
    (Source::Timer, "timer"),
    (Source::Dispatcher, "dispatcher"),
    (Source::Lookup, "lookup"),
    (Source::Recovery, "recovery"),
    (Source::Cli, "cli"),
    (Source::Import, "import"),
    (Source::Sync, "sync"),
    (Source::Link, "link"),
];

impl Source {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Webhook => "webhook",
            Self::Timer => "timer",
            Self::Dispatcher => "dispatcher",
            Self::Lookup => "lookup",
            Self::Recovery => "recovery",
            Self::Cli => "cli",
            Self::Import => "import",
            Self::Sync => "sync",
            Self::Link => "link",
        }
    }
}
