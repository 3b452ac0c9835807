//! What comes again and again: when, for how long, and how late.

use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use crate::kind::KindName;
use crate::message::Priority;
use crate::recurrence::{Cron, Tick};
use crate::template::TemplateKey;
use crate::timestamp::Timestamp;
use crate::zone::{Wall, Zone};

/// When a recurrence comes, and what its texts are about. Nothing in it says who gets it, or what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The times on the wall.
    pub cron: Cron,
    /// Whose wall: this zone's; the recipient's own when `None`.
    pub zone: Option<Zone>,
    /// Nothing comes before this instant.
    pub starts_at: Option<Timestamp>,
    /// Nothing comes at or after this instant.
    pub ends_at: Option<Timestamp>,
    /// What becomes of a tick that was missed.
    pub missed: Missed,
    /// How late a tick's text may be sent.
    pub grace: Grace,
    /// Which messages go first when not all can.
    pub priority: Priority,
    /// What its texts are about: each is judged as one of that kind.
    pub kind: Option<KindName>,
    /// The template that its texts are filled from when they come; what it says is then values for it.
    pub template: Option<TemplateKey>,
}

/// What becomes of a tick that was missed, while the daemon was down say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Missed {
    /// The latest one is made up for, within its grace.
    #[default]
    Once,
    /// Nothing.
    Skip,
}

/// Every policy, with the word for it.
pub const MISSED: [(Missed, &str); 2] = [(Missed::Once, "once"), (Missed::Skip, "skip")];

/// A tick that is begun within this is not missed.
const PUNCTUAL: Duration = Duration::from_mins(1);

/// The word is no policy for missed ticks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a policy for missed ticks; expected once or skip")]
pub struct MissedError(String);

impl Missed {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        MISSED.into_iter().find(|(missed, _)| *missed == self).map_or("", |(_, word)| word)
    }
}

impl FromStr for Missed {
    type Err = MissedError;

    fn from_str(text: &str) -> Result<Self, MissedError> {
        let found = MISSED.into_iter().find(|(_, word)| *word == text).map(|(missed, _)| missed);
        found.ok_or_else(|| MissedError(text.chars().take(32).collect()))
    }
}

/// How late a tick's text may be sent: a minute to a day. Later, it is stale and expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grace(Duration);

/// A length is no grace.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a grace is from one minute to one day; this one is {seconds} seconds")]
pub struct GraceError {
    seconds: u64,
}

impl Grace {
    /// The grace of this length, in whole seconds.
    ///
    /// # Errors
    /// [`GraceError`] when it is shorter than a minute or longer than a day.
    pub fn new(length: Duration) -> Result<Self, GraceError> {
        let fits = (Duration::from_mins(1)..=Duration::from_hours(24)).contains(&length);
        if fits {
            Ok(Self(Duration::from_secs(length.as_secs())))
        } else {
            Err(GraceError { seconds: length.as_secs() })
        }
    }

    /// Its length.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl Default for Grace {
    fn default() -> Self {
        Self(Duration::from_hours(1))
    }
}

impl Plan {
    /// What comes at these times, with defaults for everything else.
    pub fn new(cron: Cron) -> Self {
        Self {
            cron,
            zone: None,
            starts_at: None,
            ends_at: None,
            missed: Missed::default(),
            grace: Grace::default(),
            priority: Priority::default(),
            kind: None,
            template: None,
        }
    }

    /// How late a tick may be begun.
    pub(super) fn patience(&self) -> Duration {
        match self.missed {
            Missed::Once => self.grace.get(),
            Missed::Skip => PUNCTUAL,
        }
    }

    /// Ticks to come in a zone, in order: after `now`, and later on the wall than `last`.
    pub fn upcoming(&self, zone: Zone, last: Option<Wall>, now: Timestamp) -> impl Iterator<Item = Tick> {
        let after = match self.starts_at {
            Some(starts_at) => now.max(starts_at.minus(Duration::from_millis(1))),
            None => now,
        };
        let seen = zone.wall(after);
        let times = self.cron.after(last.map_or(seen, |last| last.max(seen)));
        let ticks = times.map(move |wall| Tick { wall, at: zone.instant(wall) });
        // While the wall shows an hour again, its times have come.
        let ticks = ticks.skip_while(move |tick| tick.at <= after);
        let ticks = ticks.take_while(|tick| self.ends_at.is_none_or(|ends_at| tick.at < ends_at));
        // Times that the clock skips come together.
        let mut latest = None;
        ticks.filter(move |tick| latest.replace(tick.at) != Some(tick.at))
    }

    /// The latest tick from `first` on that has come and is not too late.
    pub(super) fn latest(&self, first: Tick, zone: Zone, now: Timestamp) -> Option<Tick> {
        let earliest = now.minus(self.patience());
        let since = zone.wall(earliest.minus(Duration::from_millis(1)));
        let begun = first.wall.before();
        let ticks = self.cron.after(begun.max(since)).map(|wall| Tick { wall, at: zone.instant(wall) });
        let past = ticks.take_while(|tick| tick.at <= now);
        let fits = |tick: &Tick| tick.at >= earliest && self.ends_at.is_none_or(|ends_at| tick.at < ends_at);
        past.filter(fits).last()
    }
}
