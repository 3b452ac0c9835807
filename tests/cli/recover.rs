//! Texts that came to nothing, from the command line, with a daemon that is killed in the middle.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::stage::{PATIENCE, Stage};
use crate::world::Daemon;

const TEXTS: u64 = 40;

fn json(text: &str) -> Value {
    serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn until(is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "it never came");
        thread::sleep(Duration::from_millis(50));
    }
}

fn count(daemon: &Daemon) -> u64 {
    let (code, out, talk) = daemon.ask(&["recover", "--code", "30008", "--dry-run", "--json"]);
    assert_eq!(code, 0, "{talk}");
    json(&out)["count"].as_u64().unwrap()
}

/// Whether the request came too late, was carried out or was cut off: all or nothing of it happened,
/// and nobody gets a third text.
#[test]
fn daemon_killed_while_it_recovers_recovers_none_twice() {
    for pause_ms in [0, 5, 20, 60] {
        let stage = Stage::new();
        let daemon = stage.daemon();
        for n in 0..TEXTS {
            let to = format!("+15005552{n:03}");
            // A request that was cut off before the carrier had it is looked up, and then sent again.
            let send = ["send", &to, &format!("text {n}"), "--on-unknown", "resend"];
            let (code, _, talk) = daemon.ask(&send);
            assert_eq!(code, 0, "{talk}");
        }
        until(|| count(&daemon) == TEXTS);
        let (url, order) = (daemon.url.clone(), ["recover", "--code", "30008", "--yes", "--rate", "6000"]);
        let asking = thread::spawn(move || crate::world::run(&order, &[("DUNLIN_URL", &url)]));
        thread::sleep(Duration::from_millis(pause_ms));
        drop(daemon);
        asking.join().unwrap();

        let daemon = stage.daemon();
        let left = count(&daemon);
        assert!(left == 0 || left == TEXTS, "{left} of {TEXTS}: a part of one request was carried out");
        let (code, out, talk) = daemon.ask(&order);
        assert_eq!(code, 0, "{out}{talk}");
        until(|| stage.taken().values().all(|times| *times == 2));
        thread::sleep(Duration::from_millis(300));
        let twice: BTreeMap<String, u32> = (0..TEXTS).map(|n| (format!("text {n}"), 2)).collect();
        assert_eq!(stage.taken(), twice);
    }
}

#[test]
fn recovery_from_the_command_line_counts_first_and_sends_only_when_told() {
    let stage = Stage::new();
    let daemon = stage.daemon();
    daemon.ask(&["send", "+15005552001", "Hello", "--wait=20s"]);
    let (code, out, _) = daemon.ask(&["failures", "--since", "1h"]);
    assert!(code == 0 && out.contains("30008") && out.contains("1 can be tried again"), "{out}");
    let (code, out, _) = daemon.ask(&["recover", "--since", "1h"]);
    assert!(code == 0 && out.contains("1 would be tried again"), "{out}");
    assert_eq!(daemon.ask(&["recover", "--since", "1h", "--count", "2"]).0, 4);
    assert_eq!(daemon.ask(&["recover", "--yes"]).0, 2);
    let (code, out, talk) =
        daemon.ask(&["recover", "--since", "1h", "--count", "1", "--reason", "an outage"]);
    assert!(code == 0 && out.contains("1 are tried again"), "{out}{talk}");
    until(|| stage.taken().values().all(|times| *times == 2));
}
