//! What stands in the way of trying a text again.

use crate::id::MessageId;
use crate::message::{self, Command, Context, Message, Rejection};
use crate::policy::{self, Ban, Case, Ruling};
use crate::provider_error::FailureClass;
use crate::recovery::Reason;
use crate::timestamp::Timestamp;

/// What stands in the way of trying a text again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Obstacle {
    /// A message tries it again already.
    AlreadyRetried,
    /// The gate forbids texts to its recipient.
    Forbidden,
    /// It would be too late for its deadline; a recovery may give a later one.
    TooLate,
    /// Its recipient was erased.
    Erased,
    /// It may have arrived; whoever wants it twice rather than never names the reason.
    MayHaveArrived,
    /// Unchanged it would fail again; whoever mended what made it fail names the reason.
    WouldFailAgain,
    /// It is not one that came to nothing.
    NotRetryable,
}

impl Obstacle {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AlreadyRetried => "already_retried",
            Self::Forbidden => "forbidden",
            Self::TooLate => "too_late",
            Self::Erased => "erased",
            Self::MayHaveArrived => "may_have_arrived",
            Self::WouldFailAgain => "would_fail_again",
            Self::NotRetryable => "not_retryable",
        }
    }
}

impl From<&Rejection> for Obstacle {
    fn from(rejection: &Rejection) -> Self {
        match rejection {
            Rejection::AlreadyRetried { .. } => Self::AlreadyRetried,
            Rejection::Forbidden { .. } => Self::Forbidden,
            Rejection::AlreadyExpired | Rejection::ExpiresBeforeSchedule => Self::TooLate,
            Rejection::AlreadyCommitted { .. }
            | Rejection::Finalized { .. }
            | Rejection::NotDue { .. }
            | Rejection::Elsewhere
            | Rejection::NotConfirmed
            | Rejection::NothingToRetry { .. } => Self::NotRetryable,
        }
    }
}

/// What stands in the way of trying `message` again, which came to nothing for `reason`; `None` when nothing
/// does. `named`: whoever chose it said why they came to nothing. `expires_at` replaces its own deadline.
///
/// A deadline is held against the time in `context`; [`Pace`](crate::recovery::Pace) holds it against later times.
pub fn obstacle(
    message: &Message,
    reason: Reason,
    named: bool,
    expires_at: Option<Timestamp>,
    context: &Context<'_>,
) -> Option<Obstacle> {
    // The name of the new message makes no difference to whether there may be one.
    let retry = Command::Retry { id: MessageId::from_bytes([0; 16]) };
    if let Err(rejection) = message::decide(message, &retry, context) {
        return Some(Obstacle::from(&rejection));
    }
    if expires_at.or(message.expires_at).is_some_and(|at| at <= context.now) {
        return Some(Obstacle::TooLate);
    }
    // As it would be judged today: what only waits for an hour, or for another day, is no obstacle.
    let (now, rules) = (context.now, context.rules);
    let case = Case::of(message, context.recipient, rules, now);
    match policy::judge(&Case { scheduled_for: None, expires_at: None, ..case }) {
        Ruling::Suppress(Ban::DailyLimit { limit }) if limit > 0 => {}
        Ruling::Suppress(_) => return Some(Obstacle::Forbidden),
        Ruling::Send | Ruling::Hold { .. } | Ruling::Expire => {}
    }
    if named { None } else { only_by_name(reason.class(message)) }
}

/// What keeps a recovery from texts of this class unless it names their class or reason.
pub fn only_by_name(class: Option<FailureClass>) -> Option<Obstacle> {
    match class? {
        FailureClass::Configuration | FailureClass::Rate | FailureClass::Transient => None,
        FailureClass::Ambiguous => Some(Obstacle::MayHaveArrived),
        FailureClass::Recipient
        | FailureClass::Content
        | FailureClass::OptedOut
        | FailureClass::Webhook
        | FailureClass::Verification => Some(Obstacle::WouldFailAgain),
    }
}
