//! The gate: the one place that says whether a text may go now. Pure; every path into the engine meets it,
//! when a wish is accepted, so that the answer is honest, and when an attempt begins, so that it counts.
//!
//! Whoever adds a rule adds a field to [`Case`], a [`Ban`] or a [`Hold`], and a line in [`judge`].

use std::fmt;

use crate::consent::{How, Standing};
use crate::message::{Hold, Message, State};
use crate::rules::{Rules, Sending};
use crate::timestamp::Timestamp;

/// What the gate looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// The wall clock.
    pub now: Timestamp,
    /// Whether anything may be submitted at all.
    pub sending: Sending,
    /// Whether the recipient agrees.
    pub standing: Standing,
    /// Not before this instant.
    pub scheduled_for: Option<Timestamp>,
    /// Not at or after this instant.
    pub expires_at: Option<Timestamp>,
}

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
}

/// What forbids texts to a person, at any hour.
pub fn forbidden(standing: Standing) -> Option<Ban> {
    match standing {
        Standing::OptedOut { since, how } => Some(Ban::OptedOut { since, how }),
        Standing::Unknown | Standing::OptedIn { .. } => None,
    }
}

/// What the gate says of a text. What is forbidden is forbidden at any hour, so it comes first.
pub fn judge(case: &Case) -> Ruling {
    if let Some(ban) = forbidden(case.standing) {
        return Ruling::Suppress(ban);
    }
    if case.expires_at.is_some_and(|at| at <= case.now) {
        return Ruling::Expire;
    }
    if let Some(until) = case.scheduled_for.filter(|at| *at > case.now) {
        return Ruling::Hold { hold: Hold::Scheduled, until };
    }
    match case.sending {
        Sending::Enabled => Ruling::Send,
        Sending::Disabled => Ruling::Hold { hold: Hold::SendingDisabled, until: Timestamp::MAX },
    }
}

/// What keeps a message back, or kept it for good, seen from `now`; `None` once nothing does.
pub fn explain(message: &Message, standing: Standing, rules: &Rules, now: Timestamp) -> Option<Ruling> {
    let case = Case {
        now,
        sending: rules.sending,
        standing,
        scheduled_for: message.scheduled_for,
        expires_at: message.expires_at,
    };
    match message.state {
        State::Suppressed { ban } => Some(Ruling::Suppress(ban)),
        State::Expired => Some(Ruling::Expire),
        State::Held { hold: hold @ Hold::OutcomeUnknown, until } => Some(Ruling::Hold { hold, until }),
        State::Held { hold, until } => Some(match judge(&case) {
            ruling @ (Ruling::Suppress(_) | Ruling::Expire) => ruling,
            Ruling::Send | Ruling::Hold { .. } => Ruling::Hold { hold, until },
        }),
        State::Accepted | State::Due { .. } => Some(judge(&case)),
        State::Submitting { .. }
        | State::Unknown { .. }
        | State::Submitted { .. }
        | State::Sent { .. }
        | State::Unconfirmed { .. }
        | State::Delivered
        | State::Undelivered
        | State::Failed
        | State::Canceled => None,
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
            Self::Hold { hold: Hold::Scheduled, .. } => "whoever may reschedule or cancel it",
            Self::Hold { hold: Hold::Backoff | Hold::ProviderLane, .. } => "whoever may try it again",
            Self::Hold { hold: Hold::SendingDisabled, .. } => "the operator, with SMS_SENDING_ENABLED",
            Self::Hold { hold: Hold::OutcomeUnknown, .. } => "whoever may try it again, or give it up",
            Self::Expire => "nobody; try it again with a later expires_at",
            Self::Suppress(Ban::OptedOut { .. }) => {
                "the person, by texting START; or whoever records that they agreed again, with a reason"
            }
        }
    }
}

impl Ban {
    /// The rule's name.
    pub fn rule(self) -> &'static str {
        match self {
            Self::OptedOut { .. } => "opted_out",
        }
    }
}

impl fmt::Display for Ban {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OptedOut { how, .. } => write!(f, "the recipient opted out: {}", how.words()),
        }
    }
}
