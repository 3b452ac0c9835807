//! Several daemons behind one project: disjoint work, and what happens to the work of one that is gone.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::database::{ADA, done, one, rows};
use crate::house::House;
use crate::stage::{Stage, queue, until, until_row};
use crate::way::Way;

/// How long a daemon of these tests keeps what it has.
const LEASE: (&str, &str) = ("DUNLIN_SYNC_LEASE", "5s");

#[tokio::test]
async fn three_daemons_share_the_work_and_what_one_leaves_when_it_is_killed_is_sent_once() {
    let (cluster, stage) = (Cluster::start().await, Stage::slow());
    let database = cluster.migrated().await;
    let service = database.role("service_role").await;
    // Both ways at once: the contract is the same.
    let (direct, rest) = (Way::Postgres.route(&database).await, Way::Rest.route(&database).await);
    let more = [LEASE, ("DUNLIN_SYNC_POLL", "200ms"), ("DUNLIN_VERIFIED_NUMBERS", "not_required")];
    let mut daemons: Vec<_> = [("one", &direct), ("two", &rest), ("three", &direct)]
        .map(|(name, route)| stage.daemon(name, &route.with(&more)))
        .into_iter()
        .collect();
    until("not all are there", || async {
        one(&service, "select count(*) from dunlin.daemons").await == json!(3)
    })
    .await;
    let queue = format!(
        "insert into sms_messages (user_id, phone_number, message_content, status, metadata)
         select '{ADA}', '+1555124' || lpad(n::text, 4, '0'), 'Text ' || n, 'queued', '{{\"on_unknown\": \"resend\"}}'
         from generate_series($1::int, $2::int) n"
    );
    for batch in 0..6 {
        service.execute(&queue, &[&(batch * 100), &(batch * 100 + 99)]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let delivered = "select count(*) from sms_messages where status = 'delivered'";
    until("nothing is delivered", || async { one(&service, delivered).await.as_u64() > Some(100) }).await;
    daemons.remove(0).kill();

    let open = "select count(*) from sms_messages where status <> 'delivered'";
    until("some are left", || async { one(&service, open).await == json!(0) }).await;
    let taken = stage.taken().await;
    let doubled: Vec<_> = taken.iter().filter(|(_, times)| **times > 1).collect();
    assert!(doubled.is_empty(), "sent twice: {doubled:?}");
    assert_eq!(taken.len(), 600);
    let engines = rows(&service, "select distinct engine_id from sms_messages").await;
    assert!(engines.len() >= 2, "one daemon did everything: {engines:?}");
    assert_eq!(one(&service, "select count(*) from dunlin.requests").await, json!(0));
}

#[tokio::test]
async fn daemon_whose_clock_is_off_takes_no_lease_and_sends_nothing_of_the_project() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let service = database.role("service_role").await;
    let house = House::leased(&database, Some(Duration::from_secs(5))).await;
    let id = queue(&service, "In an hour", ", 'normal', now() + interval '1 hour'").await;
    until_row(&service, &id, |row| row["engine_state"] == "held").await;
    let holder =
        format!("select coalesce(daemon_id::text, 'nobody') from dunlin.requests where message_id = '{id}'");
    let first = one(&service, &holder).await;
    house.let_pass(Duration::from_mins(61));
    until("it does not say that its clock is off", || async {
        house.pull_error().is_some_and(|error| error.contains("set the clock"))
    })
    .await;
    // Others may have what it can't send.
    let other = House::leased(&database, Some(Duration::from_secs(5))).await;
    until("nobody takes its text over", || async {
        let now = one(&service, &holder).await;
        now != "nobody" && now != first
    })
    .await;
    done(&service, &format!("update user_sms_preferences set opted_out = true where user_id = '{ADA}'"))
        .await;
    until("the opt-out is not heard", || async { house.is_opted_out("+15551230001") }).await;
    assert_eq!((house.taken().await, other.taken().await), (vec![], vec![]));
}

#[tokio::test]
async fn daemon_that_is_cut_off_sends_nothing_that_another_one_may_have() {
    let (cluster, stage) = (Cluster::start().await, Stage::new());
    let database = cluster.migrated().await;
    let service = database.role("service_role").await;
    let (route, other) = (Way::Postgres.route(&database).await, Way::Postgres.route(&database).await);
    let cable = &route.cable;
    let quick = ("DUNLIN_SYNC_POLL", "200ms");
    let first = stage.daemon("first", &route.with(&[LEASE, quick]));
    let more = ", 'normal', now() + interval '8 seconds', '{\"on_unknown\": \"resend\"}'";
    let id = queue(&service, "In a while", more).await;
    until_row(&service, &id, |row| row["engine_state"] == "held").await;

    cable.cut();
    let second = stage.daemon("second", &other.with(&[LEASE, quick]));
    let row = until_row(&service, &id, |row| row["status"] == "delivered").await;
    let engines: BTreeSet<String> = [&first, &second].map(|daemon| daemon.url.clone()).into_iter().collect();
    assert_eq!(engines.len(), 2);
    // The one that was cut off knew the text and its time, and let it be.
    let (_, shown) = first.ask(&["show", &id, "--json"]).await;
    let shown: Value = serde_json::from_str(shown.lines().next().unwrap()).unwrap();
    let state = shown.pointer("/message/state").or_else(|| shown.get("state"));
    assert_eq!(state, Some(&json!("held")), "{shown:#} {row:#}");
    cable.mend();
    until("it does not hear that the text is another's", || async {
        let (_, shown) = first.ask(&["show", &id, "--json"]).await;
        shown.contains("relinquished")
    })
    .await;
    assert_eq!(stage.taken().await.get("In a while"), Some(&1));

    // It is of use again.
    second.kill();
    let id = queue(&service, "Afterwards", "").await;
    until_row(&service, &id, |row| row["status"] == "delivered").await;
}

#[tokio::test]
async fn text_that_was_moved_goes_only_once_whoever_comes_after_knows_its_time() {
    let (cluster, stage) = (Cluster::start().await, Stage::new());
    let database = cluster.migrated().await;
    let (service, owner) = (database.role("service_role").await, database.owner().await);
    let route = Way::Postgres.route(&database).await;
    let daemon = stage.daemon("one", &route.with(&[LEASE, ("DUNLIN_SYNC_POLL", "200ms")]));
    let id = queue(&service, "Sooner", ", 'normal', now() + interval '1 hour'").await;
    until_row(&service, &id, |row| row["engine_state"] == "held").await;

    // The daemon's word can't be written down yet, while its lease goes on.
    let holding = database.owner().await;
    done(&holding, "begin").await;
    done(&holding, &format!("select from sms_messages where id = '{id}' for update")).await;
    let moved = reqwest::Client::new()
        .patch(format!("{}/v1/messages/{id}", daemon.url))
        .json(&json!({"scheduled_for": null}))
        .send()
        .await
        .unwrap();
    assert_eq!(moved.status(), 200);
    let shown: Value = moved.json().await.unwrap();
    assert_eq!(shown.pointer("/hold/reason"), Some(&json!("claim")), "{shown:#}");
    let due_at =
        format!("select due_at > now() + interval '30 min' from dunlin.requests where message_id = '{id}'");
    let waits = "select count(*) > 0 from pg_locks where not granted";
    until("the move is not told", || async { one(&owner, waits).await == json!(true) }).await;
    assert_eq!((one(&owner, &due_at).await, stage.taken().await.len()), (json!(true), 0));

    done(&holding, "commit").await;
    until_row(&service, &id, |row| row["status"] == "delivered").await;
    assert_eq!(stage.taken().await.get("Sooner"), Some(&1));
}
