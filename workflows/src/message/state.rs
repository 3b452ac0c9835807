//! Where a message is in its life.

use crate::id::{Attempt, MessageId, PersonNumber, ProviderSid, UserNumber};
use crate::kind::KindName;
use crate::message::{Custody, Failure, OnUnknown, Priority, ProviderStatus, TemplateVersion};
use crate::policy::Ban;
use crate::timestamp::Timestamp;

/// A message as the fold of its events: what decisions need, without body and notes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The recipient.
    pub person: PersonNumber,
    /// Which messages go first.
    pub priority: Priority,
    /// Billed parts of the body.
    pub segments: u16,
    /// The user whose message it is.
    pub user: Option<UserNumber>,
    /// What it is about.
    pub kind: Option<KindName>,
    /// The version of a template that rendered it.
    pub template: Option<TemplateVersion>,
    /// Whether an urgent one may pass quiet hours, whatever its kind.
    pub may_bypass: bool,
    /// Whose it is.
    pub custody: Custody,
    /// What to do when an outcome can't be learned.
    pub on_unknown: OnUnknown,
    /// When the wish became durable.
    pub accepted_at: Timestamp,
    /// Not before this instant.
    pub scheduled_for: Option<Timestamp>,
    /// Not at or after this instant.
    pub expires_at: Option<Timestamp>,
    /// The newest attempt; [`Attempt::NONE`] before the first.
    pub attempt: Attempt,
    /// Attempts that count against the cap.
    pub counted: u32,
    /// The provider's name for the newest attempt, once known.
    pub sid: Option<ProviderSid>,
    /// Why the newest failed attempt failed.
    pub failure: Option<Failure>,
    /// The message that tries this finalized one again.
    pub retried_as: Option<MessageId>,
    /// When the newest event happened.
    pub changed_at: Timestamp,
    /// Where it is.
    pub state: State,
}

/// Where a message is. Data that only one state has lives in that state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Durable, not yet judged.
    Accepted,
    /// Waits, for a reason and until an instant.
    Held {
        /// For what.
        hold: Hold,
        /// Until when; [`Timestamp::MAX`] when no clock will release it.
        until: Timestamp,
    },
    /// May go; waits for a slot.
    Due {
        /// Since when.
        since: Timestamp,
    },
    /// The newest attempt is committed; its request may be on the wire.
    Submitting {
        /// Since when.
        since: Timestamp,
    },
    /// The newest attempt may or may not have been taken; being looked up.
    Unknown {
        /// When the request may first have been on the wire.
        started_at: Timestamp,
        /// Since when we do not know.
        since: Timestamp,
        /// Searches that found nothing so far.
        lookups: u8,
    },
    /// The provider took it.
    Submitted {
        /// The provider's word.
        status: ProviderStatus,
        /// Since when.
        since: Timestamp,
        /// How many times we asked where it is.
        polls: u8,
    },
    /// The carrier took it.
    Sent {
        /// When the provider took it.
        submitted_at: Timestamp,
        /// How many times we asked where it is.
        polls: u8,
    },
    /// The provider has it and never told what became of it; nobody asks any more. Only late word
    /// of the provider moves it.
    Unconfirmed {
        /// The provider's last word.
        status: ProviderStatus,
    },
    /// Another daemon has it now, and nothing is sent from here. Only a new claim moves it, or late word of the provider
    /// about an attempt of ours.
    Relinquished,
    /// The handset got it. Final.
    Delivered,
    /// The carrier gave up. Final.
    Undelivered,
    /// Never left, or given up. Final.
    Failed,
    /// Withdrawn. Final.
    Canceled,
    /// Its deadline passed unsent. Final.
    Expired,
    /// Policy forbids it. Final.
    Suppressed {
        /// What forbids it.
        ban: Ban,
    },
}

/// What a held message waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hold {
    /// Its own schedule.
    Scheduled,
    /// The delay before the next attempt.
    Backoff,
    /// The provider asked us to slow down, or refuses our account.
    ProviderLane,
    /// Sending is switched off.
    SendingDisabled,
    /// A person: it is not known whether the newest attempt was taken, and no search found it.
    OutcomeUnknown,
    /// The end of the recipient's quiet hours.
    QuietHours,
    /// The hours that the law leaves.
    LegalHours,
    /// The recipient's next local day.
    DailyLimit,
    /// Fewer texts to the recipient in the last minute or hour.
    RateLimit,
    /// Somebody who says where the recipient is: without that, nobody knows what hour it is there.
    ZoneUnknown,
    /// Somebody who says what its kind is.
    KindUnknown,
    /// Fewer texts altogether in the last minute, hour or day.
    GlobalRate,
    /// Fewer texts of the sender in the last minute, hour or day.
    SenderRate,
    /// Fewer texts to the recipient's country in the last minute, hour or day.
    CountryRate,
    /// Fewer new numbers like the recipient's in the last minute, hour or day, or somebody who vouches for them.
    FraudVelocity,
    /// The shared database's word that it is ours.
    Claim,
    /// Somebody who mends the recipient's preferences, which nobody understands.
    PreferencesUnreadable,
    /// One of the times of the day at which what is not urgent leaves.
    LowPriorityHours,
}

/// Every hold with the word for it.
pub const HOLDS: [(Hold, &str); 18] = [
    (Hold::Scheduled, "scheduled"),
    (Hold::Backoff, "backoff"),
    (Hold::ProviderLane, "provider_lane"),
    (Hold::SendingDisabled, "sending_disabled"),
    (Hold::OutcomeUnknown, "outcome_unknown"),
    (Hold::QuietHours, "quiet_hours_user"),
    (Hold::LegalHours, "quiet_hours_legal"),
    (Hold::DailyLimit, "daily_limit_user"),
    (Hold::RateLimit, "rate_limit_recipient"),
    (Hold::ZoneUnknown, "quiet_hours_unknown_tz"),
    (Hold::KindUnknown, "kind_unknown"),
    (Hold::GlobalRate, "rate_limit_global"),
    (Hold::SenderRate, "rate_limit_sender"),
    (Hold::CountryRate, "rate_limit_country"),
    (Hold::FraudVelocity, "fraud_velocity"),
    (Hold::Claim, "claim"),
    (Hold::PreferencesUnreadable, "preferences_unreadable"),
    (Hold::LowPriorityHours, "low_priority_hours"),
];

impl Hold {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        HOLDS.into_iter().find(|(hold, _)| *hold == self).map_or("", |(_, word)| word)
    }

    /// Whether it depends on the recipient, who may change it.
    pub fn is_about_recipient(self) -> bool {
        match self {
            Self::QuietHours
            | Self::LegalHours
            | Self::DailyLimit
            | Self::RateLimit
            | Self::ZoneUnknown
            | Self::KindUnknown
            | Self::PreferencesUnreadable
            | Self::LowPriorityHours => true,
            Self::Scheduled
            | Self::Backoff
            | Self::ProviderLane
            | Self::SendingDisabled
            | Self::OutcomeUnknown
            | Self::GlobalRate
            | Self::SenderRate
            | Self::CountryRate
            | Self::FraudVelocity
            | Self::Claim => false,
        }
    }

    /// Whether it waits for a place among texts to others, in a line.
    pub fn is_about_stream(self) -> bool {
        matches!(self, Self::GlobalRate | Self::SenderRate | Self::CountryRate | Self::FraudVelocity)
    }
}

/// A state without its data: for indexes, filters and totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateName {
    /// See [`State::Accepted`].
    Accepted,
    /// See [`State::Held`].
    Held,
    /// See [`State::Due`].
    Due,
    /// See [`State::Submitting`].
    Submitting,
    /// See [`State::Unknown`].
    Unknown,
    /// See [`State::Submitted`].
    Submitted,
    /// See [`State::Sent`].
    Sent,
    /// See [`State::Unconfirmed`].
    Unconfirmed,
    /// See [`State::Relinquished`].
    Relinquished,
    /// See [`State::Delivered`].
    Delivered,
    /// See [`State::Undelivered`].
    Undelivered,
    /// See [`State::Failed`].
    Failed,
    /// See [`State::Canceled`].
    Canceled,
    /// See [`State::Expired`].
    Expired,
    /// See [`State::Suppressed`].
    Suppressed,
}

/// Every state, in the order of a life.
pub const STATES: [(StateName, &str); 15] = [
    (StateName::Accepted, "accepted"),
    (StateName::Held, "held"),
    (StateName::Due, "due"),
    (StateName::Submitting, "submitting"),
    (StateName::Unknown, "unknown"),
    (StateName::Submitted, "submitted"),
    (StateName::Sent, "sent"),
    (StateName::Unconfirmed, "unconfirmed"),
    (StateName::Relinquished, "relinquished"),
    (StateName::Delivered, "delivered"),
    (StateName::Undelivered, "undelivered"),
    (StateName::Failed, "failed"),
    (StateName::Canceled, "canceled"),
    (StateName::Expired, "expired"),
    (StateName::Suppressed, "suppressed"),
];

impl StateName {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        STATES.into_iter().find(|(name, _)| *name == self).map_or("", |(_, word)| word)
    }

    /// The state that `word` names.
    pub fn parse(word: &str) -> Option<Self> {
        STATES.into_iter().find(|(_, known)| *known == word).map(|(name, _)| name)
    }

    /// Whether there is no way out of it.
    pub fn is_final(self) -> bool {
        match self {
            Self::Delivered
            | Self::Undelivered
            | Self::Failed
            | Self::Canceled
            | Self::Expired
            | Self::Suppressed => true,
            Self::Accepted
            | Self::Held
            | Self::Due
            | Self::Submitting
            | Self::Unknown
            | Self::Submitted
            | Self::Sent
            | Self::Unconfirmed
            | Self::Relinquished => false,
        }
    }

    /// Whether the provider has the newest attempt and its end is awaited.
    pub fn is_with_provider(self) -> bool {
        self == Self::Submitted || self == Self::Sent
    }

    /// Whether nothing is awaited any more: it is final, or only late word or a new claim could move it.
    pub fn is_settled(self) -> bool {
        self.is_final() || self == Self::Unconfirmed || self == Self::Relinquished
    }
}

impl State {
    /// When the newest attempt was made, as far as the state tells.
    pub fn tried_at(self) -> Option<Timestamp> {
        match self {
            Self::Submitting { since } | Self::Submitted { since, .. } => Some(since),
            Self::Sent { submitted_at, .. } => Some(submitted_at),
            Self::Unknown { started_at, .. } => Some(started_at),
            Self::Accepted
            | Self::Held { .. }
            | Self::Due { .. }
            | Self::Unconfirmed { .. }
            | Self::Relinquished
            | Self::Delivered
            | Self::Undelivered
            | Self::Failed
            | Self::Canceled
            | Self::Expired
            | Self::Suppressed { .. } => None,
        }
    }

    /// The state without its data.
    pub fn name(self) -> StateName {
        match self {
            Self::Accepted => StateName::Accepted,
            Self::Held { .. } => StateName::Held,
            Self::Due { .. } => StateName::Due,
            Self::Submitting { .. } => StateName::Submitting,
            Self::Unknown { .. } => StateName::Unknown,
            Self::Submitted { .. } => StateName::Submitted,
            Self::Sent { .. } => StateName::Sent,
            Self::Unconfirmed { .. } => StateName::Unconfirmed,
            Self::Relinquished => StateName::Relinquished,
            Self::Delivered => StateName::Delivered,
            Self::Undelivered => StateName::Undelivered,
            Self::Failed => StateName::Failed,
            Self::Canceled => StateName::Canceled,
            Self::Expired => StateName::Expired,
            Self::Suppressed { .. } => StateName::Suppressed,
        }
    }
}
