//! What a text of a person to us says, parsed once.
//!
//! Source: <https://www.twilio.com/docs/messaging/guides/webhook-request>, read 2026-11-24.

use dunlin_workflows::consent::{Inbound, Line, OptOutType};
use dunlin_workflows::id::ProviderSid;
use dunlin_workflows::phone_number::PhoneNumber;

use crate::twilio::callback::CallbackError;

/// Most characters of a text that are read and kept; the provider sends no more.
const WORDS_MAX: usize = 1600;

/// A text of a person to us. Fields that we do not know are signed like the others and otherwise ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundText {
    /// Whose account it came to.
    pub account_sid: String,
    /// Who wrote; `None` when that is no phone number, but a short code or a name.
    pub from: Option<PhoneNumber>,
    /// What they wrote.
    pub inbound: Inbound,
}

impl InboundText {
    /// Reads a form as the provider posts it. A text without words, a picture for instance, has none.
    ///
    /// # Errors
    /// [`CallbackError`]: nothing is guessed.
    pub fn parse(form: &[u8]) -> Result<Self, CallbackError> {
        let (mut account, mut sid, mut from, mut to, mut body, mut kind) =
            (None, None, None, None, None, None);
        for (name, value) in form_urlencoded::parse(form) {
            let field = match name.as_ref() {
                "AccountSid" => &mut account,
                "MessageSid" => &mut sid,
                "From" => &mut from,
                "To" => &mut to,
                "Body" => &mut body,
                "OptOutType" => &mut kind,
                _other => continue,
            };
            field.get_or_insert(value);
        }
        let account = account.ok_or(CallbackError::Missing("AccountSid"))?;
        let sid: ProviderSid = sid.ok_or(CallbackError::Missing("MessageSid"))?.parse()?;
        let from = from.ok_or(CallbackError::Missing("From"))?;
        let words: String = body.unwrap_or_default().chars().take(WORDS_MAX).collect();
        let inbound = Inbound {
            sid,
            words: words.into(),
            line: Line::of(&to.unwrap_or_default()),
            opt_out_type: kind.filter(|kind| !kind.is_empty()).map(|kind| OptOutType::parse(&kind)),
        };
        let from = from.starts_with('+').then(|| PhoneNumber::parse(&from, None).ok()).flatten();
        Ok(Self { account_sid: account.into_owned(), from, inbound })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: &str = "SM0123456789abcdef0123456789abcdef";

    #[test]
    fn words_are_kept_as_they_came() {
        let form = format!(
            "AccountSid=AC1&MessageSid={SID}&From=%2B15558675310&To=%2B18005550100&Body=+STOP%0A&NumMedia=0"
        );
        let text = InboundText::parse(form.as_bytes()).unwrap();
        assert_eq!((&*text.inbound.words, text.inbound.line), (" STOP\n", Line::TollFree));
        assert_eq!(text.from.unwrap().digits(), 15_558_675_310);
        assert_eq!(text.inbound.opt_out_type, None);
    }

    #[test]
    fn sender_that_is_no_phone_number_is_nobody() {
        for from in ["12345", "Dunlin", "whatsapp%3A%2B15558675310", "%2B1", ""] {
            let form = format!("AccountSid=AC1&MessageSid={SID}&From={from}&Body=STOP&OptOutType=NEW");
            let text = InboundText::parse(form.as_bytes()).unwrap();
            assert_eq!((text.from, text.inbound.opt_out_type), (None, Some(OptOutType::Other)), "{from}");
        }
        for broken in ["", "AccountSid=AC1&From=%2B1", "AccountSid=AC1&MessageSid=SM1&From=%2B15558675310"] {
            assert!(InboundText::parse(broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
