//! Texts, and the parts that they are billed as.

use dunlin_workflows::body::{Body, BodyError, Encoding, UNITS_MAX};
use dunlin_workflows::segment::segments;

use super::slow_segments::{fewest, is_gsm7, units};

/// A text is taken as it is, and cut into parts that fit and are no more than must be.
pub fn body(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let given = text.encode_utf16().count();
    match Body::parse(&*text) {
        Ok(body) => {
            assert_eq!(body.as_str(), text);
            assert!(given <= UNITS_MAX && text.chars().any(|letter| !letter.is_whitespace()));
            let (encoding, segments) = body.measure();
            assert_eq!(encoding == Encoding::Gsm7, is_gsm7(&text));
            assert_eq!(usize::from(segments), fewest(&text), "{text:?}");
            assert_eq!(format!("{body:?}"), format!("Body({} bytes)", text.len()), "a text is not shown");
        }
        Err(BodyError::TooLong { units }) => assert_eq!((units, units > UNITS_MAX), (given, true)),
        Err(BodyError::Blank) => assert!(text.chars().all(char::is_whitespace)),
        Err(BodyError::Control { code, at }) => {
            let letter = text[at..].chars().next().map(u32::from);
            assert_eq!(letter, Some(code));
            assert!(code < 0x20 || (0x7F..0xA0).contains(&code), "U+{code:04X} is no control character");
        }
    }
    judge(&text, segments);
}

/// Judges a cutter by one text.
pub fn judge(text: &str, cut: impl Fn(&str) -> Vec<&str>) {
    let parts = cut(text);
    assert_eq!(parts.concat(), text, "the parts are the text");
    assert_eq!(parts.len(), fewest(text), "{text:?}");
    let gsm7 = is_gsm7(text);
    let room = match (gsm7, parts.len()) {
        (true, 1) => 160,
        (true, _) => 153,
        (false, 1) => 70,
        (false, _) => 67,
    };
    for part in parts {
        assert!(!part.is_empty() && units(part, gsm7) <= room, "a part of {} units", units(part, gsm7));
    }
}
