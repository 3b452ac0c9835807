//! Changes since a cursor: none is passed over, whichever order transactions end in, and none comes twice.

use std::collections::BTreeSet;
use std::future::poll_fn;

use serde_json::{Value, json};
use tokio_postgres::AsyncMessage;

use crate::cluster::Cluster;
use crate::database::{ADA, BOB, FIRST, SECOND, done, one, refusal};

fn keys(changes: &[Value], kind: &str) -> Vec<String> {
    let of_kind = changes.iter().filter(|change| change["kind"] == kind);
    of_kind.map(|change| change["key"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn change_that_commits_late_is_not_passed_over() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let daemon = database.daemon(FIRST).await;
    let (first, cursor) = daemon.changes(None, 500).await;
    assert_eq!(keys(&first, "preferences"), [ADA, BOB]);

    // Ada's change is written first and committed last; the cursor moves past its place in between.
    let late = database.owner().await;
    late.batch_execute("begin").await.unwrap();
    done(&late, &format!("update user_sms_preferences set urgent_alerts = false where user_id = '{ADA}'"))
        .await;
    let early = database.owner().await;
    done(&early, &format!("update user_sms_preferences set urgent_alerts = false where user_id = '{BOB}'"))
        .await;
    let (seen, cursor) = daemon.changes(Some(&cursor), 500).await;
    assert_eq!(keys(&seen, "preferences"), [BOB]);
    let passed = format!(
        "select (select seq from dunlin.changes where key = '{BOB}') > (select min(seq) from dunlin.changes where key = '{ADA}')"
    );
    assert_eq!(one(&late, &passed).await, json!(true), "a cursor over positions would have passed it over");
    late.batch_execute("commit").await.unwrap();
    let (seen, cursor) = daemon.changes(Some(&cursor), 500).await;
    assert_eq!(keys(&seen, "preferences"), [ADA]);
    assert_eq!(seen[0]["row"]["urgent_alerts"], false);
    assert_eq!(daemon.changes(Some(&cursor), 500).await.0, Vec::<Value>::new());
}

#[tokio::test]
async fn page_after_page_every_change_comes_once_while_more_are_made() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let owner = database.owner().await;
    let templates = "insert into sms_templates (template_key, name, message_template)
        select 't' || n, 'n', 'm' from generate_series(1, 50) n";
    done(&owner, templates).await;
    let daemon = database.daemon(FIRST).await;
    let page = daemon.call("pull", "null, p_claims := 0, p_changes := 20").await;
    // In the middle of the pages one that came is changed again, and one that did not come yet.
    done(&owner, "update sms_templates set name = 'changed' where template_key in ('t1', 't50')").await;
    let (rest, cursor) = daemon.changes(page["cursor"].as_str(), 20).await;
    let first = keys(page["changes"].as_array().unwrap(), "template");
    let rest = keys(&rest, "template");
    let together: BTreeSet<&String> = first.iter().chain(&rest).collect();
    assert_eq!(together.len(), first.len() + rest.len(), "none came twice");
    let (later, _) = daemon.changes(Some(&cursor), 20).await;
    let all: BTreeSet<String> = first.iter().chain(&rest).cloned().chain(keys(&later, "template")).collect();
    assert_eq!(all.len(), 50);
    let renamed = later.iter().filter(|change| change["row"]["name"] == "changed").count();
    assert_eq!(renamed, 2);
}

#[tokio::test]
async fn deletions_zones_and_what_other_daemons_pushed_are_heard_and_echoes_are_not() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let owner = database.owner().await;
    owner
        .batch_execute(
            "create table public.users (id uuid primary key references auth.users (id) on delete cascade, timezone text);
            insert into public.users select id from auth.users; select dunlin.watch_users();",
        )
        .await
        .unwrap();
    let first = database.daemon(FIRST).await;
    let second = database.daemon(SECOND).await;
    let (_, mut cursor) = first.changes(None, 500).await;
    let (_, mut other) = second.changes(None, 500).await;

    done(&owner, &format!("update public.users set timezone = 'Europe/Copenhagen' where id = '{ADA}'")).await;
    let (changes, next) = first.changes(Some(&cursor), 500).await;
    cursor = next;
    assert_eq!(changes[0]["row"]["timezone"], "Europe/Copenhagen");
    other = second.changes(Some(&other), 500).await.1;

    let opt_out = r#"'{"consents": [{"phone_number": "+15551230001", "version": 7, "opted_out": true, "at": "2026-11-29T10:00:00Z", "reason": "STOP"}]}'"#;
    assert_eq!(first.call("push", opt_out).await["others_applied"], 1);
    let (changes, next) = first.changes(Some(&cursor), 500).await;
    cursor = next;
    assert_eq!(changes, Vec::<Value>::new(), "a daemon does not hear itself");
    let (changes, next) = second.changes(Some(&other), 500).await;
    other = next;
    assert_eq!((changes.len(), &changes[0]["row"]["opted_out"]), (1, &json!(true)));

    done(&owner, &format!("delete from auth.users where id = '{BOB}'")).await;
    for (daemon, cursor) in [(&first, &cursor), (&second, &other)] {
        let (changes, _) = daemon.changes(Some(cursor), 500).await;
        assert_eq!(keys(&changes, "preferences"), [BOB]);
        assert_eq!(changes[0]["deleted"], true);
    }
}

#[tokio::test]
async fn cursor_of_another_life_of_the_database_starts_over_and_copied_changes_come() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let daemon = database.daemon(FIRST).await;
    let (_, cursor) = daemon.changes(None, 500).await;
    let future = format!("{} 900000000:900000000:", cursor.split(' ').next().unwrap());
    for strange in ["elsewhere.1 5:5:", &future] {
        let answer = daemon.call("pull", &format!("'{strange}', p_claims := 0")).await;
        assert_eq!(
            (&answer["reset"], answer["changes"].as_array().unwrap().len()),
            (&json!(true), 2),
            "{strange}"
        );
    }
    let torn = format!("select dunlin_pull('{FIRST}', '{} torn')", cursor.split(' ').next().unwrap());
    assert_eq!(refusal(&daemon.client, &torn).await.code(), "PT422");
    // As after a restore from a dump of a database that was further.
    done(&database.admin().await, "update dunlin.changes set xid = '900000000'").await;
    let (now, next) = daemon.changes(Some(&cursor), 500).await;
    let (then, _) = daemon.changes(Some(&next), 500).await;
    assert_eq!((now.len(), then.len()), (0, 2));
}

#[tokio::test]
async fn new_text_wakes_whoever_listens() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let config: tokio_postgres::Config = database.url().parse().unwrap();
    let (client, mut driver) = config.connect(tokio_postgres::NoTls).await.unwrap();
    let (heard, mut wakes) = tokio::sync::mpsc::unbounded_channel();
    drop(tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| driver.poll_message(context)).await {
            if let AsyncMessage::Notification(wake) = message {
                // Nobody may listen any more when the test is over.
                drop(heard.send((wake.channel().to_owned(), wake.payload().to_owned())));
            }
        }
    }));
    client.batch_execute("listen dunlin").await.unwrap();
    let service = database.role("service_role").await;
    done(&service, &format!("select queue_sms_message('{ADA}', '+15551230001', 'Hello')")).await;
    assert_eq!(wakes.recv().await.unwrap(), ("dunlin".to_owned(), "request".to_owned()));
    done(&service, "update user_sms_preferences set urgent_alerts = false").await;
    assert_eq!(wakes.recv().await.unwrap(), ("dunlin".to_owned(), "preferences".to_owned()));
}

#[tokio::test]
async fn what_nobody_asks_for_any_more_is_forgotten_and_nothing_else() {
    let cluster = Cluster::start().await;
    let database = cluster.migrated().await;
    let admin = database.admin().await;
    admin
        .batch_execute(
            "insert into dunlin.parked (source, row_id, reason, resolved_at)
               select 'sms_messages', gen_random_uuid(), 'x', t from unnest(array[now() - interval '31 days', now(), null]) t;
             insert into dunlin.changes (kind, key, at)
               select k, gen_random_uuid(), now() - interval '91 days' from unnest(array['message', 'parked', 'template']) k;
             insert into dunlin.changes (kind, key) values ('message', gen_random_uuid());
             select dunlin.prune()",
        )
        .await
        .unwrap();
    assert_eq!(one(&admin, "select count(*) from dunlin.parked").await, json!(2));
    let left = "select count(*) from dunlin.changes where kind in ('message', 'parked') or at < now() - interval '1 day'";
    assert_eq!(one(&admin, left).await, json!(2));
}
