//! Decisions: what is known, what is told and the time in, events out.

use crate::actor::Reason;
use crate::consent::keyword::{self, Meaning};
use crate::consent::{Command, Consent, Event, Finding, How, Inbound, Rejection, Standing};
use crate::id::ProviderSid;
use crate::rules::Sending;
use crate::timestamp::Timestamp;

/// Decides what something that was told makes of a person's consent. Nothing new makes no event.
///
/// # Errors
/// A [`Rejection`] when the domain says no; then nothing changed.
pub fn decide(
    consent: &Consent,
    command: &Command,
    reason: Option<&Reason>,
    now: Timestamp,
) -> Result<Vec<Event>, Rejection> {
    let out = |said_at, how, text| Event::OptedOut {
        since: later(consent, said_at),
        how,
        text,
        reason: reason.cloned(),
    };
    Ok(match command {
        Command::Hear(inbound) => heard(consent, inbound, now),
        Command::Refuse { tried_at } => {
            let known = consent.is_firmly_out();
            let lifted = matches!(consent.standing, Standing::OptedIn { since, .. } if since >= *tried_at);
            if known || lifted { vec![] } else { vec![out(now, How::Refusal, None)] }
        }
        Command::OptOut { said_at } => vec![out((*said_at).min(now), How::Command, None)],
        // A link is opened twice by whoever is impatient, and says the same for ever.
        Command::UseLink => {
            if consent.is_firmly_out() {
                vec![]
            } else {
                vec![out(now, How::Link, None)]
            }
        }
        Command::OptIn { said_at } => vec![opt_in(consent, (*said_at).min(now), reason)?],
        Command::Resolve { text, finding } => vec![resolve(consent, *text, *finding, reason)?],
        Command::Remember { since } => {
            let met = consent.standing != Standing::Unknown;
            if met { vec![] } else { vec![out(*since, How::Memory, None)] }
        }
    })
}

/// The instant from which something counts that comes after all that is known: clocks jump, what was
/// heard keeps its order.
fn later(consent: &Consent, said_at: Timestamp) -> Timestamp {
    consent.standing.since().map_or(said_at, |since| since.max(said_at))
}

fn heard(consent: &Consent, inbound: &Inbound, now: Timestamp) -> Vec<Event> {
    let (since, text) = (later(consent, now), inbound.sid);
    let firm = consent.is_firmly_out();
    match keyword::read(inbound) {
        Meaning::Out(how) => vec![Event::OptedOut { since, how, text: Some(text), reason: None }],
        Meaning::In(how) => vec![Event::OptedIn { since, how, text: Some(text), reason: None }],
        Meaning::Help => vec![Event::HelpAsked { text }],
        Meaning::MaybeOut if firm => vec![],
        Meaning::MaybeOut => vec![Event::OptOutSuspected { text, since }],
        Meaning::Nothing => vec![],
    }
}

fn opt_in(consent: &Consent, said_at: Timestamp, reason: Option<&Reason>) -> Result<Event, Rejection> {
    if let Standing::OptedOut { since, .. } = consent.standing {
        if said_at <= since {
            return Err(Rejection::NewerOptOut { since });
        }
        if reason.is_none() {
            return Err(Rejection::ReasonNeeded);
        }
    }
    let (since, how) = (later(consent, said_at), How::Command);
    Ok(Event::OptedIn { since, how, text: None, reason: reason.cloned() })
}

fn resolve(
    consent: &Consent,
    text: ProviderSid,
    finding: Finding,
    reason: Option<&Reason>,
) -> Result<Event, Rejection> {
    let review = consent.review.ok_or(Rejection::NoReview)?;
    if review.text != text {
        return Err(Rejection::NewerText { text: review.text });
    }
    Ok(Event::ReviewResolved { text, finding, reason: reason.cloned() })
}

/// What a text of theirs is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// Nothing: it asks for nothing, or the provider answers it.
    Nothing,
    /// One confirmation that they will get no more texts, as 47 CFR 64.1200(a)(12) allows.
    Confirmation,
}

/// How a text is answered that made `after` of `before`: whoever just opted out is told so once, unless
/// the provider does it. A confirmation is a text too, and nothing is sent while sending is switched off.
pub fn reply(before: &Consent, after: &Consent, inbound: &Inbound, sending: Sending) -> Reply {
    let just_out = !before.standing.is_out() && after.standing.is_out();
    let may_answer = sending == Sending::Enabled && !keyword::provider_answers(inbound);
    if just_out && may_answer { Reply::Confirmation } else { Reply::Nothing }
}
