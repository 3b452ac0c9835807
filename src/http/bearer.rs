//! The API token: whoever shows it may use `/v1`.

use axum::extract::{Request, State as Extract};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::Response;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::http::problem::{Code, Problem};

/// The token as its SHA-256: comparing hashes tells neither the token nor its length by the time it takes.
#[derive(Clone)]
pub(super) struct Bearer {
    digest: [u8; 32],
}

impl Bearer {
    /// The guard that lets this token through.
    pub(super) fn new(token: &SecretString) -> Self {
        Self { digest: Sha256::digest(token.expose_secret()).into() }
    }

    /// The key's public name: it tells keys apart and does not tell the token.
    pub(super) fn name(&self) -> String {
        let name: [u8; 32] = Sha256::digest(self.digest).into();
        let [a, b, c, d, ..] = name;
        format!("key:{:08x}", u32::from_be_bytes([a, b, c, d]))
    }

    /// Whether this `Authorization` shows the token. The scheme's case does not matter (RFC 9110, 11.1).
    fn fits(&self, authorization: &[u8]) -> bool {
        let Some((scheme, token)) = authorization.split_at_checked(7) else { return false };
        scheme.eq_ignore_ascii_case(b"Bearer ") && Sha256::digest(token).ct_eq(&self.digest).into()
    }
}

/// Lets callers with the API token through.
pub(super) async fn guard(
    Extract(bearer): Extract<Bearer>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let shown = request.headers().get(AUTHORIZATION);
    if shown.is_some_and(|shown| bearer.fits(shown.as_bytes())) {
        return Ok(next.run(request).await);
    }
    Err(Problem::new(Code::Unauthorized, "send the API token as Authorization: Bearer ..."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_fits() {
        let bearer = Bearer::new(&SecretString::from("secret"));
        assert!(bearer.fits(b"Bearer secret") && bearer.fits(b"bearer secret"));
        for wrong in
            ["", "Bearer", "Bearer ", "Bearer secre", "Bearer secrets", "Bearer  secret", "Basic secret"]
        {
            assert!(!bearer.fits(wrong.as_bytes()), "{wrong:?} gets in");
        }
    }
}
