//! The lane to the provider: one sender's way out, which a refusal can cool down as a whole.
//!
//! A provider that answers 429 or refuses our account means every message, not the one that
//! happened to ask. So the wait belongs to the lane: durable, visible, and the same for all.

use std::time::Duration;

use crate::alarm::Alarm;
use crate::message::{Cause, Context, Failure, Outcome};
use crate::provider_error::Retry;
use crate::timestamp::Timestamp;

/// The lane as the fold of its events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lane {
    /// Nothing is submitted before this instant.
    pub cool_until: Timestamp,
    /// Refusals since the last success.
    pub streak: u32,
    /// Why it cools, while it does.
    pub failure: Option<Failure>,
    /// Failures that repeat on it.
    pub alarms: Vec<Alarm>,
}

/// Refusals that ask for the same wait this close together are one burst: they were on the wire together.
const BURST: Duration = Duration::from_secs(1);

/// Requests in a row without a usable answer that cool the lane.
const SILENT_MAX: u32 = 5;

/// Longest rest after silence: an outage ends without telling.
const SILENT_REST_MAX: Duration = Duration::from_mins(5);

/// What happened to a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The provider refused the lane.
    Cooled {
        /// Nothing is submitted before this instant.
        until: Timestamp,
        /// Why.
        failure: Failure,
    },
    /// The provider takes messages again.
    Warmed,
    /// Failures repeat: an alarm.
    FailuresRepeated(Box<Alarm>),
    /// There were no more of them: the alarm is over.
    FailuresEnded(Box<Alarm>),
}

impl Event {
    /// The event's name in exports, logs and the API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cooled { .. } => "lane_cooled",
            Self::Warmed => "lane_warmed",
            Self::FailuresRepeated(_) => "failures_repeated",
            Self::FailuresEnded(_) => "failures_ended",
        }
    }
}

impl Lane {
    /// What an outcome means for the lane, if anything.
    ///
    /// Of many requests in flight only the first refusal of a cool-down counts: the others were on
    /// the wire before anyone knew. One that asks for a clearly longer wait is heard. When nobody
    /// answers several times in a row, the lane cools too, so that an outage puts few texts in doubt;
    /// an answer about one message shows that the provider listens again.
    pub fn hear(&self, outcome: &Outcome, silence: &mut Silence, context: &Context<'_>) -> Option<Event> {
        let sense = Sense::of(outcome);
        silence.0 = if matches!(sense, Sense::Silent(_)) { silence.0.saturating_add(1) } else { 0 };
        let backoff = context.rules.retry.backoff(self.streak.saturating_add(1), context.jitter);
        match sense {
            Sense::Answered => {
                let over = self.streak > 0 && self.is_open(context.now);
                over.then_some(Event::Warmed)
            }
            Sense::Refused { failure, rest, retry_after } => {
                let until = context.now.plus(retry_after.unwrap_or(rest.max(backoff)));
                let later = retry_after.is_some() && until > self.cool_until.plus(BURST);
                let extends = self.is_open(context.now) || later;
                extends.then_some(Event::Cooled { until, failure })
            }
            Sense::Silent(failure) => {
                let long = silence.0 >= SILENT_MAX || self.is_probing();
                let until = context.now.plus(backoff.min(SILENT_REST_MAX));
                (long && self.is_open(context.now)).then_some(Event::Cooled { until, failure })
            }
        }
    }

    /// Folds one more event into the lane.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Cooled { until, failure } => {
                self.cool_until = *until;
                self.streak = self.streak.saturating_add(1);
                self.failure = Some(failure.clone());
            }
            Event::Warmed => {
                *self = Self { alarms: std::mem::take(&mut self.alarms), ..Self::default() };
            }
            Event::FailuresRepeated(alarm) => self.alarms.push(Alarm::clone(alarm)),
            Event::FailuresEnded(over) => self.alarms.retain(|alarm| alarm.reason() != over.reason()),
        }
    }

    /// Whether it cooled and no answer has come since: then one request at a time finds out.
    pub fn is_probing(&self) -> bool {
        self.streak > 0
    }

    /// Whether anything may be submitted at `now`.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.cool_until <= now
    }
}

/// Requests in a row to which no usable answer came. Kept in memory alone: after a restart the count
/// begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Silence(u32);

/// What an outcome tells about the lane.
enum Sense {
    /// The provider answered about one message.
    Answered,
    /// It refused and means everybody, for at least this long by the table of provider errors.
    Refused { failure: Failure, rest: Duration, retry_after: Option<Duration> },
    /// It was not reached, or its answer leaves open what became of the request.
    Silent(Failure),
}

impl Sense {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Taken { .. } => Self::Answered,
            Outcome::Lost { detail } => Self::Silent(Failure::classified(Cause::OutcomeUnknown, detail).0),
            Outcome::Refused { cause, detail, retry_after } => {
                let (failure, retry) = Failure::classified(*cause, detail);
                match (cause, retry) {
                    (Cause::NotConnected | Cause::OutcomeUnknown, _) | (_, Retry::Lookup) => {
                        Self::Silent(failure)
                    }
                    (Cause::Refused { .. }, Retry::LaneCooldown { after }) => {
                        Self::Refused { failure, rest: after, retry_after: *retry_after }
                    }
                    (Cause::Refused { .. } | Cause::Reported { .. }, _) => Self::Answered,
                }
            }
        }
    }
}
