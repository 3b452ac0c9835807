//! One message from the command line: sent, shown, listed, withdrawn, tried again.

use serde_json::Value;

use crate::world::{Daemon, run};

fn json(text: &str) -> Value {
    serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn id(message: &Value) -> String {
    message["id"].as_str().unwrap().to_owned()
}

#[test]
fn text_sent_in_the_sandbox_is_delivered_and_its_life_can_be_shown() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), &[]);
    let (code, out, talk) = daemon.ask(&["--json", "send", "+15551234567", "Hello", "--wait=20s"]);
    assert_eq!(code, 0, "{talk}");
    let message = json(&out);
    assert_eq!((&message["state"], &message["attempts"]), (&Value::from("delivered"), &Value::from(1)));
    let id = id(&message);
    let (code, life, _) = daemon.ask(&["show", &id]);
    assert_eq!(code, 0);
    for word in [id.as_str(), "DELIVERED", "accepted", "attempt_started", "submitted"] {
        assert!(life.contains(word), "{word}: {life}");
    }
    assert!(!life.contains("5551234567") && !life.contains("Hello"), "{life}");
    let (code, listed, _) = daemon.ask(&["list", "--status", "delivered"]);
    assert!(code == 0 && listed.contains(&id), "{listed}");
    let (code, _, talk) = daemon.ask(&["cancel", &id]);
    assert_eq!(code, 4, "{talk}");
}

#[test]
fn preview_says_what_would_become_of_a_text_and_sends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), &[]);
    let (code, out, talk) = daemon.ask(&["send", "--preview", "+15551234567", "You are a winner: bit.ly/x"]);
    assert!(code == 0 && out.contains("it may go") && out.contains("billed as 1, GSM-7"), "{out}{talk}");
    assert!(out.contains("\"bit.ly\"") && out.contains("\"winner\"") && out.contains("https://"), "{out}");
    let (code, listed, _) = daemon.ask(&["list"]);
    assert!(code == 0 && !listed.contains("+15"), "{listed}");
}

#[test]
fn template_is_filled_from_the_command_line_and_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(&dir.path().join("data"), &[]);
    let vars = ["--var", "task_name=Report", "--var", "due_time=at 5"];
    let by_name = ["--json", "send", "+15551234567", "--template", "task_reminder"];
    let by_kind = ["--json", "send", "+15551234567", "--kind", "task_reminder"];
    for asked in [by_name, by_kind] {
        let (code, out, talk) = daemon.ask(&[&asked[..], &vars].concat());
        assert_eq!(code, 0, "{talk}");
        let (_, shown, _) = daemon.ask(&["--json", "list", "--limit", "1"]);
        assert_eq!(json(&shown)["body"], "Reminder: Report is due at 5.", "{out}");
    }
    let (code, _, talk) = daemon.ask(&[&by_name[..], &vars[..2]].concat());
    assert!(code == 2 && talk.contains("due_time"), "{code}: {talk}");
    let (code, _, talk) = daemon.ask(&["send", "+15551234567", "A text", "--template", "task_reminder"]);
    assert!(code == 2 && talk.contains("either"), "{code}: {talk}");
    let file = dir.path().join("texts.csv");
    let rows = "to,template,vars.task_name,vars.due_time\n+15551234568,task_reminder,Report,at 5\n+15551234569,task_reminder,,\n";
    std::fs::write(&file, rows).unwrap();
    let (code, out, _) = daemon.ask(&["--json", "import", file.to_str().unwrap()]);
    let tally = json(&out);
    assert_eq!((code, &tally["accepted"], &tally["rejected"]), (1, &Value::from(1), &Value::from(1)));
}

#[test]
fn refused_text_ends_in_failure_with_cause_and_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), &[]);
    let (code, out, _) = daemon.ask(&["send", "+15005550004", "Hello", "--wait=20s"]);
    assert!(code == 1 && out.contains("failed (21610): "), "{out}");
}

#[test]
fn scheduled_text_can_be_withdrawn_and_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), &[]);
    let (code, out, talk) =
        daemon.ask(&["--json", "send", "+15551234567", "Later", "--at", "+1h", "--priority", "high"]);
    assert_eq!(code, 0, "{talk}");
    let message = json(&out);
    assert_eq!(message["status"], "scheduled");
    let (code, out, _) = daemon.ask(&["--json", "cancel", &id(&message)]);
    assert_eq!((code, &json(&out)["state"]), (0, &Value::from("canceled")));
    let (code, out, talk) = daemon.ask(&["--json", "retry", &id(&message)]);
    assert_eq!(code, 0, "{talk}");
    assert_ne!(id(&json(&out)), id(&message));
}

#[test]
fn same_key_is_one_message_and_another_text_under_it_contradicts() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), &[]);
    let send = |body: &str| daemon.ask(&["--json", "send", "+15551234567", body, "--key", "order-7"]);
    let (first, second) = (send("One"), send("One"));
    assert_eq!(id(&json(&first.1)), id(&json(&second.1)));
    assert_eq!(send("Two").0, 4);
}

#[test]
fn exit_codes_tell_what_went_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), &[("DUNLIN_API_TOKEN", "hush")]);
    let ask = |token: &str, arguments: &[&str]| {
        run(arguments, &[("DUNLIN_URL", &daemon.url), ("DUNLIN_API_TOKEN", token)]).0
    };
    assert_eq!(ask("hush", &["show", "01890a5d-ac96-774b-bcce-b302099a8057"]), 3);
    assert_eq!(ask("hush", &["send", "call me", "Hello"]), 2);
    assert_eq!(ask("wrong", &["list"]), 78);
    assert_eq!(run(&["list"], &[("DUNLIN_URL", "http://127.0.0.1:1")]).0, 69);
}
