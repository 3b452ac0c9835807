//! A full disk: the daemon says no, loses nothing, and goes on by itself when there is room.
//!
//! A limit on the size of its files stands for the full disk: it can be set and taken away from outside.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use dunlin_storage::ReadOnlyStore;
use serde_json::{Value, json};

use crate::stage::{PATIENCE, Stage, get, send, show, until_delivered};
use crate::world::Daemon;

/// Waits until the daemon is ready, or not and why.
fn until_readiness(daemon: &Daemon, status: u16, words: &str) {
    let started = Instant::now();
    loop {
        let told = get(&format!("{}/readyz", daemon.url));
        if told.0 == status && told.1.contains(words) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{told:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// What a refused command was told.
fn refusal(told: &(i32, String, String)) -> Value {
    assert_eq!(told.0, 69, "{told:?}");
    serde_json::from_str(told.2.lines().last().unwrap()).unwrap()
}

#[test]
fn full_disk_is_answered_with_507_until_there_is_room_and_nothing_is_lost() {
    let stage = Stage::new();
    let daemon = stage.daemon();
    let first = send(&daemon, "first", &[]);
    until_delivered(&daemon, &first);
    let soon = send(&daemon, "soon", &["--at", "+2s"]);
    // Below what the file has: every commit fails, and so does opening it again.
    daemon.limit_files(Some(64 << 10));
    let second = ["send", "+15551234567", "second", "--key", "second", "--json"];
    let problem = refusal(&daemon.ask(&second));
    assert_eq!((&problem["status"], &problem["code"]), (&json!(507), &json!("no_room")), "{problem}");
    assert_eq!(problem["retry_after"], 10);
    until_readiness(&daemon, 503, "no room on the disk");
    for arguments in [&["show", &first, "--json"][..], &["backup", "--json"], &second] {
        assert_eq!(refusal(&daemon.ask(arguments))["code"], "no_room");
    }
    assert_eq!(get(&format!("{}/livez", daemon.url)).0, 200);
    daemon.limit_files(None);
    until_readiness(&daemon, 200, "ready");
    let (code, _, talk) = daemon.ask(&second);
    assert_eq!(code, 0, "the same request, by itself: {talk}");
    assert_eq!(show(&daemon, &first)["state"], "delivered");
    until_delivered(&daemon, &soon);
    let (code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("there is no room on the disk") && log.contains("back on duty"), "{log}");
    assert_eq!(stage.offline(&["verify"]).0, 0);
    let taken = stage.taken();
    assert!(taken.len() >= 2 && taken.values().all(|times| *times == 1), "{taken:?}");
}

/// Five hundred long texts for a day that is far away, and what became of the request.
async fn batch(http: &reqwest::Client, daemon: &Daemon, round: u32) -> (u16, Value) {
    let row = |n: u32| {
        let body = format!("{round} {n} {}", "x".repeat(1_000));
        json!({"to": "+15551234567", "body": body, "scheduled_for": "2090-01-01T00:00:00Z"})
    };
    let body = json!({"messages": (0..500).map(row).collect::<Vec<_>>()});
    let request = http.post(format!("{}/v1/messages/batch", daemon.url)).json(&body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[test]
fn file_that_can_not_grow_keeps_all_that_was_acknowledged() {
    let stage = Stage::new();
    let daemon = stage.daemon();
    send(&daemon, "hello", &[]);
    daemon.limit_files(Some(fs::metadata(stage.data().join("dunlin.redb")).unwrap().len()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut acknowledged = Vec::new();
    runtime.block_on(async {
        let http = reqwest::Client::new();
        let mut refusals = 0_u32;
        // An engine that finds a little room comes back for as long as it lasts.
        for round in 0..100 {
            let (status, answer) = batch(&http, &daemon, round).await;
            if status == 200 {
                let rows = answer["data"].as_array().unwrap().iter();
                acknowledged.extend(rows.map(|row| row["id"].as_str().unwrap().to_owned()));
            } else {
                assert_eq!((status, &answer["code"]), (507, &json!("no_room")), "{answer}");
                refusals = refusals.saturating_add(1);
            }
            if refusals == 3 {
                return;
            }
        }
        panic!("{refusals} refusals only; {} texts had room", acknowledged.len());
    });
    daemon.limit_files(None);
    until_readiness(&daemon, 200, "ready");
    assert_eq!(runtime.block_on(batch(&reqwest::Client::new(), &daemon, 1_000)).0, 200);
    assert_eq!(daemon.stop().0, 0);
    assert_eq!(stage.offline(&["verify"]).0, 0);
    let store = ReadOnlyStore::open(&stage.data().join("dunlin.redb"), 1 << 20, None).unwrap();
    let reader = store.reader().unwrap();
    for id in acknowledged {
        assert!(reader.number_of_id(id.parse().unwrap()).unwrap().is_some(), "{id}");
    }
}

#[test]
fn stop_while_the_disk_is_full_is_in_order_and_the_next_start_has_it_all() {
    let stage = Stage::new();
    let daemon = stage.daemon();
    let first = send(&daemon, "first", &[]);
    until_delivered(&daemon, &first);
    daemon.limit_files(Some(64 << 10));
    refusal(&daemon.ask(&["send", "+15551234567", "second", "--json"]));
    until_readiness(&daemon, 503, "no room on the disk");
    let (code, log) = daemon.stop();
    assert!(code == 0 && log.contains("stopped while the disk was full"), "{code}: {log}");
    let daemon = stage.daemon();
    assert_eq!(show(&daemon, &first)["state"], "delivered");
}

#[test]
fn little_room_refuses_new_texts_and_still_records_what_becomes_of_others() {
    let stage = Stage::new();
    let daemon = stage.daemon();
    let soon = send(&daemon, "soon", &["--at", "+1s"]);
    daemon.stop();
    let daemon = stage.daemon_with(&[("DUNLIN_DISK_FREE_MIN", "1000000000GiB")]);
    let problem = refusal(&daemon.ask(&["send", "+15551234567", "new", "--json"]));
    assert_eq!((&problem["status"], &problem["code"]), (&json!(507), &json!("no_room")));
    until_readiness(&daemon, 503, "less room on the disk");
    until_delivered(&daemon, &soon);
    assert_eq!(stage.taken().keys().collect::<Vec<_>>(), ["soon"]);
}
