//! How a text stands now, as a row of `sms_messages`.

use dunlin_storage::{Content, Entry, ReadError, Reader, Templates};
use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::kind::VERIFICATION;
use dunlin_workflows::message::{
    Custody, Event, Failure, Hold, Message, ProviderStatus, PublicStatus, State, StateName, Terms, Text,
};
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;

use crate::wire::{Born, EngineState, Instant, MessageRow, SmsStatus};

/// Says in one sentence why a text is where it is, from its life.
pub type Reason<'a> = &'a dyn Fn(&[Entry], &Message) -> String;

/// Stands in the place of a text that only its recipient may read.
const CODE: &str = "(a code; not shown)";

/// How a text stands now; `None` when the database can't know it (its user is none of the project's), must not (it is
/// not confirmed to be ours, and waits for no more than that) or need not (it was archived).
///
/// # Errors
/// The store can't be read.
pub fn message_row(
    reader: &Reader,
    number: MessageNumber,
    reason: Reason<'_>,
) -> Result<Option<MessageRow>, ReadError> {
    let Some(projection) = reader.message(number)? else { return Ok(None) };
    let message = &projection.message;
    let Some(state) = told_state(message) else { return Ok(None) };
    let (terms, content) = reader.content_at(projection.accepted_seq)?;
    let born = match message.custody {
        Custody::Claimed | Custody::Elsewhere => None,
        Custody::Own => {
            let Some(born) = born(reader, &terms, &content, message.accepted_at)? else { return Ok(None) };
            Some(Box::new(born))
        }
    };
    let life = reader.life(number)?;
    let told = Told::of(&life);
    // Its new time is told first, and then it is confirmed anew.
    if message.is_unconfirmed() && told.rescheduled_for.is_none() {
        return Ok(None);
    }
    let failure = message.failure.as_ref().filter(|_| failed_last(message.state));
    Ok(Some(MessageRow {
        id: terms.id,
        version: projection.last_seq.get(),
        status: status(message.public_status()),
        state,
        reason: Some(reason(&life, message)),
        finished: message.state.name().is_settled(),
        attempt_count: message.attempt.get(),
        twilio_sid: message.sid.map(|sid| sid.to_string()),
        twilio_status: message.sid.and(told.status).map(|status| status.to_string()),
        twilio_error_code: failure.and_then(Failure::code).and_then(|code| i32::try_from(code).ok()),
        twilio_error_message: failure.map(|failure| failure.detail.to_string()),
        sent_at: told.sent_at.filter(|_| message.sid.is_some()).map(Instant::from),
        delivered_at: told.delivered_at.map(Instant::from),
        next_retry_at: next_try(message.state).map(Instant::from),
        rescheduled_for: told.rescheduled_for.map(Instant::from),
        born,
    }))
}

/// The word for where the text is; `None` while it is not ours.
fn told_state(message: &Message) -> Option<EngineState> {
    if message.custody == Custody::Elsewhere {
        return None;
    }
    Some(match message.state.name() {
        StateName::Accepted => EngineState::Accepted,
        StateName::Held => EngineState::Held,
        StateName::Due => EngineState::Due,
        StateName::Submitting => EngineState::Submitting,
        StateName::Unknown => EngineState::Unknown,
        StateName::Submitted => EngineState::Submitted,
        StateName::Sent => EngineState::Sent,
        StateName::Unconfirmed => EngineState::Unconfirmed,
        StateName::Delivered => EngineState::Delivered,
        StateName::Undelivered => EngineState::Undelivered,
        StateName::Failed => EngineState::Failed,
        StateName::Canceled => EngineState::Canceled,
        StateName::Expired => EngineState::Expired,
        StateName::Suppressed => EngineState::Suppressed,
        StateName::Relinquished => return None,
    })
}

/// The status in the words of the database.
fn status(status: PublicStatus) -> SmsStatus {
    match status {
        PublicStatus::Pending => SmsStatus::Pending,
        PublicStatus::Scheduled => SmsStatus::Scheduled,
        PublicStatus::Queued => SmsStatus::Queued,
        PublicStatus::Sending => SmsStatus::Sending,
        PublicStatus::Sent => SmsStatus::Sent,
        PublicStatus::Delivered => SmsStatus::Delivered,
        PublicStatus::Undelivered => SmsStatus::Undelivered,
        PublicStatus::Failed => SmsStatus::Failed,
        PublicStatus::Cancelled => SmsStatus::Cancelled,
    }
}

/// What the life of a text tells beyond where it is.
#[derive(Debug, Default)]
struct Told {
    status: Option<ProviderStatus>,
    sent_at: Option<Timestamp>,
    delivered_at: Option<Timestamp>,
    rescheduled_for: Option<Timestamp>,
}

impl Told {
    fn of(life: &[Entry]) -> Self {
        let mut told = Self::default();
        for entry in life {
            match &entry.event {
                // The newest attempt counts.
                Event::AttemptStarted { .. } | Event::AttemptSuspected { .. } => {
                    (told.status, told.sent_at) = (None, None);
                }
                Event::Submitted { status, .. } => {
                    (told.status, told.sent_at) = (Some(*status), Some(entry.at));
                }
                Event::StatusReported { status, .. } => {
                    told.status = Some(*status);
                    if *status == ProviderStatus::Delivered {
                        told.delivered_at = Some(entry.at);
                    }
                }
                // What people wrote into the row stands there; what they did here does not yet.
                Event::Rescheduled { scheduled_for } => {
                    told.rescheduled_for =
                        scheduled_for.or(Some(entry.at)).filter(|_| entry.source != Source::Sync);
                }
                Event::Accepted { .. }
                | Event::Held { .. }
                | Event::BecameDue
                | Event::Relinquished
                | Event::Reclaimed
                | Event::Bypassed { .. }
                | Event::AttemptFailed { .. }
                | Event::OutcomeLost { .. }
                | Event::LookupFoundNothing { .. }
                | Event::Polled { .. }
                | Event::Unconfirmed
                | Event::Canceled
                | Event::Expired
                | Event::Suppressed { .. }
                | Event::GivenUp
                | Event::Remarked { .. }
                | Event::RetriedAs { .. }
                | Event::Contradicted { .. } => {}
            }
        }
        told
    }
}

/// Whether the newest attempt is the one that failed.
fn failed_last(state: State) -> bool {
    match state {
        State::Held { .. } | State::Due { .. } | State::Failed | State::Undelivered => true,
        State::Accepted
        | State::Submitting { .. }
        | State::Unknown { .. }
        | State::Submitted { .. }
        | State::Sent { .. }
        | State::Unconfirmed { .. }
        | State::Relinquished
        | State::Delivered
        | State::Canceled
        | State::Expired
        | State::Suppressed { .. } => false,
    }
}

/// When it is looked at again, while something but its own time keeps it back.
fn next_try(state: State) -> Option<Timestamp> {
    let State::Held { hold, until } = state else { return None };
    (hold != Hold::Scheduled && until < Timestamp::MAX).then_some(until)
}

/// What the database must know of a text that it did not ask for; `None` when its user is none of the project's.
fn born(
    reader: &Reader,
    terms: &Terms,
    content: &Content,
    accepted_at: Timestamp,
) -> Result<Option<Born>, ReadError> {
    let Content::Open(text) = content else { return Ok(None) };
    let Some(user_id) = text.user_id.as_ref().and_then(|user| user.as_str().parse().ok()) else {
        return Ok(None);
    };
    let template_key = match terms.template {
        Some(used) => reader.instance::<Templates>(used.number)?.flatten().map(|known| known.key.to_string()),
        None => None,
    };
    Ok(Some(Born {
        user_id,
        phone_number: text.to.to_string(),
        message_content: shown(terms, text),
        template_key,
        template_vars: None,
        priority: terms.priority.as_str(),
        scheduled_for: terms.scheduled_for.map(Instant::from),
        metadata: text.metadata.as_ref().and_then(|notes| serde_json::from_str(notes.as_str()).ok()),
        created_at: accepted_at.into(),
    }))
}

/// The text as others may see it: that of a code is its recipient's alone.
fn shown(terms: &Terms, text: &Text) -> String {
    let holds_code = terms.kind.as_ref().is_some_and(|kind| kind.as_str() == VERIFICATION);
    if holds_code { CODE.to_owned() } else { text.body.as_str().to_owned() }
}
