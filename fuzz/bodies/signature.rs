//! Signatures of webhooks: what is signed, and which spellings of an address may have been.
//!
//! Input: the address that was called, a line break, the address that was signed, a line break, and the
//! form.

use std::collections::{BTreeMap, BTreeSet};

use dunlin::twilio::signature::{SignatureError, Signer, Verifier};
use secrecy::SecretString;

use super::slow_form::pairs;
use super::slow_hash::{base64, hmac_sha1};

/// The key that every input is signed with.
pub const KEY: &str = "0123456789abcdef0123456789abcdef";

/// The provider's signature, by the code under test and by the oracle; and who is believed.
pub fn signature(input: &[u8]) {
    let key = SecretString::from(KEY);
    let Some(signer) = Signer::new(&key) else { return };
    let verifier = Verifier::new(&[SecretString::from("another"), key]);
    judge(
        input,
        |url, form| signer.sign(url, form),
        |url, form, header| verifier.verify(url, form, true, Some(header)),
    );
    let mut lines = input.splitn(3, |byte| *byte == b'\n');
    let url = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let given = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let body = lines.next().unwrap_or_default();
    let unsigned = verifier.verify(&url, body, true, Some(&given));
    assert!(unsigned.is_err() || given == signed(&url, body), "an address is not a signature");
    let bound = verifier.verify(&url, body, false, Some(&base64(&hmac_sha1(KEY.as_bytes(), url.as_bytes()))));
    assert!(bound.is_err() || body.is_empty() || url.contains('?'), "nothing binds the body of {url:?}");
}

/// Judges a signer and a verifier by one input.
pub fn judge(
    input: &[u8],
    sign: impl Fn(&str, &[u8]) -> String,
    verify: impl Fn(&str, &[u8], &str) -> Result<(), SignatureError>,
) {
    let mut lines = input.splitn(3, |byte| *byte == b'\n');
    let (Some(Ok(called)), Some(Ok(used))) =
        (lines.next().map(std::str::from_utf8), lines.next().map(std::str::from_utf8))
    else {
        return;
    };
    let form = lines.next().unwrap_or_default();
    let signature = signed(used, form);
    assert_eq!(sign(used, form), signature, "what is signed for {used:?}");
    let verdict = verify(called, form, &signature);
    assert_eq!(verdict.is_ok(), may_have_been_signed(called, used), "{called:?} signed as {used:?}");
    let other = hmac_sha1(b"another key", called.as_bytes());
    assert_eq!(verify(called, form, &base64(&other)), Err(SignatureError::Mismatch));
    assert_eq!(verify(called, form, &signature[1..]), Err(SignatureError::Malformed));
}

/// The signature by the provider's page: address, then names and values sorted, a value that repeats
/// under its name once.
pub fn signed(url: &str, form: &[u8]) -> String {
    let mut sorted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, value) in pairs(form) {
        sorted.entry(name).or_default().insert(value);
    }
    let mut text = url.to_owned();
    for (name, values) in sorted {
        for value in values {
            text.push_str(&name);
            text.push_str(&value);
        }
    }
    base64(&hmac_sha1(KEY.as_bytes(), text.as_bytes()))
}

/// Whether a call of `called` may carry a signature of `used`: same scheme, host, path and query, but
/// with or without the port, without user and password, and with apostrophes quoted or not.
fn may_have_been_signed(called: &str, used: &str) -> bool {
    if called == used {
        return true;
    }
    let (Some(called), Some(used)) = (Address::of(called), Address::of(used)) else { return false };
    let standard = if called.scheme == "http" { "80" } else { "443" };
    let port = used.port.is_none_or(|port| port == called.port.unwrap_or(standard));
    let userinfo = used.userinfo.is_empty() || used.userinfo == called.userinfo;
    let query =
        [called.query.to_owned(), called.query.replace('\'', "%27"), called.query.replace("%27", "'")];
    called.scheme == used.scheme
        && userinfo
        && called.host == used.host
        && port
        && called.path == used.path
        && query.contains(&used.query.to_owned())
}

/// An address in its parts, which put together are the address.
struct Address<'a> {
    scheme: &'a str,
    /// With the `@`.
    userinfo: &'a str,
    host: &'a str,
    /// Digits, perhaps none, after a colon.
    port: Option<&'a str>,
    path: &'a str,
    /// With the `?`.
    query: &'a str,
}

impl<'a> Address<'a> {
    fn of(url: &'a str) -> Option<Self> {
        let scheme = url.split("://").next().filter(|scheme| scheme.len() < url.len())?;
        let rest = &url[scheme.len() + 3..];
        let authority = rest.split(['/', '?', '#']).next()?;
        let tail = &rest[authority.len()..];
        let path = tail.split('?').next()?;
        let host_and_port = authority.split('@').next_back()?;
        let port = host_and_port.split(':').next_back()?;
        let has_port = port.len() < host_and_port.len() && port.chars().all(|c| c.is_ascii_digit());
        let host_length = if has_port { host_and_port.len() - port.len() - 1 } else { host_and_port.len() };
        Some(Self {
            scheme,
            userinfo: &authority[..authority.len() - host_and_port.len()],
            host: &host_and_port[..host_length],
            port: has_port.then_some(port),
            path,
            query: &tail[path.len()..],
        })
    }
}
