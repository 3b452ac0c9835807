//! Runs migrations: each in one transaction, one runner at a time.

use tokio_postgres::{Client, Transaction};

use crate::contract::{FUNCTIONS, TABLES, WORDS};
use crate::migration::{Found, Migration, Recorded};

/// The lock that keeps two runners apart; a number that nobody else is likely to use: "dunlin" in ASCII.
const LOCK: i64 = 0x64_75_6e_6c_69_6e;

/// Where applied migrations are written down. The files have it too, so that it is there whoever applies them.
const LEDGER: &str = "create schema if not exists dunlin;
create table if not exists dunlin.migrations (
  version text primary key,
  name text not null,
  checksum text not null,
  applied_by text not null default session_user,
  applied_at timestamptz not null default now()
);
alter table dunlin.migrations enable row level security;";

/// What is known of a database: what it says itself, and what the Supabase CLI wrote down there.
const RECORDED: &str = "select version, name, checksum from dunlin.migrations";
const RECORDED_BY_CLI: &str = "select version, coalesce(name, '') from supabase_migrations.schema_migrations where name like 'dunlin\\_%'";

/// What of the contract is there already.
const FOUND: &str = "select jsonb_build_object(
  'tables', coalesce((select jsonb_object_agg(c.relname, jsonb_build_object(
      'rows', case when c.reltuples >= 0 then c.reltuples::bigint end,
      'columns', (select jsonb_agg(a.attname order by a.attnum) from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
      'policies', coalesce((select jsonb_agg(p.polname order by p.polname) from pg_policy p
        where p.polrelid = c.oid and p.polname not like 'dunlin\\_%'), '[]'),
      'is_guarded', c.relrowsecurity))
    from pg_class c where c.relnamespace = 'public'::regnamespace and c.relname = any ($1) and c.relkind in ('r', 'p')), '{}'),
  'words', coalesce((select jsonb_object_agg(t.typname, (select jsonb_agg(e.enumlabel order by e.enumsortorder)
      from pg_enum e where e.enumtypid = t.oid))
    from pg_type t where t.typnamespace = 'public'::regnamespace and t.typname = any ($2) and t.typtype = 'e'), '{}'),
  'functions', coalesce((select jsonb_agg(p.oid::regprocedure::text order by p.oid::regprocedure::text) from pg_proc p
    where p.pronamespace = 'public'::regnamespace and p.proname = any ($3)
      and coalesce(obj_description(p.oid, 'pg_proc'), '') not like 'Dunlin: %'), '[]'))";

/// Why a migration did not run. Nothing of it was applied then.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database said no.
    #[error("{what} did not run, and nothing of it was applied: {}", told(.source))]
    Refused {
        /// What did not run.
        what: String,
        /// What the database said.
        source: tokio_postgres::Error,
    },
    /// The database answered with something else than asked for.
    #[error("the database's answer can't be read: {0}")]
    Answer(#[from] serde_json::Error),
}

/// The database's words, with its hint and where in a function it happened.
fn told(error: &tokio_postgres::Error) -> String {
    let Some(said) = error.as_db_error() else { return error.to_string() };
    let mut words = format!("{} ({})", said.message(), said.code().code());
    for more in [said.detail(), said.hint(), said.where_()].into_iter().flatten() {
        words.push_str("; ");
        words.push_str(more);
    }
    words
}

fn refused(what: impl Into<String>) -> impl FnOnce(tokio_postgres::Error) -> MigrateError {
    let what = what.into();
    |source| MigrateError::Refused { what, source }
}

/// Every migration that the database says it has.
///
/// # Errors
/// [`MigrateError`] when the database can't be asked.
pub async fn recorded(client: &Client) -> Result<Vec<Recorded>, MigrateError> {
    let ask = "the question which migrations were applied";
    let mut all = Vec::new();
    if exists(client, "dunlin.migrations").await? {
        for row in client.query(RECORDED, &[]).await.map_err(refused(ask))? {
            all.push(Recorded { version: row.get(0), name: row.get(1), checksum: Some(row.get(2)) });
        }
    }
    if exists(client, "supabase_migrations.schema_migrations").await? {
        for row in client.query(RECORDED_BY_CLI, &[]).await.map_err(refused(ask))? {
            let by_cli = Recorded { version: row.get(0), name: row.get(1), checksum: None };
            if all.iter().all(|known: &Recorded| known.version != by_cli.version) {
                all.push(by_cli);
            }
        }
    }
    Ok(all)
}

async fn exists(client: &Client, table: &str) -> Result<bool, MigrateError> {
    let row = client.query_one("select to_regclass($1) is not null", &[&table]).await;
    Ok(row.map_err(refused("a look at the catalog"))?.get(0))
}

/// What of the contract is there already.
///
/// # Errors
/// [`MigrateError`] when the database can't be asked.
pub async fn found(client: &Client) -> Result<Found, MigrateError> {
    let tables: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
    let words: Vec<&str> = WORDS.iter().map(|(name, _)| *name).collect();
    let row = client.query_one(FOUND, &[&tables, &words, &FUNCTIONS.as_slice()]).await;
    let found: serde_json::Value = row.map_err(refused("a look at the catalog"))?.get(0);
    Ok(serde_json::from_value(found)?)
}

/// Applies one migration and writes it down, in one transaction. Answers whether it ran: another runner may have
/// been faster.
///
/// # Errors
/// [`MigrateError::Refused`]; then nothing of it was applied.
pub async fn apply(client: &mut Client, migration: &Migration) -> Result<bool, MigrateError> {
    let what = || format!("{}_{}", migration.version, migration.name);
    let transaction = client.transaction().await.map_err(refused(what()))?;
    let ran = run(&transaction, migration).await.map_err(refused(what()))?;
    transaction.commit().await.map_err(refused(what()))?;
    Ok(ran)
}

async fn run(transaction: &Transaction<'_>, migration: &Migration) -> Result<bool, tokio_postgres::Error> {
    // A table that is in use makes the migration fail after a while instead of holding up the product behind it.
    transaction
        .batch_execute("set local statement_timeout = 0; set local lock_timeout = '10s'; set local client_min_messages = warning")
        .await?;
    transaction.execute("select pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    transaction.batch_execute(LEDGER).await?;
    let version = &migration.version;
    let known = "select from dunlin.migrations where version = $1";
    if transaction.query_opt(known, &[version]).await?.is_some() {
        return Ok(false);
    }
    transaction.batch_execute(migration.sql).await?;
    let note = "insert into dunlin.migrations (version, name, checksum) values ($1, $2, $3)";
    transaction.execute(note, &[version, &migration.name, &migration.checksum()]).await?;
    Ok(true)
}
