//! `X-Twilio-Signature`: who sent a webhook, checked before anything else about it.
//!
//! Sources: <https://www.twilio.com/docs/usage/security>, read 2026-11-23, and the validators of the
//! provider's own client libraries for Python, Node and Go, which differ from the page in details.

use std::borrow::Cow;
use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Checks signatures made with any of a few auth tokens: two while one is being replaced.
#[derive(Clone)]
pub struct Verifier {
    keys: Vec<Hmac<Sha1>>,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Verifier({} keys)", self.keys.len())
    }
}

/// A webhook that can't be shown to come from the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No signature, or not one.
    #[error("X-Twilio-Signature is missing or not base64 of 20 bytes")]
    Malformed,
    /// The body is not the one whose hash is in the address.
    #[error("the body does not match bodySHA256")]
    BodyHash,
    /// No key of ours makes this signature for this address and body.
    #[error(
        "the signature does not fit; check the auth token and that the public URL is exactly what the provider calls"
    )]
    Mismatch,
}

impl Verifier {
    /// A verifier for these auth tokens. Without any, nothing verifies.
    pub fn new(tokens: &[SecretString]) -> Self {
        let keys = tokens.iter().filter_map(|token| key(token.expose_secret()).ok()).collect();
        Self { keys }
    }

    /// Whether `header` signs the request that the provider sent to `url` (as configured, with path
    /// and query as received) with this body.
    ///
    /// # Errors
    /// [`SignatureError`]; the request must then be answered with 403 and forgotten.
    pub fn verify(
        &self,
        url: &str,
        body: &[u8],
        is_form: bool,
        header: Option<&str>,
    ) -> Result<(), SignatureError> {
        let mut given = [0_u8; 24];
        let length = header.and_then(|header| STANDARD.decode_slice(header, &mut given).ok());
        let given = given.get(..20).filter(|_| length == Some(20)).ok_or(SignatureError::Malformed)?;
        let params = if is_form {
            canonical(body)
        } else {
            check_body_hash(url, body)?;
            Vec::new()
        };
        if self.fits(url, &params, given) || spellings(url).iter().any(|url| self.fits(url, &params, given)) {
            return Ok(());
        }
        Err(SignatureError::Mismatch)
    }

    /// Whether one of the keys makes this signature for exactly this address. Takes the same time
    /// wherever they differ.
    fn fits(&self, url: &str, params: &[u8], given: &[u8]) -> bool {
        self.keys.iter().any(|key| {
            let mut mac = key.clone();
            mac.update(url.as_bytes());
            mac.update(params);
            mac.verify_slice(given).is_ok()
        })
    }
}

/// Signs as the provider does: for the sandbox, and for tests.
#[derive(Clone)]
pub struct Signer {
    key: Hmac<Sha1>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    /// A signer with this auth token; `None` never happens for a token that a header can carry.
    pub fn new(token: &SecretString) -> Option<Self> {
        key(token.expose_secret()).ok().map(|key| Self { key })
    }

    /// The signature of a form sent to `url`.
    pub fn sign(&self, url: &str, form: &[u8]) -> String {
        let mut mac = self.key.clone();
        mac.update(url.as_bytes());
        mac.update(&canonical(form));
        STANDARD.encode(mac.finalize().into_bytes())
    }
}

fn key(token: &str) -> Result<Hmac<Sha1>, sha1::digest::InvalidLength> {
    Hmac::<Sha1>::new_from_slice(token.as_bytes())
}

/// Names and values as signed: sorted by name, of a repeated name each different value once, in order.
fn canonical(form: &[u8]) -> Vec<u8> {
    let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = form_urlencoded::parse(form).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let mut signed = Vec::with_capacity(form.len());
    for (name, value) in pairs {
        signed.extend_from_slice(name.as_bytes());
        signed.extend_from_slice(value.as_bytes());
    }
    signed
}

/// The other addresses that may have been signed: without and with a port, without user and password,
/// and with an apostrophe in the query quoted or not, as signers of different age do.
fn spellings(url: &str) -> BTreeSet<String> {
    let Some((scheme, rest)) = url.split_once("://") else { return BTreeSet::new() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let host_at = authority.rfind('@').map_or(0, |at| at.saturating_add(1));
    let (userinfo, host) = authority.split_at_checked(host_at).unwrap_or(("", authority));
    let bare = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let standard = format!("{bare}:{}", if scheme == "http" { "80" } else { "443" });
    let with_port = if bare.len() == host.len() { standard.as_str() } else { host };
    let (path, query) = tail.split_at_checked(tail.find('?').unwrap_or(tail.len())).unwrap_or((tail, ""));
    let mut found = BTreeSet::new();
    for query in [query, &query.replace('\'', "%27"), &query.replace("%27", "'")] {
        for userinfo in [userinfo, ""] {
            for host in [bare, with_port] {
                found.insert(format!("{scheme}://{userinfo}{host}{path}{query}"));
            }
        }
    }
    found
}

fn check_body_hash(url: &str, body: &[u8]) -> Result<(), SignatureError> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let given = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "bodySHA256");
    let Some((_, given)) = given else {
        return if body.is_empty() { Ok(()) } else { Err(SignatureError::BodyHash) };
    };
    let given: Option<Vec<u8>> = (given.len() == 64).then(|| unhex(&given)).flatten();
    let same = given.is_some_and(|given| bool::from(Sha256::digest(body).ct_eq(given.as_slice())));
    if same { Ok(()) } else { Err(SignatureError::BodyHash) }
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

#[cfg(test)]
mod tests;
