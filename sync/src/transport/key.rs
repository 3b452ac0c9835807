//! The key of a project, which says what we are to it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

/// Longest role that is shown, in characters.
const ROLE_SHOWN_MAX: usize = 63;

/// Why a key is of no use. The key is not quoted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is none.
    #[error("it is empty; the project's page has it under Settings, API Keys, Secret keys")]
    Empty,
    /// It has characters that no key has.
    #[error(
        "it holds blanks, quotes or other characters that no key has; copy it again, without what stands around it"
    )]
    Unsendable,
    /// A key for browsers.
    #[error(
        "it is a publishable key, which anybody may see and which may do nothing here; take a secret key (sb_secret_...)"
    )]
    Publishable,
    /// A token for people.
    #[error(
        "it is a token of the role {0}, which may do nothing here; take a secret key (sb_secret_...), or the token of service_role"
    )]
    Role(String),
    /// Neither form.
    #[error("it is neither a secret key (sb_secret_...) nor a token (eyJ...) that names a role")]
    Unknown,
}

/// A key that may call the functions.
#[derive(Clone)]
pub struct ServiceKey {
    text: SecretString,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// `sb_secret_...`: no token, and refused where one is expected.
    Secret,
    /// A token that names its role.
    Token { role: String },
}

#[derive(Deserialize)]
struct Payload {
    role: String,
}

impl ServiceKey {
    /// Reads a key and what it is for.
    ///
    /// # Errors
    /// [`KeyError`], with the remedy.
    pub fn parse(text: &SecretString) -> Result<Self, KeyError> {
        let shown = text.expose_secret();
        let kind = if shown.is_empty() {
            return Err(KeyError::Empty);
        } else if !shown.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
            return Err(KeyError::Unsendable);
        } else if shown.starts_with("sb_publishable_") {
            return Err(KeyError::Publishable);
        } else if shown.starts_with("sb_secret_") {
            Kind::Secret
        } else {
            let role = role_of(shown).ok_or(KeyError::Unknown)?;
            if matches!(role.as_str(), "anon" | "authenticated") {
                return Err(KeyError::Role(role));
            }
            Kind::Token { role }
        };
        Ok(Self { text: text.clone(), kind })
    }

    /// The role of the database that it stands for.
    pub fn role(&self) -> &str {
        match &self.kind {
            Kind::Secret => "service_role",
            Kind::Token { role } => role,
        }
    }

    /// Whether it is a token, which goes into `Authorization` too.
    pub fn is_token(&self) -> bool {
        self.kind != Kind::Secret
    }

    pub(super) fn expose(&self) -> &str {
        self.text.expose_secret()
    }
}

/// The role that a token names. Whether the token is any good is the server's to say.
fn role_of(token: &str) -> Option<String> {
    let mut parts = token.split('.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    let payload = URL_SAFE_NO_PAD.decode(payload).ok().filter(|_| parts.next().is_none())?;
    let Payload { role } = serde_json::from_slice(&payload).ok()?;
    Some(role.chars().filter(|c| !c.is_control()).take(ROLE_SHOWN_MAX).collect())
}

impl fmt::Debug for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = if self.is_token() { "a token" } else { "a secret key" };
        write!(f, "ServiceKey({form} of {})", self.role())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ServiceKey, KeyError> {
        ServiceKey::parse(&text.into())
    }

    fn token(payload: &str) -> String {
        format!("eyJhbGciOiJIUzI1NiJ9.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn key_that_may_do_nothing_is_refused_with_the_remedy_and_never_shown() {
        for (text, told) in [
            ("", "it is empty"),
            ("sb_publishable_s3cret", "it is a publishable key"),
            (&token(r#"{"role":"anon","ref":"s3cret"}"#), "it is a token of the role anon"),
            (&token(r#"{"role":"authenticated"}"#), "it is a token of the role authenticated"),
            (&token(r#"{"sub":"s3cret"}"#), "it is neither"),
            ("s3cret", "it is neither"),
            ("\"sb_secret_s3cret\"", "copy it again"),
            ("sb_secret_s3cret\n", "copy it again"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with(told) || error.contains(told), "{told}: {error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn secret_key_is_no_token_and_a_token_says_its_role() {
        let secret = parse("sb_secret_s3cret").unwrap();
        assert_eq!((secret.role(), secret.is_token()), ("service_role", false));
        let worker = parse(&token(r#"{"role":"dunlin_worker"}"#)).unwrap();
        assert_eq!((worker.role(), worker.is_token()), ("dunlin_worker", true));
        assert_eq!(format!("{secret:?}"), "ServiceKey(a secret key of service_role)");
    }
}
