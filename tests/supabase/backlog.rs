//! Either side is away, for long or again and again: afterwards both are equal, and nothing happened twice.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::cluster::Cluster;
use crate::database::{ADA, done, one, rows};
use crate::stage::{Program, Stage, queue, until, until_answer, until_row};
use crate::way::Way;

/// Texts that wait for their time when the way is cut, that are asked for meanwhile there, and here.
const EACH: usize = 40;

const NUMBERS: (&str, &str) = ("DUNLIN_VERIFIED_NUMBERS", "not_required");
/// A cut way is silent: how soon that is noticed.
const TIMEOUT: (&str, &str) = ("DUNLIN_SYNC_TIMEOUT", "5s");

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
