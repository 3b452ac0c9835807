//! What an event makes of a person's consent. Total: no clock, no rules.

use crate::consent::{Consent, Event, Finding, How, Review, Standing};

impl Consent {
    /// Folds one more event into what is known.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::OptedOut { since, how, .. } => {
                *self = Self { standing: Standing::OptedOut { since: *since, how: *how }, review: None };
            }
            Event::OptedIn { since, how, .. } => {
                *self = Self { standing: Standing::OptedIn { since: *since, how: *how }, review: None };
            }
            Event::HelpAsked { .. } => {}
            Event::OptOutSuspected { text, since } => {
                let before = self.review.map_or(self.standing, |review| review.before);
                self.standing = Standing::OptedOut { since: *since, how: How::Words };
                self.review = Some(Review { text: *text, before });
            }
            Event::ReviewResolved { finding, .. } => {
                if let (Some(review), Finding::NotOne) = (self.review, finding) {
                    self.standing = review.before;
                }
                self.review = None;
            }
        }
    }
}
