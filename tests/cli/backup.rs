//! The restore drill: a backup in the middle of everything, a dead daemon, and the backup in its place.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use serde_json::Value;

use crate::stage::{PATIENCE, Stage, send, show, until, until_delivered};
use crate::world::{Daemon, run};

fn restored(out: &str) -> Value {
    serde_json::from_str(out.trim()).unwrap()
}

/// Texts that go on being sent while a backup is taken; gives those that were acknowledged before it.
fn backup_under_load(daemon: &Daemon, before: &mut Vec<String>) {
    let (acknowledged, stop) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    let count = || acknowledged.lock().unwrap().len();
    let until_count = |enough: usize| {
        let started = Instant::now();
        while count() < enough {
            assert!(started.elapsed() < PATIENCE, "{} texts", count());
            thread::yield_now();
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let id = send(daemon, &format!("crowd {n}"), &[]);
                acknowledged.lock().unwrap().push(id);
            }
        });
        until_count(5);
        before.extend(acknowledged.lock().unwrap().iter().cloned());
        let (code, out, talk) = daemon.ask(&["backup", "drill.redb"]);
        assert!(
            code == 0 && out.starts_with("drill.redb: ") && out.contains("verified; head "),
            "{out} {talk}"
        );
        until_count(count().saturating_add(3));
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn restored_backup_holds_all_that_was_acknowledged_before_it_and_sends_nothing_twice() {
    let stage = Stage::new();
    let daemon = stage.daemon();
    let far = send(&daemon, "far", &["--at", "2090-01-01T00:00:00Z"]);
    // In the backup they are still to be sent; by the time of the crash they have been.
    let soon: Vec<String> = (0..3).map(|n| send(&daemon, &format!("soon {n}"), &["--at", "+5s"])).collect();
    let mut before = soon.clone();
    backup_under_load(&daemon, &mut before);
    let (code, _, talk) = daemon.ask(&["backup", "drill.redb"]);
    assert!(code == 4 && talk.contains("none is ever overwritten"), "{talk}");
    for id in &before {
        until_delivered(&daemon, id);
    }
    // Killed, not stopped.
    drop(daemon);

    let backup = stage.backup("drill.redb");
    let (code, _, talk) = stage.offline(&["restore", backup.to_str().unwrap()]);
    assert!(code == 4 && talk.contains("add --replace"), "{talk}");
    let (code, out, talk) = stage.offline(&["restore", backup.to_str().unwrap(), "--replace", "--json"]);
    assert_eq!(code, 0, "{talk}");
    let told = restored(&out);
    assert!(told["in_doubt"].as_u64().unwrap() >= 3, "{told}");
    assert!(Path::new(told["put_aside"].as_str().unwrap()).is_file(), "{told}");
    let (code, out, _) = stage.offline(&["verify", "--expect", told["backup_head"].as_str().unwrap()]);
    assert!(code == 0 && out.contains("sound"), "the restored journal continues the backup's: {out}");

    let daemon = stage.daemon();
    for id in &before {
        until_delivered(&daemon, id);
    }
    assert_eq!(show(&daemon, &far)["hold"]["reason"], "scheduled");
    let (_, life, _) = daemon.ask(&["show", &soon[0]]);
    assert!(life.contains("restored from a backup"), "{life}");
    let (code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");
    assert_eq!(stage.offline(&["verify"]).0, 0);
    let taken = stage.taken();
    assert!(taken.values().all(|times| *times == 1), "{taken:?}");
    assert!(!taken.contains_key("far") && (0..3).all(|n| taken.contains_key(&format!("soon {n}"))));
}

#[test]
fn text_that_nobody_can_find_waits_for_a_person_after_a_restore() {
    let stage = Stage::new();
    let daemon = stage.daemon_with(&[("SMS_SENDING_ENABLED", "false")]);
    let id = send(&daemon, "unsent", &[]);
    assert_eq!(daemon.ask(&["backup", "quiet"]).0, 0);
    daemon.stop();
    let backup = stage.backup("quiet");
    let (code, out, talk) = stage.offline(&["restore", backup.to_str().unwrap(), "--replace", "--json"]);
    assert_eq!((code, restored(&out)["in_doubt"].as_u64()), (0, Some(1)), "{talk}");
    let daemon = stage.daemon();
    until(&daemon, &id, |message| message["hold"]["reason"] == "outcome_unknown");
    assert!(stage.taken().is_empty());
    assert_eq!(daemon.ask(&["retry", &id]).0, 0);
    until_delivered(&daemon, &id);
    assert_eq!(stage.taken()["unsent"], 1);
}

#[test]
fn accepted_resends_are_sent_again_and_others_are_not() {
    let stage = Stage::new();
    let daemon = stage.daemon();
    let soon = send(&daemon, "soon", &["--at", "+3s"]);
    assert_eq!(daemon.ask(&["backup", "early"]).0, 0);
    until_delivered(&daemon, &soon);
    daemon.stop();
    let backup = stage.backup("early");
    let arguments = ["restore", backup.to_str().unwrap(), "--replace", "--accept-resends", "--json"];
    let (code, out, talk) = stage.offline(&arguments);
    assert_eq!((code, restored(&out)["in_doubt"].as_u64()), (0, Some(0)), "{talk}");
    let daemon = stage.daemon();
    until_delivered(&daemon, &soon);
    assert_eq!(stage.taken()["soon"], 2, "as the option says");
}

#[test]
fn stopped_store_is_copied_and_starts_elsewhere_with_the_keys_alone() {
    let stage = Stage::new();
    let daemon = stage.daemon();
    let id = send(&daemon, "hello", &[]);
    until_delivered(&daemon, &id);
    // Killed: the file was not closed in order.
    drop(daemon);
    let (code, out, talk) = stage.offline(&["backup", "--json"]);
    assert!(code == 0 && talk.contains("the stopped store itself"), "{talk}");
    let name = restored(&out)["name"].as_str().unwrap().to_owned();
    assert!(name.starts_with("dunlin-20") && name.parse::<dunlin::backup::BackupName>().is_ok(), "{name}");
    let elsewhere = stage.dir.path().join("elsewhere");
    let backup = stage.backup(&name);
    let (code, _, talk) =
        run(&["restore", backup.to_str().unwrap()], &[("DUNLIN_DATA", elsewhere.to_str().unwrap())]);
    assert_eq!(code, 0, "{talk}");
    let daemon = Daemon::start(&elsewhere, &[]);
    assert_eq!(show(&daemon, &id)["state"], "delivered");
    let (code, _, talk) = run(
        &["restore", backup.to_str().unwrap(), "--replace"],
        &[("DUNLIN_DATA", elsewhere.to_str().unwrap())],
    );
    assert!(code == 1 && talk.contains("in use by another process"), "{talk}");
}

#[test]
fn backup_that_was_damaged_or_sealed_with_other_keys_replaces_nothing() {
    let stage = Stage::new();
    let daemon = stage.daemon();
    let id = send(&daemon, "hello", &[]);
    until_delivered(&daemon, &id);
    let sid = show(&daemon, &id)["provider_sid"].as_str().unwrap().to_owned();
    assert_eq!(daemon.ask(&["backup", "whole"]).0, 0);
    daemon.stop();
    let store = stage.data().join("dunlin.redb");
    let before = fs::read(&store).unwrap();
    let mut damaged = fs::read(stage.backup("whole")).unwrap();
    // One digit of the provider's name for it, in a record or in an index.
    let place = damaged.windows(sid.len()).position(|window| window == sid.as_bytes()).unwrap();
    damaged[place + 5] ^= 1;
    let broken = stage.dir.path().join("broken");
    fs::write(&broken, damaged).unwrap();
    let (code, _, talk) = stage.offline(&["restore", broken.to_str().unwrap(), "--replace"]);
    assert_eq!(code, 1, "{talk}");
    let (data, whole) = (stage.data(), stage.backup("whole"));
    let other = dunlin_storage::Keyring::generate(&dunlin_storage::Entropy::seeded(2)).unwrap().to_text();
    let keys = [("DUNLIN_DATA", data.to_str().unwrap()), ("DUNLIN_KEYS", other.as_str())];
    let (code, _, talk) = run(&["restore", whole.to_str().unwrap(), "--replace"], &keys);
    assert!(code == 78 && talk.contains("is sealed with master"), "{code}: {talk}");
    assert_eq!(fs::read(&store).unwrap(), before);
    let left: Vec<_> = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "the store and the backups: {left:?}");
}
