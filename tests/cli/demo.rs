//! The demonstration, as the README shows it.

use serde_json::Value;

use crate::world::run;

/// As many texts as without a flag: with fewer, not every recipient of its cast is met.
#[test]
fn demonstration_loses_and_doubles_nothing() {
    let (code, out, talk) = run(&["--json", "demo"], &[]);
    assert_eq!(code, 0, "{out}{talk}");
    let verdict: Value = serde_json::from_str(out.trim()).unwrap();
    for count in ["lost", "doubled", "early", "invented", "unexplained", "waiting_for_a_person"] {
        assert_eq!(verdict[count], 0, "{count}: {verdict}");
    }
    assert_eq!(verdict["accepted"], 200);
}
