//! When things happened, as the store's own journal tells it.

use std::path::Path;

use dunlin_storage::{ReadOnlyStore, Reader};
use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::message::Event;
use dunlin_workflows::timestamp::Timestamp;

use crate::bench::error::BenchError;
use crate::bench::figure::quantile;
use crate::bench::stand::CACHE_BYTES;

/// When one message took its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Steps {
    /// When it was accepted.
    pub(super) accepted: Timestamp,
    /// When it was to be sent; when it was accepted, if it named no time.
    pub(super) wanted: Timestamp,
    /// When its timer had fired, or it was due at once.
    pub(super) due: Timestamp,
    /// When its attempt was committed.
    pub(super) begun: Timestamp,
    /// When the provider's answer was recorded.
    pub(super) taken: Timestamp,
}

/// Milliseconds, sorted.
#[derive(Debug, Clone, Default)]
pub(super) struct Waits(Vec<u32>);

impl Waits {
    /// From one step to another of each message.
    pub(super) fn between<'a>(
        steps: impl IntoIterator<Item = &'a Steps>,
        from: fn(&Steps) -> Timestamp,
        until: fn(&Steps) -> Timestamp,
    ) -> Self {
        let wait = |steps: &Steps| until(steps).since(from(steps)).as_millis();
        let waits = steps.into_iter().map(|steps| u32::try_from(wait(steps)).unwrap_or(u32::MAX));
        let mut waits: Vec<u32> = waits.collect();
        waits.sort_unstable();
        Self(waits)
    }

    /// Milliseconds that `percent` of them do not exceed.
    pub(super) fn quantile(&self, percent: usize) -> u32 {
        quantile(&self.0, percent)
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }
}

/// The steps of `count` messages from `first` on, in the closed store at `path`.
///
/// # Errors
/// [`BenchError`]; also when one of them was not taken by the provider at its first attempt.
pub(super) fn steps(path: &Path, first: MessageNumber, count: u32) -> Result<Vec<Steps>, BenchError> {
    let reader = ReadOnlyStore::open(path, CACHE_BYTES, None)?.reader()?;
    let last = first.get().saturating_add(u64::from(count));
    (first.get()..last).map(|number| of(&reader, MessageNumber::new(number))).collect()
}

fn of(reader: &Reader, number: MessageNumber) -> Result<Steps, BenchError> {
    let life = reader.life(number)?;
    let at = |is: fn(&Event) -> bool| life.iter().find(|entry| is(&entry.event)).map(|entry| entry.at);
    let wanted = life.iter().find_map(|entry| {
        if let Event::Accepted { terms } = &entry.event { terms.scheduled_for } else { None }
    });
    let found = || {
        let accepted = at(|event| matches!(event, Event::Accepted { .. }))?;
        Some(Steps {
            accepted,
            wanted: wanted.unwrap_or(accepted),
            due: at(|event| matches!(event, Event::BecameDue))?,
            begun: at(|event| matches!(event, Event::AttemptStarted { .. }))?,
            taken: at(|event| matches!(event, Event::Submitted { .. }))?,
        })
    };
    found().ok_or_else(|| BenchError::Broken(format!("message number {} was not sent", number.get())))
}
