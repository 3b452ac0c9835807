//! Idempotency keys whose first request is being answered.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};

use crate::engine::ask::Claim;
use crate::http::problem::{Code, Problem};

/// Longest idempotency key, in bytes.
const KEY_MAX: usize = 255;

/// Whose keys they are: those of a deployment, whichever of its API keys is shown.
const OWNER: &[u8] = b"operator";

/// Keys whose first request is being answered.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    keys: Mutex<HashSet<[u8; 16]>>,
}

/// One key being answered; free again when dropped.
#[derive(Debug)]
pub(super) struct Answering<'a> {
    in_flight: &'a InFlight,
    claim: Option<Claim>,
}

impl InFlight {
    /// Takes the key in the headers, if there is one.
    ///
    /// # Errors
    /// When the key can't be one, or its first request is being answered.
    pub(super) fn enter(
        &self,
        headers: &HeaderMap,
        route: &str,
        body: &[u8],
    ) -> Result<Answering<'_>, Problem> {
        let mut given = headers.get_all("idempotency-key").iter();
        let key = given.next().map(HeaderValue::as_bytes);
        if given.next().is_some() {
            return Err(no_key());
        }
        self.enter_key(key, route, body)
    }

    /// Takes this key, if there is one.
    ///
    /// # Errors
    /// As [`InFlight::enter`].
    pub(super) fn enter_key(
        &self,
        key: Option<&[u8]>,
        route: &str,
        body: &[u8],
    ) -> Result<Answering<'_>, Problem> {
        let Some(key) = key else {
            return Ok(Answering { in_flight: self, claim: None });
        };
        if key.is_empty() || key.len() > KEY_MAX || !key.iter().all(u8::is_ascii_graphic) {
            return Err(no_key());
        }
        let key = hash(&[OWNER, b"\n", route.as_bytes(), b"\n", key]);
        let claim = Claim { key, fingerprint: hash(&[body]) };
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if !keys.insert(claim.key) {
            let detail = "the first request with this key is being answered; ask again in a moment";
            return Err(Problem::new(Code::IdempotencyInProgress, detail).after(Duration::from_secs(1)));
        }
        Ok(Answering { in_flight: self, claim: Some(claim) })
    }
}

impl Answering<'_> {
    /// The claim of a single request.
    pub(super) fn claim(&self) -> Option<Claim> {
        self.claim
    }

    /// The claim of one row of a batch. A row is the same when its own bytes are.
    pub(super) fn claim_of_row(&self, index: usize, row: &[u8]) -> Option<Claim> {
        let place = u64::try_from(index).unwrap_or(u64::MAX).to_be_bytes();
        self.claim.map(|claim| Claim { key: hash(&[&claim.key, &place]), fingerprint: hash(&[row]) })
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        if let Some(claim) = self.claim {
            self.in_flight.keys.lock().unwrap_or_else(PoisonError::into_inner).remove(&claim.key);
        }
    }
}

fn no_key() -> Problem {
    let detail = format!("send one Idempotency-Key of 1 to {KEY_MAX} visible ASCII characters");
    Problem::new(Code::Invalid, detail)
}

/// The first sixteen bytes of a SHA-256.
fn hash(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    let mut short = [0_u8; 16];
    for (to, from) in short.iter_mut().zip(hasher.finalize()) {
        *to = from;
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: &str = "/v1/messages";

    fn keyed(keys: &[&str]) -> HeaderMap {
        keys.iter().map(|key| ("idempotency-key".parse().unwrap(), key.parse().unwrap())).collect()
    }

    #[test]
    fn a_key_is_free_again_after_its_answer() {
        let in_flight = InFlight::default();
        let first = in_flight.enter(&keyed(&["k"]), ROUTE, b"{}").unwrap();
        assert!(in_flight.enter(&keyed(&["k"]), ROUTE, b"{}").is_err());
        assert!(in_flight.enter(&keyed(&["other"]), ROUTE, b"{}").is_ok());
        assert!(in_flight.enter(&keyed(&["k"]), "/v1/messages/batch", b"{}").is_ok());
        drop(first);
        assert!(in_flight.enter(&keyed(&["k"]), ROUTE, b"{}").is_ok());
    }

    #[test]
    fn every_row_has_a_claim_of_its_own() {
        let in_flight = InFlight::default();
        let answering = in_flight.enter(&keyed(&["k"]), ROUTE, b"{}").unwrap();
        let claims: Vec<Claim> = (0..3).filter_map(|row| answering.claim_of_row(row, b"{}")).collect();
        assert!(claims.windows(2).all(|pair| pair[0].key != pair[1].key));
        let changed = answering.claim_of_row(0, b"{ }").unwrap();
        assert_eq!(changed.key, claims[0].key);
        assert_ne!(changed.fingerprint, claims[0].fingerprint);
    }

    #[test]
    fn what_can_not_be_a_key_is_refused() {
        let (longest, too_long) = ("k".repeat(255), "k".repeat(256));
        for keys in [vec![""], vec!["two words"], vec!["k\u{e9}"], vec![&too_long], vec!["a", "b"]] {
            assert!(InFlight::default().enter(&keyed(&keys), ROUTE, b"").is_err(), "{keys:?}");
        }
        assert!(InFlight::default().enter(&keyed(&[&longest]), ROUTE, b"").is_ok());
    }
}
