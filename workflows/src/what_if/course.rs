//! A message on its way through its events, and since when it is where it is.

use crate::message::{Event, IllegalEvent, Message};
use crate::timestamp::Timestamp;
use crate::what_if::Outcome;

/// The fold of a life so far.
#[derive(Debug, Clone)]
pub(super) struct Course {
    pub(super) message: Message,
    since: Timestamp,
}

impl Course {
    /// The course that `event` begins.
    pub(super) fn begin(event: &Event, at: Timestamp) -> Result<Self, IllegalEvent> {
        Ok(Self { message: Message::begin(event, at)?, since: at })
    }

    /// The course of events that happened together.
    pub(super) fn of(events: &[Event], at: Timestamp) -> Result<Self, IllegalEvent> {
        let nothing = IllegalEvent { state: None, event: "nothing" };
        let (begin, rest) = events.split_first().ok_or(nothing)?;
        let mut course = Self::begin(begin, at)?;
        rest.iter().try_for_each(|event| course.follow(event, at))?;
        Ok(course)
    }

    /// Folds one more event.
    pub(super) fn follow(&mut self, event: &Event, at: Timestamp) -> Result<(), IllegalEvent> {
        let before = self.message.state.name();
        self.message.apply(event, at)?;
        if self.message.state.name() != before {
            self.since = at;
        }
        Ok(())
    }

    /// How far it got.
    pub(super) fn outcome(&self) -> Outcome {
        let state = self.message.state.name();
        Outcome { state, attempts: self.message.attempt.get(), since: self.since }
    }
}
