//! Numbers and texts are nowhere in clear, keys can be rotated, and a person can be erased.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::world::{Daemon, ended, keyless, run};

const NUMBER: &str = "+15558675309";
const DIGITS: u64 = 15_558_675_309;
const BODY: &str = "The canary sings at dawn, quietly";
const USER: &str = "canary-user-77";

/// A data directory inside a directory of its own, and the keys beside it.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn keys(&self) -> PathBuf {
        self.dir.path().join("data.keys")
    }

    fn heads(&self) -> PathBuf {
        self.dir.path().join("heads")
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("DUNLIN_DATA", self.data().display().to_string()),
            ("DUNLIN_HEADS", self.heads().display().to_string()),
        ]
    }

    fn daemon(&self, more: &[(&'static str, &str)]) -> Daemon {
        let variables = self.variables();
        let mut all: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        all.extend_from_slice(more);
        Daemon::start_keyless(&all)
    }

    /// Runs an offline command with the keys beside the data: exit code, output, talk.
    fn ask(&self, arguments: &[&str]) -> (i32, String, String) {
        let variables = self.variables();
        let all: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        ended(&keyless(arguments, &all).output().unwrap())
    }

    /// The head that the last stop noted.
    fn noted(&self) -> String {
        let heads = fs::read_to_string(self.heads()).unwrap();
        heads.lines().last().unwrap().rsplit(' ').next().unwrap().to_owned()
    }
}

fn send(daemon: &Daemon, to: &str, body: &str) -> String {
    let arguments = ["send", to, body, "--user-id", USER, "--wait", "--json"];
    let (code, out, talk) = daemon.ask(&arguments);
    assert_eq!(code, 0, "{talk}");
    let message: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    message["id"].as_str().unwrap().to_owned()
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn assert_no_canary(what: &str, bytes: &[u8]) {
    let digits = DIGITS.to_string();
    for needle in [
        digits.as_bytes(),
        &digits.as_bytes()[1..],
        &DIGITS.to_le_bytes(),
        &DIGITS.to_be_bytes(),
        BODY.as_bytes(),
        b"canary sings",
        USER.as_bytes(),
    ] {
        assert!(!holds(bytes, needle), "{what} holds {:?}", String::from_utf8_lossy(needle));
    }
}

fn every_file(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn canary_is_in_no_file_log_export_or_replay() {
    let place = Place::new();
    let daemon = place.daemon(&[("DUNLIN_LOG", "trace")]);
    let id = send(&daemon, NUMBER, BODY);
    // Refused by the carrier: the provider's own words must not bring the number into the file.
    let refused = daemon.ask(&["send", "+15005550001", BODY, "--user-id", USER, "--wait"]);
    assert_eq!(refused.0, 1, "{}", refused.2);
    let (code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");
    assert_no_canary("the log", log.as_bytes());
    assert!(log.contains("\"started\"") || log.contains("started"), "the log is there");
    for file in every_file(&place.data()) {
        assert_no_canary(&file.display().to_string(), &fs::read(&file).unwrap());
    }
    let (code, export, _) = place.ask(&["export"]);
    assert!(code == 0 && export.contains("accepted"));
    assert_no_canary("the export", export.as_bytes());
    let data = place.data().display().to_string();
    let (code, told, talk) = place.ask(&["replay", &data, "--message", &id]);
    assert!(code == 0 && told.contains("+1555***5309") || told.contains("****"), "{told} {talk}");
    assert_no_canary("the replay", told.as_bytes());
}

#[test]
fn keys_are_made_beside_the_data_with_the_owner_alone_reading_them() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let (_, log) = place.daemon(&[]).stop();
    assert!(log.contains("new keys were made") && log.contains("data.keys"), "{log}");
    assert_eq!(fs::metadata(place.keys()).unwrap().permissions().mode() & 0o777, 0o600);
    let secret = fs::read_to_string(place.keys()).unwrap();
    let (code, shown, _) = place.ask(&["keys", "list"]);
    let hex = secret.lines().nth(1).unwrap().rsplit(' ').next().unwrap();
    assert!(code == 0 && shown.contains("wraps what is new") && !shown.contains(hex), "{shown}");
    fs::rename(place.keys(), place.dir.path().join("elsewhere")).unwrap();
    let (code, _, talk) = place.ask(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(code == 78 && talk.contains("no keys were found; set DUNLIN_KEYS_FILE"), "{code}: {talk}");
    assert!(!place.keys().exists(), "no new keys for an old store");
}

#[test]
fn rotated_keys_open_the_store_and_the_old_ones_do_not() {
    let place = Place::new();
    let daemon = place.daemon(&[]);
    let id = send(&daemon, NUMBER, BODY);
    daemon.stop();
    let old = fs::read_to_string(place.keys()).unwrap();
    let (code, out, talk) = place.ask(&["keys", "rotate"]);
    assert!(code == 0 && out.contains("2 persons' and users' keys are wrapped by master"), "{out} {talk}");
    let new = fs::read_to_string(place.keys()).unwrap();
    assert!(new != old && new.lines().count() == old.lines().count());
    let daemon = place.daemon(&[]);
    let (_, shown, _) = daemon.ask(&["show", &id, "--json"]);
    assert!(shown.contains(BODY), "{shown}");
    daemon.stop();
    fs::write(place.keys(), old).unwrap();
    let (code, _, talk) = place.ask(&["compact"]);
    assert_eq!(code, 0, "rewriting needs no keys: {talk}");
    let (code, _, talk) = place.ask(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(code == 1 && talk.contains("is sealed with master"), "{code}: {talk}");
}

#[test]
fn erased_person_can_not_be_read_and_history_still_continues_the_noted_head() {
    let place = Place::new();
    let daemon = place.daemon(&[]);
    let id = send(&daemon, NUMBER, BODY);
    let later = ["send", NUMBER, "later", "--at", "2030-01-01T00:00:00Z", "--json"];
    let (code, scheduled, talk) = daemon.ask(&later);
    assert_eq!(code, 0, "{talk}");
    let scheduled: Value = serde_json::from_str(scheduled.lines().last().unwrap()).unwrap();
    send(&daemon, "+15558675310", "somebody else");
    daemon.stop();
    let before = place.noted();
    let erase = ["erase", "--phone", NUMBER, "--by", "ada", "--reason", "asked by mail"];
    let (code, out, talk) = place.ask(&erase);
    assert!(code == 0 && out.contains("erased 1 person(s), 1 unsent text(s) withdrawn"), "{out} {talk}");
    assert_eq!(place.ask(&erase).0, 3, "nobody is erased twice");
    let (code, out, talk) = place.ask(&["verify", "--expect", &before]);
    assert!(code == 0 && out.contains("sound"), "{out} {talk}");
    let (_, export, _) = place.ask(&["export"]);
    assert!(export.contains("person_erased") && export.contains("asked by mail"), "{export}");

    let daemon = place.daemon(&[]);
    let shown = |id: &str| -> Value {
        let (_, out, talk) = daemon.ask(&["show", id, "--json"]);
        serde_json::from_str(out.lines().next().unwrap_or(&talk)).unwrap()
    };
    let gone = shown(&id);
    let message = gone.get("message").unwrap_or(&gone);
    assert_eq!((message["to"].clone(), message["body"].clone()), (Value::Null, Value::Null), "{gone}");
    let withdrawn = shown(scheduled["id"].as_str().unwrap());
    let message = withdrawn.get("message").unwrap_or(&withdrawn);
    assert_eq!(message["state"], "canceled", "{withdrawn}");
    let (code, _, _) = daemon.ask(&["send", NUMBER, "hello again", "--wait"]);
    assert_eq!(code, 0, "whoever was erased can be written to anew");
}

#[test]
fn head_that_the_journal_does_not_continue_is_refused() {
    let place = Place::new();
    let daemon = place.daemon(&[]);
    send(&daemon, NUMBER, BODY);
    daemon.stop();
    let head = place.noted();
    assert_eq!(place.ask(&["verify", "--expect", &head]).0, 0);
    let (seq, hash) = head.split_once(':').unwrap();
    let beyond = format!("{}:{hash}", seq.parse::<u64>().unwrap() + 1);
    let (code, out, _) = place.ask(&["verify", "--expect", &beyond]);
    assert!(code == 1 && out.contains("records were cut off"), "{out}");
    let flipped: String = hash.chars().map(|c| if c == '0' { '1' } else { c }).collect();
    let (code, out, _) = place.ask(&["verify", "--expect", &format!("{seq}:{flipped}")]);
    assert!(code == 1 && out.contains("history was rewritten"), "{out}");
    let (code, _, talk) = run(&["verify", "--expect", "nonsense"], &[]);
    assert!(code == 2 && talk.contains("64 hexadecimal digits"), "{talk}");
}

#[test]
fn audit_tells_who_did_what_and_why() {
    let place = Place::new();
    let daemon = place.daemon(&[("DUNLIN_API_TOKEN", "hush")]);
    let ask = |actor: &str, arguments: &[&str]| {
        run(
            arguments,
            &[("DUNLIN_URL", daemon.url.as_str()), ("DUNLIN_API_TOKEN", "hush"), ("DUNLIN_ACTOR", actor)],
        )
    };
    let later = ["send", NUMBER, BODY, "--at", "2030-01-01T00:00:00Z", "--json"];
    let (_, out, talk) = ask("ada", &later);
    let sent: Value = serde_json::from_str(out.lines().last().unwrap_or(&talk)).unwrap();
    let id = sent["id"].as_str().unwrap();
    assert_eq!(ask("bob", &["cancel", id, "--reason", "wrong person"]).0, 0);
    let records = |arguments: &[&str]| -> Vec<Value> {
        let (code, out, talk) = ask("eve", &[&["audit", "--json"], arguments].concat());
        assert_eq!(code, 0, "{talk}");
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let told = |records: &[Value]| -> Vec<(String, String)> {
        let word = |record: &Value, name: &str| record[name].as_str().unwrap_or_default().to_owned();
        records.iter().map(|record| (word(record, "type"), word(record, "actor"))).collect()
    };
    // What a store starts with stands in front of everything that was asked.
    let is_asked = |record: &Value| !record["type"].as_str().unwrap().starts_with("template_");
    let all: Vec<Value> = records(&[]).into_iter().filter(is_asked).collect();
    let types: Vec<String> = told(&all).into_iter().map(|(name, _)| name).collect();
    assert_eq!(types, ["canceled", "remarked", "held", "accepted"]);
    let bob = all[0]["actor"].as_str().unwrap();
    assert!(bob.starts_with("key:") && bob.ends_with("/bob"), "{bob}");
    assert_eq!(all[1]["reason_given"], "wrong person");
    assert!(all[3]["actor"].as_str().unwrap().ends_with("/ada"));
    assert_eq!(told(&records(&["--actor", bob])), told(&all[..2]));
    assert_eq!(told(&records(&["--message", id, "--to", NUMBER])), told(&all));
    assert_eq!(records(&["--to", "+15558675310"]), Vec::<Value>::new());
    assert_eq!(records(&["--until", "2020-01-01T00:00:00Z"]), Vec::<Value>::new());
    let (code, _, talk) = ask("two words", &["cancel", id]);
    assert!(code != 0 && talk.contains("dunlin-actor"), "{talk}");
    let (_, log) = daemon.stop();
    assert_no_canary("the log", log.as_bytes());
}

#[test]
fn store_of_format_1_is_sealed_and_rewritten_by_the_first_start() {
    let place = Place::new();
    fs::create_dir(place.data()).unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("storage/tests/fixtures/store-v1.redb");
    let store = place.data().join("dunlin.redb");
    fs::copy(fixture, &store).unwrap();
    let clear = b"Your table is ready, guest";
    assert!(holds(&fs::read(&store).unwrap(), clear));
    let (code, log) = place.daemon(&[("SMS_SENDING_ENABLED", "false")]).stop();
    assert!(code == 0 && log.contains("the store was upgraded"), "{log}");
    assert!(!holds(&fs::read(&store).unwrap(), clear));
    let (code, out, talk) = place.ask(&["verify"]);
    assert!(code == 0 && out.contains("sound"), "{out} {talk}");
}

#[test]
fn erased_user_is_found_by_nothing_and_leads_to_nobody() {
    let place = Place::new();
    let daemon = place.daemon(&[]);
    send(&daemon, NUMBER, BODY);
    daemon.stop();
    let erase = ["erase", "--user", USER, "--by", "ada", "--reason", "asked by mail"];
    let (code, out, talk) = place.ask(&erase);
    assert!(code == 0 && out.contains("erased 1 person(s)"), "{out} {talk}");
    let (code, out, talk) = place.ask(&["verify"]);
    assert!(code == 0 && out.contains("sound"), "{out} {talk}");
    let (_, export, _) = place.ask(&["export"]);
    assert!(export.contains("user_erased") && !export.contains(USER), "{export}");
    assert_eq!(place.ask(&erase).0, 3, "nobody is erased twice");
}
