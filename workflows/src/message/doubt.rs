//! A store put back to an earlier time knows nothing of what was sent since: what may have been is put
//! in doubt, so that it is looked up and never sent blindly.

use crate::message::{Event, Hold, Message, State, StateName};
use crate::timestamp::Timestamp;

/// What must be journaled about a message that whoever went on may have sent by `now`: an attempt, and
/// that its outcome is lost. `None` for a message that can't have been sent, or is looked up anyway.
pub fn doubt(message: &Message, why: &str, now: Timestamp) -> Option<(Vec<Event>, Event)> {
    if !may_be_sent(message, now) {
        return None;
    }
    let attempt = message.attempt.next();
    let started = Event::AttemptStarted { attempt, counted: None };
    let is_due = message.state.name() == StateName::Due;
    let started = if is_due { vec![started] } else { vec![Event::BecameDue, started] };
    Some((started, Event::OutcomeLost { attempt, detail: why.into() }))
}

fn may_be_sent(message: &Message, now: Timestamp) -> bool {
    match message.state {
        State::Held {
            hold:
                Hold::Scheduled
                | Hold::QuietHours
                | Hold::LegalHours
                | Hold::LowPriorityHours
                | Hold::DailyLimit
                | Hold::RateLimit
                | Hold::GlobalRate
                | Hold::SenderRate
                | Hold::CountryRate,
            until,
        } => until <= now,
        State::Held { hold: Hold::OutcomeUnknown, .. } => false,
        State::Held { hold: Hold::Claim, .. } => message.scheduled_for.is_none_or(|at| at <= now),
        State::Held {
            hold:
                Hold::Backoff
                | Hold::ProviderLane
                | Hold::SendingDisabled
                | Hold::ZoneUnknown
                | Hold::KindUnknown
                | Hold::FraudVelocity
                | Hold::PreferencesUnreadable,
            ..
        }
        | State::Accepted
        | State::Due { .. } => true,
        State::Submitting { .. }
        | State::Unknown { .. }
        | State::Submitted { .. }
        | State::Sent { .. }
        | State::Unconfirmed { .. }
        | State::Relinquished
        | State::Delivered
        | State::Undelivered
        | State::Failed
        | State::Canceled
        | State::Expired
        | State::Suppressed { .. } => false,
    }
}
