//! What was taken of an allowance lately.

use crate::allowance::Event;
use crate::timestamp::Timestamp;

/// Most takings that are remembered; no limit is larger.
pub const REMEMBERED: usize = 100;

/// When something was taken of an allowance, oldest first: the newest [`REMEMBERED`] takings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allowance {
    /// When.
    pub taken: Vec<Timestamp>,
}

impl Allowance {
    /// Folds one more event into what is known; `at` is when it happened.
    pub fn apply(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::Taken { keep_from } => {
                self.taken.retain(|taken| taken >= keep_from);
                let surplus = self.taken.len().saturating_add(1).saturating_sub(REMEMBERED);
                self.taken.drain(..surplus.min(self.taken.len()));
                self.taken.push(at);
            }
        }
    }
}
