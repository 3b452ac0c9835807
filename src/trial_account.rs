//! An account for our own carrier, drawn at random: nobody who does not know it can sign for it.

use std::fmt;

use secrecy::SecretString;

use crate::config::account::Account;
use crate::id_source::IdSource;
use crate::twilio::Sender;

/// An account at our own carrier.
#[derive(Clone)]
pub struct TrialAccount {
    /// `AC` and 32 hexadecimal digits.
    pub account_sid: String,
    /// 64 hexadecimal digits.
    pub auth_token: String,
    /// As whom to send: the provider's own number for trying out
    /// (<https://www.twilio.com/docs/iam/test-credentials>, read 2026-11-23).
    pub sender: &'static str,
}

impl TrialAccount {
    /// Draws one.
    pub fn draw(ids: &dyn IdSource) -> Self {
        let account_sid = format!("AC{}", hexadecimal(ids.secret().iter().take(16)));
        Self { account_sid, auth_token: hexadecimal(&ids.secret()), sender: "+15005550006" }
    }

    /// The account at the carrier that listens at `base_url`.
    pub fn at(&self, base_url: String) -> Account {
        Account {
            account_sid: self.account_sid.clone(),
            auth_token: SecretString::from(self.auth_token.as_str()),
            auth_token_secondary: None,
            api_key: None,
            sender: Sender::From(self.sender.to_owned()),
            verify: None,
            api_base_url: base_url,
        }
    }
}

/// Two lower-case digits per byte.
pub(crate) fn hexadecimal<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    bytes.into_iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

impl fmt::Debug for TrialAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrialAccount({})", self.account_sid)
    }
}
