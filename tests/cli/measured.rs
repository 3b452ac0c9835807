//! The daemon that the bench measures without seals and chain: nobody's texts, nobody's account, no way back.

use crate::world::{Daemon, run};

#[test]
fn measured_store_is_loudly_nobodys_and_refused_by_everything_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let (data, elsewhere) = (dir.path().join("data"), dir.path().join("elsewhere"));
    let theirs = [
        ("TWILIO_ACCOUNT_SID", "AC0123456789abcdef0123456789abcdef"),
        ("TWILIO_AUTH_TOKEN", "hush"),
        ("TWILIO_FROM", "+15558675309"),
        ("DUNLIN_DATA", elsewhere.to_str().unwrap()),
        ("DUNLIN_LISTEN", "0.0.0.0:0"),
    ];
    let daemon = Daemon::measured(&data, &theirs);
    assert!(daemon.url.starts_with("http://127.0.0.1:"), "{}", daemon.url);
    let (code, log) = daemon.stop();
    assert!(code == 0 && log.contains("FOR MEASURING ONLY"), "{log}");
    assert!(!elsewhere.exists());

    let data = data.to_str().unwrap();
    let dunlin_data = [("DUNLIN_DATA", data)];
    for arguments in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["verify", data],
        &["replay", data],
        &["export", "--data", data],
        &["backup"],
        &["doctor"],
        &["bench", "--without", "both", "--dir", data, "--carrier", "127.0.0.1:9"],
    ] {
        let (code, out, log) = run(arguments, &dunlin_data);
        assert!(code != 0, "{arguments:?}: {out}");
        let why = if arguments[0] == "bench" { "exists" } else { "was made by `dunlin bench trust`" };
        assert!(log.contains(why) || out.contains(why), "{arguments:?}: {out}{log}");
    }
}

#[test]
fn only_the_bench_takes_a_store_without_seals() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let data = data.to_str().unwrap();
    for arguments in [
        &["serve", "--data", data, "--without", "seals"][..],
        &["bench", "--without", "seals", "--dir", data],
        &["bench", "--without", "everything", "--dir", data, "--carrier", "127.0.0.1:9"],
    ] {
        let (code, _, talk) = run(arguments, &[]);
        assert_eq!(code, 2, "{arguments:?}: {talk}");
    }
    let (code, _, talk) =
        run(&["bench", "--without", "seals", "--dir", data, "--carrier", "192.0.2.1:80"], &[]);
    assert!(code == 1 && talk.contains("not on this machine"), "{talk}");
    assert!(!dir.path().join("data").exists());
}
