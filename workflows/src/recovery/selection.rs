//! Which texts that came to nothing are meant.

use crate::message::Message;
use crate::provider_error::FailureClass;
use crate::recovery::Reason;
use crate::timestamp::Timestamp;

/// Which texts that came to nothing are meant. Values of one field add up, fields narrow each other down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Its newest event is not before this instant.
    pub since: Option<Timestamp>,
    /// Its newest event is not after this instant.
    pub until: Option<Timestamp>,
    /// For one of these reasons; empty means any.
    pub reasons: Vec<Reason>,
    /// Of one of these classes; empty means any. What expired has none.
    pub classes: Vec<FailureClass>,
}

impl Selection {
    /// Why this message came to nothing, if it did and is meant.
    pub fn takes(&self, message: &Message) -> Option<Reason> {
        let reason = Reason::of(message)?;
        let class = reason.class(message);
        let in_time = self.since.is_none_or(|since| message.changed_at >= since)
            && self.until.is_none_or(|until| message.changed_at <= until);
        let meant = (self.reasons.is_empty() || self.reasons.contains(&reason))
            && (self.classes.is_empty() || class.is_some_and(|class| self.classes.contains(&class)));
        (in_time && meant).then_some(reason)
    }

    /// Whether it says why they came to nothing, so that whoever chose knows what they are.
    pub fn names_why(&self) -> bool {
        !self.reasons.is_empty() || !self.classes.is_empty()
    }
}
