//! Decisions: state, command and time in, events out. Nothing here fails, waits or looks around.

use crate::id::{Attempt, MessageId};
use crate::message::claim;
use crate::message::command::{Command, Context, Rejection, Report};
use crate::message::conclude::{conclude, resolve};
use crate::message::report::{adopt, poll, report};
use crate::message::{Custody, Event, Hold, Lease, Message, ProviderStatus, State, Terms};
use crate::policy::{self, Ban, Case, Ruling};
use crate::rules::Sending;
use crate::timestamp::Timestamp;

/// Accepts a wish, or says why not. The first event is always [`Event::Accepted`], the second the verdict.
///
/// # Errors
/// [`Rejection::AlreadyExpired`] and [`Rejection::ExpiresBeforeSchedule`]: a text that could never be sent.
pub fn accept(terms: Terms, context: &Context<'_>) -> Result<Vec<Event>, Rejection> {
    if terms.expires_at.is_some_and(|at| at <= context.now) {
        return Err(Rejection::AlreadyExpired);
    }
    expiry_follows(terms.expires_at, terms.scheduled_for)?;
    // Somebody else may have sent what is claimed: what is sent, or forbidden, is decided once it is confirmed.
    let verdict = if terms.is_claimed {
        claim::UNTIL_CONFIRMED
    } else {
        verdict(&Case::wish(&terms, context.recipient, context.rules, context.now))
    };
    Ok(vec![Event::Accepted { terms: Box::new(terms) }, verdict])
}

/// Decides what a command does to a message.
///
/// # Errors
/// A [`Rejection`] when the domain says no; then nothing changed.
pub fn decide(message: &Message, command: &Command, context: &Context<'_>) -> Result<Vec<Event>, Rejection> {
    let mut events = decided(message, command, context)?;
    claim::let_go(message, &mut events);
    Ok(events)
}

fn decided(message: &Message, command: &Command, context: &Context<'_>) -> Result<Vec<Event>, Rejection> {
    match command {
        Command::Wake => Ok(wake(message, context)),
        Command::Begin => begin(message, context),
        Command::Conclude { attempt, outcome } => Ok(conclude(message, *attempt, outcome, context)),
        Command::Lose => Ok(lose(message)),
        Command::Resolve { attempt, found } => Ok(resolve(message, *attempt, found.as_ref(), context)),
        Command::Report { attempt, report: said } => Ok(heard(message, *attempt, said, context)),
        Command::Poll { answer } => Ok(poll(message, answer.as_ref(), context)),
        Command::Cancel => cancel(message),
        Command::Reschedule { scheduled_for } => reschedule(message, *scheduled_for, context),
        Command::Reconsider => Ok(reconsider(message, context)),
        Command::Confirm { suspicion } => Ok(claim::confirm(message, suspicion.as_ref(), context)),
        Command::Relinquish => Ok(claim::relinquish(message)),
        Command::Reclaim => Ok(claim::reclaim(message)),
        Command::Retry { id } => retry(message, *id, context),
    }
}

/// The verdict on a message that is not committed, by the one gate.
fn verdict(case: &Case<'_>) -> Event {
    match policy::judge(case) {
        Ruling::Send => Event::BecameDue,
        Ruling::Hold { hold, until } => Event::Held { hold, until },
        Ruling::Expire => Event::Expired,
        Ruling::Suppress(ban) => Event::Suppressed { ban },
    }
}

pub(super) fn case<'a>(message: &'a Message, context: &Context<'a>) -> Case<'a> {
    Case::of(message, context.recipient, context.rules, context.now)
}

pub(super) fn judged(message: &Message, context: &Context<'_>) -> Event {
    verdict(&case(message, context))
}

fn expiry_follows(expires_at: Option<Timestamp>, scheduled_for: Option<Timestamp>) -> Result<(), Rejection> {
    match (expires_at, scheduled_for) {
        (Some(expires), Some(scheduled)) if expires <= scheduled => Err(Rejection::ExpiresBeforeSchedule),
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

fn wake(message: &Message, context: &Context<'_>) -> Vec<Event> {
    let expired = message.expires_at.is_some_and(|at| at <= context.now);
    let forbidden = policy::forbidden(context.recipient.standing);
    match message.state {
        State::Accepted if message.custody != Custody::Own => vec![claim::UNTIL_CONFIRMED],
        State::Accepted => vec![judged(message, context)],
        // Only its own deadline ends it: that nobody sent it before is not known yet.
        State::Held { hold: Hold::Claim, .. } if expired => vec![Event::Expired],
        State::Held { hold: Hold::Claim, .. } => vec![],
        State::Held { hold: Hold::OutcomeUnknown, until } if until <= context.now => vec![Event::GivenUp],
        State::Held { hold: Hold::OutcomeUnknown, .. } => vec![],
        State::Held { .. } | State::Due { .. } if forbidden.is_some() => vec![judged(message, context)],
        State::Held { .. } | State::Due { .. } if expired => vec![Event::Expired],
        State::Held { hold: Hold::SendingDisabled, .. } => match context.rules.sending {
            Sending::Enabled => vec![judged(message, context)],
            Sending::Disabled => vec![],
        },
        State::Held { until, .. } if until <= context.now => vec![judged(message, context)],
        State::Submitted { polls, .. } | State::Sent { polls, .. }
            if message.sid.is_none() || usize::from(polls) >= context.rules.polls.len() =>
        {
            vec![Event::Unconfirmed]
        }
        State::Held { .. }
        | State::Due { .. }
        | State::Submitting { .. }
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
        | State::Suppressed { .. } => vec![],
    }
}

/// Asks the gate about a message that waits. Somebody who does not opt out changes only what waits for them:
/// whatever else is due is asked about when it goes.
fn reconsider(message: &Message, context: &Context<'_>) -> Vec<Event> {
    if let Some(ban) = policy::forbidden(context.recipient.standing) {
        return withhold(message, ban);
    }
    let State::Held { hold, until } = message.state else { return vec![] };
    if !hold.is_about_recipient() {
        return vec![];
    }
    let verdict = judged(message, context);
    if verdict == (Event::Held { hold, until }) { vec![] } else { vec![verdict] }
}

/// What is on the wire can't be recalled, and says so.
fn withhold(message: &Message, ban: Ban) -> Vec<Event> {
    match message.state {
        State::Submitting { .. } | State::Unknown { .. } | State::Held { hold: Hold::OutcomeUnknown, .. } => {
            TOO_LATE.parse().map(|reason| Event::Remarked { reason }).into_iter().collect()
        }
        // Whether it was sent before is not known yet; if not, the gate says no once it is confirmed.
        State::Held { hold: Hold::Claim, .. } => vec![],
        State::Accepted | State::Held { .. } | State::Due { .. } => vec![Event::Suppressed { ban }],
        State::Submitted { .. }
        | State::Sent { .. }
        | State::Unconfirmed { .. }
        | State::Relinquished
        | State::Delivered
        | State::Undelivered
        | State::Failed
        | State::Canceled
        | State::Expired
        | State::Suppressed { .. } => vec![],
    }
}

/// What stands in the record of a text that was on its way when its recipient opted out.
const TOO_LATE: &str = "the recipient opted out; this attempt may be on its way and can't be recalled";

/// Commits the next attempt: the exact point of no return.
fn begin(message: &Message, context: &Context<'_>) -> Result<Vec<Event>, Rejection> {
    match message.state {
        State::Due { .. } if message.custody == Custody::Elsewhere => Ok(vec![Event::Relinquished]),
        State::Due { .. } if message.custody == Custody::Claimed && context.lease == Lease::Lapsed => {
            Ok(vec![claim::UNTIL_CONFIRMED])
        }
        State::Due { .. } => {
            let case = case(message, context);
            let verdict = verdict(&case);
            if verdict != Event::BecameDue {
                return Ok(vec![verdict]);
            }
            let bypassed = policy::bypasses(&case).then_some(Event::Bypassed { hold: Hold::QuietHours });
            let (attempt, counted) = (message.attempt.next(), policy::counts(&case));
            Ok(bypassed.into_iter().chain([Event::AttemptStarted { attempt, counted }]).collect())
        }
        State::Accepted
        | State::Held { .. }
        | State::Submitting { .. }
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
        | State::Suppressed { .. } => Err(Rejection::NotDue { state: message.state.name() }),
    }
}

fn lose(message: &Message) -> Vec<Event> {
    match message.state {
        State::Submitting { .. } => vec![Event::OutcomeLost {
            attempt: message.attempt,
            detail: "the process ended before the provider answered".into(),
        }],
        State::Accepted
        | State::Held { .. }
        | State::Due { .. }
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
        | State::Suppressed { .. } => vec![],
    }
}

/// A callback. One that names an attempt belongs to that attempt; one that names none belongs to
/// the attempt whose SID it carries.
fn heard(message: &Message, attempt: Option<Attempt>, said: &Report, context: &Context<'_>) -> Vec<Event> {
    let ours = attempt.map_or(message.sid == Some(said.sid), |named| named == message.attempt);
    if message.attempt == Attempt::NONE {
        // Nothing was ever submitted: whatever this is about, it is not this message.
        return vec![];
    }
    let contradiction = || vec![Event::Contradicted { sid: said.sid, status: said.status }];
    if !ours {
        let older = attempt.is_none_or(|named| named != Attempt::NONE && named < message.attempt);
        return if older && said.status.is_arrival() {
            arrive(message, attempt, said, context)
        } else if said.status.is_final() {
            contradiction()
        } else {
            vec![]
        };
    }
    match message.state {
        State::Submitting { .. } | State::Unknown { .. } | State::Held { hold: Hold::OutcomeUnknown, .. } => {
            adopt(message, message.attempt, said, context)
        }
        State::Submitted { .. } | State::Sent { .. } | State::Unconfirmed { .. } => {
            report(message, said, context)
        }
        State::Delivered
        | State::Undelivered
        | State::Failed
        | State::Canceled
        | State::Expired
        | State::Suppressed { .. } => {
            let agrees = !said.status.is_final() || message.says(said.status);
            if agrees && message.is_known_as(said.sid) { vec![] } else { contradiction() }
        }
        State::Accepted | State::Held { .. } | State::Due { .. } | State::Relinquished => {
            overtake(message, said, context)
        }
    }
}

/// An attempt that was replaced has arrived: the person has the text, so no other attempt may follow.
fn arrive(message: &Message, attempt: Option<Attempt>, said: &Report, context: &Context<'_>) -> Vec<Event> {
    let contradicted = Event::Contradicted { sid: said.sid, status: said.status };
    if message.is_adoptable() {
        adopt(message, attempt.unwrap_or(message.attempt), said, context)
    } else if message.state.name().is_final() {
        vec![contradicted]
    } else {
        vec![contradicted, Event::StatusReported { status: said.status, failure: None, via: said.via }]
    }
}

/// The provider speaks of the newest attempt while the message waits for another one.
pub(super) fn overtake(message: &Message, said: &Report, context: &Context<'_>) -> Vec<Event> {
    if proves_taken(message, said) { adopt(message, message.attempt, said, context) } else { vec![] }
}

/// Whether a report about an attempt that was given up shows that it was taken after all, so that
/// another one would send twice. An attempt that never had a name is taken as soon as it has one;
/// one that the provider reported as failed only when the carrier has it.
fn proves_taken(message: &Message, said: &Report) -> bool {
    let arrives = match said.status {
        ProviderStatus::Sent
        | ProviderStatus::PartiallyDelivered
        | ProviderStatus::Delivered
        | ProviderStatus::Read => true,
        ProviderStatus::Accepted
        | ProviderStatus::Scheduled
        | ProviderStatus::Queued
        | ProviderStatus::Sending
        | ProviderStatus::Undelivered
        | ProviderStatus::Failed
        | ProviderStatus::Canceled => false,
    };
    message.sid.is_none() || arrives
}

fn cancel(message: &Message) -> Result<Vec<Event>, Rejection> {
    let committed = Rejection::AlreadyCommitted { attempt: message.attempt };
    match message.state {
        State::Held { hold: Hold::OutcomeUnknown, .. } => Err(committed),
        State::Accepted | State::Held { .. } | State::Due { .. } => Ok(vec![Event::Canceled]),
        State::Submitting { .. }
        | State::Unknown { .. }
        | State::Submitted { .. }
        | State::Sent { .. }
        | State::Unconfirmed { .. } => Err(committed),
        State::Relinquished => Err(Rejection::Elsewhere),
        State::Canceled => Ok(vec![]),
        State::Delivered | State::Undelivered | State::Failed | State::Expired | State::Suppressed { .. } => {
            Err(Rejection::Finalized { state: message.state.name() })
        }
    }
}

fn reschedule(
    message: &Message,
    scheduled_for: Option<Timestamp>,
    context: &Context<'_>,
) -> Result<Vec<Event>, Rejection> {
    let committed = Rejection::AlreadyCommitted { attempt: message.attempt };
    match message.state {
        State::Held { hold: Hold::OutcomeUnknown, .. } => Err(committed),
        State::Relinquished => Err(Rejection::Elsewhere),
        State::Held { hold: Hold::Claim, .. } => {
            expiry_follows(message.expires_at, scheduled_for)?;
            Ok(vec![Event::Rescheduled { scheduled_for }])
        }
        State::Accepted | State::Held { .. } | State::Due { .. } => {
            expiry_follows(message.expires_at, scheduled_for)?;
            let verdict = verdict(&Case { scheduled_for, ..case(message, context) });
            Ok(vec![Event::Rescheduled { scheduled_for }, verdict])
        }
        State::Submitting { .. }
        | State::Unknown { .. }
        | State::Submitted { .. }
        | State::Sent { .. }
        | State::Unconfirmed { .. } => Err(committed),
        State::Delivered
        | State::Undelivered
        | State::Failed
        | State::Canceled
        | State::Expired
        | State::Suppressed { .. } => Err(Rejection::Finalized { state: message.state.name() }),
    }
}

fn retry(message: &Message, id: MessageId, context: &Context<'_>) -> Result<Vec<Event>, Rejection> {
    let expired = message.expires_at.is_some_and(|at| at <= context.now);
    let nothing = Rejection::NothingToRetry { state: message.state.name() };
    let forbidden = policy::forbidden(context.recipient.standing).map(|ban| Rejection::Forbidden { ban });
    match message.state {
        State::Held {
            hold: Hold::Backoff | Hold::ProviderLane | Hold::OutcomeUnknown | Hold::FraudVelocity,
            ..
        } => {
            if let Some(forbidden) = forbidden {
                Err(forbidden)
            } else if expired {
                Err(Rejection::AlreadyExpired)
            } else {
                Ok(vec![Event::BecameDue])
            }
        }
        State::Held { hold: Hold::Claim, .. } => Err(Rejection::NotConfirmed),
        State::Relinquished => Err(Rejection::Elsewhere),
        State::Held { .. } => Err(nothing),
        State::Due { .. } => Ok(vec![]),
        State::Undelivered | State::Failed | State::Canceled | State::Expired | State::Suppressed { .. } => {
            match (message.retried_as, forbidden) {
                (Some(id), _) => Err(Rejection::AlreadyRetried { id }),
                (None, Some(forbidden)) => Err(forbidden),
                (None, None) => Ok(vec![Event::RetriedAs { id }]),
            }
        }
        State::Submitting { .. }
        | State::Unknown { .. }
        | State::Submitted { .. }
        | State::Sent { .. }
        | State::Unconfirmed { .. } => Err(Rejection::AlreadyCommitted { attempt: message.attempt }),
        State::Accepted => Err(nothing),
        State::Delivered => Err(Rejection::Finalized { state: message.state.name() }),
    }
}
