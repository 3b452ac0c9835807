//! The product's own server hears what became of every text, whatever is away or killed meanwhile, and of failures that repeat.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::product::Product;
use crate::stage::{Stage, get, send, until_delivered};
use crate::world::Daemon;

fn daemon(stage: &Stage, product: &Product, more: &[(&str, &str)]) -> Daemon {
    let variables = product.variables();
    let told = variables.iter().map(|(name, text)| (*name, text.as_str()));
    stage.daemon_with(&told.chain(more.iter().copied()).collect::<Vec<_>>())
}

/// Hands over texts to different people; gives their ids.
fn send_some(daemon: &Daemon, numbers: std::ops::Range<u32>) -> BTreeSet<String> {
    let texts = numbers.map(|n| {
        let to = format!("+1555123{n:04}");
        let (code, out, talk) = daemon.ask(&["send", &to, &format!("secret word {n}"), "--json"]);
        assert_eq!(code, 0, "{talk}");
        let accepted: Value = serde_json::from_str(out.trim()).unwrap();
        accepted["id"].as_str().unwrap().to_owned()
    });
    texts.collect()
}

/// What the carrier reported of a text, as its journal has it, in the words of events. Its way to a daemon that was dead is lost.
fn reported(daemon: &Daemon, id: &str) -> Vec<String> {
    let (_, life) = get(&format!("{}/v1/messages/{id}/events", daemon.url));
    let life: Value = serde_json::from_str(&life).unwrap();
    let reports = life["data"].as_array().unwrap().iter().filter(|event| event["type"] == "status_reported");
    reports.map(|event| format!("message.{}", event["provider_status"].as_str().unwrap())).collect()
}

/// The texts that were told to be delivered.
fn delivered(product: &Product) -> BTreeSet<String> {
    let told = product.of_type("message.delivered");
    told.iter().map(|data| data["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn everything_is_told_in_order_and_under_the_same_name_again_whoever_is_away_or_killed() {
    let (stage, mut product) = (Stage::new(), Product::start());
    let before = stage.daemon();
    until_delivered(&before, &send(&before, "of before", &[]));
    assert_eq!(before.stop().0, 0);

    let first = daemon(&stage, &product, &[]);
    let mut texts = send_some(&first, 0..15);
    product.until(|product| delivered(product) == texts);
    product.answer(503);
    texts.extend(send_some(&first, 15..20));
    product.until(|product| product.heard().iter().any(|heard| heard.status == 503));
    product.go_away();
    texts.extend(send_some(&first, 20..25));
    drop(first);

    let second = daemon(&stage, &product, &[]);
    texts.extend(send_some(&second, 25..30));
    product.answer(204);
    product.come_back();
    product.until(|product| delivered(product) == texts);
    drop(second);

    // What was not noted when it was killed may be told again, and nothing else.
    let third = daemon(&stage, &product, &[]);
    texts.extend(send_some(&third, 30..31));
    product.until(|product| delivered(product) == texts);
    let mut lives: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (_, event) in product.taken() {
        let id = event["data"]["id"].as_str().unwrap().to_owned();
        lives.entry(id).or_default().push(event["type"].as_str().unwrap().to_owned());
    }
    assert_eq!(lives.keys().cloned().collect::<BTreeSet<_>>(), texts, "and nothing of before");
    for (id, life) in &lives {
        assert_eq!(*life, reported(&third, id), "{id}");
    }
    let refused = product.heard().into_iter().filter(|heard| heard.status == 503);
    let again: BTreeSet<_> = product.taken().into_iter().map(|(id, _)| id).collect();
    assert!(refused.map(|heard| heard.id).all(|id| again.contains(&id)), "under the name that was refused");
    let told = format!("{:?}", product.heard());
    assert!(!told.contains("secret word") && !told.contains("+1555123"), "neither words nor numbers");
}

#[test]
fn refusing_receiver_loses_nothing_keeps_no_archive_waiting_and_is_named_by_readiness() {
    let (stage, product) = (Stage::new(), Product::start());
    let first = daemon(&stage, &product, &[]);
    for status in [302, 410] {
        product.answer(status);
        until_delivered(&first, &send(&first, "Hello", &["--user-id", "ann"]));
        product.until(|product| product.heard().iter().any(|heard| heard.status == status));
        let started = std::time::Instant::now();
        let events = loop {
            let (code, ready) = get(&format!("{}/readyz?verbose", first.url));
            assert_eq!(code, 200, "texts go on");
            let events = serde_json::from_str::<Value>(&ready).unwrap()["events"].take();
            if events["error"].as_str().is_some_and(|why| why.contains(&status.to_string())) {
                break events;
            }
            assert!(started.elapsed() < crate::stage::PATIENCE, "{events}");
        };
        assert!(events["records_behind"].as_u64().unwrap() > 0, "{events}");
        assert_eq!(events["stuck"]["type"], "message.sent");
        let (_, metrics) = get(&format!("{}/metrics", first.url));
        assert!(metrics.contains("dunlin_events_failing 1\n"), "{metrics}");
    }
    let (code, log) = first.stop();
    assert!(code == 0 && log.contains("none is lost"), "{log}");
    let (code, out, talk) = stage.offline(&["archive", "--older-than", "1ms", "--json"]);
    assert_eq!(code, 0, "{talk}");
    let archived: Value = serde_json::from_str(out.trim()).unwrap();
    assert_eq!(archived["archives"], 1, "{archived}");

    product.answer(204);
    let _second = daemon(&stage, &product, &[]);
    product.until(|product| product.of_type("message.delivered").len() == 2);
    let told = product.of_type("message.delivered").remove(0);
    assert_eq!((&told["status"], &told["user_id"]), (&json!("delivered"), &json!("ann")), "{told}");
}

#[test]
fn failures_that_repeat_are_told_logged_and_seen_once_also_over_a_kill_and_so_is_their_end() {
    let (stage, product) = (Stage::new(), Product::start());
    let rules = [("DUNLIN_ALARM_FAILURES", "3"), ("DUNLIN_ALARM_WINDOW", "6s")];
    let first = daemon(&stage, &product, &rules);
    let fail = |daemon: &Daemon, to: &str, times: usize| {
        (0..times).for_each(|_| assert_eq!(daemon.ask(&["send", to, "Hello"]).0, 0));
    };
    fail(&first, "+15005551006", 4);
    product.until(|product| product.of_type("message.undelivered").len() == 4);
    fail(&first, "+15005551007", 4);
    product.until(|product| !product.of_type("failures.repeated").is_empty());
    let alarm = product.of_type("failures.repeated").remove(0);
    assert_eq!(
        (&alarm["code"], &alarm["class"], &alarm["count"]),
        (&json!("30007"), &json!("content"), &json!(3))
    );
    assert!(
        alarm["cause"].is_string() && alarm["remedy"].is_string() && alarm["since"].is_string(),
        "{alarm}"
    );
    product.until(|product| product.of_type("message.undelivered").len() == 8);
    drop(first);

    let second = daemon(&stage, &product, &rules);
    fail(&second, "+15005551007", 4);
    let (_, ready) = get(&format!("{}/readyz?verbose", second.url));
    let ready: Value = serde_json::from_str(&ready).unwrap();
    assert_eq!(ready["failures_repeat"][0]["code"], "30007", "{ready}");
    let (_, metrics) = get(&format!("{}/metrics", second.url));
    let gauge = "dunlin_failures_repeating{code=\"30007\",class=\"content\"} 1\n";
    assert!(metrics.contains(gauge), "{metrics}");
    product.until(|product| !product.of_type("failures.ended").is_empty());
    assert_eq!(product.of_type("failures.repeated").len(), 1, "once, however many failed and whoever died");
    assert_eq!(product.of_type("failures.ended").len(), 1);
    assert!(!get(&format!("{}/metrics", second.url)).1.contains(gauge));
    fail(&second, "+15005551007", 3);
    product.until(|product| product.of_type("failures.repeated").len() == 2);
    let (code, log) = second.stop();
    assert!(code == 0 && log.matches("FAILURES REPEAT").count() == 1, "{log}");
}

#[test]
fn opt_outs_and_what_they_stop_are_told() {
    let (stage, product) = (Stage::new(), Product::start());
    let daemon = daemon(&stage, &product, &[]);
    let waits = send(&daemon, "Hello", &["--at", "+1h"]);
    let (code, _, talk) = daemon.ask(&["consent", "opt-out", "+15551234567"]);
    assert_eq!(code, 0, "{talk}");
    product.until(|product| !product.of_type("message.suppressed").is_empty());
    let out = product.of_type("consent.opted_out");
    assert_eq!((out.len(), &out[0]["to"], &out[0]["how"]), (1, &json!("+15551234567"), &json!("command")));
    let stopped = product.of_type("message.suppressed").remove(0);
    assert_eq!((stopped["id"].as_str(), &stopped["status"]), (Some(waits.as_str()), &json!("cancelled")));
}
