//! What is known of a template.

use crate::template::{Content, TemplateKey};
use crate::timestamp::Timestamp;

/// Most versions of one template.
pub const VERSIONS_MAX: usize = 1000;

/// What is known of a template: the fold of what happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// What it is called.
    pub key: TemplateKey,
    /// What will be its next version.
    pub draft: Option<Content>,
    /// What is used now; `None` until something was published.
    pub published: Option<Published>,
    /// Positions of the records that hold the versions, version 1 first.
    pub versions: Vec<u64>,
    /// Whether it may be used.
    pub is_active: bool,
    /// How often anything about it was changed: callers name it to change nothing that they have not seen.
    pub revision: u64,
    /// When it was first written.
    pub created_at: Timestamp,
    /// When anything about it was changed last.
    pub changed_at: Timestamp,
}

/// The version that is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Which one, from 1.
    pub version: u32,
    /// What it says.
    pub content: Content,
}

impl Template {
    /// The newest version; 0 when there is none.
    pub fn newest(&self) -> u32 {
        u32::try_from(self.versions.len()).unwrap_or(u32::MAX)
    }

    /// Position of the record that holds a version; `None` when there is no such version.
    pub fn version_at(&self, version: u32) -> Option<u64> {
        let index = usize::try_from(version).ok()?.checked_sub(1)?;
        self.versions.get(index).copied()
    }

    /// What is used, while it may be.
    pub fn usable(&self) -> Option<&Published> {
        self.published.as_ref().filter(|_| self.is_active)
    }
}
