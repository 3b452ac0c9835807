//! Languages that a template is written in.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A language, and where it is spoken if that matters: `da`, `pt-BR`. A part of BCP 47
/// (<https://www.rfc-editor.org/info/bcp47>, read 2026-11-24): two or three letters, and two letters or three digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locale(Arc<str>);

/// The text is no locale.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no locale; expected a language and perhaps a region, such as da or pt-BR")]
pub struct LocaleError(String);

impl Locale {
    /// The text: the language in small letters, the region in capital ones.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The language alone; `None` when there is no region to leave out.
    pub fn language(&self) -> Option<Self> {
        self.0.split_once('-').map(|(language, _)| Self(language.into()))
    }

    /// Whether it is English.
    pub(super) fn is_english(&self) -> bool {
        self.0.split('-').next() == Some("en")
    }
}

impl FromStr for Locale {
    type Err = LocaleError;

    fn from_str(text: &str) -> Result<Self, LocaleError> {
        let refused = || LocaleError(text.chars().take(32).collect());
        let (language, region) = match text.split_once(['-', '_']) {
            Some((language, region)) => (language, Some(region)),
            None => (text, None),
        };
        let is_language =
            matches!(language.len(), 2 | 3) && language.bytes().all(|byte| byte.is_ascii_alphabetic());
        let is_region = |region: &str| match region.len() {
            2 => region.bytes().all(|byte| byte.is_ascii_alphabetic()),
            3 => region.bytes().all(|byte| byte.is_ascii_digit()),
            _other => false,
        };
        if !is_language || !region.is_none_or(is_region) {
            return Err(refused());
        }
        let language = language.to_ascii_lowercase();
        Ok(Self(match region {
            Some(region) => format!("{language}-{}", region.to_ascii_uppercase()).into(),
            None => language.into(),
        }))
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
