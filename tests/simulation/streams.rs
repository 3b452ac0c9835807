//! What goes to whom ever: rates that all texts share, numbers that are new, and the same text said twice. The judge
//! keeps every instant, and shares no count with the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dunlin_workflows::message::Hold;
use dunlin_workflows::policy::{Limits, Rate};
use dunlin_workflows::timestamp::Timestamp;
use fastrand::Rng;

use crate::life::Asked;

const SPANS_MS: [i64; 3] = [60_000, 3_600_000, 86_400_000];

/// What a world demands of all texts together: most demand little, so that most texts go.
pub(crate) fn limits(seed: u64, limits: Limits) -> Limits {
    let mut rng = Rng::with_seed(seed ^ 0x57_2ea3);
    let mut rate = |one_in, per_minute, per_hour| {
        let mut limit = |most| (rng.u32(0..one_in) == 0).then(|| rng.u32(1..=most));
        Rate { per_minute: limit(per_minute), per_hour: limit(per_hour), per_day: None }
    };
    let (global_rate, sender_rate, velocity) = (rate(5, 3, 6), rate(8, 2, 8), rate(8, 1, 3));
    let duplicate_window = (rng.u32(0..6) == 0).then(|| Duration::from_secs(rng.u64(5..4000)));
    Limits { global_rate, sender_rate, velocity, duplicate_window, ..limits }
}

/// What the judge knows of all texts together.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    /// First attempts.
    first: Vec<i64>,
    /// First attempts to numbers that nobody texted before.
    new: Vec<i64>,
    texted: BTreeSet<u64>,
    said: BTreeMap<(u64, String), i64>,
}

impl Streams {
    /// The first attempt of a message begins: was there a place for it?
    pub(crate) fn starts(
        &mut self,
        asked: &Asked,
        may_repeat: bool,
        is_proven: bool,
        at: Timestamp,
        limits: &Limits,
    ) -> Result<(), String> {
        let ms = at.as_millis();
        // By a clock that was set back nobody can tell what happened within an hour.
        if self.first.last().is_some_and(|last| ms < *last) {
            (self.first, self.new, self.said) = (Vec::new(), Vec::new(), BTreeMap::new());
        }
        self.first.push(ms);
        within(&self.first, ms, limits.global_rate, "altogether")?;
        within(&self.first, ms, limits.sender_rate, "of the sender")?;
        if self.texted.insert(asked.to) && !is_proven {
            self.new.push(ms);
            within(&self.new, ms, limits.velocity, "to new numbers")?;
        }
        let said = self.said.insert((asked.to, asked.body.clone()), ms);
        let (Some(said), Some(window)) = (said, limits.duplicate_window) else { return Ok(()) };
        let ago = ms - said;
        if !may_repeat && ago >= 0 && u128::from(ago.unsigned_abs()) < window.as_millis() {
            return Err(format!("said the same again after {ago} ms"));
        }
        Ok(())
    }

    /// Somebody vouched for new numbers: all of this world begin alike.
    pub(crate) fn vouched(&mut self, held: Option<Hold>) {
        if held == Some(Hold::FraudVelocity) {
            self.new.clear();
        }
    }
}

fn within(went: &[i64], now: i64, rate: Rate, whose: &str) -> Result<(), String> {
    for (span, limit) in SPANS_MS.into_iter().zip([rate.per_minute, rate.per_hour, rate.per_day]) {
        let count = went.iter().filter(|at| **at > now - span).count();
        if limit.is_some_and(|limit| count > usize::try_from(limit).unwrap()) {
            return Err(format!("text {count} {whose} within {span} ms"));
        }
    }
    Ok(())
}
