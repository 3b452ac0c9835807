//! Where a text stands, and why.

use std::fmt;

use dunlin_workflows::id::MessageId;
use dunlin_workflows::message::{Failure, Message, PublicStatus, State};

use crate::engine::ask::Receipt;
use crate::timeline::{cause_of, hold_words, remedy_of};

/// The answer to an accepted text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Its name from now on.
    pub id: MessageId,
    /// Where it stood when it became durable. A text that a rule forbids is accepted and stands as suppressed.
    pub standing: Standing,
    /// Parts that the provider bills.
    pub segments: u16,
    /// Whether this repeats an earlier answer: nothing new was accepted.
    pub is_repeat: bool,
}

/// Where a text stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// In the nine words that callers see everywhere.
    pub status: PublicStatus,
    /// Exactly: with what holds it and until when, or what forbids it.
    pub state: State,
    /// Why it is held, forbidden, or came to nothing, in plain words.
    pub why: Option<String>,
}

impl Sent {
    pub(super) fn of(receipt: &Receipt) -> Self {
        Self {
            id: receipt.id,
            standing: Standing::new(receipt.status, receipt.state, None),
            segments: receipt.segments,
            is_repeat: receipt.replayed,
        }
    }
}

impl Standing {
    pub(super) fn of(message: &Message) -> Self {
        Self::new(message.public_status(), message.state, message.failure.as_ref())
    }

    fn new(status: PublicStatus, state: State, failure: Option<&Failure>) -> Self {
        let why = match state {
            State::Held { hold, .. } => Some(hold_words(hold).to_owned()),
            State::Suppressed { ban } => Some(ban.to_string()),
            State::Failed | State::Undelivered => failure.map(|failure| {
                let remedy = remedy_of(failure).map(|remedy| format!("; {remedy}")).unwrap_or_default();
                format!("{}{remedy}", cause_of(failure))
            }),
            State::Relinquished => Some("another daemon of the shared database has it".to_owned()),
            State::Expired => Some("its deadline passed before it was sent".to_owned()),
            State::Accepted
            | State::Due { .. }
            | State::Submitting { .. }
            | State::Unknown { .. }
            | State::Submitted { .. }
            | State::Sent { .. }
            | State::Unconfirmed { .. }
            | State::Delivered
            | State::Canceled => None,
        };
        Self { status, state, why }
    }

    /// Whether nothing will happen to it any more.
    pub fn is_over(&self) -> bool {
        self.state.name().is_final()
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.status.as_str())?;
        self.why.as_ref().map_or(Ok(()), |why| write!(f, ": {why}"))
    }
}
