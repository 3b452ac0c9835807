//! The Supabase project that the daemon keeps in step with.

use std::fmt;
use std::time::Duration;

use dunlin_sync::postgres::Address;
use secrecy::SecretString;

use crate::config::setting::Name;
use crate::config::{Reader, value};

/// Shortest and longest lease.
const LEASE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_hours(1));
/// Most and fewest looks.
const POLL: (Duration, Duration) = (Duration::from_millis(100), Duration::from_hours(1));
/// Least and most that a text may be overdue.
const AGE: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(365 * 24));
/// Shortest and longest time for an answer.
const TIMEOUT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));
/// Longest name, in characters.
const NAME_MAX: usize = 100;

/// The project, and how it is spoken to.
#[derive(Debug, Clone)]
pub struct Supabase {
    /// The way there.
    pub way: Way,
    /// What the daemon is called there.
    pub name: String,
    /// How long what it has is its own after it was last heard of; for good when `None`.
    pub lease: Option<Duration>,
    /// How often it looks.
    pub poll: Duration,
    /// How overdue a text may be that is still taken.
    pub age_limit: Duration,
    /// Longest time for an answer.
    pub timeout: Duration,
}

/// The way to a project.
#[derive(Clone)]
pub enum Way {
    /// The database's own protocol.
    Postgres(Box<Address>),
    /// The Data API.
    Rest {
        /// Where it is, without a path.
        url: String,
        /// A secret key of the project.
        key: SecretString,
    },
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgres(address) => write!(f, "Postgres({address})"),
            Self::Rest { url, .. } => write!(f, "Rest({url})"),
        }
    }
}

/// Reads the settings; `None` when nothing is kept in step, or a problem was noted.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Supabase> {
    let lease = reader.read(Name::SyncLease, |text| {
        if text == "off" { Ok(None) } else { value::within(text, LEASE, "5s to 1h, or off").map(Some) }
    });
    let poll = reader.read(Name::SyncPoll, |text| value::within(text, POLL, "100ms to 1h"));
    let age_limit = reader.read(Name::SyncAgeLimit, |text| value::within(text, AGE, "1m to 365d"));
    let timeout = reader.read(Name::SyncTimeout, |text| value::within(text, TIMEOUT, "1s to 5m"));
    let name = reader.read(Name::SyncName, |text| {
        let fits = (1..=NAME_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits { Ok(text.to_owned()) } else { Err(format!("expected 1 to {NAME_MAX} characters")) }
    });
    let database = reader.read(Name::SupabaseDbUrl, Address::parse).map(Box::new);
    let url = reader.read(Name::SupabaseUrl, value::guarded_url);
    let key = key(reader);
    let mode = reader.values.text(Name::Sync).unwrap_or("auto").to_owned();
    let way = match mode.as_str() {
        "off" => None,
        "auto" => match (database, url, key) {
            (Some(address), ..) => Some(Way::Postgres(address)),
            (None, Some(url), Some(key)) => Some(Way::Rest { url, key }),
            (None, None, _) | (None, _, None) => None,
        },
        "postgres" => {
            if reader.values.text(Name::SupabaseDbUrl).is_none() {
                reader.wrong(Name::Sync, "is postgres, and SUPABASE_DB_URL is not set");
            }
            database.map(Way::Postgres)
        }
        "rest" => {
            if reader.values.text(Name::SupabaseUrl).is_none() || key.is_none() {
                reader.wrong(Name::Sync, "is rest, and SUPABASE_URL or SUPABASE_SECRET_KEY is not set");
            }
            url.zip(key).map(|(url, key)| Way::Rest { url, key })
        }
        other => {
            reader.wrong(Name::Sync, &format!("\"{other}\" is no way; expected auto, postgres, rest or off"));
            None
        }
    };
    let (lease, timeout) = (lease?, timeout?);
    Some(Supabase {
        way: way?,
        name: name?,
        lease,
        poll: poll?,
        age_limit: age_limit?,
        // A beat that is not answered must leave time for another one.
        timeout: lease.map_or(timeout, |lease| timeout.min(lease.checked_div(2).unwrap_or_default())),
    })
}

/// The project's key; of two that are set neither can be chosen.
fn key(reader: &mut Reader<'_>) -> Option<SecretString> {
    let values = reader.values;
    match (values.text(Name::SupabaseSecretKey), values.text(Name::SupabaseServiceRoleKey)) {
        (Some(_), Some(_)) => {
            reader
                .wrong(Name::SupabaseServiceRoleKey, "is set beside SUPABASE_SECRET_KEY; remove one of them");
            None
        }
        (Some(key), None) | (None, Some(key)) => Some(SecretString::from(key)),
        (None, None) => None,
    }
}
