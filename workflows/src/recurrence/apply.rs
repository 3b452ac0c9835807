//! What an event makes of a recurrence. Total: no clock, no zone's rules.

use crate::recurrence::{Event, Outcome, Recurrence, Standing};
use crate::timestamp::Timestamp;

impl Event {
    /// Folds this event into what is known; `at` is when it happened. Until there is a recurrence, only its
    /// creation says anything.
    pub fn apply_to(&self, recurrence: &mut Option<Recurrence>, at: Timestamp) {
        if let Self::Created { id, recipient, plan, text_at } = self {
            *recurrence = Some(Recurrence {
                id: *id,
                recipient: *recipient,
                plan: plan.clone(),
                text_at: *text_at,
                // Until it is armed, in the same transaction.
                standing: Standing::Paused,
                last: None,
                texted: 0,
                skipped: 0,
                created_at: at,
            });
        } else if let Some(recurrence) = recurrence {
            recurrence.apply(self);
        }
    }
}

impl Recurrence {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::Created { .. } | Event::Remarked { .. } | Event::Resumed => {}
            Event::Changed { plan, text_at } => {
                self.plan = plan.clone();
                self.text_at = *text_at;
            }
            Event::Armed(armed) => self.standing = Standing::Active(*armed),
            Event::Ticked { wall, outcome } => {
                self.last = Some((*wall, *outcome));
                match outcome {
                    Outcome::Texted(_) => self.texted = self.texted.saturating_add(1),
                    Outcome::Skipped(_) => self.skipped = self.skipped.saturating_add(1),
                }
            }
            Event::Paused => self.standing = Standing::Paused,
            Event::Ended(end) => self.standing = Standing::Ended(*end),
            Event::Deleted => self.standing = Standing::Deleted,
        }
    }
}
