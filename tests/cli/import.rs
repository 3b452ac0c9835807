//! Importing a file, and importing it again.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::world::Daemon;

fn import(daemon: &Daemon, file: &Path) -> (i32, Value) {
    let (code, out, talk) = daemon.ask(&["--json", "import", file.to_str().unwrap()]);
    (code, serde_json::from_str(out.trim()).unwrap_or_else(|error| panic!("{error}: {out}{talk}")))
}

fn stored(daemon: &Daemon) -> usize {
    let (_, out, _) = daemon.ask(&["--json", "list", "--limit", "5000"]);
    out.lines().count()
}

#[test]
fn importing_twice_sends_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("texts.jsonl");
    let rows: String =
        (0..1_203).map(|n| json!({"to": format!("+1555{n:07}"), "body": "Hi"}).to_string() + "\n").collect();
    fs::write(&file, rows).unwrap();
    let daemon = Daemon::start(&dir.path().join("data"), &[]);
    let (code, first) = import(&daemon, &file);
    assert_eq!((code, &first["accepted"], &first["rejected"]), (0, &json!(1203), &json!(0)), "{first}");
    let (code, second) = import(&daemon, &file);
    assert_eq!(
        (code, &second["accepted"], &second["already_accepted"]),
        (0, &json!(0), &json!(1203)),
        "{second}"
    );
    assert_eq!(stored(&daemon), 1203);
}

#[test]
fn rejected_rows_are_kept_with_their_line_and_reason() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("texts.csv");
    fs::write(
        &file,
        "to,body,priority\n+15551234567,Hi,low\nnobody,Hi,\n+15551234568,,\n+15551234569,Hi,soon\n",
    )
    .unwrap();
    let daemon = Daemon::start(&dir.path().join("data"), &[]);
    let (code, tally) = import(&daemon, &file);
    assert_eq!((code, &tally["accepted"], &tally["rejected"]), (1, &json!(1), &json!(3)), "{tally}");
    let rejected = fs::read_to_string(dir.path().join("texts.csv.rejected.jsonl")).unwrap();
    let lines: Vec<Value> =
        rejected.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["line"].clone()).collect();
    assert_eq!(lines, [3, 4, 5], "{rejected}");
}
