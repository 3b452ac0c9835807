//! Kinds of messages: what a text is about decides which toggle switches it off, how urgent it may be, and
//! which hours it keeps.

mod table;

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::message::Priority;
use crate::user::Toggle;

pub use table::{BUILT_IN, CUSTOM, VERIFICATION};

/// Longest name of a kind, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// The name of a kind: 1 to 64 of `a` to `z`, `0` to `9` and `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KindName(Arc<str>);

/// The text can't name a kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no name of a kind; expected 1 to {NAME_BYTES_MAX} of a to z, 0 to 9 and _")]
pub struct KindNameError(String);

impl KindName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KindName {
    type Err = KindNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if text.is_empty() || text.len() > NAME_BYTES_MAX || !text.bytes().all(fits) {
            return Err(KindNameError(text.chars().take(NAME_BYTES_MAX).collect()));
        }
        Ok(Self(text.into()))
    }
}

impl Borrow<str> for KindName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KindName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What holds for every message of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// The toggle that users switch it off with; none when they can't.
    pub toggle: Option<Toggle>,
    /// The template of a message that names none.
    pub template: Option<Arc<str>>,
    /// The priority of a message that names none.
    pub priority: Priority,
    /// How long after its time a message that names no deadline is still worth sending; for ever when `None`.
    pub expires_after: Option<Duration>,
    /// Whether the recipient asked for it or needs it. What is not essential keeps the hours of the law.
    pub essential: bool,
    /// Whether an urgent message may pass quiet hours, if its recipient wants urgent alerts.
    pub may_bypass: bool,
    /// Whether it goes only to a number that its recipient has proven to be theirs.
    pub needs_verified: bool,
    /// Whether limits count it.
    pub counts: bool,
    /// Whether the same text may go to the same person again at once.
    pub may_repeat: bool,
}

/// Every kind of a deployment, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kinds(BTreeMap<KindName, Kind>);

impl Kinds {
    /// The built-in kinds, and `configured` in their place or beside them.
    pub fn with(configured: BTreeMap<KindName, Kind>) -> Self {
        let mut kinds = Self::default();
        kinds.0.extend(configured);
        kinds
    }

    /// The kind with this name; that of messages that name none is `custom`.
    pub fn get(&self, name: Option<&KindName>) -> Option<&Kind> {
        self.0.get(name.map_or(CUSTOM, KindName::as_str))
    }

    /// Every kind with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&KindName, &Kind)> {
        self.0.iter()
    }
}

impl Default for Kinds {
    fn default() -> Self {
        Self(BUILT_IN.iter().map(|row| (KindName(row.name.into()), row.kind())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_kind_has_a_name_and_custom_is_one() {
        let kinds = Kinds::default();
        assert_eq!(kinds.iter().count(), BUILT_IN.len());
        for (name, _) in kinds.iter() {
            assert_eq!(name.as_str().parse::<KindName>().as_ref(), Ok(name));
        }
        assert_eq!(kinds.get(None), kinds.get(Some(&CUSTOM.parse().unwrap())));
        assert!(kinds.get(None).is_some());
        for wrong in ["", "Task", "task-reminder", "t\u{e4}sk", &"a".repeat(65)] {
            assert!(wrong.parse::<KindName>().is_err(), "{wrong}");
        }
    }
}
