//! Who has which text: claims are disjoint, come back when they lapse, and say what may have been sent.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::database::{ADA, Daemon, Database, FIRST, SECOND, done, one};

const THIRD: &str = "dddddddd-0000-4000-8000-000000000003";

/// So many texts of Ada, asked for as her product's server does it.
async fn ask_for(database: &Database, texts: usize) {
    let service = database.role("service_role").await;
    let ask = format!(
        "select queue_sms_message('{ADA}', '+15551230001', 'Text ' || n, (enum_range(null::sms_priority))[1 + n % 4])
         from generate_series(1, {texts}) n"
    );
    done(&service, &ask).await;
}

fn ids(requests: &[Value]) -> BTreeSet<String> {
    requests.iter().map(|request| request["id"].as_str().unwrap().to_owned()).collect()
}

/// Lets every claim and every lease of a daemon lapse, as if its time had passed.
async fn lapse(database: &Database, daemon: &str) {
    let admin = database.admin().await;
    done(&admin, &format!("update dunlin.requests set claimed_until = now() - interval '1 microsecond' where daemon_id = '{daemon}' and state = 'claimed'")).await;
    done(&admin, &format!("update dunlin.daemons set lease_until = now() - interval '1 microsecond' where id = '{daemon}' and lease_until is not null")).await;
}

async fn claim_all(daemon: Daemon) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let some = daemon.claim(7).await;
        if some.is_empty() {
            return all;
        }
        all.extend(some);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_daemons_at_once_claim_every_text_and_none_twice() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    ask_for(&database, 300).await;
    let mut running = Vec::new();
    for id in [FIRST, SECOND, THIRD] {
        running.push(tokio::spawn(claim_all(database.daemon(id).await)));
    }
    let mut claimed = Vec::new();
    for daemon in running {
        claimed.extend(daemon.await.unwrap());
    }
    assert_eq!(claimed.len(), 300);
    assert_eq!(ids(&claimed).len(), 300);
}

#[tokio::test]
async fn every_horizon_and_priority_is_claimed_and_urgent_ones_first() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let service = database.role("service_role").await;
    for (priority, when) in [
        ("low", "now() - interval '1 h'"),
        ("normal", "null"),
        ("high", "now() + interval '1 year'"),
        ("urgent", "now() + interval '6 min'"),
    ] {
        let ask =
            format!("select queue_sms_message('{ADA}', '+15551230001', '{priority}', '{priority}', {when})");
        done(&service, &ask).await;
    }
    let daemon = database.daemon(FIRST).await;
    let claimed = daemon.claim(10).await;
    let order: Vec<&str> = claimed.iter().map(|one| one["message_content"].as_str().unwrap()).collect();
    assert_eq!(order, ["urgent", "high", "normal", "low"]);
}

#[tokio::test]
async fn claim_that_lapsed_is_another_daemons_and_its_first_holder_is_told_so() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    ask_for(&database, 1).await;
    let first = database.daemon(FIRST).await;
    let second = database.daemon(SECOND).await;
    let lost = first.claim(10).await;
    assert_eq!(second.claim(10).await, Vec::<Value>::new());
    lapse(&database, FIRST).await;
    let found = second.claim(10).await;
    assert_eq!(ids(&found), ids(&lost));
    // Nothing is sent before it is acknowledged, so this one was not.
    assert_eq!(found[0]["may_have_been_sent"], false);
    assert_eq!(first.acknowledge(&lost).await, json!({"accepted": [], "lost": [lost[0]["id"]]}));
    assert_eq!(second.acknowledge(&found).await["lost"], json!([]));
    // And again, should the answer have been lost.
    assert_eq!(second.acknowledge(&found).await["lost"], json!([]));
    lapse(&database, SECOND).await;
    assert_eq!(
        first.claim(10).await,
        Vec::<Value>::new(),
        "without a lease a daemon keeps what it acknowledged"
    );
}

#[tokio::test]
async fn texts_of_a_daemon_whose_lease_lapsed_come_back_and_say_whether_they_may_have_been_sent() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let service = database.role("service_role").await;
    for (text, when) in [
        ("due", "null"),
        ("far", "now() + interval '1 day'"),
        ("tried", "now() + interval '1 day'"),
        ("done", "null"),
    ] {
        done(
            &service,
            &format!("select queue_sms_message('{ADA}', '+15551230001', '{text}', 'normal', {when})"),
        )
        .await;
    }
    let first = database.daemon(FIRST).await;
    assert_eq!(first.call("heartbeat", "'', '', 30").await["lapsed"], false);
    let claimed = first.claim(10).await;
    first.acknowledge(&claimed).await;
    let id_of = |text: &str| claimed.iter().find(|one| one["message_content"] == text).unwrap()["id"].clone();
    let states = json!([
        {"id": id_of("tried"), "version": 1, "status": "sending", "state": "unknown", "attempt_count": 1},
        {"id": id_of("done"), "version": 2, "status": "delivered", "state": "delivered", "attempt_count": 1, "finished": true},
    ]);
    assert_eq!(first.push(states).await["applied"], 2);
    let (_, cursor) = first.changes(None, 500).await;

    let second = database.daemon(SECOND).await;
    assert_eq!(second.claim(10).await, Vec::<Value>::new());
    lapse(&database, FIRST).await;
    let taken = second.claim(10).await;
    let mut told: Vec<(&str, bool)> = taken
        .iter()
        .map(|one| (one["message_content"].as_str().unwrap(), one["may_have_been_sent"].as_bool().unwrap()))
        .collect();
    told.sort_unstable();
    assert_eq!(told, [("due", true), ("far", false), ("tried", true)]);
    second.acknowledge(&taken).await;

    // The first one comes back: it is told that its lease lapsed and which texts are not its own any more, and what
    // it still says about them is not believed.
    assert_eq!(first.call("heartbeat", "'', '', 30").await["lapsed"], true);
    let (changes, _) = first.changes(Some(&cursor), 500).await;
    let lost: BTreeSet<_> = changes
        .iter()
        .map(|change| (change["key"].as_str().unwrap().to_owned(), change["row"]["yours"].as_bool()))
        .collect();
    assert_eq!(lost, ids(&taken).into_iter().map(|id| (id, Some(false))).collect::<BTreeSet<_>>());
    let late =
        json!([{"id": id_of("due"), "version": 9, "status": "sent", "state": "sent", "attempt_count": 1}]);
    assert_eq!(first.push(late).await["foreign"], json!([id_of("due")]));
    let owner = database.owner().await;
    let sent = "select count(*) from sms_messages where status = 'sent'";
    assert_eq!(one(&owner, sent).await, json!(0));
}

#[tokio::test]
async fn daemon_that_gets_its_own_text_back_is_not_told_to_look_it_up_and_others_are() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    ask_for(&database, 1).await;
    let first = database.daemon(FIRST).await;
    let second = database.daemon(SECOND).await;
    let watcher = database.daemon("dddddddd-0000-4000-8000-000000000003").await;
    // Each has it until its lease lapses; from the second on nobody's word is enough.
    for (daemon, other, told) in
        [(&first, FIRST, false), (&first, FIRST, false), (&second, SECOND, true), (&first, FIRST, true)]
    {
        daemon.call("heartbeat", "'', '', 30").await;
        let claimed = daemon.claim(10).await;
        assert_eq!((claimed.len(), &claimed[0]["may_have_been_sent"]), (1, &json!(told)), "{other}");
        daemon.acknowledge(&claimed).await;
        lapse(&database, other).await;
        // Whoever looks next finds it; here somebody who takes nothing.
        watcher.call("pull", "p_claims := 0").await;
    }
}
