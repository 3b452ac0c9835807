//! Idempotency keys whose first request is being answered.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use sha2::{Digest, Sha256};

use crate::engine::ask::Claim;
use crate::http::problem::{Code, Problem};

/// Longest idempotency key, in bytes.
const KEY_MAX: usize = 255;

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
        let Some(key) = headers.get("idempotency-key") else {
            return Ok(Answering { in_flight: self, claim: None });
        };
        let key = key.as_bytes();
        if key.is_empty() || key.len() > KEY_MAX || !key.iter().all(u8::is_ascii_graphic) {
            let detail = format!("an Idempotency-Key has 1 to {KEY_MAX} visible ASCII characters");
            return Err(Problem::new(Code::Invalid, detail));
        }
        let claim = Claim { key: hash(&[route.as_bytes(), b"\n", key]), fingerprint: hash(&[body]) };
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

    /// The claim of one row of a batch.
    pub(super) fn claim_of_row(&self, index: usize) -> Option<Claim> {
        let row = u64::try_from(index).unwrap_or(u64::MAX).to_be_bytes();
        self.claim.map(|claim| Claim { key: hash(&[&claim.key, &row]), ..claim })
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        if let Some(claim) = self.claim {
            self.in_flight.keys.lock().unwrap_or_else(PoisonError::into_inner).remove(&claim.key);
        }
    }
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

    #[test]
    fn a_key_is_free_again_after_its_answer() {
        let in_flight = InFlight::default();
        let headers: HeaderMap =
            [("idempotency-key".parse().unwrap(), "k".parse().unwrap())].into_iter().collect();
        let first = in_flight.enter(&headers, "/v1/messages", b"{}").unwrap();
        assert!(in_flight.enter(&headers, "/v1/messages", b"{}").is_err());
        let claims: Vec<_> = (0..3).map(|row| first.claim_of_row(row).unwrap().key).collect();
        assert!(claims.windows(2).all(|pair| pair[0] != pair[1]));
        drop(first);
        assert!(in_flight.enter(&headers, "/v1/messages", b"{}").is_ok());
    }
}
