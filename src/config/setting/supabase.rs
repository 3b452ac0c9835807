//! The rows about Supabase: where the project is, and how the daemon keeps in step with it.

use super::Fallback::{Text, Unset};
use super::table::{plain, secret};
use super::{Name, Setting};

pub(super) const DB_URL: Setting = secret(
    Name::SupabaseDbUrl,
    &["SUPABASE_DB_URL", "PRIVATE_SUPABASE_DB_URL"],
    "the database of the Supabase project, postgresql://...; with a password, so never shown",
);

pub(super) const URL: Setting = plain(
    Name::SupabaseUrl,
    &["SUPABASE_URL", "PRIVATE_SUPABASE_URL"],
    Unset,
    "https://REF.supabase.co",
    "the Supabase project, reached through its Data API with one of the keys below",
);

pub(super) const SECRET_KEY: Setting = secret(
    Name::SupabaseSecretKey,
    &["SUPABASE_SECRET_KEY", "PRIVATE_SUPABASE_SECRET_KEY"],
    "the project's secret key, sb_secret_...",
);

pub(super) const SERVICE_ROLE_KEY: Setting = secret(
    Name::SupabaseServiceRoleKey,
    &["SUPABASE_SERVICE_ROLE_KEY", "PRIVATE_SUPABASE_SERVICE_ROLE_KEY"],
    "the project's older secret key, a token whose role is service_role; either this or the other",
);

pub(super) const SYNC: Setting = plain(
    Name::Sync,
    &["DUNLIN_SYNC"],
    Text("auto"),
    "auto, postgres, rest or off",
    "which way the daemon keeps in step with the project; auto: the database if its address is set, else the Data API if its address and a key are, else not",
);

pub(super) const NAME: Setting = plain(
    Name::SyncName,
    &["DUNLIN_SYNC_NAME"],
    Text("dunlin"),
    "1 to 100 characters",
    "what the daemon is called in the project",
);

pub(super) const LEASE: Setting = plain(
    Name::SyncLease,
    &["DUNLIN_SYNC_LEASE"],
    Text("off"),
    "duration from 5s to 1h, or off",
    "how long after it was last heard of others get this daemon's texts; off: never, for a project with one daemon",
);

pub(super) const POLL: Setting = plain(
    Name::SyncPoll,
    &["DUNLIN_SYNC_POLL"],
    Text("5s"),
    "duration from 100ms to 1h",
    "how often the project is looked at; through the database it also says itself when there is something",
);

pub(super) const AGE_LIMIT: Setting = plain(
    Name::SyncAgeLimit,
    &["DUNLIN_SYNC_AGE_LIMIT"],
    Text("24h"),
    "duration from 1m to 365d",
    "how overdue a text may be that is taken over from the project; older ones are parked",
);

pub(super) const TIMEOUT: Setting = plain(
    Name::SyncTimeout,
    &["DUNLIN_SYNC_TIMEOUT"],
    Text("30s"),
    "duration from 1s to 5m",
    "longest time for the project's answer; with a lease never longer than half of it",
);
