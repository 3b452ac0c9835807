//! What was sent to a person lately, counted when the first attempt of a message is committed.

use std::time::Duration;

use crate::timestamp::Timestamp;
use crate::zone::LocalDay;

/// Local days that are told apart: whoever travels west, or whose clock is set back, meets yesterday again.
const DAYS: usize = 4;

/// Most instants that are kept: limits per hour and minute go no higher.
pub const RECENT_MAX: usize = 256;

/// How long instants are kept.
const HOUR: Duration = Duration::from_hours(1);

/// What was sent to a person lately: the fold of their counted attempts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    days: Vec<(LocalDay, u32)>,
    recent: Vec<Timestamp>,
}

impl Usage {
    /// Nothing.
    pub(super) const NONE: Self = Self { days: Vec::new(), recent: Vec::new() };

    /// What these parts make; persisted bytes are not trusted.
    pub fn of(days: Vec<(LocalDay, u32)>, recent: Vec<Timestamp>) -> Option<Self> {
        let sorted = days.is_sorted_by(|before, after| before.0 < after.0);
        (sorted && days.len() <= DAYS && recent.len() <= RECENT_MAX).then_some(Self { days, recent })
    }

    /// How many messages were counted on each of the last local days that any were.
    pub fn days(&self) -> &[(LocalDay, u32)] {
        &self.days
    }

    /// When messages were counted in the last hour before the newest, in the order of their records.
    pub fn recent(&self) -> &[Timestamp] {
        &self.recent
    }

    /// One more message was counted, at `at`, on the local day `day`.
    pub fn count(&mut self, day: LocalDay, at: Timestamp) {
        self.count_on(day);
        let kept = at.minus(HOUR);
        self.recent.retain(|instant| *instant > kept);
        self.recent.push(at);
        if self.recent.len() > RECENT_MAX {
            self.recent.remove(0);
        }
    }

    fn count_on(&mut self, day: LocalDay) {
        if let Some((_, count)) = self.days.iter_mut().find(|(known, _)| *known == day) {
            *count = count.saturating_add(1);
            return;
        }
        let place = self.days.partition_point(|(known, _)| *known < day);
        self.days.insert(place, (day, 1));
        if self.days.len() > DAYS {
            // The day that is farthest away goes.
            let apart = |known: Option<&(LocalDay, u32)>| {
                known.map_or(0, |(known, _)| known.days().abs_diff(day.days()))
            };
            let first = apart(self.days.first()) >= apart(self.days.last());
            self.days.remove(if first { 0 } else { DAYS });
        }
    }

    /// How many messages were counted on a local day.
    pub fn on(&self, day: LocalDay) -> u32 {
        self.days.iter().find(|(known, _)| *known == day).map_or(0, |(_, count)| *count)
    }

    /// Until when no more may be sent, so that there are at most `limit` in any `window`; `None` when one may. A
    /// clock that was set back counts what lies ahead of it as well.
    pub fn full_until(&self, now: Timestamp, window: Duration, limit: u16) -> Option<Timestamp> {
        let since = now.minus(window);
        let mut inside: Vec<Timestamp> = self.recent.iter().copied().filter(|at| *at > since).collect();
        let limit = usize::from(limit);
        if inside.len() < limit {
            return None;
        }
        inside.sort_unstable();
        // As many must leave the window as are too many, and one more.
        let leaves = inside.len().saturating_sub(limit);
        let until = inside.get(leaves).map_or(Timestamp::MAX, |at| at.plus(window));
        Some(until)
    }
}
