//! What the provider says of a message, and which word may follow which.

use std::fmt;
use std::str::FromStr;

/// The provider's word for where an outbound message is.
///
/// Source: Twilio OpenAPI `twilio_api_v2010`, enum `message_enum_status` (read 2026-11-23). The
/// inbound words `receiving` and `received` are not outbound statuses and are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderStatus {
    /// Taken; no sender chosen yet.
    Accepted,
    /// The provider itself holds it until a time we gave.
    Scheduled,
    /// In the sender's queue.
    Queued,
    /// Being handed to the carrier.
    Sending,
    /// The carrier took it.
    Sent,
    /// The handset got it.
    Delivered,
    /// The carrier gave up.
    Undelivered,
    /// It never left the provider.
    Failed,
    /// Withdrawn at the provider.
    Canceled,
    /// The person read it (WhatsApp, RCS).
    Read,
    /// Deprecated by the provider; counts as sent.
    PartiallyDelivered,
}

/// Every outbound status, in rank order.
pub const PROVIDER_STATUSES: [(ProviderStatus, &str, u8); 11] = [
    (ProviderStatus::Accepted, "accepted", 0),
    (ProviderStatus::Scheduled, "scheduled", 0),
    (ProviderStatus::Queued, "queued", 1),
    (ProviderStatus::Sending, "sending", 2),
    (ProviderStatus::Sent, "sent", 3),
    (ProviderStatus::PartiallyDelivered, "partially_delivered", 3),
    (ProviderStatus::Delivered, "delivered", 4),
    (ProviderStatus::Undelivered, "undelivered", 4),
    (ProviderStatus::Failed, "failed", 4),
    (ProviderStatus::Canceled, "canceled", 4),
    (ProviderStatus::Read, "read", 5),
];

/// The provider said a word that no released version of its contract has for outbound messages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a status of an outbound message")]
pub struct UnknownProviderStatus(String);

impl ProviderStatus {
    /// How far along this status is. Status only climbs: a report of a lower or equal rank changes
    /// nothing, so callbacks may repeat and reorder.
    pub fn rank(self) -> u8 {
        self.entry().2
    }

    /// The provider's own word.
    pub fn as_str(self) -> &'static str {
        self.entry().1
    }

    /// Whether the person has it, for all we will ever know.
    pub fn is_arrival(self) -> bool {
        self == Self::Delivered || self == Self::Read
    }

    /// Whether the provider says nothing else after it, but that it was read.
    pub fn is_final(self) -> bool {
        self.rank() >= Self::Delivered.rank()
    }

    fn entry(self) -> (Self, &'static str, u8) {
        PROVIDER_STATUSES.into_iter().find(|(status, _, _)| *status == self).unwrap_or((self, "", 0))
    }
}

impl FromStr for ProviderStatus {
    type Err = UnknownProviderStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        PROVIDER_STATUSES
            .into_iter()
            .find(|(_, word, _)| *word == text)
            .map(|(status, _, _)| status)
            .ok_or_else(|| UnknownProviderStatus(text.chars().take(64).collect()))
    }
}

impl fmt::Display for ProviderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_reads_back_as_itself() {
        for (status, word, rank) in PROVIDER_STATUSES {
            assert_eq!(word.parse::<ProviderStatus>().unwrap(), status);
            assert_eq!((status.as_str(), status.rank()), (word, rank));
        }
        assert!(PROVIDER_STATUSES.is_sorted_by_key(|(_, _, rank)| *rank));
    }

    #[test]
    fn inbound_and_invented_words_are_refused() {
        for word in ["received", "receiving", "", "DELIVERED", "done"] {
            assert!(word.parse::<ProviderStatus>().is_err(), "{word}");
        }
    }
}
