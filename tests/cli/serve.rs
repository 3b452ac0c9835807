//! The daemon starts, refuses to start, and stops.

use crate::world::{Daemon, run};

#[test]
fn port_zero_is_printed_and_a_stop_in_order_leaves_a_sound_store() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), &[]);
    assert!(daemon.url.starts_with("http://127.0.0.1:") && !daemon.url.ends_with(":0"), "{}", daemon.url);
    let (code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");
    let started = log.lines().next().unwrap();
    for part in ["\"mode\":\"sandbox\"", "\"version\":", "DUNLIN_LISTEN: flag --listen", "\"created\":true"] {
        assert!(started.contains(part), "{part}: {started}");
    }
    let (code, checks, _) = run(&["doctor"], &[("DUNLIN_DATA", dir.path().to_str().unwrap())]);
    assert!(code == 0 && checks.contains("sound: 0 messages"), "{checks}");
}

#[test]
fn second_daemon_on_a_store_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Daemon::start(dir.path(), &[]);
    let data = dir.path().to_str().unwrap();
    let (code, out, log) = run(&["serve", "--data", data, "--listen", "127.0.0.1:0"], &[]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(log.contains("is in use: another daemon runs on it"), "{log}");
}

#[test]
fn taken_port_is_refused_with_the_remedy() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = Daemon::start(dir.path(), &[]);
    let address = first.url.trim_start_matches("http://");
    let (code, _, log) = run(&["serve", "--data", other.path().to_str().unwrap(), "--listen", address], &[]);
    assert!(code == 1 && log.contains("choose another DUNLIN_LISTEN"), "{log}");
}

#[test]
fn what_is_wrong_with_the_settings_keeps_it_from_starting() {
    let refused = |variables: &[(&str, &str)]| {
        let (code, out, log) = run(&["serve"], variables);
        assert_eq!((code, out.as_str()), (78, ""), "{log}");
        log
    };
    let twins = refused(&[("TWILIO_AUTH_TOKEN", "hush-a"), ("PRIVATE_TWILIO_AUTH_TOKEN", "hush-b")]);
    assert!(
        twins.contains("TWILIO_AUTH_TOKEN and PRIVATE_TWILIO_AUTH_TOKEN are set to different values"),
        "{twins}"
    );
    assert!(!twins.contains("hush"), "{twins}");
    let open = refused(&[("DUNLIN_LISTEN", "0.0.0.0:0")]);
    assert!(open.contains("set DUNLIN_API_TOKEN or DUNLIN_API_KEYS, or listen on 127.0.0.1"), "{open}");
    let misspelled = refused(&[("DUNLIN_RETRY_BSE", "1s")]);
    assert!(misspelled.contains("did you mean DUNLIN_RETRY_BASE?"), "{misspelled}");
}

#[test]
fn secrets_are_masked_in_the_settings() {
    let (code, shown, _) =
        run(&["config", "show", "--origin"], &[("DUNLIN_API_TOKEN", "hush"), ("NO_COLOR", "1")]);
    assert_eq!(code, 0);
    assert!(shown.contains("(set, not shown)  (environment DUNLIN_API_TOKEN)"), "{shown}");
    assert!(!shown.contains("hush"), "{shown}");
}

#[test]
fn what_was_typed_wrong_is_usage() {
    for arguments in [
        &["serve", "--port", "1"][..],
        &["show", "not-an-id"],
        &["send", "+1555"],
        &["sandbox", "--faults", "x=1"],
    ] {
        let (code, out, talk) = run(arguments, &[]);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {talk}");
    }
}

#[test]
fn doctor_asks_the_provider_and_names_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let account = ("TWILIO_ACCOUNT_SID", "AC0123456789abcdef0123456789abcdef");
    let carrier = Daemon::carrier(&[account, ("TWILIO_AUTH_TOKEN", "hush")]);
    let ask = |token: &str| {
        let data = dir.path().to_str().unwrap();
        let from = ("TWILIO_FROM", "+15005550006");
        let base = ("TWILIO_API_BASE_URL", carrier.url.as_str());
        run(&["doctor"], &[account, ("TWILIO_AUTH_TOKEN", token), from, base, ("DUNLIN_DATA", data)])
    };
    let (code, checks, _) = ask("hush");
    assert!(code == 0 && checks.contains("a carrier on this machine"), "{checks}");
    let (code, checks, _) = ask("wrong");
    assert!(code == 1 && checks.contains("must be the primary token of TWILIO_ACCOUNT_SID"), "{checks}");
    assert!(!checks.contains("wrong"), "{checks}");
}
