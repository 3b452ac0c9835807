//! Instants as callers write them.

use dunlin::http::instant::{format, read};

/// An instant that is read can be written, and reads back as itself.
pub fn instant(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match read(text) {
        Ok(at) => {
            let written = format(at);
            assert_eq!(read(&written), Ok(at), "{text:?} is written as {written:?}");
            assert!(text.len() >= written.len() - 4, "{text:?} is shorter than an instant with an offset");
        }
        Err(error) => assert!(error.to_string().chars().count() < 160, "what is refused is quoted in part"),
    }
}
