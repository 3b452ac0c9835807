//! Who may do what. Every refusal is tried twice: as it is, and with the one rule taken away that it rests on; then
//! the same statement must work, or the test proved nothing.

use serde_json::json;
use tokio_postgres::Client;

use crate::cluster::Cluster;
use crate::database::{ADA, BOB, FIRST, done, one, refusal, signed_in};

/// Somebody who tries something that they may not.
struct Attempt {
    /// `authenticated` is Ada.
    role: &'static str,
    statement: &'static str,
    /// The code of the refusal; none when it just finds no row.
    code: Option<&'static str>,
    /// What would let it through.
    leak: &'static str,
}

const fn denied(role: &'static str, statement: &'static str, leak: &'static str) -> Attempt {
    Attempt { role, statement, code: Some("42501"), leak }
}

const fn unseen(statement: &'static str, leak: &'static str) -> Attempt {
    Attempt { role: "authenticated", statement, code: None, leak }
}

const ME: &str = "authenticated";
const NOBODY: &str = "anon";
const WORKER: &str = "dunlin_worker";

/// In every statement, `ADA` and `BOB` stand for their ids.
const ATTEMPTS: [Attempt; 38] = [
    // Not signed in: nothing at all.
    denied(
        NOBODY,
        "select from sms_messages",
        "grant select on sms_messages to anon; create policy leak on sms_messages for select to anon using (true)",
    ),
    denied(
        NOBODY,
        "select from user_sms_preferences",
        "grant select on user_sms_preferences to anon; create policy leak on user_sms_preferences for select to anon using (true)",
    ),
    denied(
        NOBODY,
        "select from sms_templates",
        "grant select on sms_templates to anon; create policy leak on sms_templates for select to anon using (true)",
    ),
    denied(
        NOBODY,
        "select from queue_jobs",
        "grant select on queue_jobs to anon; create policy leak on queue_jobs for select to anon using (true)",
    ),
    denied(
        NOBODY,
        "select from sms_metrics",
        "grant select on sms_metrics to anon; create policy leak on sms_metrics for select to anon using (true)",
    ),
    denied(
        NOBODY,
        "select queue_sms_message('ADA', '+15551230001', 'x')",
        "grant usage on schema dunlin to anon; grant execute on all functions in schema public, dunlin to anon",
    ),
    denied(
        NOBODY,
        "select dunlin_pull('DAEMON')",
        "grant usage on schema dunlin to anon; grant execute on all functions in schema public, dunlin to anon",
    ),
    // Texts: one's own to look at, and no hand on them.
    unseen(
        "select from sms_messages where user_id = 'BOB'",
        "create policy leak on sms_messages for select to authenticated using (true)",
    ),
    unseen(
        "select from sms_messages where user_id = 'BOB' and status = 'queued'",
        "alter table sms_messages disable row level security",
    ),
    denied(
        ME,
        "insert into sms_messages (user_id, phone_number, message_content) values ('ADA', '+15559999999', 'x')",
        "grant insert on sms_messages to authenticated; create policy leak on sms_messages for insert to authenticated with check (true)",
    ),
    denied(
        ME,
        "update sms_messages set phone_number = '+15559999999'",
        "grant update on sms_messages to authenticated; create policy leak on sms_messages for update to authenticated using (true)",
    ),
    denied(
        ME,
        "update sms_messages set status = 'delivered'",
        "grant update on sms_messages to authenticated; create policy leak on sms_messages for update to authenticated using (true)",
    ),
    denied(
        ME,
        "delete from sms_messages",
        "grant delete on sms_messages to authenticated; create policy leak on sms_messages for delete to authenticated using (true)",
    ),
    // Preferences: one's own, and only what one may prefer.
    unseen(
        "select from user_sms_preferences where user_id = 'BOB'",
        "create policy leak on user_sms_preferences for select to authenticated using (true)",
    ),
    unseen(
        "update user_sms_preferences set urgent_alerts = false where user_id = 'BOB'",
        "alter table user_sms_preferences disable row level security",
    ),
    denied(
        ME,
        "update user_sms_preferences set phone_verified = true",
        "grant update (phone_verified) on user_sms_preferences to authenticated",
    ),
    denied(
        ME,
        "update user_sms_preferences set phone_verified_at = now()",
        "grant update (phone_verified_at) on user_sms_preferences to authenticated",
    ),
    denied(
        ME,
        "update user_sms_preferences set daily_sms_limit = 1000",
        "grant update (daily_sms_limit) on user_sms_preferences to authenticated",
    ),
    denied(
        ME,
        "update user_sms_preferences set daily_sms_count = 0",
        "grant update (daily_sms_count) on user_sms_preferences to authenticated",
    ),
    denied(
        ME,
        "update user_sms_preferences set user_id = 'BOB'",
        "grant update (user_id) on user_sms_preferences to authenticated; alter table user_sms_preferences disable row level security; delete from user_sms_preferences where user_id = 'BOB'",
    ),
    denied(
        ME,
        "insert into user_sms_preferences (user_id, phone_verified) values ('CAROL', true)",
        "grant insert on user_sms_preferences to authenticated; drop policy dunlin_insert on user_sms_preferences; create policy leak on user_sms_preferences for insert to authenticated with check (true)",
    ),
    denied(
        ME,
        "insert into user_sms_preferences (user_id) values ('CAROL')",
        "drop policy dunlin_insert on user_sms_preferences; create policy leak on user_sms_preferences for insert to authenticated with check (true)",
    ),
    denied(
        ME,
        "delete from user_sms_preferences",
        "grant delete on user_sms_preferences to authenticated; create policy leak on user_sms_preferences for delete to authenticated using (true)",
    ),
    Attempt {
        role: ME,
        statement: "update user_sms_preferences set opted_out = false",
        code: Some("PT403"),
        leak: "drop trigger dunlin_guard on user_sms_preferences",
    },
    // Templates: those in use to look at.
    unseen(
        "select from sms_templates where not is_active",
        "drop policy dunlin_select on sms_templates; create policy leak on sms_templates for select to authenticated using (true)",
    ),
    denied(
        ME,
        "insert into sms_templates (template_key, name, message_template) values ('t', 't', 't')",
        "drop policy dunlin_insert on sms_templates; create policy leak on sms_templates for insert to authenticated with check (true)",
    ),
    unseen(
        "update sms_templates set message_template = 'Buy now' where is_active",
        "drop policy dunlin_update on sms_templates; create policy leak on sms_templates for update to authenticated using (true)",
    ),
    denied(
        ME,
        "update sms_templates set usage_count = 0",
        "grant update (usage_count) on sms_templates to authenticated; create policy leak on sms_templates for update to authenticated using (true)",
    ),
    unseen(
        "delete from sms_templates where is_active",
        "drop policy dunlin_delete on sms_templates; create policy leak on sms_templates for delete to authenticated using (true)",
    ),
    // The queue, figures and the ledger.
    unseen(
        "select from queue_jobs where user_id = 'BOB'",
        "create policy leak on queue_jobs for select to authenticated using (true)",
    ),
    denied(
        ME,
        "update queue_jobs set metadata = '{}'",
        "grant update on queue_jobs to authenticated; create policy leak on queue_jobs for update to authenticated using (true)",
    ),
    unseen(
        "select from sms_metrics",
        "drop policy dunlin_select on sms_metrics; create policy leak on sms_metrics for select to authenticated using (true)",
    ),
    denied(
        ME,
        "select from dunlin.requests",
        "grant select on dunlin.requests to authenticated; create policy leak on dunlin.requests for select to authenticated using (true)",
    ),
    denied(
        ME,
        "select dunlin_pull('DAEMON')",
        "grant execute on all functions in schema public, dunlin to authenticated",
    ),
    denied(
        ME,
        "select add_queue_job('ADA', 'send_sms', '{}')",
        "grant execute on all functions in schema public to authenticated; grant insert, update on queue_jobs to authenticated; grant execute on all functions in schema dunlin to authenticated; alter table queue_jobs disable row level security",
    ),
    // The worker: its functions, and nothing else.
    denied(
        WORKER,
        "select from sms_messages",
        "grant select on sms_messages to dunlin_worker; create policy leak on sms_messages for select to dunlin_worker using (true)",
    ),
    denied(
        WORKER,
        "delete from dunlin.requests",
        "grant select, delete on dunlin.requests to dunlin_worker; create policy leak on dunlin.requests for delete to dunlin_worker using (true)",
    ),
    denied(
        WORKER,
        "select queue_sms_message('ADA', '+15551230001', 'x')",
        "grant execute on all functions in schema public, dunlin to dunlin_worker",
    ),
];

const CAROL: &str = "a0000000-0000-4000-8000-000000000003";

/// What a statement comes to, with a leak or without: rows, or the code of a refusal. Nothing of it stays.
async fn tried(admin: &Client, attempt: &Attempt, leak: &str) -> Result<u64, String> {
    let named = |text: &str| {
        text.replace("ADA", ADA).replace("BOB", BOB).replace("CAROL", CAROL).replace("DAEMON", FIRST)
    };
    admin.batch_execute(&format!("begin; {}; {}", named(leak), signed_in(ADA))).await.unwrap();
    admin.batch_execute(&format!("set local role {}", attempt.role)).await.unwrap();
    let outcome = admin.execute(&named(attempt.statement), &[]).await;
    admin.batch_execute("rollback").await.unwrap();
    outcome.map_err(|error| error.code().unwrap_or_else(|| panic!("{error:?}")).code().to_owned())
}

#[tokio::test]
async fn nobody_does_what_they_may_not_and_each_rule_is_what_stops_them() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let admin = database.admin().await;
    admin
        .batch_execute(&format!(
            "insert into auth.users (id) values ('{CAROL}');
            update user_sms_preferences set opted_out = true where user_id = '{ADA}';
            insert into sms_templates (template_key, name, message_template, is_active)
              values ('on', 'on', 'on', true), ('off', 'off', 'off', false);
            insert into sms_messages (user_id, phone_number, message_content, status)
              values ('{ADA}', '+15551230001', 'x', 'failed'), ('{BOB}', '+15551230002', 'x', 'queued');
            insert into queue_jobs (queue_job_id, user_id, job_type) values ('a', '{ADA}', 'other'), ('b', '{BOB}', 'other');
            select record_sms_metric(current_date, null, null, 'llm_cost_usd', 1);
            select dunlin_heartbeat('{FIRST}')"
        ))
        .await
        .unwrap();
    for attempt in &ATTEMPTS {
        let Attempt { role, statement, code, leak } = attempt;
        let before = tried(&admin, attempt, "").await;
        let expected = code.map_or(Ok(0), |code| Err(code.to_owned()));
        assert_eq!(before, expected, "{role}: {statement}");
        // The queue refuses whoever opted out, whoever they are: that is no matter of rights.
        let leak = format!("{leak}; update user_sms_preferences set opted_out = opted_out");
        let leak = if statement.contains("queue_sms_message") {
            format!(
                "{leak}; select set_config('dunlin.origin', '{FIRST}', true); update user_sms_preferences set opted_out = false; select set_config('dunlin.origin', '', true)"
            )
        } else {
            leak
        };
        let after = tried(&admin, attempt, &leak).await;
        let works = matches!(&after, Ok(rows) if *rows > 0)
            || *statement == "delete from dunlin.requests" && after.is_ok();
        assert!(works, "{role}: {statement}: the leak is not seen: {after:?}");
    }
}

#[tokio::test]
async fn people_do_what_they_may() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let service = database.role("service_role").await;
    done(
        &service,
        &format!(
            "select queue_sms_message('{ADA}', '+15551230001', 'Hello', 'low', now() + interval '1 day')"
        ),
    )
    .await;
    let ada = database.person(ADA).await;
    for (table, count) in [("sms_messages", 1), ("queue_jobs", 1), ("user_sms_preferences", 1)] {
        assert_eq!(done(&ada, &format!("select from {table}")).await, count, "{table}");
    }
    // The seed's update of preferences, a number of one's own, and the one click that opts out.
    done(&ada, "update user_sms_preferences set task_reminders = true, daily_brief_sms = false, quiet_hours_start = '22:00', quiet_hours_end = '08:00'").await;
    done(&ada, "update user_sms_preferences set phone_number = '+15551239999'").await;
    let proven = "select phone_verified from user_sms_preferences";
    assert_eq!(one(&ada, proven).await, json!(false), "a number that changes is proven no more");
    done(&ada, "update user_sms_preferences set opted_out = true, opt_out_reason = 'enough'").await;
    assert_eq!(one(&ada, "select opted_out_at is not null from user_sms_preferences").await, json!(true));

    // Nobody has the text yet, so a cancellation counts at once.
    let cancel = "select cancel_sms_message(id) from sms_messages";
    assert_eq!(one(&ada, cancel).await, "cancelled");
    assert_eq!(database.daemon(FIRST).await.claim(10).await.len(), 0);

    let admin = database.admin().await;
    let claims = r#"{"sub": "a0000000-0000-4000-8000-000000000002", "app_metadata": {"role": "admin"}}"#;
    admin
        .batch_execute(&format!(
            "set role authenticated; select set_config('request.jwt.claims', '{claims}', false)"
        ))
        .await
        .unwrap();
    done(&admin, "insert into sms_templates (template_key, name, message_template) values ('t', 't', 't')")
        .await;
    assert_eq!(done(&admin, "update sms_templates set is_active = false").await, 1);
}

#[tokio::test]
async fn people_ask_for_texts_in_their_own_name_to_their_own_number_only() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let ada = database.person(ADA).await;
    let ask = |user: &str, number: &str| format!("select queue_sms_message('{user}', {number}, 'Hello')");
    assert_eq!(refusal(&ada, &ask(BOB, "'+15551230002'")).await.code(), "PT403");
    assert_eq!(refusal(&ada, &ask(ADA, "'+15551230002'")).await.code(), "PT403");
    done(&ada, &ask(ADA, "'+15551230001'")).await;
    done(&ada, &ask(ADA, "null")).await;
    assert_eq!(
        refusal(&database.person(BOB).await, &ask(BOB, "'+15551230002'")).await.code(),
        "PT403",
        "not proven"
    );
    let many =
        format!("select queue_sms_message('{ADA}', null, 'Hello ' || n) from generate_series(1, 99) n");
    assert_eq!(refusal(&ada, &many).await.code(), "PT429");
    let anonymous = database.admin().await;
    let claims = format!(r#"{{"sub": "{ADA}", "is_anonymous": true}}"#);
    anonymous
        .batch_execute(&format!(
            "set role authenticated; select set_config('request.jwt.claims', '{claims}', false)"
        ))
        .await
        .unwrap();
    assert_eq!(refusal(&anonymous, &ask(ADA, "null")).await.code(), "PT403");

    let service = database.role("service_role").await;
    for (wrong, code) in [
        (ask(BOB, "'+15551230001'"), "PT403"), // a number that another user has proven
        (ask(ADA, "'5551230001'"), "PT422"),
        (ask(FIRST, "'+15551230001'"), "PT422"), // no such user
        (format!("select queue_sms_message('{ADA}', '+15551230001', '  ')"), "PT422"),
        (format!("select queue_sms_message('{ADA}', '+15551230001', repeat('x', 1601))"), "PT422"),
        (format!("select queue_sms_message('{ADA}', '+15551230001', 'x', 'low', 'infinity')"), "PT422"),
        (format!("select queue_sms_message('{ADA}', '+15551230001', 'x', p_metadata := '[]')"), "PT422"),
    ] {
        assert_eq!(refusal(&service, &wrong).await.code(), code, "{wrong}");
    }
    // The same key is the same text; with another text it is a mistake.
    let keyed = |text: &str| {
        format!("select queue_sms_message('{ADA}', '+15551230001', '{text}', p_idempotency_key := 'task-42')")
    };
    assert_eq!(one(&service, &keyed("x")).await, one(&service, &keyed("x")).await);
    assert_eq!(refusal(&service, &keyed("y")).await.code(), "PT409");
}
