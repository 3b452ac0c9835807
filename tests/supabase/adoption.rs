//! What migrations make of an empty project, and of two that were there before.

use dunlin_sync::contract::{TABLES, WORDS};
use dunlin_sync::migration::MIGRATIONS;
use serde_json::{Value, json};

use crate::cluster::{Cluster, server_command};
use crate::database::{ADA, BOB, Database, FIRST, done, one, refusal, rows};

const SOURCE_SYSTEM: &str = include_str!("sql/source_system.sql");
const SEED_SHAPE: &str = include_str!("sql/seed_shape.sql");

/// Everything in a database, as text.
fn dump(database: &Database) -> String {
    let dumped = server_command("pg_dump").args(["--dbname", &database.url()]).output().unwrap();
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    let text = String::from_utf8(dumped.stdout).unwrap();
    // Newer versions of pg_dump put a random word there.
    text.lines().filter(|line| !line.contains("restrict ")).collect::<Vec<_>>().join("\n")
}

/// The old columns of every row of a table, in one text.
async fn content(database: &Database, table: &str, columns: &str) -> Value {
    let owner = database.owner().await;
    let list =
        format!("select jsonb_agg(to_jsonb(t) order by id) from (select {columns} from public.{table}) t");
    one(&owner, &list).await
}

async fn columns(database: &Database, table: &str) -> Vec<Value> {
    let owner = database.owner().await;
    let names = "select jsonb_agg(attname order by attname) from pg_attribute";
    let of =
        format!("{names} where attrelid = 'public.{table}'::regclass and attnum > 0 and not attisdropped");
    one(&owner, &of).await.as_array().unwrap().clone()
}

#[tokio::test]
async fn fresh_project_has_exactly_the_tables_columns_and_words_of_the_contract() {
    let cluster = Cluster::start().await;
    let database = cluster.project("").await;
    database.migrate().await;
    for table in TABLES {
        let mut wanted: Vec<Value> = table.columns.iter().map(|column| json!(column.name)).collect();
        wanted.sort_by_key(ToString::to_string);
        let mut there = columns(&database, table.name).await;
        there.sort_by_key(ToString::to_string);
        assert_eq!(there, wanted, "{}", table.name);
    }
    let owner = database.owner().await;
    for (name, words) in WORDS {
        let there = one(&owner, &format!("select enum_range(null::public.{name})::text[]")).await;
        let missing: Vec<_> =
            words.iter().filter(|word| !there.as_array().unwrap().contains(&json!(word))).collect();
        assert_eq!(missing, Vec::<&&str>::new(), "{name}");
    }
}

#[tokio::test]
async fn migrations_that_run_again_change_nothing() {
    let cluster = Cluster::start().await;
    for (place, shape) in ["", SOURCE_SYSTEM, SEED_SHAPE].iter().enumerate() {
        let database = cluster.project(shape).await;
        database.migrate().await;
        let before = dump(&database);
        let owner = database.owner().await;
        for migration in &MIGRATIONS {
            owner.batch_execute(&format!("begin; {} commit;", migration.sql)).await.unwrap();
        }
        assert_eq!(dump(&database), before, "shape {place}");
    }
}

#[tokio::test]
async fn source_system_is_adopted_with_everything_in_it() {
    let cluster = Cluster::start().await;
    let database = cluster.project(SOURCE_SYSTEM).await;
    let texts = "id, user_id, phone_number, message_content, status, priority, scheduled_for, twilio_sid, sent_at, created_at";
    let jobs = "id, queue_job_id, job_type, status, metadata, attempts, scheduled_for, error_message";
    let people =
        "id, user_id, phone_number, phone_verified, opted_out, reminder_lead_time_minutes, quiet_hours_start";
    let before = [
        content(&database, "sms_messages", texts).await,
        content(&database, "queue_jobs", jobs).await,
        content(&database, "user_sms_preferences", people).await,
    ];
    database.migrate().await;
    let after = [
        content(&database, "sms_messages", texts).await,
        content(&database, "queue_jobs", jobs).await,
        content(&database, "user_sms_preferences", people).await,
    ];
    assert_eq!(after, before);
    let owner = database.owner().await;
    let lead =
        "select jsonb_agg(event_reminder_lead_time_minutes order by user_id) from user_sms_preferences";
    assert_eq!(one(&owner, lead).await, json!([30, 60]));
    let policies =
        "select count(*) from pg_policies where schemaname = 'public' and policyname not like 'dunlin%'";
    assert_eq!(one(&owner, policies).await, json!(5));
    let kept = "select count(*) from dunlin.replaced where definition like '%insert into sms_messages%'";
    assert_eq!(one(&owner, kept).await, json!(1));

    // What waits is taken over within the age limit, urgent first; what is older is told, not sent.
    let daemon = database.daemon(FIRST).await;
    let claimed = daemon.claim(100).await;
    let told: Vec<_> =
        claimed.iter().map(|one| (&one["message_content"], &one["may_have_been_sent"])).collect();
    assert_eq!(told, [(&json!("In an hour"), &json!(false)), (&json!("Tried once"), &json!(true))]);
    let parked = "select jsonb_object_agg(reason, times) from
        (select reason, count(*) as times from dunlin.parked group by 1) p";
    assert_eq!(one(&owner, parked).await, json!({"too_old": 195, "job_ended": 1, "no_text": 1}));
    let (changes, _) = daemon.changes(None, 1000).await;
    let zone = changes.iter().find(|change| change["kind"] == "preferences" && change["key"] == ADA).unwrap();
    assert_eq!(zone["row"]["timezone"], "America/New_York");

    // The old worker keeps its other jobs, and the text that it holds; it gets none that Dunlin has.
    let service = database.role("service_role").await;
    let took =
        "select distinct job_type from claim_pending_jobs(array['send_sms', 'generate_daily_brief'], 50)
        where queue_job_id <> 'send_sms_x6'";
    assert_eq!(rows(&service, took).await, [json!({"job_type": "generate_daily_brief"})]);
    let token = "select processing_token from queue_jobs where id = 'e0000000-0000-4000-8000-000000000002'";
    let claim = "select claim from dunlin.requests where message_id = 'd0000000-0000-4000-8000-000000000002'";
    assert_eq!(one(&owner, token).await, one(&owner, claim).await);

    // Bob opted out long ago: nothing is queued for him.
    let queue = format!("select queue_sms_message('{BOB}', '+15551230002', 'Hello')");
    assert_eq!(refusal(&service, &queue).await.code(), "PT403");
    // What people could do to themselves before, they can't any more.
    let ada = database.person(ADA).await;
    for statement in [
        format!(
            "insert into sms_messages (user_id, phone_number, message_content) values ('{ADA}', '+15559999999', 'x')"
        ),
        format!("update user_sms_preferences set daily_sms_limit = 1000 where user_id = '{ADA}'"),
        format!("update user_sms_preferences set phone_verified = true where user_id = '{ADA}'"),
    ] {
        assert_eq!(refusal(&ada, &statement).await.code(), "42501", "{statement}");
    }
    assert_eq!(done(&ada, "update user_sms_preferences set urgent_alerts = false").await, 1);
}

#[tokio::test]
async fn shape_of_the_seed_is_adopted_with_everything_in_it() {
    let cluster = Cluster::start().await;
    let database = cluster.project(SEED_SHAPE).await;
    let texts = "id, user_id, phone_number, message_content, status, twilio_sid, attempt_count, template_id, created_at";
    let people =
        "id, user_id, phone_number, phone_verified, task_reminders, daily_brief_sms, daily_sms_limit";
    let before = [
        content(&database, "sms_messages", texts).await,
        content(&database, "user_sms_preferences", people).await,
    ];
    database.migrate().await;
    let after = [
        content(&database, "sms_messages", texts).await,
        content(&database, "user_sms_preferences", people).await,
    ];
    assert_eq!(after, before);

    let daemon = database.daemon(FIRST).await;
    let claimed = daemon.claim(10).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(daemon.acknowledge(&claimed).await["lost"], json!([]));
    // The words that five statuses lacked.
    let states = json!([{"id": claimed[0]["id"], "version": 1, "status": "cancelled", "state": "suppressed",
        "reason": "opted out", "finished": true, "attempt_count": 0}]);
    assert_eq!(daemon.push(states).await["applied"], 1);
    let service = database.role("service_role").await;
    let queue = format!(
        "select queue_sms_message('{ADA}', '+15551230001', 'Hello', 'low', now() + interval '1 year')"
    );
    let id = one(&service, &queue).await;
    let owner = database.owner().await;
    let row = format!(
        "select status::text || '/' || priority from sms_messages where id = '{}'",
        id.as_str().unwrap()
    );
    assert_eq!(one(&owner, &row).await, "scheduled/low");
    // Nobody guarded these tables before.
    let anon = database.role("anon").await;
    for table in ["sms_messages", "sms_templates", "user_sms_preferences", "queue_jobs"] {
        assert_eq!(refusal(&anon, &format!("select from {table}")).await.code(), "42501", "{table}");
    }
}
