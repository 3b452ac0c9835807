//! Files of keys, and heads of the journal's chain as people copy them.
//!
//! Input: the text of either. Keys are read as they are, and once more with the ids that follow from them,
//! which nobody could guess.

use dunlin_storage::{Head, Keyring, KeyringError};

/// Keys that are read are written as the same keys and never shown; a head is what was copied.
pub fn keyring(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    judge(text, str::parse);
    judge(&sound(text), str::parse);
    if let Ok(head) = text.parse::<Head>() {
        assert_eq!(head.to_string().parse(), Ok(head));
        assert_eq!(head.to_string().split(':').next_back().map(str::len), Some(64));
    }
}

/// Judges a reader of keys by one text.
pub fn judge(text: &str, parse: impl Fn(&str) -> Result<Keyring, KeyringError>) {
    let keys = match parse(text) {
        Ok(keys) => keys,
        Err(error) => return assert!(shows_no_key(text, &format!("{error} {error:?}")), "{error}"),
    };
    let written = keys.to_text();
    assert!(shows_no_key(&written, &format!("{keys:?}")), "a key is shown");
    let again = parse(&written).expect("what is written is read");
    assert_eq!(*again.to_text(), *written, "other keys were written");
    assert_eq!(
        (again.current(), again.masters(), again.index()),
        (keys.current(), keys.masters(), keys.index())
    );
    assert!(keys.masters().contains(&keys.current()) && keys.masters().len() <= 16);
    for digits in text.split_ascii_whitespace().filter(|word| word.len() == 64) {
        let known = written.contains(&digits.to_ascii_lowercase()) || text.contains('#');
        assert!(known, "a key was lost");
    }
}

/// Whether nothing that is `shown` holds a word of `text` that could be a key.
fn shows_no_key(text: &str, shown: &str) -> bool {
    let mut words = text.split_ascii_whitespace().filter(|word| word.len() >= 32);
    !words.any(|word| shown.contains(word))
}

/// The text with the ids that follow from its keys.
pub fn sound(text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..lines.len() {
        let Err(KeyringError::WrongId { line, found }) = lines.join("\n").parse::<Keyring>() else { break };
        let words: Vec<&str> = lines[line - 1].split_ascii_whitespace().collect();
        let hex = words.get(2).copied().unwrap_or_default();
        lines[line - 1] = format!("master {found} {hex}");
    }
    lines.join("\n")
}
