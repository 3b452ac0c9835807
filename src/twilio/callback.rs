//! What a status callback says, parsed once.

use dunlin_workflows::id::{ProviderSid, ProviderSidError};
use dunlin_workflows::message::{ProviderStatus, Report, UnknownProviderStatus, Via};

/// A status callback. Fields that we do not know are signed like the others and otherwise ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusCallback {
    /// Whose account it is about.
    pub account_sid: String,
    /// What it says.
    pub report: Report,
}

/// A callback that was signed by the provider and still can't be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// A field is missing.
    #[error("the callback has no {0}")]
    Missing(&'static str),
    /// The message SID is not one.
    #[error(transparent)]
    Sid(#[from] ProviderSidError),
    /// The status is a word that we do not know.
    #[error(transparent)]
    Status(#[from] UnknownProviderStatus),
    /// The error code is not a number.
    #[error("the callback's ErrorCode \"{0}\" is not a number")]
    Code(String),
}

impl StatusCallback {
    /// Reads a form as the provider posts it.
    ///
    /// # Errors
    /// [`CallbackError`]: nothing is guessed.
    pub fn parse(form: &[u8]) -> Result<Self, CallbackError> {
        let (mut account, mut sid, mut status, mut code) = (None, None, None, None);
        for (name, value) in form_urlencoded::parse(form) {
            let field = match name.as_ref() {
                "AccountSid" => &mut account,
                "MessageSid" => &mut sid,
                "MessageStatus" => &mut status,
                "ErrorCode" => &mut code,
                _other => continue,
            };
            field.get_or_insert(value);
        }
        let account = account.ok_or(CallbackError::Missing("AccountSid"))?;
        let sid: ProviderSid = sid.ok_or(CallbackError::Missing("MessageSid"))?.parse()?;
        let status: ProviderStatus = status.ok_or(CallbackError::Missing("MessageStatus"))?.parse()?;
        let code = code.filter(|code| !code.is_empty()).as_deref().map(number).transpose()?;
        let report = Report { sid, status, code, via: Via::Callback };
        Ok(Self { account_sid: account.into_owned(), report })
    }
}

fn number(code: &str) -> Result<u32, CallbackError> {
    code.parse().map_err(|_not_a_number| CallbackError::Code(code.chars().take(32).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: &str = "SM0123456789abcdef0123456789abcdef";

    #[test]
    fn fields_that_we_do_not_know_change_nothing() {
        let form = format!(
            "New=1&AccountSid=AC1&MessageSid={SID}&MessageStatus=undelivered&ErrorCode=30003&To=%2B1"
        );
        let callback = StatusCallback::parse(form.as_bytes()).unwrap();
        assert_eq!(callback.account_sid, "AC1");
        assert_eq!(callback.report.status, ProviderStatus::Undelivered);
        assert_eq!(callback.report.code, Some(30003));
    }

    #[test]
    fn a_word_that_we_do_not_know_is_named_not_guessed() {
        let form = format!("AccountSid=AC1&MessageSid={SID}&MessageStatus=teleported");
        let error = StatusCallback::parse(form.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("teleported"));
        for broken in ["", "MessageStatus=sent", "AccountSid=AC1&MessageSid=SM1&MessageStatus=sent"] {
            assert!(StatusCallback::parse(broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
