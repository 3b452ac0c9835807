//! What the provider's word means for a message: status only climbs.

use crate::id::Attempt;
use crate::message::command::{Context, Report};
use crate::message::conclude::after_report;
use crate::message::{Cause, Event, Failure, Message, ProviderStatus, State, Verdict};

/// The provider has this attempt: takes its name, and whatever else the report says.
pub(super) fn adopt(message: &Message, attempt: Attempt, said: &Report, context: &Context<'_>) -> Vec<Event> {
    let in_queue = said.status.rank() <= ProviderStatus::Sending.rank();
    let initial = if in_queue { said.status } else { ProviderStatus::Sending };
    let mut events = vec![Event::Submitted { attempt, sid: said.sid, status: initial, via: said.via }];
    if said.status.rank() > initial.rank() {
        events.push(climb(message, said, context));
    }
    events
}

/// A report about a submitted message. One that does not climb says nothing new.
pub(super) fn report(message: &Message, said: &Report, context: &Context<'_>) -> Vec<Event> {
    if message.sid != Some(said.sid) {
        return vec![Event::Contradicted { sid: said.sid, status: said.status }];
    }
    match message.reported() {
        Some(known) if said.status.rank() > known.rank() => vec![climb(message, said, context)],
        Some(_) | None => vec![],
    }
}

/// The answer to a question about a submitted message; an unanswered question counts too, so that
/// the next one comes later.
pub(super) fn poll(message: &Message, answer: Option<&Report>, context: &Context<'_>) -> Vec<Event> {
    let polls = match message.state {
        State::Submitted { polls, .. } | State::Sent { polls, .. } => polls.saturating_add(1),
        // The watch was ended while this answer was on its way.
        State::Unconfirmed { .. } => {
            return answer.map(|said| report(message, said, context)).unwrap_or_default();
        }
        State::Accepted
        | State::Held { .. }
        | State::Due { .. }
        | State::Submitting { .. }
        | State::Unknown { .. }
        | State::Relinquished
        | State::Delivered
        | State::Undelivered
        | State::Failed
        | State::Canceled
        | State::Expired
        | State::Suppressed { .. } => return vec![],
    };
    let mut events = vec![Event::Polled { polls }];
    if let Some(said) = answer {
        events.extend(report(message, said, context));
    }
    let last = events.last();
    let ended = matches!(last, Some(Event::StatusReported { status, .. }) if status.is_final());
    let again = matches!(last, Some(Event::AttemptFailed { .. }));
    if !ended && !again && usize::from(polls) >= context.rules.polls.len() {
        events.push(Event::Unconfirmed);
    }
    events
}

fn climb(message: &Message, said: &Report, context: &Context<'_>) -> Event {
    let reported = |failure| Event::StatusReported { status: said.status, failure, via: said.via };
    match said.status {
        ProviderStatus::Failed | ProviderStatus::Undelivered => {
            let (failure, retry) =
                Failure::classified(Cause::Reported { code: said.code }, said.status.as_str());
            // Whoever was to read a settled one has long stopped waiting.
            let settled = message.state.name().is_settled();
            match after_report(message, retry, context).filter(|_| !settled) {
                Some(verdict @ Verdict::RetryAt { .. }) => {
                    Event::AttemptFailed { attempt: message.attempt, failure, verdict }
                }
                Some(Verdict::Failed) | None => reported(Some(failure)),
            }
        }
        ProviderStatus::Accepted
        | ProviderStatus::Scheduled
        | ProviderStatus::Queued
        | ProviderStatus::Sending
        | ProviderStatus::Sent
        | ProviderStatus::PartiallyDelivered
        | ProviderStatus::Delivered
        | ProviderStatus::Canceled
        | ProviderStatus::Read => reported(None),
    }
}
