//! What an event makes of a message. No clock, no rules, no zone: journals of any age must fold.

use crate::id::{Attempt, ProviderSid};
use crate::message::{
    Cause, Counts, Custody, Event, Failure, Hold, Message, ProviderStatus, State, StateName, Verdict,
};
use crate::timestamp::Timestamp;

/// A journal says that something happened which can't have happened in that state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{event} can't happen to {}", state.map_or("a message that does not exist", StateName::as_str))]
pub struct IllegalEvent {
    /// State before the event; `None` when there was no message.
    pub state: Option<StateName>,
    /// Name of the event.
    pub event: &'static str,
}

impl Message {
    /// The message that `event` begins, which must be [`Event::Accepted`].
    ///
    /// # Errors
    /// [`IllegalEvent`] for any other event.
    pub fn begin(event: &Event, at: Timestamp) -> Result<Self, IllegalEvent> {
        let Event::Accepted { terms } = event else {
            return Err(IllegalEvent { state: None, event: event.name() });
        };
        Ok(Self {
            person: terms.person,
            priority: terms.priority,
            segments: terms.segments,
            user: terms.user,
            kind: terms.kind.clone(),
            template: terms.template,
            may_bypass: terms.may_bypass,
            custody: if terms.is_claimed { Custody::Claimed } else { Custody::Own },
            on_unknown: terms.on_unknown,
            accepted_at: at,
            scheduled_for: terms.scheduled_for,
            expires_at: terms.expires_at,
            attempt: Attempt::NONE,
            counted: 0,
            sid: None,
            failure: None,
            retried_as: None,
            changed_at: at,
            state: State::Accepted,
        })
    }

    /// Folds one more event into the message.
    ///
    /// # Errors
    /// [`IllegalEvent`] when the event can't have happened in this state; then nothing changed.
    pub fn apply(&mut self, event: &Event, at: Timestamp) -> Result<(), IllegalEvent> {
        if !self.legal(event) {
            return Err(IllegalEvent { state: Some(self.state.name()), event: event.name() });
        }
        self.changed_at = at;
        match event {
            Event::Accepted { .. }
            | Event::Contradicted { .. }
            | Event::Remarked { .. }
            | Event::Bypassed { .. } => {}
            Event::Held { hold, until } => self.state = State::Held { hold: *hold, until: *until },
            Event::BecameDue => self.state = State::Due { since: at },
            Event::AttemptStarted { attempt, .. } => self.start(*attempt, at),
            Event::AttemptSuspected { attempt, started_at, .. } => {
                self.start(*attempt, *started_at);
                self.lose(at);
            }
            Event::Relinquished => self.relinquish(),
            Event::Reclaimed => {
                self.custody = Custody::Claimed;
                if self.state == State::Relinquished {
                    self.state = State::Held { hold: Hold::Claim, until: Timestamp::MAX };
                }
            }
            Event::Submitted { sid, status, .. } => {
                self.sid = Some(*sid);
                self.state = State::Submitted { status: *status, since: at, polls: 0 };
            }
            Event::AttemptFailed { failure, verdict, .. } => self.fail(failure, *verdict),
            Event::OutcomeLost { .. } => self.lose(at),
            Event::LookupFoundNothing { lookups: done, .. } => {
                if let State::Unknown { lookups, .. } = &mut self.state {
                    *lookups = *done;
                }
            }
            Event::StatusReported { status, failure, .. } => {
                self.failure.clone_from(failure);
                self.report(*status, at);
            }
            Event::Polled { polls: asked } => {
                if let State::Submitted { polls, .. } | State::Sent { polls, .. } = &mut self.state {
                    *polls = *asked;
                }
            }
            Event::Unconfirmed => {
                if let Some(status) = self.reported() {
                    self.state = State::Unconfirmed { status };
                }
            }
            Event::Rescheduled { scheduled_for } => self.scheduled_for = *scheduled_for,
            Event::Canceled => self.state = State::Canceled,
            Event::Expired => self.state = State::Expired,
            Event::Suppressed { ban } => self.state = State::Suppressed { ban: *ban },
            Event::GivenUp => {
                self.failure = Some(
                    Failure::classified(Cause::OutcomeUnknown, "nobody decided in time; not sent again").0,
                );
                self.state = State::Failed;
            }
            Event::RetriedAs { id } => self.retried_as = Some(*id),
        }
        Ok(())
    }

    fn start(&mut self, attempt: Attempt, at: Timestamp) {
        self.attempt = attempt;
        self.counted = self.counted.saturating_add(1);
        self.sid = None;
        self.state = State::Submitting { since: at };
    }

    fn fail(&mut self, failure: &Failure, verdict: Verdict) {
        self.failure = Some(failure.clone());
        match verdict {
            Verdict::RetryAt { hold, until, counts } => {
                if counts == Counts::No {
                    self.counted = self.counted.saturating_sub(1);
                }
                self.state = State::Held { hold, until };
            }
            Verdict::Failed => self.state = State::Failed,
        }
    }

    fn lose(&mut self, at: Timestamp) {
        if let State::Submitting { since: started_at } = self.state {
            self.state = State::Unknown { started_at, since: at, lookups: 0 };
        }
    }

    /// What waits is let go. That an attempt of ours is in doubt is kept, for whoever has the message next.
    fn relinquish(&mut self) {
        self.custody = Custody::Elsewhere;
        if self.is_parked() {
            let (failure, _) = Failure::classified(Cause::OutcomeUnknown, "no search found it");
            self.failure = Some(failure);
        }
        if self.is_unsent() || self.is_parked() {
            self.state = State::Relinquished;
        }
    }

    fn report(&mut self, status: ProviderStatus, at: Timestamp) {
        let (submitted_at, polls) = match self.state {
            State::Submitted { since, polls, .. } => (since, polls),
            State::Sent { submitted_at, polls } => (submitted_at, polls),
            State::Accepted
            | State::Held { .. }
            | State::Due { .. }
            | State::Submitting { .. }
            | State::Unknown { .. }
            | State::Unconfirmed { .. }
            | State::Relinquished
            | State::Delivered
            | State::Undelivered
            | State::Failed
            | State::Canceled
            | State::Expired
            | State::Suppressed { .. } => (at, 0),
        };
        self.state = match status {
            ProviderStatus::Accepted
            | ProviderStatus::Scheduled
            | ProviderStatus::Queued
            | ProviderStatus::Sending
            | ProviderStatus::Sent
            | ProviderStatus::PartiallyDelivered
                if self.state.name() == StateName::Unconfirmed =>
            {
                State::Unconfirmed { status }
            }
            ProviderStatus::Accepted
            | ProviderStatus::Scheduled
            | ProviderStatus::Queued
            | ProviderStatus::Sending => State::Submitted { status, since: submitted_at, polls },
            ProviderStatus::Sent | ProviderStatus::PartiallyDelivered => State::Sent { submitted_at, polls },
            ProviderStatus::Delivered | ProviderStatus::Read => State::Delivered,
            ProviderStatus::Undelivered => State::Undelivered,
            ProviderStatus::Failed => State::Failed,
            ProviderStatus::Canceled => State::Canceled,
        };
    }

    /// Whether `event` can happen now.
    fn legal(&self, event: &Event) -> bool {
        let unsent = self.is_unsent();
        let state = self.state.name();
        let parked = self.is_parked();
        let in_doubt = state == StateName::Submitting || state == StateName::Unknown || parked;
        let with_provider = state.is_with_provider();
        match event {
            Event::Accepted { .. } => false,
            Event::Held { hold: Hold::OutcomeUnknown, .. } => state == StateName::Unknown,
            Event::Held { hold: Hold::Claim, .. } => unsent && self.custody == Custody::Claimed,
            Event::Held { .. } => unsent,
            Event::BecameDue => unsent || parked,
            Event::AttemptStarted { attempt, .. } => {
                state == StateName::Due && *attempt == self.attempt.next()
            }
            Event::AttemptSuspected { attempt, .. } => {
                let waits = state == StateName::Unknown || self.is_unconfirmed();
                waits && self.custody == Custody::Claimed && *attempt == self.attempt.next()
            }
            Event::Relinquished => match self.custody {
                Custody::Own => false,
                Custody::Claimed => !state.is_settled(),
                Custody::Elsewhere => unsent || parked,
            },
            Event::Reclaimed => {
                let is_over = state.is_final() || state == StateName::Unconfirmed;
                self.custody == Custody::Elsewhere && !is_over
            }
            // Also when it was given up, and a late report shows that it was taken after all.
            Event::Submitted { attempt, .. } => {
                self.is_adoptable() && *attempt != Attempt::NONE && *attempt <= self.attempt
            }
            Event::AttemptFailed { attempt, .. } => (in_doubt || with_provider) && *attempt == self.attempt,
            Event::OutcomeLost { attempt, .. } => state == StateName::Submitting && *attempt == self.attempt,
            Event::LookupFoundNothing { attempt, .. } => {
                state == StateName::Unknown && *attempt == self.attempt
            }
            Event::StatusReported { .. } => with_provider || state == StateName::Unconfirmed,
            Event::Polled { .. } | Event::Unconfirmed => with_provider,
            Event::Rescheduled { .. } | Event::Canceled | Event::Expired | Event::Suppressed { .. } => unsent,
            Event::GivenUp => parked,
            Event::Bypassed { .. } => state == StateName::Due,
            Event::Remarked { .. } => true,
            Event::RetriedAs { .. } => state.is_final() && self.retried_as.is_none(),
            Event::Contradicted { .. } => self.attempt != Attempt::NONE,
        }
    }

    /// Whether it waits, and no attempt of it is in doubt.
    fn is_unsent(&self) -> bool {
        match self.state {
            State::Held { hold: Hold::OutcomeUnknown, .. } => false,
            State::Accepted | State::Held { .. } | State::Due { .. } => true,
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

    /// Whether it waits for the shared database's word that it is ours.
    pub fn is_unconfirmed(&self) -> bool {
        matches!(self.state, State::Held { hold: Hold::Claim, .. })
    }

    /// Whether it waits for a person because an outcome can't be learned.
    pub fn is_parked(&self) -> bool {
        match self.state {
            State::Held { hold: Hold::OutcomeUnknown, .. } => true,
            State::Held { .. }
            | State::Accepted
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
            | State::Suppressed { .. } => false,
        }
    }

    /// Whether the provider's word that it has an attempt moves the message: it waits, or its newest
    /// attempt is in flight or in doubt.
    pub(super) fn is_adoptable(&self) -> bool {
        match self.state {
            State::Accepted
            | State::Held { .. }
            | State::Due { .. }
            | State::Submitting { .. }
            | State::Unknown { .. }
            | State::Relinquished => true,
            State::Submitted { .. }
            | State::Sent { .. }
            | State::Unconfirmed { .. }
            | State::Delivered
            | State::Undelivered
            | State::Failed
            | State::Canceled
            | State::Expired
            | State::Suppressed { .. } => false,
        }
    }

    /// The provider's newest word for the newest attempt, while it is with the provider.
    pub(super) fn reported(&self) -> Option<ProviderStatus> {
        match self.state {
            State::Submitted { status, .. } | State::Unconfirmed { status } => Some(status),
            State::Sent { .. } => Some(ProviderStatus::Sent),
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
            | State::Suppressed { .. } => None,
        }
    }

    /// Whether a final `status` agrees with the state the message ended in.
    pub(super) fn says(&self, status: ProviderStatus) -> bool {
        let state = self.state.name();
        match status {
            ProviderStatus::Delivered | ProviderStatus::Read => state == StateName::Delivered,
            ProviderStatus::Undelivered => state == StateName::Undelivered,
            ProviderStatus::Failed => state == StateName::Failed,
            ProviderStatus::Canceled => state == StateName::Canceled,
            ProviderStatus::Accepted
            | ProviderStatus::Scheduled
            | ProviderStatus::Queued
            | ProviderStatus::Sending
            | ProviderStatus::Sent
            | ProviderStatus::PartiallyDelivered => true,
        }
    }

    /// Whether `sid` is the newest attempt's.
    pub fn is_known_as(&self, sid: ProviderSid) -> bool {
        self.sid == Some(sid)
    }
}
