//! Texts of people to us, and what their words mean.
//!
//! Input: a form.

use dunlin::twilio::callback::CallbackError;
use dunlin::twilio::inbound::InboundText;
use dunlin_workflows::consent::{Command, Consent, Inbound, Meaning, OptOutType, decide, read};
use dunlin_workflows::timestamp::Timestamp;

use super::callback::is_sid;
use super::slow_form::first;

/// A text says what its form says, and a bare keyword is never overheard.
pub fn inbound(input: &[u8]) {
    judge(input, InboundText::parse, read);
}

/// Judges a reader of texts and a reader of words by one form.
pub fn judge(
    form: &[u8],
    parse: impl Fn(&[u8]) -> Result<InboundText, CallbackError>,
    read: impl Fn(&Inbound) -> Meaning,
) {
    let said = |name| first(form, name);
    let text = match parse(form) {
        Ok(text) => text,
        Err(CallbackError::Missing(name)) => {
            assert_eq!(said(name), None, "{name} is there");
            return;
        }
        Err(CallbackError::Sid(_)) => {
            assert!(!said("MessageSid").is_some_and(|sid| is_sid(&sid)));
            return;
        }
        Err(other) => panic!("a text has no {other}"),
    };
    assert_eq!(Some(&text.account_sid), said("AccountSid").as_ref());
    assert_eq!(Some(text.inbound.sid.as_str()), said("MessageSid").as_deref());
    let words = said("Body").unwrap_or_default();
    assert!(words.starts_with(&*text.inbound.words), "other words");
    if let Some(from) = text.from {
        let digits: String = said("From").unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
        assert!(digits.ends_with(&from.digits().to_string()), "another sender");
    }
    let meaning = read(&text.inbound);
    let bare = words.trim_matches(|letter: char| letter.is_ascii_punctuation() || letter == ' ');
    let stops = ["stop", "quit", "end", "revoke", "opt out", "cancel", "unsubscribe"];
    let says_stop = text.inbound.opt_out_type == Some(OptOutType::Stop);
    if stops.contains(&bare.to_ascii_lowercase().as_str()) || says_stop {
        assert!(matches!(meaning, Meaning::Out(_)), "{bare:?} is {meaning:?}");
    }
    let hear = Command::Hear(text.inbound);
    let events = decide(&Consent::default(), &hear, None, Timestamp::EPOCH).expect("texts are never refused");
    assert_eq!(events.is_empty(), meaning == Meaning::Nothing);
}
