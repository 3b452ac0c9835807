//! States of texts pushed to a local PostgreSQL, ten thousand rows a batch, both ways; beside them one statement that writes
//! the same rows from the same columns and knows nothing of versions, owners and deletions.
//!
//! `cargo bench --bench push`, after `./test` installed what it needs. `-- ROUNDS` (7) says how often.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    reason = "a benchmark prints, and may end at the first surprise"
)]

#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../tests/supabase/cable.rs"]
mod cable;
#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../tests/supabase/cluster.rs"]
mod cluster;
#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../tests/supabase/database.rs"]
mod database;
#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../tests/supabase/gateway.rs"]
mod gateway;
#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../tests/supabase/way.rs"]
mod way;

use std::time::{Duration, Instant};

use dunlin_sync::transport::{AnyDatabase, acknowledge, heartbeat, pull, push};
use dunlin_sync::wire::{Batch, Born, EngineState, Heartbeat, MessageRow, Pull, SmsStatus};
use dunlin_workflows::id::MessageId;
use dunlin_workflows::timestamp::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::cluster::Cluster;
use crate::database::{Database, FIRST};
use crate::gateway::{Gateway, SECRET_KEY};
use crate::way::{PATIENT, Way, postgres, rest};

/// Rows in a batch.
const ROWS: usize = 10_000;
/// Whose texts they are.
const USERS: usize = 1_000;
/// When everything was.
const AT: Timestamp = Timestamp::from_millis(1_795_946_400_000);

/// As careful about crashes as PostgreSQL is by itself, which the tests are not.
const CAREFUL: [&str; 4] = ["fsync=on", "synchronous_commit=on", "full_page_writes=on", "max_wal_size=2GB"];

/// Makes users and asks for one text per row, as the product does.
const ASK: &str = "
insert into auth.users (id, email)
  select ('b0000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'user' || n from generate_series(0, 999) n;
select count(queue_sms_message(('b0000000-0000-4000-8000-' || lpad((n % 1000)::text, 12, '0'))::uuid, '+1555' || lpad((n % 1000)::text, 7, '0'),
  'Your order ' || n || ' is on its way and arrives tomorrow before noon. Reply STOP to end.')) from generate_series(1, 10000) n;
vacuum analyze";

/// Makes every text one that was just acknowledged.
const RESET: &str = "
set dunlin.origin = 'dddddddd-0000-4000-8000-000000000001';
delete from sms_messages where queue_job_id is null;
update sms_messages set status = 'queued', engine_state = 'due', engine_version = 0, attempt_count = 0, sent_at = null;
update queue_jobs set status = 'pending', attempts = 0, result = null, started_at = null, processed_at = null, completed_at = null;
insert into dunlin.requests (message_id, state, rank, due_at, daemon_id)
  select id, 'accepted', 3, now(), engine_id from sms_messages on conflict do nothing;
delete from dunlin.changes where kind = 'message';
reset dunlin.origin";

/// One statement each that writes the rows which a push writes, from the same columns: texts and jobs, texts and requests, new
/// texts; and the texts of the first alone.
const BARE_SENT: &str = "
with given as materialized (select * from unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::text[])
  as g (id, version, status, state, sid, twilio_status, attempts, at)),
texts as (update sms_messages m set status = g.status::sms_status, status_reason = null, engine_state = g.state, engine_version = g.version,
    twilio_sid = g.sid, twilio_status = g.twilio_status, attempt_count = g.attempts, sent_at = g.at::timestamptz, updated_at = now()
  from given g where m.id = g.id returning m.queue_job_id, g.sid)
update queue_jobs j set status = 'completed', attempts = 1, result = jsonb_build_object('twilio_sid', t.sid), started_at = now(),
    processed_at = now(), completed_at = now(), updated_at = now()
  from texts t where j.id = t.queue_job_id";
const BARE_SENT_TEXTS: &str = "
update sms_messages m set status = g.status::sms_status, status_reason = null, engine_state = g.state, engine_version = g.version,
    twilio_sid = g.sid, twilio_status = g.twilio_status, attempt_count = g.attempts, sent_at = g.at::timestamptz, updated_at = now()
  from unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::text[])
    as g (id, version, status, state, sid, twilio_status, attempts, at) where m.id = g.id";
const BARE_DELIVERED: &str = "
with given as materialized (select * from unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::text[], $9::text[])
  as g (id, version, status, state, sid, twilio_status, attempts, at, delivered_at)),
texts as (update sms_messages m set status = g.status::sms_status, status_reason = null, engine_state = g.state, engine_version = g.version,
    twilio_sid = g.sid, twilio_status = g.twilio_status, attempt_count = g.attempts, sent_at = g.at::timestamptz,
    delivered_at = g.delivered_at::timestamptz, updated_at = now()
  from given g where m.id = g.id)
delete from dunlin.requests r using given g where r.message_id = g.id";
const BARE_BORN: &str = "
insert into sms_messages (id, user_id, phone_number, message_content, priority, created_at, status, engine_state, engine_version, engine_id,
    twilio_sid, twilio_status, attempt_count, sent_at)
  select g.id, g.user_id, g.phone_number, g.content, g.priority::sms_priority, g.created_at::timestamptz, g.status::sms_status, g.state,
    g.version, 'dddddddd-0000-4000-8000-000000000001', g.sid, g.twilio_status, g.attempts, g.at::timestamptz
  from unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::text[], $9::text[],
      $10::uuid[], $11::text[], $12::text[], $13::text[])
    as g (id, version, status, state, sid, twilio_status, attempts, at, created_at, user_id, phone_number, content, priority)";

/// What is measured, and the statement beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Sent,
    Delivered,
    Born,
}

impl What {
    const ALL: [Self; 3] = [Self::Sent, Self::Delivered, Self::Born];

    fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent: texts and their jobs",
            Self::Delivered => "delivered: texts and their requests",
            Self::Born => "born: new texts",
        }
    }

    fn bare(self) -> &'static str {
        match self {
            Self::Sent => BARE_SENT,
            Self::Delivered => BARE_DELIVERED,
            Self::Born => BARE_BORN,
        }
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let rounds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(7_usize);
    let cluster = Cluster::start_with(&CAREFUL.map(|setting| ["-c", setting]).concat()).await;
    let database = cluster.migrated().await;
    let owner = database.owner().await;
    owner.execute("update user_sms_preferences set phone_verified = false", &[]).await.unwrap();
    for statement in ASK.split(';') {
        owner.batch_execute(statement).await.unwrap();
    }
    let ids = taken(&database).await;
    let mut times: Vec<(String, Vec<Duration>)> = Vec::new();
    let mut version = 1;
    for _ in 0..rounds {
        for way in Way::BOTH {
            reset(&owner).await;
            let (there, _gateway) = reached(way, &database).await;
            for what in What::ALL {
                version += ROWS;
                note(
                    &mut times,
                    format!("{way:?}, {}", what.name()),
                    pushed(&there, what, &ids, version).await,
                );
            }
        }
        reset(&owner).await;
        for what in What::ALL {
            version += ROWS;
            note(
                &mut times,
                format!("bare, {}", what.name()),
                wrote(&owner, what.bare(), what, &ids, version).await,
            );
        }
        reset(&owner).await;
        version += ROWS;
        note(
            &mut times,
            "bare, sent: texts alone".into(),
            wrote(&owner, BARE_SENT_TEXTS, What::Sent, &ids, version).await,
        );
    }
    report(&mut times);
}

/// The database, without a cable between as tests have it.
async fn reached(way: Way, database: &Database) -> (AnyDatabase, Option<Gateway>) {
    match way {
        Way::Rest => {
            let gateway = Gateway::in_front_of(database).await;
            (rest(gateway.address, SECRET_KEY, PATIENT), Some(gateway))
        }
        Way::Postgres => {
            let owner = database.owner().await;
            owner.batch_execute("alter role dunlin_worker login").await.unwrap();
            (postgres(&database.url_of("dunlin_worker", None), PATIENT), None)
        }
    }
}

/// Claims every text and acknowledges it.
async fn taken(database: &Database) -> Vec<MessageId> {
    let (there, _) = reached(Way::Postgres, database).await;
    let daemon = FIRST.parse().unwrap();
    let alive = Heartbeat { name: "bench".into(), version: String::new(), lease: None };
    heartbeat(&there, daemon, &alive).await.unwrap();
    let mut ids = Vec::new();
    while ids.len() < ROWS {
        let some = pull(&there, daemon, &Pull { claims: 1000, ..Pull::default() }).await.unwrap();
        let claims: Vec<_> = some.requests.iter().map(|request| request.as_ref().unwrap().claim()).collect();
        assert!(!claims.is_empty(), "{} texts of {ROWS} were there", ids.len());
        acknowledge(&there, daemon, &claims).await.unwrap();
        ids.extend(claims.iter().map(|claim| claim.id));
    }
    ids
}

async fn reset(owner: &Client) {
    for statement in RESET.split(';') {
        owner.batch_execute(statement).await.unwrap();
    }
    for table in ["sms_messages", "queue_jobs", "dunlin.requests", "dunlin.changes"] {
        owner.batch_execute(&format!("vacuum {table}")).await.unwrap();
    }
}

/// How long a push takes, from rows in memory to the typed answer.
async fn pushed(there: &AnyDatabase, what: What, ids: &[MessageId], version: usize) -> Duration {
    let daemon = FIRST.parse().unwrap();
    let alive = Heartbeat { name: "bench".into(), version: String::new(), lease: None };
    heartbeat(there, daemon, &alive).await.unwrap();
    let messages = ids.iter().enumerate().map(|(place, id)| row(what, *id, version + place, place)).collect();
    let batch = Batch { messages, ..Batch::default() };
    let began = Instant::now();
    let answer = push(there, daemon, &batch).await.unwrap();
    let took = began.elapsed();
    assert_eq!(answer.applied, u64::try_from(ROWS).unwrap(), "{answer:?}");
    took
}

/// How long the statement takes that writes the same rows.
async fn wrote(owner: &Client, statement: &str, what: What, ids: &[MessageId], version: usize) -> Duration {
    let rows: Vec<_> =
        ids.iter().enumerate().map(|(place, id)| row(what, *id, version + place, place)).collect();
    let status = if what == What::Delivered { "delivered" } else { "sent" };
    let ids: Vec<Uuid> = rows.iter().map(|row| Uuid::from_bytes(*row.id.as_bytes())).collect();
    let versions: Vec<i64> = rows.iter().map(|row| i64::try_from(row.version).unwrap()).collect();
    let sids: Vec<&str> = rows.iter().map(|row| row.twilio_sid.as_deref().unwrap()).collect();
    let (statuses, attempts, times) =
        (vec![status; ROWS], vec![1_i32; ROWS], vec!["2026-11-29T10:00:00.000Z"; ROWS]);
    let born: Vec<_> = rows.iter().filter_map(|row| row.born.as_ref()).collect();
    let users: Vec<Uuid> = born.iter().map(|born| born.user_id).collect();
    let numbers: Vec<&str> = born.iter().map(|born| born.phone_number.as_str()).collect();
    let contents: Vec<&str> = born.iter().map(|born| born.message_content.as_str()).collect();
    let priorities: Vec<&str> = born.iter().map(|born| born.priority).collect();
    let columns: [&(dyn ToSql + Sync); 13] = [
        &ids,
        &versions,
        &statuses,
        &statuses,
        &sids,
        &statuses,
        &attempts,
        &times,
        &times,
        &users,
        &numbers,
        &contents,
        &priorities,
    ];
    owner.batch_execute(&format!("set dunlin.origin = '{FIRST}'")).await.unwrap();
    let statement = owner.prepare(statement).await.unwrap();
    let columns = &columns[..statement.params().len()];
    let began = Instant::now();
    let written = owner.execute(&statement, columns).await.unwrap();
    let took = began.elapsed();
    owner.batch_execute("reset dunlin.origin").await.unwrap();
    assert_eq!(written, u64::try_from(ROWS).unwrap());
    took
}

fn row(what: What, id: MessageId, version: usize, place: usize) -> MessageRow {
    let (status, state) = match what {
        What::Sent | What::Born => (SmsStatus::Sent, EngineState::Sent),
        What::Delivered => (SmsStatus::Delivered, EngineState::Delivered),
    };
    let id = if what == What::Born { MessageId::from_bytes(*new_id(version).as_bytes()) } else { id };
    let mut row = MessageRow::new(id, u64::try_from(version).unwrap(), status, state);
    (row.attempt_count, row.twilio_sid, row.sent_at) = (1, Some(sid(place)), Some(AT.into()));
    row.twilio_status = Some(if what == What::Delivered { "delivered" } else { "sent" }.into());
    row.delivered_at = (what == What::Delivered).then_some(AT.into());
    row.finished = what == What::Delivered;
    row.born = (what == What::Born).then(|| {
        Box::new(Born {
            user_id: format!("b0000000-0000-4000-8000-{:012}", place % USERS).parse().unwrap(),
            phone_number: "+15550000000".into(),
            message_content: "Your order is on its way and arrives tomorrow before noon. Reply STOP to end."
                .into(),
            template_key: None,
            template_vars: None,
            priority: "normal",
            scheduled_for: None,
            metadata: None,
            created_at: AT.into(),
        })
    });
    row
}

/// An id as scattered as ids are, and another one for every version.
fn new_id(version: usize) -> Uuid {
    let digest = Sha256::digest(version.to_be_bytes());
    Uuid::from_bytes(digest[..16].try_into().unwrap())
}

fn sid(place: usize) -> String {
    format!("SM{place:032x}")
}

fn note(times: &mut Vec<(String, Vec<Duration>)>, name: String, took: Duration) {
    match times.iter_mut().find(|(known, _)| *known == name) {
        Some((_, all)) => all.push(took),
        None => times.push((name, vec![took])),
    }
}

fn report(times: &mut [(String, Vec<Duration>)]) {
    let rows = f64::from(u32::try_from(ROWS).unwrap());
    for (_, all) in &mut *times {
        all.sort();
    }
    let median = |name: &str| {
        let (_, all) = times.iter().find(|(known, _)| known == name).unwrap();
        all[all.len() / 2].as_secs_f64()
    };
    println!("{:<45} {:>10} {:>21} {:>8}", "what", "rows/s", "slowest to fastest", "of bare");
    for (name, all) in &*times {
        let bare = name.split_once(", ").map_or_else(String::new, |(_, what)| format!("bare, {what}"));
        let took = median(name);
        let spread =
            format!("{:.0} to {:.0}", rows / all[all.len() - 1].as_secs_f64(), rows / all[0].as_secs_f64());
        println!("{name:<45} {:>10.0} {spread:>21} {:>8.2}", rows / took, median(&bare) / took);
    }
}
