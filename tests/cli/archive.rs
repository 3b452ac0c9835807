//! Old texts move to archives, and can be read there, backed up, restored and erased like all others.

use std::fs;

use serde_json::Value;

use crate::stage::{Stage, send, show, until_delivered};

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

fn assert_sound(stage: &Stage) {
    let (code, out, talk) = stage.offline(&["verify"]);
    assert!(code == 0 && out.contains("sound"), "{out} {talk}");
}
