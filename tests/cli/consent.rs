//! Consent from the command line: recorded, shown, exported, and kept when it counts.

use serde_json::Value;

use crate::world::{Daemon, run};

fn json(text: &str) -> Value {
    serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn opt_out_from_the_command_line_keeps_texts_back_and_explain_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), &[]);
    let ada = "+15551234567";
    let (code, out, talk) = daemon.ask(&["consent", "opt-out", ada, "--reason", "asked by phone"]);
    assert!(code == 0 && out.contains("+15551234567 is opted_out since"), "{out}{talk}");
    let (code, out, talk) = daemon.ask(&["--json", "send", ada, "Hello"]);
    let message = json(&out);
    assert_eq!((code, &message["state"]), (0, &Value::from("suppressed")), "{talk}");
    let id = message["id"].as_str().unwrap();
    let (code, out, _) = daemon.ask(&["explain", id]);
    assert!(code == 0 && out.contains("the recipient opted out: somebody recorded it"), "{out}");
    let (code, _, talk) = daemon.ask(&["retry", id]);
    assert_eq!(code, 4, "{talk}");
    let (code, _, talk) = daemon.ask(&["consent", "opt-in", ada]);
    assert!(code != 0 && talk.contains("say why"), "{talk}");
    let (code, out, talk) = daemon.ask(&["consent", "opt-in", ada, "--reason", "signed form 7"]);
    assert!(code == 0 && out.contains("is opted_in since"), "{out}{talk}");
    let (code, out, _) = daemon.ask(&["consent", "export", "--to", ada]);
    let told: Vec<Value> = out.lines().map(|line| json(line)["reason_given"].clone()).collect();
    assert_eq!((code, told), (0, vec!["asked by phone".into(), "signed form 7".into()]));
    let (code, out, talk) = daemon.ask(&["--json", "retry", id]);
    assert_eq!((code, &json(&out)["retry_of"]), (0, &Value::from(id)), "{talk}");
}

#[test]
fn preferences_from_the_command_line_hold_a_text_and_explain_finds_it_by_number() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), &[]);
    let (ada, user) = ("+15551234567", "users/ada?x");
    let set = [
        "preferences",
        "set",
        user,
        "quiet_hours_start=00:00",
        "quiet_hours_end=23:59",
        "urgent_alerts=true",
    ];
    let (code, out, talk) = daemon.ask(&set);
    assert!(code == 0 && out.contains("quiet_hours_end: 23:59"), "{out}{talk}");
    let (code, _, talk) = daemon.ask(&["preferences", "set", user, "timezone=Nowhere/Land"]);
    assert!(code != 0 && talk.contains("Nowhere/Land"), "{talk}");
    let (code, _, talk) = daemon.ask(&["send", ada, "Hello", "--user-id", user]);
    assert_eq!(code, 0, "{talk}");
    let (code, out, talk) = daemon.ask(&["explain", ada]);
    assert!(code == 0 && out.contains("quiet_hours_unknown_tz") && out.contains("timezone"), "{out}{talk}");
    let (code, out, talk) = daemon.ask(&["--json", "preferences", "show", user]);
    assert_eq!((code, &json(&out)["user_id"]), (0, &Value::from(user)), "{talk}");
}

/// Asks a page of the daemon's; its status and text.
fn page(method: &str, url: &str) -> (u16, String) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let request = reqwest::Client::new().request(method.parse().unwrap(), url);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    })
}

#[test]
fn link_needs_a_public_address_survives_a_restart_and_ends_with_an_erasure() {
    let dir = tempfile::tempdir().unwrap();
    let ada = "+15551234567";
    let daemon = Daemon::start(dir.path(), &[]);
    daemon.ask(&["send", ada, "Hello"]);
    let (code, _, talk) = daemon.ask(&["consent", "link", ada]);
    assert!(code != 0 && talk.contains("DUNLIN_PUBLIC_URL"), "{talk}");
    daemon.stop();

    let public = [("DUNLIN_PUBLIC_URL", "https://sms.example.test")];
    let daemon = Daemon::start(dir.path(), &public);
    let (code, out, talk) = daemon.ask(&["consent", "link", ada]);
    assert_eq!(code, 0, "{talk}");
    let token = out.trim().strip_prefix("https://sms.example.test/o/").unwrap().to_owned();
    let at = |daemon: &Daemon| format!("{}/o/{token}", daemon.url);
    let (status, seen) = page("GET", &at(&daemon));
    assert!(status == 200 && seen.contains("<form"), "{seen}");
    assert_eq!(page("POST", &at(&daemon)).0, 200);
    let (_, out, _) = daemon.ask(&["consent", "show", ada]);
    assert!(out.contains("is opted_out since") && out.contains("(link)"), "{out}");
    let (_, out, _) = daemon.ask(&["--json", "consent", "export"]);
    assert_eq!(json(&out)["how"], "link");
    daemon.stop();

    let data = dir.path().to_str().unwrap();
    let (code, out, talk) = run(&["erase", "--phone", ada, "--by", "ada"], &[("DUNLIN_DATA", data)]);
    assert_eq!(code, 0, "{out}{talk}");
    let daemon = Daemon::start(dir.path(), &public);
    for method in ["GET", "POST"] {
        assert_eq!(page(method, &at(&daemon)).0, 404, "{method}");
    }
    // The number is met again, by whoever has it now: a new person, whom the old link does not name.
    daemon.ask(&["send", ada, "Hello"]);
    assert_eq!(page("GET", &at(&daemon)).0, 404);
}
