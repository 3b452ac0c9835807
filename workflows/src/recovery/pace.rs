//! How fast texts are tried again.

use std::num::NonZeroU32;

use crate::timestamp::Timestamp;

/// How many texts a minute, without a wish: slow enough that an operator who sees it going wrong can stop it.
pub const RATE_DEFAULT: u32 = 60;
/// Most texts a minute. What more would go at once would only wait for the sender's own rate.
pub const RATE_MAX: u32 = 6_000;

/// When each of many texts goes: one after the other, evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    start: Timestamp,
    per_minute: NonZeroU32,
}

impl Pace {
    /// So many a minute from `start` on; `None` for none, or more than [`RATE_MAX`].
    pub fn new(start: Timestamp, per_minute: u32) -> Option<Self> {
        let per_minute = NonZeroU32::new(per_minute).filter(|rate| rate.get() <= RATE_MAX)?;
        Some(Self { start, per_minute })
    }

    /// When the text goes before which `earlier` others go.
    pub fn slot(&self, earlier: usize) -> Timestamp {
        let earlier = u64::try_from(earlier).unwrap_or(u64::MAX);
        let after_ms = earlier.saturating_mul(60_000).div_euclid(u64::from(self.per_minute.get()));
        self.start.plus(std::time::Duration::from_millis(after_ms))
    }

    /// Gives each a slot, in their order; those whose deadline comes first get none and use up none.
    pub fn spread<T>(
        &self,
        texts: impl IntoIterator<Item = (T, Option<Timestamp>)>,
    ) -> (Vec<(T, Timestamp)>, usize) {
        let mut going = Vec::new();
        let mut too_late = 0_usize;
        for (text, deadline) in texts {
            let slot = self.slot(going.len());
            if deadline.is_some_and(|at| at <= slot) {
                too_late = too_late.saturating_add(1);
            } else {
                going.push((text, slot));
            }
        }
        (going, too_late)
    }
}
