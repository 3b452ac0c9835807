//! What the gate knows of a recipient.

use std::sync::Arc;

use crate::consent::Standing;
use crate::phone_number::Region;
use crate::policy::{Flow, Stream, Usage};
use crate::timestamp::Timestamp;
use crate::user::Preferences;

/// What the gate knows of a recipient, as durable or in the same transaction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recipient {
    /// Whether they agree.
    pub standing: Standing,
    /// What the user prefers to whom the message or the number belongs; `None` when they said nothing.
    pub preferences: Option<Preferences>,
    /// Whether newer preferences of theirs can't be understood, so that these are not what they prefer.
    pub is_unreadable: bool,
    /// Whether they have proven that the number is theirs.
    pub is_verified: bool,
    /// What was sent to them lately.
    pub usage: Usage,
    /// Where their number belongs; only looked up when the rules ask for it.
    pub region: Option<Region>,
    /// The streams in which a text to them is limited, with what went in each lately.
    pub flows: Vec<(Stream, Arc<Flow>)>,
    /// When the same text went to them last; only looked up when the rules ask for it.
    pub same_text: Option<Timestamp>,
}

/// Somebody of whom nothing is known.
pub static STRANGER: Recipient = Recipient {
    standing: Standing::Unknown,
    preferences: None,
    is_unreadable: false,
    is_verified: false,
    usage: Usage::NONE,
    region: None,
    flows: Vec::new(),
    same_text: None,
};

impl Recipient {
    /// Somebody of whom nothing is known but whether they agree.
    pub fn standing(standing: Standing) -> Self {
        Self { standing, ..Self::default() }
    }
}
