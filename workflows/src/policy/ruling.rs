//! What the gate says, with the evidence.

use std::fmt;

use crate::consent::{How, Standing};
use crate::message::Hold;
use crate::timestamp::Timestamp;
use crate::user::Toggle;

/// What the gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// It may go.
    Send,
    /// Not yet.
    Hold {
        /// For what.
        hold: Hold,
        /// Until when; [`Timestamp::MAX`] when no clock will release it.
        until: Timestamp,
    },
    /// Never: its deadline has passed.
    Expire,
    /// Never: it is forbidden.
    Suppress(Ban),
}

/// What forbids a text, with the evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ban {
    /// The recipient opted out.
    OptedOut {
        /// Since when.
        since: Timestamp,
        /// How we know.
        how: How,
    },
    /// The recipient switched off texts of this kind.
    ToggledOff {
        /// The toggle.
        toggle: Toggle,
    },
    /// Nobody has proven that the number is theirs.
    NotVerified,
    /// Texts do not go to the country of the number.
    Country,
    /// The recipient has had as many texts today as they may, or wants none at all.
    DailyLimit {
        /// How many they may have.
        limit: u16,
    },
    /// The same text went to the recipient a short while ago.
    Duplicate {
        /// When.
        since: Timestamp,
    },
}

/// What forbids texts to a person, at any hour and of any kind.
pub fn forbidden(standing: Standing) -> Option<Ban> {
    match standing {
        Standing::OptedOut { since, how } => Some(Ban::OptedOut { since, how }),
        Standing::Unknown | Standing::OptedIn { .. } => None,
    }
}

impl Ruling {
    /// What is done, in one word: send, hold or drop.
    pub fn action(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Hold { .. } => "hold",
            Self::Expire | Self::Suppress(_) => "drop",
        }
    }

    /// The rule that says so; `None` when none does.
    pub fn rule(self) -> Option<&'static str> {
        match self {
            Self::Send => None,
            Self::Hold { hold, .. } => Some(hold.as_str()),
            Self::Expire => Some("expired"),
            Self::Suppress(ban) => Some(ban.rule()),
        }
    }

    /// Who may change it, in plain words.
    pub fn lifted_by(self) -> &'static str {
        match self {
            Self::Send => "nobody need",
            Self::Hold { hold, .. } => held_by(hold),
            Self::Expire => "nobody; try it again with a later expires_at",
            Self::Suppress(ban) => match ban {
                Ban::OptedOut { .. } => {
                    "the person, by texting START; or whoever records that they agreed again, with a reason"
                }
                Ban::ToggledOff { .. } => "the user, by switching texts of this kind on; then try it again",
                Ban::NotVerified => {
                    "the user, by proving that the number is theirs; or the operator, by exempting the kind"
                }
                Ban::Country => "the operator, with DUNLIN_COUNTRIES",
                Ban::DailyLimit { .. } => "the user, with their daily limit; then try it again",
                Ban::Duplicate { .. } => {
                    "whoever tries it again; or the operator, with DUNLIN_DUPLICATE_WINDOW or the kind"
                }
            },
        }
    }
}

/// Who may release what is held, in plain words.
fn held_by(hold: Hold) -> &'static str {
    match hold {
        Hold::Scheduled => "whoever may reschedule or cancel it",
        Hold::Backoff | Hold::ProviderLane => "whoever may try it again",
        Hold::SendingDisabled => "the operator, with SMS_SENDING_ENABLED",
        Hold::OutcomeUnknown => "whoever may try it again, or give it up",
        Hold::QuietHours => {
            "the user, with their quiet hours; or whoever sends an urgent kind that may pass them"
        }
        Hold::LegalHours => "nobody; the operator says which kinds are essential",
        Hold::DailyLimit => "the user, with their daily limit",
        Hold::RateLimit => "the operator, with SMS_RATE_LIMIT_PER_MINUTE and SMS_RATE_LIMIT_PER_HOUR",
        Hold::GlobalRate => "the operator, with DUNLIN_RATE_GLOBAL",
        Hold::SenderRate => "the operator, with DUNLIN_RATE_SENDER",
        Hold::CountryRate => "the operator, with DUNLIN_RATE_COUNTRIES",
        Hold::FraudVelocity => {
            "whoever tries it again, which vouches for numbers like it; or the operator, with DUNLIN_PREFIX_VELOCITY"
        }
        Hold::Claim => "the shared database, by confirming that the text is ours",
        Hold::ZoneUnknown => "the user, with their timezone; or the operator, with DUNLIN_DEFAULT_TIME_ZONE",
        Hold::PreferencesUnreadable => {
            "whoever mends the user's preferences where they are kept, or sets them anew with the API"
        }
        Hold::KindUnknown => "the operator, with DUNLIN_KINDS",
        Hold::LowPriorityHours => {
            "the operator, with DUNLIN_LOW_PRIORITY_HOURS; or whoever sends it with another priority"
        }
    }
}

impl Ban {
    /// The rule's name.
    pub fn rule(self) -> &'static str {
        match self {
            Self::OptedOut { .. } => "opted_out",
            Self::ToggledOff { .. } => "category_disabled",
            Self::NotVerified => "not_verified",
            Self::Country => "country_blocked",
            Self::DailyLimit { .. } => "daily_limit_user",
            Self::Duplicate { .. } => "duplicate",
        }
    }
}

impl fmt::Display for Ban {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OptedOut { how, .. } => write!(f, "the recipient opted out: {}", how.words()),
            Self::ToggledOff { toggle } => {
                write!(f, "the recipient switched {} off", toggle.as_str())
            }
            Self::NotVerified => f.write_str("nobody has proven that the number is theirs"),
            Self::Country => f.write_str("texts do not go to the country of the number"),
            Self::DailyLimit { limit: 0 } => {
                f.write_str("the recipient wants no texts: their daily limit is 0")
            }
            Self::DailyLimit { limit } => {
                write!(f, "the recipient has had {limit} texts today, which is their limit")
            }
            Self::Duplicate { .. } => f.write_str("the same text went to the recipient a short while ago"),
        }
    }
}
