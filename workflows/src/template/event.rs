//! What happens to a template.

use crate::actor::Reason;
use crate::template::{Content, Published, TemplateKey};

/// What happened to a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody wrote it for the first time.
    Created {
        /// What it is called.
        key: TemplateKey,
        /// What it says.
        draft: Box<Content>,
    },
    /// Somebody wrote what will be its next version.
    Drafted {
        /// What it says.
        draft: Box<Content>,
    },
    /// Somebody threw the draft away.
    DraftDiscarded,
    /// The draft became a version, and is used from now on.
    Published {
        /// Which one, and what it says.
        published: Box<Published>,
        /// Position of this record.
        at: u64,
    },
    /// An older version is used again.
    RolledBack {
        /// Which one, and what it says.
        published: Box<Published>,
    },
    /// It may not be used until it is activated.
    Deactivated,
    /// It may be used again.
    Activated,
    /// Somebody said why they ask for what comes next.
    Remarked {
        /// In their words.
        reason: Reason,
    },
}

impl Event {
    /// The event's name in exports, logs and the API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "template_created",
            Self::Drafted { .. } => "template_drafted",
            Self::DraftDiscarded => "template_draft_discarded",
            Self::Published { .. } => "template_published",
            Self::RolledBack { .. } => "template_rolled_back",
            Self::Deactivated => "template_deactivated",
            Self::Activated => "template_activated",
            Self::Remarked { .. } => "template_remarked",
        }
    }
}
