//! The engine without a thread and without a runtime: whoever holds it decides when it takes a turn.
//!
//! The simulation drives the same writer with it that [`Engine`](crate::engine::Engine) puts on a thread.

use std::sync::Arc;
use std::time::Duration;

use dunlin_storage::Store;

use crate::clock::Clock;
use crate::engine::admission::Admission;
use crate::engine::ask::Ask;
use crate::engine::courier::Effects;
use crate::engine::progress::Progress;
use crate::engine::writer::Writer;
use crate::engine::{EngineConfig, StartError};

/// The single writer, one turn at a time.
#[derive(Debug)]
pub struct Stepper {
    writer: Writer,
}

/// The store failed; only opening it again can tell what is durable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the writer can't go on: {0}")]
pub struct Halted(String);

impl Stepper {
    /// Re-derives every effect from the store.
    ///
    /// # Errors
    /// As [`Engine::start`](crate::engine::Engine::start).
    pub fn recover(
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
        config: EngineConfig,
        effects: Box<dyn Effects>,
    ) -> Result<Self, StartError> {
        let admission = Arc::new(Admission::new(config.queue_bytes_max));
        let progress = Arc::new(Progress::default());
        Ok(Self { writer: Writer::recover(store, clock, config, effects, admission, progress)? })
    }

    /// Records that what was in flight when the last process ended may or may not have been taken.
    /// Comes before the first turn.
    ///
    /// # Errors
    /// [`Halted`]; then this must be dropped and the store opened again.
    pub fn begin(&mut self) -> Result<(), Halted> {
        self.writer.lose_in_flight().map_err(|error| Halted(error.to_string()))
    }

    /// One turn: everything that was asked or is due, in one transaction. Returns how long nothing
    /// more will be due, as far as memory knows; timers far ahead are on disk only, so the next turn
    /// should not be later than half the timer horizon.
    ///
    /// # Errors
    /// As [`Stepper::begin`].
    pub fn turn(&mut self, asks: &mut Vec<Ask>) -> Result<Duration, Halted> {
        let wait = self.writer.turn(asks).map_err(|error| Halted(error.to_string()))?;
        Ok(self.writer.idle(wait))
    }
}
