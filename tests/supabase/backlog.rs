//! Either side is away, for long or again and again: afterwards both are equal, and nothing happened twice.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::cluster::Cluster;
use crate::database::{ADA, done, one, rows};
use crate::stage::{Program, Stage, queue, row, until, until_answer, until_row};
use crate::way::Way;

/// Texts that wait for their time when the way is cut, that are asked for meanwhile there, and here.
const EACH: usize = 40;

const NUMBERS: (&str, &str) = ("DUNLIN_VERIFIED_NUMBERS", "not_required");
/// A cut way is silent: how soon that is noticed.
const TIMEOUT: (&str, &str) = ("DUNLIN_SYNC_TIMEOUT", "5s");

/// What a gateway says to a key that was revoked, of a transaction that lost a race, and while it has no database.
const UNAUTHORIZED: &str = "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\nconnection: close\r\n\
    content-length: 29\r\n\r\n{\"message\":\"Invalid API key\"}";
const CONFLICT: &str = "HTTP/1.1 409 Conflict\r\ncontent-type: application/json\r\nconnection: close\r\n\
    content-length: 51\r\n\r\n{\"code\":\"40001\",\"message\":\"could not serialize it\"}";
const UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
    content-length: 0\r\n\r\n";

#[tokio::test]
async fn while_the_database_is_away_texts_go_at_their_time_and_both_sides_are_equal_afterwards() {
    let mut cluster = Cluster::start().await;
    for way in Way::BOTH {
        let (stage, database) = (Stage::new(), cluster.migrated().await);
        let route = way.route(&database).await;
        let service = database.role("service_role").await;
        let daemon = stage.daemon("one", &route.with(&[NUMBERS, TIMEOUT]));
        ask_for(&service, "Waits", "now() + interval '10 seconds'").await;
        let withdrawn = queue(&service, "Withdrawn", ", 'normal', now() + interval '1 day'").await;
        until_row(&service, &withdrawn, |row| row["engine_state"] == "held").await;
        until_answer(
            &service,
            "select count(*) from dunlin.requests where state = 'accepted'",
            &json!(EACH + 1),
        )
        .await;

        route.cable.cut();
        for number in 0..EACH {
            let (code, told) = daemon
                .ask(&["send", &format!("+1555125{number:04}"), &format!("Born {number}"), "--user", ADA])
                .await;
            assert_eq!(code, 0, "{told}");
        }
        ask_for(&service, "Asked", "null").await;
        done(&service, &format!("delete from sms_messages where id = '{withdrawn}'")).await;
        // What waited is sent at its time, although nobody there hears of it.
        until("it did not go without the database", || async { stage.taken().await.len() == EACH * 2 }).await;
        assert_eq!(
            one(&service, "select count(*) from sms_messages where sent_at is not null").await,
            json!(0)
        );

        if way == Way::Postgres {
            drop(service);
            cluster.stop();
            cluster.start_again();
        }
        route.cable.mend();
        let service = database.role("service_role").await;
        equal_in_the_end(&stage, &daemon, &service, EACH * 3).await;
    }
}

#[tokio::test]
async fn way_that_breaks_again_and_again_loses_and_doubles_nothing() {
    let cluster = Cluster::start().await;
    for way in Way::BOTH {
        let (stage, database) = (Stage::new(), cluster.migrated().await);
        let route = way.route(&database).await;
        let service = database.role("service_role").await;
        let mut daemon = stage.daemon("one", &route.with(&[NUMBERS, TIMEOUT, ("DUNLIN_SYNC_POLL", "100ms")]));
        for round in 0..4_u64 {
            ask_for(&service, &format!("Round {round}"), "null").await;
            // Somewhere between a question and its answer; a daemon that is killed there starts again.
            tokio::time::sleep(Duration::from_millis(20 + round * 45)).await;
            route.cable.cut();
            if round % 2 == 1 {
                daemon.kill();
                daemon = stage.daemon("one", &route.with(&[NUMBERS, TIMEOUT, ("DUNLIN_SYNC_POLL", "100ms")]));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            route.cable.mend();
        }
        equal_in_the_end(&stage, &daemon, &service, EACH * 4).await;
    }
}

#[tokio::test]
async fn gateway_that_refuses_and_answers_that_get_lost_lose_and_double_nothing() {
    let cluster = Cluster::start().await;
    for way in Way::BOTH {
        let (stage, database) = (Stage::new(), cluster.migrated().await);
        let route = way.route(&database).await;
        let service = database.role("service_role").await;
        let quick = ("DUNLIN_SYNC_TIMEOUT", "1s");
        let daemon = stage.daemon("one", &route.with(&[NUMBERS, quick, ("DUNLIN_SYNC_POLL", "100ms")]));
        let refusals: &[Option<&str>] = match way {
            Way::Postgres => &[None],
            Way::Rest => &[None, Some(UNAUTHORIZED), Some(CONFLICT), Some(UNAVAILABLE)],
        };
        for (round, refusal) in refusals.iter().enumerate() {
            ask_for(&service, &format!("Before {round}"), "now() + interval '1 second'").await;
            match refusal {
                Some(answer) => route.cable.refuse(answer),
                None => route.cable.deafen(),
            }
            ask_for(&service, &format!("Meanwhile {round}"), "null").await;
            until("it does not say that it is out of step", || async {
                let (_, told) = daemon.ask(&["sync", "status", "--json"]).await;
                let standing: Value = serde_json::from_str(told.trim()).unwrap_or_default();
                standing["pull"]["error"].is_string()
            })
            .await;
            route.cable.mend();
        }
        equal_in_the_end(&stage, &daemon, &service, refusals.len() * EACH * 2).await;
    }
}

/// Asks for texts to numbers of their own, all due at once.
async fn ask_for(service: &Client, name: &str, when: &str) {
    let insert = format!(
        "insert into sms_messages (user_id, phone_number, message_content, status, scheduled_for, metadata)
         select '{ADA}', '+1555124' || lpad((n + 100 * abs(hashtext('{name}') % 90))::text, 4, '0'), '{name} ' || n,
           'queued', {when}, '{{\"on_unknown\": \"resend\"}}' from generate_series(0, {}) n",
        EACH - 1
    );
    done(service, &insert).await;
}

/// Everything was sent once, and every row says so.
async fn equal_in_the_end(stage: &Stage, daemon: &Program, service: &Client, texts: usize) {
    until("rows are left behind", || async {
        let left = "select count(*) from sms_messages where status <> 'delivered'";
        one(service, left).await == json!(0)
            && one(service, "select count(*) from sms_messages").await == json!(texts)
    })
    .await;
    let taken = stage.taken().await;
    let doubled: Vec<_> = taken.iter().filter(|(_, times)| **times > 1).collect();
    assert!(doubled.is_empty(), "sent twice: {doubled:?}");
    let there: BTreeSet<String> = rows(service, "select message_content as words from sms_messages")
        .await
        .iter()
        .map(|row| row["words"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(taken.keys().cloned().collect::<BTreeSet<_>>(), there);
    let (code, told) = daemon.ask(&["sync", "push", "--json"]).await;
    let standing: Value = serde_json::from_str(told.trim()).unwrap_or_default();
    assert_eq!((code, &standing["push"]["rows_refused"]), (0, &json!(0)), "{told}");
    let (code, told) = daemon.ask(&["sync", "repair", "--dry-run", "--json"]).await;
    let repaired: Value = serde_json::from_str(told.trim()).unwrap_or_default();
    assert_eq!((code, &repaired["texts_compared"]), (0, &json!(0)), "{told}");
    assert_eq!(one(service, "select count(*) from dunlin.conflicts").await, json!(0));
}

#[tokio::test]
async fn texts_that_a_restored_file_does_not_know_are_given_back_and_looked_up_before_they_go() {
    let cluster = Cluster::start().await;
    let (stage, database) = (Stage::new(), cluster.migrated().await);
    let route = Way::Postgres.route(&database).await;
    let service = database.role("service_role").await;
    let daemon = stage.daemon("one", &route.with(&[NUMBERS]));
    let known = queue(&service, "Known", ", 'normal', now() + interval '1 day'").await;
    until_row(&service, &known, |row| row["engine_state"] == "held").await;
    daemon.kill();
    stage.keep("one");

    // What was acknowledged after the copy was made: one that went, and one that waits. And one that the copy knows was
    // moved about, so that the database heard of later positions than the copy will have.
    let daemon = stage.daemon("one", &route.with(&[NUMBERS]));
    for days in 2..9 {
        let later = format!(
            "update sms_messages set scheduled_for = now() + interval '{days} days' where id = '{known}'"
        );
        done(&service, &later).await;
        let version = row(&service, &known).await["engine_version"].clone();
        until_row(&service, &known, |row| row["engine_version"] != version).await;
    }
    let resend = ", 'normal', null, '{\"on_unknown\": \"resend\"}'";
    let sent = queue(&service, "Sent", resend).await;
    until_row(&service, &sent, |row| row["sent_at"].is_string()).await;
    let waits = queue(&service, "Waits", &resend.replace("null", "now() + interval '6 seconds'")).await;
    until_row(&service, &waits, |row| row["engine_state"] == "held").await;
    daemon.kill();

    stage.restore("one");
    let daemon = stage.daemon("one", &route.with(&[NUMBERS]));
    let (code, told) = daemon.ask(&["sync", "repair", "--dry-run", "--json"]).await;
    let found: Value = serde_json::from_str(told.trim()).unwrap_or_default();
    assert_eq!((code, &found["texts_given_back"]), (0, &json!(1)), "{told}");
    let (code, told) = daemon.ask(&["sync", "repair"]).await;
    assert_eq!(code, 0, "{told}");
    until_row(&service, &waits, |row| row["status"] == "delivered").await;
    done(&service, &format!("update sms_messages set status = 'cancelled' where id = '{known}'")).await;
    until_row(&service, &known, |row| row["engine_state"] == "canceled").await;
    let taken = stage.taken().await;
    assert_eq!((taken.get("Sent"), taken.get("Waits")), (Some(&1), Some(&1)));
}
