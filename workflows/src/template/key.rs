//! What a template is called.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Longest key, in bytes.
const BYTES_MAX: usize = 100;

/// The name of a template: 1 to 100 of `a` to `z`, `0` to `9` and `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateKey(Arc<str>);

/// The text can't name a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no key of a template; expected 1 to {BYTES_MAX} of a to z, 0 to 9 and _")]
pub struct TemplateKeyError(String);

impl TemplateKey {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TemplateKey {
    type Err = TemplateKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if text.is_empty() || text.len() > BYTES_MAX || !text.bytes().all(fits) {
            return Err(TemplateKeyError(text.chars().take(BYTES_MAX).collect()));
        }
        Ok(Self(text.into()))
    }
}

impl Borrow<str> for TemplateKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TemplateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
