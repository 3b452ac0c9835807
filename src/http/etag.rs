//! Versions that callers have seen, as `ETag` and `If-Match` tell them.

use axum::http::{HeaderMap, HeaderName};

use crate::http::problem::{Code, Problem};

/// The version in a header; `None` when it is not there or any will do.
///
/// # Errors
/// It holds something else.
pub(super) fn seen(headers: &HeaderMap, name: &HeaderName) -> Result<Option<u64>, Problem> {
    let Some(tag) = headers.get(name) else { return Ok(None) };
    let refuse = || Problem::new(Code::BadRequest, "If-Match holds one version in quotes, as ETag gave it");
    let tag = tag.to_str().map_err(|_not_ascii| refuse())?.trim();
    if tag == "*" {
        return Ok(None);
    }
    let version = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).ok_or_else(refuse)?;
    version.parse().map(Some).map_err(|_no_number| refuse())
}
