//! What a run depends on: given in the environment, or as usual.

use std::env;
use std::str::FromStr;

use anyhow::Context as _;

/// What a run depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Seed of the workload, the faults and the kills: `DUNLIN_SEED`, else drawn.
    pub(crate) seed: u64,
    /// How often the daemon is killed: `DUNLIN_CRASH_KILLS`.
    pub(crate) kills: u32,
    /// How many texts are asked for: `DUNLIN_CRASH_MESSAGES`.
    pub(crate) messages: u32,
}

impl Settings {
    pub(crate) fn from_environment() -> anyhow::Result<Self> {
        Ok(Self {
            seed: read("DUNLIN_SEED")?.unwrap_or_else(|| fastrand::u64(..)),
            kills: read("DUNLIN_CRASH_KILLS")?.unwrap_or(22),
            messages: read("DUNLIN_CRASH_MESSAGES")?.unwrap_or(2_000),
        })
    }

    /// Randomness of one kind; the kinds do not disturb each other.
    pub(crate) fn random(self, kind: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed.rotate_left(17) ^ kind)
    }
}

fn read<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(name: &str) -> anyhow::Result<Option<T>> {
    let Ok(text) = env::var(name) else { return Ok(None) };
    text.parse().map(Some).with_context(|| format!("{name}={text}"))
}
