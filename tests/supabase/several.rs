//! Several daemons behind one project: disjoint work, and what happens to the work of one that is gone.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::database::{ADA, one, rows};
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
async fn daemon_that_is_cut_off_sends_nothing_that_another_one_may_have() {
    let (cluster, stage) = (Cluster::start().await, Stage::new());
    let database = cluster.migrated().await;
    let service = database.role("service_role").await;
    let (route, other) = (Way::Postgres.route(&database).await, Way::Postgres.route(&database).await);
    let cable = &route.cable;
    let quick = ("DUNLIN_SYNC_POLL", "200ms");
    let first = stage.daemon("first", &route.with(&[LEASE, quick]));
    let id = queue(&service, "In a while", ", 'normal', now() + interval '8 seconds'").await;
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
