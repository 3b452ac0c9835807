//! Zones as the judge knows them: a few, with every change of their clocks while a world may last. It asks what the
//! wall shows, minute by minute, and shares no rule with the engine.

use fastrand::Rng;

use crate::clock::BEGIN_MS;

pub(crate) const MINUTE_MS: i64 = 60_000;
pub(crate) const DAY_MINUTES: i64 = 1440;

/// A zone between September 2026 and June 2027.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) name: &'static str,
    /// How many minutes it is ahead of UTC at first.
    first: i64,
    /// When its clock is changed, in milliseconds UTC, and how many minutes it is ahead since.
    changes: &'static [(i64, i64)],
}

/// Some never change their clocks; one changes them by half an hour, and one at midnight.
///
/// Source: IANA time zone database 2025b, as `zdump -v` shows it.
pub(crate) const PLACES: [Place; 7] = [
    Place { name: "UTC", first: 0, changes: &[] },
    Place {
        name: "America/New_York",
        first: -240,
        // 2026-11-01T06:00Z, 2027-03-14T07:00Z
        changes: &[(1_793_512_800_000, -300), (1_805_007_600_000, -240)],
    },
    Place { name: "Asia/Kathmandu", first: 345, changes: &[] },
    Place { name: "Pacific/Honolulu", first: -600, changes: &[] },
    Place {
        name: "Europe/London",
        first: 60,
        // 2026-10-25T01:00Z, 2027-03-28T01:00Z
        changes: &[(1_792_890_000_000, 0), (1_806_195_600_000, 60)],
    },
    Place {
        name: "Australia/Lord_Howe",
        first: 630,
        // 2026-10-03T15:30Z, 2027-04-03T15:00Z
        changes: &[(1_791_041_400_000, 660), (1_806_764_400_000, 630)],
    },
    Place {
        name: "America/Havana",
        first: -240,
        // 2026-11-01T05:00Z, 2027-03-14T05:00Z
        changes: &[(1_793_509_200_000, -300), (1_805_000_400_000, -240)],
    },
];

impl Place {
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        PLACES.iter().find(|place| place.name == name)
    }

    /// Minutes since 1970-01-01T00:00 on the wall.
    pub(crate) fn wall(&self, at_ms: i64) -> i64 {
        let passed = self.changes.iter().rev().find(|(change, _)| *change <= at_ms);
        at_ms.div_euclid(MINUTE_MS) + passed.map_or(self.first, |(_, ahead)| *ahead)
    }

    pub(crate) fn day(&self, at_ms: i64) -> i64 {
        self.wall(at_ms).div_euclid(DAY_MINUTES)
    }

    pub(crate) fn minute(&self, at_ms: i64) -> i64 {
        self.wall(at_ms).rem_euclid(DAY_MINUTES)
    }

    /// The first full minute after `from_ms` of which this is so, within two days.
    pub(crate) fn next(&self, from_ms: i64, is_so: impl Fn(i64) -> bool) -> Option<i64> {
        let next = from_ms.div_euclid(MINUTE_MS) + 1;
        (next..next + 2 * DAY_MINUTES).map(|minute| minute * MINUTE_MS).find(|at| is_so(self.wall(*at)))
    }
}

/// Where and when a clock is changed soon after a world begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) place: usize,
    pub(crate) at_ms: i64,
}

/// When a world of this seed begins, and the change of a clock that it lives through; half of the worlds have none.
pub(crate) fn begin(seed: u64, span: u64) -> (i64, Option<Change>) {
    let mut rng = Rng::with_seed(seed ^ 0xc10c_c4a6);
    if rng.bool() {
        return (BEGIN_MS, None);
    }
    let changes = PLACES.iter().enumerate();
    let changes = changes
        .flat_map(|(place, of)| of.changes.iter().map(move |(at_ms, _)| Change { place, at_ms: *at_ms }));
    let Some(change) = rng.choice(changes.collect::<Vec<_>>()) else { return (BEGIN_MS, None) };
    let before = i64::try_from(rng.u64(0..span)).unwrap_or(0);
    (change.at_ms - before, Some(change))
}
