//! Old texts move to archives, and can be read there, backed up, restored and erased like all others.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::stage::{PATIENCE, Stage, send, show, until_delivered};
use crate::world::{Daemon, dunlin};

/// How many texts move while the move is interrupted.
const TEXTS: u32 = 600;

#[test]
fn archived_text_is_read_backed_up_restored_and_erased_like_every_other() {
    let stage = Stage::new();
    let daemon = stage.daemon();
    let old = send(&daemon, "long ago", &["--user-id", "ann"]);
    until_delivered(&daemon, &old);
    let sid = show(&daemon, &old)["provider_sid"].as_str().unwrap().to_owned();
    let far = send(&daemon, "far away", &["--at", "2090-01-01T00:00:00Z"]);
    daemon.stop();

    let (code, out, talk) = stage.offline(&["archive", "--older-than", "1ms", "--json"]);
    assert_eq!(code, 0, "{talk}");
    let archived: Value = serde_json::from_str(out.trim()).unwrap();
    assert_eq!((&archived["archives"], &archived["messages"]), (&1.into(), &1.into()), "{archived}");
    let (code, _, talk) = stage.offline(&["compact"]);
    assert_eq!(code, 0, "{talk}");
    assert_sound(&stage);
    let data = stage.data();
    let (code, out, talk) = stage.offline(&["replay", data.to_str().unwrap(), "--message", &old]);
    assert!(code == 0 && out.contains("delivered"), "{out} {talk}");

    let (code, out, talk) = stage.offline(&["replay", data.to_str().unwrap()]);
    assert!(code == 0 && out.contains("delivered"), "{out} {talk}");

    // What is archived is read as before; what is open goes on.
    let daemon = stage.daemon();
    for name in [&old, &sid] {
        let shown = show(&daemon, name);
        assert_eq!(
            (&shown["state"], &shown["body"], &shown["archived"]),
            (&"delivered".into(), &"long ago".into(), &true.into()),
            "{shown}"
        );
    }
    assert_eq!(show(&daemon, &far)["archived"], false);
    let (code, _, talk) = daemon.ask(&["retry", &old]);
    assert!(code == 4 && talk.contains("archive"), "{code} {talk}");
    let (code, _, talk) = daemon.ask(&["send", "+15551234567", "again", "--id", &old]);
    assert!(code == 4 && talk.contains("exists already"), "{code} {talk}");
    let rows = stage.dir.path().join("again.jsonl");
    fs::write(&rows, format!("{{\"id\":\"{old}\",\"to\":\"+15551234567\",\"body\":\"again\"}}\n")).unwrap();
    let (code, _, talk) = daemon.ask(&["import", rows.to_str().unwrap()]);
    assert!(code == 1 && talk.contains("were rejected"), "{code} {talk}");
    let (code, out, talk) = daemon.ask(&["audit", "--message", &old]);
    assert!(code == 0 && out.contains("attempt_started"), "{out} {talk}");
    let (code, _, talk) = daemon.ask(&["cancel", &far]);
    assert_eq!(code, 0, "{talk}");

    // A backup has the archives with it, and a restore brings them back.
    let (code, _, talk) = daemon.ask(&["backup", "with-archives.redb"]);
    assert_eq!(code, 0, "{talk}");
    daemon.stop();
    let backup = stage.backup("with-archives.redb");
    fs::remove_dir_all(stage.data().join("archives")).unwrap();
    let (code, _, talk) = stage.offline(&["verify"]);
    assert!(code == 1 && talk.contains("is missing; put it back"), "{code} {talk}");
    let (code, _, talk) = stage.offline(&["restore", backup.to_str().unwrap(), "--replace"]);
    assert_eq!(code, 0, "{talk}");
    assert_sound(&stage);

    // A person whose texts are in archives alone is found and erased.
    let (code, _, talk) = stage.offline(&["erase", "--user", "ann", "--by", "officer"]);
    assert_eq!(code, 0, "{talk}");
    assert_sound(&stage);
    let daemon = stage.daemon();
    let shown = show(&daemon, &old);
    assert_eq!((&shown["state"], &shown["body"]), (&"delivered".into(), &Value::Null), "{shown}");
}

/// Wherever it is killed, the store is sound, and the next run goes on.
#[test]
fn archiving_that_is_killed_again_and_again_loses_nothing() {
    let stage = Stage::new();
    let daemon = stage.daemon();
    let file = stage.dir.path().join("texts.jsonl");
    let line = |n: u32| format!("{{\"to\":\"+1555{n:07}\",\"body\":\"text {n}\"}}\n");
    fs::write(&file, (0..TEXTS).map(line).collect::<String>()).unwrap();
    let (code, _, talk) = daemon.ask(&["import", file.to_str().unwrap()]);
    assert_eq!(code, 0, "{talk}");
    let far = send(&daemon, "far away", &["--at", "2090-01-01T00:00:00Z"]);
    let started = Instant::now();
    while stage.taken().len() < usize::try_from(TEXTS).unwrap() {
        assert!(started.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(50));
    }
    until_all_are_delivered(&daemon);
    daemon.stop();
    let data = stage.data();
    let variables = [("DUNLIN_DATA", data.to_str().unwrap())];
    let mut killed = 0;
    for wait in (0..200).step_by(6).cycle() {
        let mut archiving =
            dunlin(&["archive", "--older-than", "1ms", "--json"], &variables).spawn().unwrap();
        thread::sleep(Duration::from_millis(wait));
        archiving.kill().unwrap();
        let is_done = archiving.wait().unwrap().success();
        assert_sound(&stage);
        if is_done {
            break;
        }
        killed += 1;
    }
    assert!(killed > 3, "it was killed {killed} times");
    let daemon = stage.daemon();
    assert_eq!(show(&daemon, &far)["state"], "held");
    let (code, out, talk) = daemon.ask(&["list", "--json"]);
    // The newest record of all stays, and with it the text that it belongs to.
    assert!(code == 0 && out.lines().count() <= 2, "only what is open is in lists: {out} {talk}");
}

fn until_all_are_delivered(daemon: &Daemon) {
    let started = Instant::now();
    loop {
        let (code, out, talk) = daemon.ask(&["list", "--status", "sent", "--json"]);
        assert_eq!(code, 0, "{talk}");
        if out.trim().is_empty() || out.contains("\"data\":[]") {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{out}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn assert_sound(stage: &Stage) {
    let (code, out, talk) = stage.offline(&["verify"]);
    assert!(code == 0 && out.contains("sound"), "{out} {talk}");
}
