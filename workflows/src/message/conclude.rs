//! What an answer, a lost answer or a search means for the attempt it belongs to.

use std::time::Duration;

use crate::id::Attempt;
use crate::message::command::{Context, Outcome, Report};
use crate::message::decide::overtake;
use crate::message::report::adopt;
use crate::message::{
    Cause, Counts, Event, Failure, Hold, Message, OnUnknown, ProviderStatus, State, Verdict, Via,
};
use crate::provider_error::Retry;
use crate::rules::Redeliver;

/// What the provider's answer to a submission means.
pub(super) fn conclude(
    message: &Message,
    attempt: Attempt,
    outcome: &Outcome,
    context: &Context<'_>,
) -> Vec<Event> {
    if attempt != message.attempt || attempt == Attempt::NONE {
        return vec![];
    }
    let waiting = match message.state {
        State::Submitting { .. } | State::Unknown { .. } | State::Held { hold: Hold::OutcomeUnknown, .. } => {
            true
        }
        State::Submitted { .. } | State::Sent { .. } | State::Unconfirmed { .. } => false,
        State::Accepted | State::Held { .. } | State::Due { .. } | State::Relinquished => {
            return late(message, outcome, context);
        }
        State::Delivered
        | State::Undelivered
        | State::Failed
        | State::Canceled
        | State::Expired
        | State::Suppressed { .. } => {
            return contradiction(message, outcome);
        }
    };
    match outcome {
        Outcome::Taken { sid, status } if waiting => {
            let said = Report { sid: *sid, status: *status, code: None, via: Via::Response };
            adopt(message, attempt, &said, context)
        }
        Outcome::Refused { cause, detail, retry_after } if waiting => {
            refused(message, *cause, detail, *retry_after, context)
        }
        Outcome::Lost { detail } => lost(message, detail),
        // A callback was faster than the answer.
        Outcome::Taken { .. } | Outcome::Refused { .. } => contradiction(message, outcome),
    }
}

/// An answer to an attempt that was given up for lost, while the message waits for another one.
fn late(message: &Message, outcome: &Outcome, context: &Context<'_>) -> Vec<Event> {
    match outcome {
        Outcome::Taken { sid, status } if message.sid.is_none() => {
            let said = Report { sid: *sid, status: *status, code: None, via: Via::Response };
            overtake(message, &said, context)
        }
        Outcome::Taken { .. } | Outcome::Refused { .. } | Outcome::Lost { .. } => {
            contradiction(message, outcome)
        }
    }
}

/// An answer that names another message than the one we know is kept; one that agrees says nothing new.
fn contradiction(message: &Message, outcome: &Outcome) -> Vec<Event> {
    match outcome {
        Outcome::Taken { sid, status } if message.sid.is_some_and(|known| known != *sid) => {
            vec![Event::Contradicted { sid: *sid, status: *status }]
        }
        Outcome::Taken { .. } | Outcome::Refused { .. } | Outcome::Lost { .. } => vec![],
    }
}

/// Nobody knows whether the attempt was taken. Already being looked up, or told by a callback that
/// was faster: then nothing is lost.
fn lost(message: &Message, detail: &str) -> Vec<Event> {
    match message.state {
        State::Submitting { .. } => {
            vec![Event::OutcomeLost { attempt: message.attempt, detail: detail.into() }]
        }
        State::Unknown { .. }
        | State::Submitted { .. }
        | State::Sent { .. }
        | State::Unconfirmed { .. }
        | State::Relinquished
        | State::Accepted
        | State::Held { .. }
        | State::Due { .. }
        | State::Delivered
        | State::Undelivered
        | State::Failed
        | State::Canceled
        | State::Expired
        | State::Suppressed { .. } => vec![],
    }
}

fn refused(
    message: &Message,
    cause: Cause,
    detail: &str,
    retry_after: Option<Duration>,
    context: &Context<'_>,
) -> Vec<Event> {
    let attempt = message.attempt;
    let (failure, retry) = Failure::classified(cause, detail);
    let verdict = match (cause, retry) {
        (Cause::NotConnected, _) => {
            // Nothing left us. However long the way out is closed, no text is given up for that.
            let wait = context.rules.retry.backoff(attempt.get(), context.jitter);
            Verdict::RetryAt { hold: Hold::Backoff, until: context.now.plus(wait), counts: Counts::No }
        }
        (_, Retry::Never | Retry::MaybeLater { .. }) => Verdict::Failed,
        (_, Retry::Lookup) => return lost(message, &failure.detail),
        (_, Retry::Unsent { after, max_tries }) => {
            unsent(message, after.max(retry_after.unwrap_or_default()), max_tries, context)
        }
        (_, Retry::LaneCooldown { after }) => {
            let wait = retry_after.unwrap_or(after).max(context.rules.retry.backoff(1, context.jitter));
            Verdict::RetryAt { hold: Hold::ProviderLane, until: context.now.plus(wait), counts: Counts::No }
        }
    };
    vec![Event::AttemptFailed { attempt, failure, verdict }]
}

/// What follows when a taken attempt was reported to have come to nothing, or `None` when that is final.
pub(super) fn after_report(message: &Message, retry: Retry, context: &Context<'_>) -> Option<Verdict> {
    // A text that the carrier took was sent, whatever the code says of texts that were not.
    let taken_by_carrier = message.reported() == Some(ProviderStatus::Sent);
    let verdict = match retry {
        Retry::Unsent { .. } | Retry::LaneCooldown { .. } if taken_by_carrier => return None,
        Retry::Unsent { after, max_tries } => unsent(message, after, max_tries, context),
        Retry::LaneCooldown { after } => unsent(message, after, context.rules.retry.attempts_max, context),
        Retry::MaybeLater { after, max_tries } => match context.rules.retry.redeliver {
            Redeliver::On => unsent(message, after, max_tries, context),
            Redeliver::Off => return None,
        },
        Retry::Never | Retry::Lookup => return None,
    };
    match verdict {
        Verdict::RetryAt { .. } => Some(verdict),
        Verdict::Failed => None,
    }
}

/// A new attempt after at least `after`, unless `tries_max` or the cap of attempts is reached.
fn unsent(message: &Message, after: Duration, tries_max: u32, context: &Context<'_>) -> Verdict {
    if message.counted >= tries_max { Verdict::Failed } else { again(message, Hold::Backoff, after, context) }
}

fn again(message: &Message, hold: Hold, at_least: Duration, context: &Context<'_>) -> Verdict {
    let retry = &context.rules.retry;
    if message.counted >= retry.attempts_max {
        return Verdict::Failed;
    }
    let wait = retry.backoff(message.counted.max(1), context.jitter).max(at_least);
    Verdict::RetryAt { hold, until: context.now.plus(wait), counts: Counts::Yes }
}

/// What a search in the provider's list means for an attempt whose outcome was lost.
pub(super) fn resolve(
    message: &Message,
    attempt: Attempt,
    found: Option<&Report>,
    context: &Context<'_>,
) -> Vec<Event> {
    let lookups = match message.state {
        State::Unknown { lookups, .. } if attempt == message.attempt => lookups.saturating_add(1),
        State::Unknown { .. }
        | State::Accepted
        | State::Held { .. }
        | State::Due { .. }
        | State::Submitting { .. }
        | State::Submitted { .. }
        | State::Sent { .. }
        | State::Unconfirmed { .. }
        | State::Relinquished
        | State::Delivered
        | State::Undelivered
        | State::Failed
        | State::Canceled
        | State::Expired
        | State::Suppressed { .. } => return vec![],
    };
    if let Some(said) = found {
        return adopt(message, attempt, said, context);
    }
    let mut events = vec![Event::LookupFoundNothing { attempt, lookups }];
    if usize::from(lookups) < context.rules.lookups.len() {
        return events;
    }
    let expired = message.expires_at.is_some_and(|at| at <= context.now);
    let may_resend = !expired && message.counted < context.rules.retry.attempts_max;
    match message.on_unknown {
        OnUnknown::Resend if may_resend => {
            let (failure, _) =
                Failure::classified(Cause::OutcomeUnknown, "no search found it; sent again as asked");
            let verdict = Verdict::RetryAt { hold: Hold::Backoff, until: context.now, counts: Counts::Yes };
            events.push(Event::AttemptFailed { attempt, failure, verdict });
        }
        OnUnknown::Resend | OnUnknown::Hold => {
            let until = context.now.plus(context.rules.unknown_hold);
            events.push(Event::Held { hold: Hold::OutcomeUnknown, until });
        }
    }
    events
}
