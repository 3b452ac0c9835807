//! Counting failures until they are an alarm, and waiting until it is over.

use std::collections::{BTreeMap, VecDeque};

use crate::alarm::{Alarm, AlarmRules, is_ours};
use crate::lane::{Event, Lane};
use crate::message::{self, Failure, Hold};
use crate::provider_error::FailureClass;
use crate::recovery::Reason;
use crate::timestamp::Timestamp;

/// Rests of the lane in a row, for a reason that does not pass by itself, that are an alarm: what waits is not counted as failed.
const RESTS: u32 = 2;

/// When failures were heard of, lately. Kept in memory alone: after a restart the count begins anew, and an alarm that was
/// in force stays so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Watch {
    /// By reason, oldest first: as many as make an alarm, for at most [`Alarm::MAX`] reasons.
    heard: BTreeMap<Reason, VecDeque<Timestamp>>,
}

impl Watch {
    /// After a start: whatever repeated then is taken to have happened again just now.
    pub fn resume(lane: &Lane, now: Timestamp) -> Self {
        Self { heard: lane.alarms.iter().map(|alarm| (alarm.reason(), VecDeque::from([now]))).collect() }
    }

    /// Hears what happened to a message. Answers with the alarm if this made it one.
    pub fn hear(
        &mut self,
        event: &message::Event,
        lane: &Lane,
        rules: AlarmRules,
        now: Timestamp,
    ) -> Option<Event> {
        let failure = failure(event)?;
        let most = rules.failures?;
        if !is_ours(&failure) {
            return None;
        }
        let times = self.note(Reason::of_failure(&failure), rules, now);
        let (since, count) = (times.front().copied().unwrap_or(now), u32::try_from(times.len()).ok()?);
        if count < most { None } else { begun(Alarm { failure, count, since }, lane) }
    }

    /// Hears that the lane was given a rest. One after the other is an alarm as well: meanwhile nothing else fails, since
    /// nothing leaves.
    pub fn rested(&mut self, lane: &Lane, rules: AlarmRules, now: Timestamp) -> Option<Event> {
        rules.failures?;
        let failure = lane.failure.clone().filter(is_ours)?;
        if lane.streak < RESTS || failure.class == FailureClass::Rate {
            return None;
        }
        let times = self.note(Reason::of_failure(&failure), rules, now);
        let since = times.front().copied().unwrap_or(now);
        begun(Alarm { failure, count: lane.streak, since }, lane)
    }

    /// An alarm that is over: there was none of its failures for a window, and the lane does not rest for its reason.
    pub fn over(&self, lane: &Lane, rules: AlarmRules, now: Timestamp) -> Option<Event> {
        let rests_for = lane.failure.as_ref().filter(|_| lane.is_probing()).map(Reason::of_failure);
        let over = lane.alarms.iter().find(|alarm| {
            let newest = self.heard.get(&alarm.reason()).and_then(VecDeque::back);
            let silent = newest.is_none_or(|at| !counts(*at, rules, now));
            rules.failures.is_none() || (silent && rests_for != Some(alarm.reason()))
        });
        over.map(|alarm| Event::FailuresEnded(Box::new(alarm.clone())))
    }

    #[cfg(test)]
    pub(super) fn is_bounded(&self, rules: AlarmRules) -> bool {
        let most = rules.failures.and_then(|most| usize::try_from(most).ok()).unwrap_or_default();
        self.heard.len() <= Alarm::MAX && self.heard.values().all(|times| times.len() <= most)
    }

    /// When there was a failure for this reason within the window, now included.
    fn note(&mut self, reason: Reason, rules: AlarmRules, now: Timestamp) -> &VecDeque<Timestamp> {
        if self.heard.len() >= Alarm::MAX && !self.heard.contains_key(&reason) {
            let oldest = self.heard.iter().min_by_key(|(_, times)| times.back().copied());
            if let Some(oldest) = oldest.map(|(reason, _)| *reason) {
                self.heard.remove(&oldest);
            }
        }
        let times = self.heard.entry(reason).or_default();
        times.push_back(now);
        times.retain(|at| counts(*at, rules, now));
        let most = rules.failures.and_then(|most| usize::try_from(most).ok()).unwrap_or_default();
        while times.len() > most {
            times.pop_front();
        }
        times
    }
}

/// Whether what was at this instant still counts. With a clock that was set back, what lies ahead by less than a window does.
fn counts(at: Timestamp, rules: AlarmRules, now: Timestamp) -> bool {
    now.since(at) < rules.window && at.since(now) < rules.window
}

/// What failed, if an event says so. An outcome that is lost is often found; it failed when no search found it.
fn failure(event: &message::Event) -> Option<Failure> {
    match event {
        message::Event::AttemptFailed { failure, .. }
        | message::Event::StatusReported { failure: Some(failure), .. } => Some(failure.clone()),
        message::Event::Held { hold: Hold::OutcomeUnknown, .. } => {
            Some(Failure::classified(message::Cause::OutcomeUnknown, "no search found it").0)
        }
        message::Event::StatusReported { failure: None, .. }
        | message::Event::Held { .. }
        | message::Event::Accepted { .. }
        | message::Event::BecameDue
        | message::Event::AttemptStarted { .. }
        | message::Event::AttemptSuspected { .. }
        | message::Event::Relinquished
        | message::Event::Reclaimed
        | message::Event::Bypassed { .. }
        | message::Event::Submitted { .. }
        | message::Event::OutcomeLost { .. }
        | message::Event::LookupFoundNothing { .. }
        | message::Event::Polled { .. }
        | message::Event::Unconfirmed
        | message::Event::Rescheduled { .. }
        | message::Event::Canceled
        | message::Event::Expired
        | message::Event::Suppressed { .. }
        | message::Event::GivenUp
        | message::Event::Remarked { .. }
        | message::Event::RetriedAs { .. }
        | message::Event::Contradicted { .. } => None,
    }
}

/// The beginning of an alarm, unless the same is in force or there are too many.
fn begun(alarm: Alarm, lane: &Lane) -> Option<Event> {
    let known = lane.alarms.iter().any(|known| known.reason() == alarm.reason());
    let fits = !known && lane.alarms.len() < Alarm::MAX;
    fits.then(|| Event::FailuresRepeated(Box::new(alarm)))
}
