//! Columns have one owner, an opt-out of either side wins, and a job that Dunlin has is nobody else's.

use dunlin_sync::contract::{Owner, TABLES};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::database::{ADA, Database, FIRST, done, one, refusal, rows};

/// A text that a daemon has, with its job.
async fn accepted(database: &Database) -> (crate::database::Daemon, Value) {
    let service = database.role("service_role").await;
    let id = one(&service, &format!("select queue_sms_message('{ADA}', '+15551230001', 'Hello')")).await;
    let daemon = database.daemon(FIRST).await;
    daemon.acknowledge(&daemon.claim(1).await).await;
    let states = json!([{"id": id, "version": 1, "status": "sent", "state": "sent", "attempt_count": 1, "twilio_sid": "SM1",
        "twilio_status": "sent", "twilio_error_code": 1, "twilio_error_message": "m", "reason": "r",
        "sent_at": "2026-11-29T10:00:00Z", "delivered_at": "2026-11-29T10:00:00Z", "next_retry_at": "2026-11-29T10:00:00Z"}]);
    assert_eq!(daemon.push(states).await["applied"], 1);
    (daemon, id)
}

#[tokio::test]
async fn what_others_write_to_the_engines_columns_is_put_back_and_remembered() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let (daemon, id) = accepted(&database).await;
    let id = id.as_str().unwrap();
    let service = database.role("service_role").await;
    let messages = TABLES.iter().find(|table| table.name == "sms_messages").unwrap();
    let engines: Vec<&str> = messages
        .columns
        .iter()
        .filter(|column| column.owner == Owner::Engine)
        .map(|column| column.name)
        .collect();
    let row = format!("select to_jsonb(m) - 'updated_at' from sms_messages m where id = '{id}'");
    let before = one(&service, &row).await;
    for name in &engines {
        let other = match *name {
            "status" => "'failed'",
            "attempt_count" | "engine_version" | "twilio_error_code" => "99",
            "engine_id" => "gen_random_uuid()",
            timed if timed.ends_with("_at") => "now()",
            _ => "'theirs'",
        };
        done(&service, &format!("update sms_messages set {name} = {other} where id = '{id}'")).await;
        assert_eq!(one(&service, &row).await, before, "{name}");
    }
    let mut remembered: Vec<String> = rows(&service, "select name from dunlin.conflicts order by name")
        .await
        .iter()
        .map(|row| row["name"].as_str().unwrap().to_owned())
        .collect();
    remembered.sort();
    let mut wanted: Vec<String> = engines.iter().map(|name| (*name).to_owned()).collect();
    wanted.sort();
    assert_eq!(remembered, wanted);
    // What it says is people's, until a daemon has it; and again once nothing is awaited any more.
    for (column, value) in
        [("message_content", "'Edited'"), ("phone_number", "'+15551230009'"), ("priority", "'low'")]
    {
        let edit = format!("update sms_messages set {column} = {value} where id = '{id}'");
        assert_eq!(refusal(&service, &edit).await.code(), "PT409", "{column}");
    }
    done(&service, &format!("update sms_messages set metadata = '{{\"edited\": true}}' where id = '{id}'"))
        .await;
    let finished = json!([{"id": id, "version": 2, "status": "delivered", "state": "delivered", "finished": true, "attempt_count": 1}]);
    assert_eq!(daemon.push(finished).await["applied"], 1);
    done(&service, &format!("update sms_messages set message_content = 'Edited' where id = '{id}'")).await;
    assert_eq!(one(&service, &row).await["message_content"], "Edited");
}

#[tokio::test]
async fn edits_and_cancellations_of_a_text_that_a_daemon_has_reach_that_daemon() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let (daemon, id) = accepted(&database).await;
    let id = id.as_str().unwrap();
    let (_, cursor) = daemon.changes(None, 500).await;
    let service = database.role("service_role").await;
    let later = "2126-11-29T10:00:00+00:00";
    done(&service, &format!("update sms_messages set scheduled_for = '{later}' where id = '{id}'")).await;
    let (changes, cursor) = daemon.changes(Some(&cursor), 500).await;
    assert_eq!((changes.len(), &changes[0]["row"]["scheduled_for"]), (1, &json!(later)));

    // By the row, and by the job: the status is the engine's to change.
    done(&service, &format!("update sms_messages set status = 'cancelled' where id = '{id}'")).await;
    let (changes, cursor) = daemon.changes(Some(&cursor), 500).await;
    assert!(changes[0]["row"]["cancel_requested_at"].is_string(), "{changes:?}");
    assert_eq!(one(&service, &format!("select status from sms_messages where id = '{id}'")).await, "sent");
    done(&service, &format!("delete from sms_messages where id = '{id}'")).await;
    let (changes, _) = daemon.changes(Some(&cursor), 500).await;
    assert_eq!((&changes[0]["key"], &changes[0]["deleted"]), (&json!(id), &json!(true)));
}

#[tokio::test]
async fn job_that_dunlin_has_is_claimed_and_failed_by_nobody_else() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let service = database.role("service_role").await;
    let id = one(&service, &format!("select queue_sms_message('{ADA}', '+15551230001', 'Hello')")).await;
    let daemon = database.daemon(FIRST).await;
    let claimed = daemon.claim(1).await;
    let steal = "update queue_jobs set status = 'processing', processing_token = gen_random_uuid() where job_type = 'send_sms'";
    assert_eq!(done(&service, steal).await, 0);
    daemon.acknowledge(&claimed).await;
    assert_eq!(done(&service, steal).await, 0);
    done(&service, "update queue_jobs set status = 'failed', error_message = 'stalled', attempts = 3").await;
    let job = "select status || '/' || attempts from queue_jobs";
    assert_eq!(one(&service, job).await, "pending/0");
    done(&service, "update queue_jobs set status = 'cancelled'").await;
    assert_eq!(one(&service, job).await, "pending/0");
    let asked = format!(
        "select cancel_requested_at is not null from sms_messages where id = '{}'",
        id.as_str().unwrap()
    );
    assert_eq!(one(&service, &asked).await, json!(true));

    // And the other way: what another worker has, no daemon claims, until that worker gives it back.
    done(&service, &format!("select queue_sms_message('{ADA}', '+15551230001', 'Another')")).await;
    let theirs = "update queue_jobs set status = 'processing' where status = 'pending' and created_at = (select max(created_at) from queue_jobs)";
    assert_eq!(done(&service, theirs).await, 1);
    assert_eq!(daemon.claim(10).await, Vec::<Value>::new());
    done(&service, "update queue_jobs set status = 'pending' where status = 'processing'").await;
    let back = daemon.claim(10).await;
    assert_eq!((back.len(), &back[0]["may_have_been_sent"]), (1, &json!(true)));
}

#[tokio::test]
async fn opt_out_of_either_side_wins_and_only_a_newer_opt_in_undoes_it() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let daemon = database.daemon(FIRST).await;
    let ada = database.person(ADA).await;
    let service = database.role("service_role").await;
    let consent = |version: u32, out: bool, at: &str| {
        format!(
            r#"'{{"consents": [{{"phone_number": "+15551230001", "version": {version}, "opted_out": {out}, "at": "{at}", "reason": "STOP"}}]}}'"#
        )
    };
    let is_out = "select opted_out from user_sms_preferences where phone_number = '+15551230001'";
    assert_eq!(daemon.call("push", &consent(1, true, "2020-01-01T10:00:00Z")).await["others_applied"], 1);
    assert_eq!(one(&ada, is_out).await, json!(true));
    assert_eq!(refusal(&service, "update user_sms_preferences set opted_out = false").await.code(), "PT403");
    assert_eq!(
        refusal(&service, &format!("select queue_sms_message('{ADA}', '+15551230001', 'x')")).await.code(),
        "PT403"
    );

    // An opt-in that is older than the opt-out in the web app does not undo it; a newer one does, once.
    daemon.call("push", &consent(2, false, "2020-01-01T11:00:00Z")).await;
    assert_eq!(one(&ada, is_out).await, json!(false));
    done(&ada, "update user_sms_preferences set opted_out = true").await;
    daemon.call("push", &consent(3, false, "2020-01-01T12:00:00Z")).await;
    assert_eq!(one(&ada, is_out).await, json!(true));
    daemon.call("push", &consent(4, false, "2126-01-01T11:00:00Z")).await;
    assert_eq!(one(&ada, is_out).await, json!(false));
    assert_eq!(daemon.call("push", &consent(1, true, "2020-01-01T10:00:00Z")).await["others_applied"], 0);
    assert_eq!(one(&ada, is_out).await, json!(false));
}
