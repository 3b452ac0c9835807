//! Standard Webhooks: who sent a webhook, by an HMAC over its id, time and body. What comes in is checked with it, and what
//! goes out is signed.
//!
//! Source: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>, read
//! 2026-11-24. Secrets are written as Supabase writes them, `v1,whsec_BASE64`, several with `|` between:
//! <https://supabase.com/docs/guides/auth/auth-hooks>, read 2026-11-24.

use std::fmt;
use std::time::Duration;

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dunlin_workflows::timestamp::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};

/// How far the sender's clock may be from ours, as the specification's libraries have it.
const TOLERANCE: Duration = Duration::from_mins(5);
/// Most signatures that are looked at, and longest id, in bytes.
const SIGNATURES_MAX: usize = 16;
const ID_MAX: usize = 128;

/// Checks webhooks against secrets: several while one is replaced.
#[derive(Clone)]
pub struct WebhookSecrets {
    keys: Vec<Hmac<Sha256>>,
}

/// The text holds no secrets. It is not quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected secrets such as v1,whsec_ and base64 of 24 to 64 bytes, several with | between")]
pub struct SecretsError;

/// A webhook that can't be shown to come from the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// A header is missing or can't be read.
    #[error("webhook-id, webhook-timestamp and webhook-signature are needed")]
    Malformed,
    /// It was sent too long ago, or will be.
    #[error("webhook-timestamp is more than 5 minutes from our clock")]
    Stale,
    /// No secret of ours makes this signature.
    #[error("the signature does not fit; check the hook's secret")]
    Mismatch,
}

impl WebhookSecrets {
    /// Reads secrets.
    ///
    /// # Errors
    /// [`SecretsError`] when one of them is none.
    pub fn parse(text: &str) -> Result<Self, SecretsError> {
        let keys: Result<Vec<_>, SecretsError> = text.split('|').map(|secret| key(secret.trim())).collect();
        Ok(Self { keys: keys? })
    }

    /// The webhook's id, once its signature fits.
    ///
    /// # Errors
    /// [`WebhookError`]; nothing else of the webhook may be looked at then.
    pub fn verify<'h>(
        &self,
        headers: &'h HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<&'h str, WebhookError> {
        let header = |name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).ok_or(WebhookError::Malformed)
        };
        let (id, sent_at) = (header("webhook-id")?, header("webhook-timestamp")?);
        let signatures = header("webhook-signature")?;
        let seconds: i64 = sent_at.parse().map_err(|_not_a_number| WebhookError::Malformed)?;
        if id.is_empty() || id.len() > ID_MAX {
            return Err(WebhookError::Malformed);
        }
        let sent = Timestamp::from_millis(seconds.saturating_mul(1000));
        if now.since(sent) > TOLERANCE || sent.since(now) > TOLERANCE {
            return Err(WebhookError::Stale);
        }
        let mut fits = Choice::from(0);
        for signature in signatures.split(' ').take(SIGNATURES_MAX) {
            let Some(given) = signature.strip_prefix("v1,").and_then(|given| STANDARD.decode(given).ok())
            else {
                continue;
            };
            for key in &self.keys {
                fits |= mac(key, id, sent_at, body).as_slice().ct_eq(&given);
            }
        }
        if bool::from(fits) { Ok(id) } else { Err(WebhookError::Mismatch) }
    }

    /// What `webhook-signature` says of a webhook that we send: one signature a secret, so that a receiver who knows one
    /// of them is content. `sent_at` is what `webhook-timestamp` says.
    pub fn sign(&self, id: &str, sent_at: &str, body: &[u8]) -> String {
        let signatures =
            self.keys.iter().map(|key| format!("v1,{}", STANDARD.encode(mac(key, id, sent_at, body))));
        signatures.collect::<Vec<_>>().join(" ")
    }
}

/// The HMAC over id, time and body with points between.
fn mac(key: &Hmac<Sha256>, id: &str, sent_at: &str, body: &[u8]) -> Vec<u8> {
    let mut mac = key.clone();
    for part in [id.as_bytes(), b".", sent_at.as_bytes(), b".", body] {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

fn key(secret: &str) -> Result<Hmac<Sha256>, SecretsError> {
    let coded = secret.strip_prefix("v1,").unwrap_or(secret).strip_prefix("whsec_").ok_or(SecretsError)?;
    let bytes = STANDARD.decode(coded).map_err(|_not_base64| SecretsError)?;
    if !(24..=64).contains(&bytes.len()) {
        return Err(SecretsError);
    }
    Hmac::<Sha256>::new_from_slice(&bytes).map_err(|_length| SecretsError)
}

impl fmt::Debug for WebhookSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookSecrets({})", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries, <https://github.com/standard-webhooks/standard-webhooks>.
    const SECRET: &str = "v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SENT_AT: i64 = 1_614_265_330;

    fn headers(signature: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek".parse().unwrap());
        headers.insert("webhook-timestamp", "1614265330".parse().unwrap());
        headers.insert("webhook-signature", signature.parse().unwrap());
        headers
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds.saturating_mul(1000))
    }

    #[test]
    fn published_example_verifies_and_nothing_like_it_does() {
        const RIGHT: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        const ROTATED: &str = "v1a,xx v1,bm9uc2Vuc2U= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let secrets = WebhookSecrets::parse(SECRET).unwrap();
        let verify = |secrets: &WebhookSecrets, signature, body: &[u8], seconds| {
            secrets.verify(&headers(signature), body, at(seconds)).map(str::len)
        };
        for signature in [RIGHT, ROTATED] {
            for apart in [-300, 0, 300] {
                assert_eq!(verify(&secrets, signature, BODY, SENT_AT + apart), Ok(28), "{signature} {apart}");
            }
        }
        assert_eq!(verify(&secrets, RIGHT, BODY, SENT_AT + 301), Err(WebhookError::Stale));
        assert_eq!(verify(&secrets, RIGHT, BODY, SENT_AT - 301), Err(WebhookError::Stale));
        assert_eq!(verify(&secrets, RIGHT, b"{}", SENT_AT), Err(WebhookError::Mismatch));
        assert_eq!(verify(&secrets, "v1,", BODY, SENT_AT), Err(WebhookError::Mismatch));
        let other = WebhookSecrets::parse("v1,whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
        assert_eq!(verify(&other, RIGHT, BODY, SENT_AT), Err(WebhookError::Mismatch));
        let both = format!("v1,whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA|{SECRET}");
        assert_eq!(verify(&WebhookSecrets::parse(&both).unwrap(), RIGHT, BODY, SENT_AT), Ok(28));
        assert_eq!(secrets.verify(&HeaderMap::new(), BODY, at(SENT_AT)), Err(WebhookError::Malformed));
    }

    #[test]
    fn what_we_sign_is_the_published_example_and_fits_every_secret_of_ours() {
        let sign = |secrets: &str| {
            WebhookSecrets::parse(secrets).unwrap().sign("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", BODY)
        };
        assert_eq!(sign(SECRET), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let both = sign(&format!("{other}|{SECRET}"));
        let mut given = headers("");
        given.insert("webhook-signature", both.parse().unwrap());
        for known in [SECRET, other] {
            let known = WebhookSecrets::parse(known).unwrap();
            assert!(
                known.verify(&given, BODY, at(SENT_AT)).is_ok(),
                "while one takes the place of the other"
            );
        }
    }

    #[test]
    fn a_text_that_holds_no_secret_is_refused_and_not_quoted() {
        for wrong in
            ["", "v1,whsec_", "whsec_short", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &format!("{SECRET}|")]
        {
            assert!(WebhookSecrets::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(format!("{:?}", WebhookSecrets::parse(SECRET).unwrap()), "WebhookSecrets(1)");
    }
}
