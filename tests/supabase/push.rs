//! What became of texts: pushed twice it is pushed once, an older version changes nothing, and one bad row keeps nothing back.

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::database::{ADA, FIRST, SECOND, columns, done, literal, one};

const BORN: &str = "eeeeeeee-0000-4000-8000-000000000001";

fn born(id: &str, version: u64, user: &str, status: &str) -> Value {
    json!({"id": id, "version": version, "status": status, "state": "sent", "attempt_count": 1, "sent_at": "2026-11-29T10:00:00Z",
        "user_id": user, "phone_number": "+15551230001", "message_content": "Born in the engine",
        "template_key": "welcome", "priority": "urgent", "created_at": "2026-11-29T09:59:00Z"})
}

#[tokio::test]
async fn pushed_twice_is_pushed_once_and_an_older_version_changes_nothing() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let owner = database.owner().await;
    done(
        &owner,
        "insert into sms_templates (template_key, name, message_template) values ('welcome', 'w', 'w')",
    )
    .await;
    let daemon = database.daemon(FIRST).await;
    let first = json!([born(BORN, 7, ADA, "sent")]);
    assert_eq!(daemon.push(first.clone()).await["applied"], 1);
    let row = format!("select to_jsonb(m) - 'updated_at' from sms_messages m where id = '{BORN}'");
    let before = one(&owner, &row).await;
    assert_eq!(
        (&before["status"], &before["priority"], &before["engine_version"]),
        (&json!("sent"), &json!("urgent"), &json!(7))
    );
    assert_eq!(daemon.push(first).await["stale"], json!([BORN]));
    let older =
        json!([{"id": BORN, "version": 6, "status": "queued", "state": "submitted", "attempt_count": 1}]);
    assert_eq!(daemon.push(older).await["stale"], json!([BORN]));
    assert_eq!(one(&owner, &row).await, before);
    let used = "select usage_count from sms_templates";
    assert_eq!(one(&owner, used).await, json!(1), "a text is counted with its first attempt, once");

    // Of several states of one text in a batch the newest stays; another daemon's word does not count.
    let several = json!([
        {"id": BORN, "version": 9, "status": "delivered", "state": "delivered", "attempt_count": 1, "finished": true,
         "sent_at": "2026-11-29T10:00:00Z", "delivered_at": "2026-11-29T10:00:05Z"},
        {"id": BORN, "version": 8, "status": "sent", "state": "sent", "attempt_count": 1},
    ]);
    assert_eq!(daemon.push(several).await["applied"], 1);
    let other = database.daemon(SECOND).await;
    let theirs =
        json!([{"id": BORN, "version": 100, "status": "failed", "state": "failed", "attempt_count": 5}]);
    assert_eq!(other.push(theirs).await["foreign"], json!([BORN]));
    assert_eq!(
        one(&owner, &format!("select status from sms_messages where id = '{BORN}'")).await,
        "delivered"
    );
    assert_eq!(daemon.claim(10).await.len(), 0, "a text that was born in the engine is no request");

    // Deleted by people, it stays deleted.
    done(&owner, &format!("delete from sms_messages where id = '{BORN}'")).await;
    assert_eq!(daemon.push(json!([born(BORN, 10, ADA, "sent")])).await["missing"], json!([BORN]));
}

#[tokio::test]
async fn row_that_the_database_refuses_is_answered_and_keeps_nothing_back() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let daemon = database.daemon(FIRST).await;
    let id = |n: u8| format!("eeeeeeee-0000-4000-8000-{n:012}");
    let batch = json!({"messages": columns(&json!([
        born(&id(1), 1, ADA, "sent"),
        born(&id(2), 2, ADA, "no such status"),
        born(&id(3), 3, SECOND, "sent"),
        born(&id(4), 4, ADA, "sent"),
    ])), "verifications": [
        {"user_id": ADA, "version": 5, "phone_number": "+15551230003", "phone_verified": true, "phone_verified_at": "2026-11-29T10:00:00Z"},
        {"user_id": "a0000000-0000-4000-8000-000000000002", "version": 6, "phone_number": "+15551230003", "phone_verified": true},
    ]});
    let answer = daemon.call("push", &literal(&batch)).await;
    assert_eq!(answer["applied"], 2);
    assert_eq!(answer["missing"], json!([id(3)]), "its user is not known here");
    assert_eq!(answer["others_applied"], 1);
    let rejected: Vec<_> = answer["rejected"].as_array().unwrap().iter().map(|one| &one["kind"]).collect();
    assert_eq!(rejected, ["messages", "verifications"], "{answer}");
}

#[tokio::test]
async fn one_bad_row_of_thousands_is_found_by_halving_and_the_others_count() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let daemon = database.daemon(FIRST).await;
    let count = "reset role; set track_functions = 'pl'; set role dunlin_worker; begin";
    daemon.client.batch_execute(count).await.unwrap();
    let id = |n: u64| format!("eeeeeeee-0000-4000-8000-{n:012}");
    let status = |n| if n == 1234 { "no such status" } else { "sent" };
    let answer = daemon.push((0..2048).map(|n| born(&id(n), n, ADA, status(n))).collect()).await;
    assert_eq!((&answer["applied"], &answer["rejected"][0]["id"]), (&json!(2047), &json!(id(1234))));
    let tries = "select calls from pg_stat_xact_user_functions where funcname = 'push_messages'";
    assert_eq!(
        one(&daemon.client, tries).await,
        json!(11),
        "of 2,048 rows eleven halvings leave a good half each"
    );
}

#[tokio::test]
async fn job_of_a_text_tells_the_same_as_the_text() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let service = database.role("service_role").await;
    let daemon = database.daemon(FIRST).await;
    let owner = database.owner().await;
    let mut version = 0_u32;
    for (state, status, job) in [
        ("held", "scheduled", "pending"),
        ("submitting", "sending", "processing"),
        ("unknown", "sending", "processing"),
        ("submitted", "queued", "completed"),
        ("unconfirmed", "sent", "completed"),
        ("delivered", "delivered", "completed"),
        ("undelivered", "undelivered", "failed"),
        ("failed", "failed", "failed"),
        ("expired", "cancelled", "cancelled"),
    ] {
        let id =
            one(&service, &format!("select queue_sms_message('{ADA}', '+15551230001', '{state}')")).await;
        daemon.acknowledge(&daemon.claim(1).await).await;
        version += 1;
        let states = json!([{"id": id, "version": version, "status": status, "state": state, "attempt_count": 1,
            "reason": "why", "finished": true}]);
        assert_eq!(daemon.push(states).await["applied"], 1, "{state}");
        let told = format!(
            "select j.status || '/' || m.status from sms_messages m join queue_jobs j on j.id = m.queue_job_id where m.id = '{}'",
            id.as_str().unwrap()
        );
        assert_eq!(one(&owner, &told).await, format!("{job}/{status}"), "{state}");
    }
    assert_eq!(one(&owner, "select count(*) from dunlin.requests").await, json!(0));
}

#[tokio::test]
async fn push_that_its_daemon_gave_up_does_not_come_between_reading_and_writing_of_the_next() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let service = database.role("service_role").await;
    let owner = database.owner().await;
    let first = database.daemon(FIRST).await;
    let next = database.daemon(FIRST).await;
    let id = one(&service, &format!("select queue_sms_message('{ADA}', '+15551230001', 'Hello')")).await;
    first.acknowledge(&first.claim(1).await).await;
    let state = |version: u32, status: &str, state: &str| json!([{"id": id, "version": version, "status": status, "state": state, "attempt_count": 1, "twilio_sid": "SM1"}]);
    assert_eq!(first.push(state(1, "sent", "sent")).await["applied"], 1);

    done(&first.client, "begin").await;
    first.push(state(2, "undelivered", "undelivered")).await;
    let given_up = async {
        let waits = "select count(*) from pg_locks where not granted";
        while one(&owner, waits).await == json!(0) {
            tokio::task::yield_now().await;
        }
        done(&first.client, "commit").await;
    };
    let (answer, ()) = tokio::join!(next.push(state(3, "delivered", "delivered")), given_up);
    assert_eq!(answer["applied"], 1);
    let told =
        "select j.status || '/' || m.status from sms_messages m join queue_jobs j on j.id = m.queue_job_id";
    assert_eq!(one(&owner, told).await, "completed/delivered");
}

#[tokio::test]
async fn column_that_does_not_fit_the_others_is_refused_by_name() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let daemon = database.daemon(FIRST).await;
    for (messages, wrong) in [
        (
            json!({"id": [BORN], "version": [1, 2]}),
            "messages.version: expected an array as long as messages.id",
        ),
        (
            json!({"id": [BORN], "status": "sent"}),
            "messages.status: expected an array as long as messages.id",
        ),
        (json!([{"id": BORN}]), "messages.id: expected an array"),
        (json!({"version": [1]}), "messages.id: expected an array"),
    ] {
        let push = format!("select dunlin_push('{FIRST}', {})", literal(&json!({"messages": messages})));
        let error = daemon.client.batch_execute(&push).await.unwrap_err();
        assert_eq!(error.as_db_error().unwrap().message(), wrong);
    }
}
