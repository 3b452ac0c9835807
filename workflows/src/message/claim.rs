//! Texts that were claimed from a database which several daemons share: nothing releases one but the database's
//! word that it is ours, and what somebody else may have sent is looked up first.

use crate::id::Attempt;
use crate::message::command::Context;
use crate::message::decide::{case, judged};
use crate::message::report::adopt;
use crate::message::{Cause, Custody, Event, Hold, Message, State, Suspicion, Verdict};
use crate::policy;
use crate::timestamp::Timestamp;

/// What a claimed text waits for, until somebody says that it is ours.
pub(super) const UNTIL_CONFIRMED: Event = Event::Held { hold: Hold::Claim, until: Timestamp::MAX };

/// The database says that it is ours. A second word says nothing new, unless somebody else may have sent it while
/// we search for an attempt of our own: then everything is searched anew.
pub(super) fn confirm(message: &Message, suspicion: Option<&Suspicion>, context: &Context<'_>) -> Vec<Event> {
    if message.custody != Custody::Claimed {
        return vec![];
    }
    match message.state {
        State::Held { hold: Hold::Claim, .. } => match suspicion.copied().or_else(|| own_doubt(message)) {
            Some(suspicion) => suspect(message, suspicion, context),
            None => vec![judged(message, context)],
        },
        State::Unknown { started_at, .. } => suspicion.map_or_else(Vec::new, |suspicion| {
            let since = suspicion.since.min(started_at);
            suspect(message, Suspicion { since, ..*suspicion }, context)
        }),
        State::Accepted
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
        | State::Suppressed { .. } => vec![],
    }
}

/// An attempt of our own of which nobody knows whether it was taken, from before somebody else had the message.
fn own_doubt(message: &Message) -> Option<Suspicion> {
    let lost = message.failure.as_ref().is_some_and(|failure| failure.cause == Cause::OutcomeUnknown);
    let in_doubt = message.attempt != Attempt::NONE && message.sid.is_none() && lost;
    in_doubt.then_some(Suspicion { since: message.accepted_at, known: None })
}

/// An attempt that somebody else may have made: it is looked up, or followed when they left its name. No verdict
/// comes first, for what was sent was sent.
fn suspect(message: &Message, suspicion: Suspicion, context: &Context<'_>) -> Vec<Event> {
    let attempt = message.attempt.next();
    let counted = policy::counts(&case(message, context));
    let started_at = suspicion.since.min(context.now);
    let mut events = vec![Event::AttemptSuspected { attempt, started_at, counted }];
    if let Some(known) = suspicion.known {
        let mut after = message.clone();
        if events.iter().all(|event| after.apply(event, context.now).is_ok()) {
            events.extend(adopt(&after, attempt, &known, context));
        }
    }
    events
}

/// The database says that another daemon has it. What is on the wire can't be recalled: it is followed to its end.
pub(super) fn relinquish(message: &Message) -> Vec<Event> {
    let is_ours = message.custody == Custody::Claimed && !message.state.name().is_settled();
    if is_ours { vec![Event::Relinquished] } else { vec![] }
}

/// We claimed it again. What waits, waits for the confirmation of this claim; what is in doubt stays in doubt.
pub(super) fn reclaim(message: &Message) -> Vec<Event> {
    if message.custody == Custody::Own {
        return vec![];
    }
    match message.state {
        State::Relinquished => vec![Event::Reclaimed],
        State::Held { hold: Hold::Claim, .. } => vec![],
        State::Accepted | State::Due { .. } => vec![UNTIL_CONFIRMED],
        State::Held { .. } if !message.is_parked() => vec![UNTIL_CONFIRMED],
        State::Held { .. }
        | State::Submitting { .. }
        | State::Unknown { .. }
        | State::Submitted { .. }
        | State::Sent { .. } => {
            if message.custody == Custody::Elsewhere {
                vec![Event::Reclaimed]
            } else {
                vec![]
            }
        }
        State::Unconfirmed { .. }
        | State::Delivered
        | State::Undelivered
        | State::Failed
        | State::Canceled
        | State::Expired
        | State::Suppressed { .. } => vec![],
    }
}

/// A message that another daemon has waits for nothing here: when its attempt came to nothing, it is let go.
pub(super) fn let_go(message: &Message, events: &mut Vec<Event>) {
    if message.custody != Custody::Elsewhere {
        return;
    }
    let waits = match events.last() {
        Some(Event::AttemptFailed { verdict: Verdict::RetryAt { .. }, .. } | Event::BecameDue) => true,
        Some(event) => matches!(event, Event::Held { .. }),
        None => false,
    };
    if waits {
        events.push(Event::Relinquished);
    }
}
