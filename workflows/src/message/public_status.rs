//! The words that callers see: nine, the same in the API and in Supabase.

use crate::message::{Hold, Message, ProviderStatus, State};

/// A message's status for callers. Coarser than its state and stable across versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PublicStatus {
    /// Durable, not yet judged.
    Pending,
    /// Its first sending lies ahead.
    Scheduled,
    /// Waits for a slot, a retry, or in the provider's queue.
    Queued,
    /// On its way to the carrier, or in doubt.
    Sending,
    /// The carrier took it.
    Sent,
    /// The handset got it.
    Delivered,
    /// The carrier gave up.
    Undelivered,
    /// Never left, or given up.
    Failed,
    /// Withdrawn, expired, forbidden, or left to another daemon.
    Cancelled,
}

/// Every public status with its word.
pub const PUBLIC_STATUSES: [(PublicStatus, &str); 9] = [
    (PublicStatus::Pending, "pending"),
    (PublicStatus::Scheduled, "scheduled"),
    (PublicStatus::Queued, "queued"),
    (PublicStatus::Sending, "sending"),
    (PublicStatus::Sent, "sent"),
    (PublicStatus::Delivered, "delivered"),
    (PublicStatus::Undelivered, "undelivered"),
    (PublicStatus::Failed, "failed"),
    (PublicStatus::Cancelled, "cancelled"),
];

impl PublicStatus {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        PUBLIC_STATUSES.into_iter().find(|(status, _)| *status == self).map_or("", |(_, word)| word)
    }

    /// The status that `word` names.
    pub fn parse(word: &str) -> Option<Self> {
        PUBLIC_STATUSES.into_iter().find(|(_, known)| *known == word).map(|(status, _)| status)
    }
}

impl Message {
    /// The message's status for callers.
    pub fn public_status(&self) -> PublicStatus {
        match self.state {
            State::Accepted => PublicStatus::Pending,
            State::Held { hold: Hold::OutcomeUnknown, .. } => PublicStatus::Sending,
            State::Held { .. } if self.attempt.get() == 0 => PublicStatus::Scheduled,
            State::Held { .. } | State::Due { .. } => PublicStatus::Queued,
            State::Submitting { .. } | State::Unknown { .. } => PublicStatus::Sending,
            State::Unconfirmed { status } if status.rank() >= ProviderStatus::Sent.rank() => {
                PublicStatus::Sent
            }
            State::Submitted { status: ProviderStatus::Sending, .. }
            | State::Unconfirmed { status: ProviderStatus::Sending } => PublicStatus::Sending,
            State::Submitted { .. } | State::Unconfirmed { .. } => PublicStatus::Queued,
            State::Sent { .. } => PublicStatus::Sent,
            State::Delivered => PublicStatus::Delivered,
            State::Undelivered => PublicStatus::Undelivered,
            State::Failed => PublicStatus::Failed,
            State::Relinquished | State::Canceled | State::Expired | State::Suppressed { .. } => {
                PublicStatus::Cancelled
            }
        }
    }
}
