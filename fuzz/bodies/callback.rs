//! Status callbacks, and the tokens in the addresses that they are sent to.
//!
//! Input: a token, a line break, and the form; or a form alone.

use dunlin::twilio::callback::{CallbackError, StatusCallback};
use dunlin::twilio::token;

use super::slow_form::first;

/// A callback says what its form says, and a token opens only if we made it.
pub fn callback(input: &[u8]) {
    judge(input, StatusCallback::parse);
    let mut lines = input.splitn(2, |byte| *byte == b'\n');
    let text = String::from_utf8_lossy(lines.next().unwrap_or_default());
    for key in [[0; 32], *b"0123456789abcdef0123456789abcdef"] {
        if let Some((number, attempt)) = token::open(&key, &text) {
            assert_eq!(token::seal(&key, number, attempt), text, "a token has one spelling");
        }
    }
    if let Some(form) = lines.next() {
        judge(form, StatusCallback::parse);
    }
}

/// Judges a reader of callbacks by one form.
pub fn judge(form: &[u8], parse: impl Fn(&[u8]) -> Result<StatusCallback, CallbackError>) {
    let said = |name| first(form, name);
    let code = said("ErrorCode").filter(|code| !code.is_empty());
    match parse(form) {
        Ok(callback) => {
            let report = callback.report;
            assert_eq!(Some(callback.account_sid), said("AccountSid"));
            assert_eq!(Some(report.sid.as_str()), said("MessageSid").as_deref());
            assert_eq!(Some(report.status.as_str()), said("MessageStatus").as_deref());
            assert_eq!(report.code, code.map(|code| code.parse().expect("a code is a number")));
        }
        Err(CallbackError::Missing(name)) => assert_eq!(said(name), None, "{name} is there"),
        Err(CallbackError::Sid(_)) => assert!(!said("MessageSid").is_some_and(|sid| is_sid(&sid))),
        Err(CallbackError::Status(_)) => assert!(said("MessageStatus").is_some()),
        Err(CallbackError::Code(shown)) => {
            assert!(shown.chars().count() <= 32, "what is refused is quoted in part");
            assert!(code.is_some_and(|code| code.parse::<u32>().is_err()));
        }
    }
}

/// Whether the provider's own pattern, `^(SM|MM)[0-9a-fA-F]{32}$`, fits.
pub fn is_sid(text: &str) -> bool {
    let digits = text.strip_prefix("SM").or_else(|| text.strip_prefix("MM"));
    digits.is_some_and(|digits| digits.len() == 32 && digits.chars().all(|c| c.is_ascii_hexdigit()))
}
