//! The lane to the provider: one sender's way out, which a refusal can cool down as a whole.
//!
//! A provider that answers 429 or refuses our account means every message, not the one that
//! happened to ask. So the wait belongs to the lane: durable, visible, and the same for all.

use std::time::Duration;

use crate::message::{Cause, Context, Failure};
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
}

/// Refusals that ask for the same wait this close together are one burst: they were on the wire together.
const BURST: Duration = Duration::from_secs(1);

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
}

impl Event {
    /// The event's name in exports, logs and the API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cooled { .. } => "lane_cooled",
            Self::Warmed => "lane_warmed",
        }
    }
}

impl Lane {
    /// What an answer of the provider means for the lane, if anything.
    ///
    /// `refusal` is the failure and the provider's own `Retry-After`; `None` means it took a message.
    /// Of many requests in flight only the first refusal of a cool-down counts: the others were on
    /// the wire before anyone knew. One that asks for a clearly longer wait is heard.
    pub fn hear(
        &self,
        refusal: Option<(&Failure, Option<Duration>)>,
        context: &Context<'_>,
    ) -> Option<Event> {
        let Some((failure, retry_after)) = refusal else {
            let over = self.streak > 0 && self.cool_until <= context.now;
            return over.then_some(Event::Warmed);
        };
        let rest = rest(failure)?;
        let backoff = context.rules.retry.backoff(self.streak.saturating_add(1), context.jitter);
        let until = context.now.plus(retry_after.unwrap_or(rest.max(backoff)));
        let later = retry_after.is_some() && until > self.cool_until.plus(BURST);
        let extends = self.is_open(context.now) || later;
        extends.then(|| Event::Cooled { until, failure: failure.clone() })
    }

    /// Folds one more event into the lane.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Cooled { until, failure } => {
                self.cool_until = *until;
                self.streak = self.streak.saturating_add(1);
                self.failure = Some(failure.clone());
            }
            Event::Warmed => *self = Self::default(),
        }
    }

    /// Whether anything may be submitted at `now`.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.cool_until <= now
    }
}

/// How long the lane rests at least after a refusal that means all of it, by the table of provider
/// errors; `None` when the refusal is about one message.
fn rest(failure: &Failure) -> Option<Duration> {
    match (failure.cause, Failure::classified(failure.cause, "").1) {
        (Cause::Refused { .. }, Retry::LaneCooldown { after }) => Some(after),
        (Cause::Refused { .. } | Cause::Reported { .. } | Cause::NotConnected | Cause::OutcomeUnknown, _) => {
            None
        }
    }
}
