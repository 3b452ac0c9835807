//! What an event makes of a user. Total: no clock, no rules.

use crate::timestamp::Timestamp;
use crate::user::{Event, OwnNumber, User};

impl User {
    /// Folds one more event into what is known; `at` is when it happened.
    pub fn apply(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::Met | Event::Remarked { .. } => {}
            Event::PreferencesChanged { preferences } => {
                self.preferences = Some(*preferences);
                self.is_unreadable = false;
                self.version = self.version.saturating_add(1);
            }
            Event::PreferencesUnreadable => {
                self.is_unreadable = true;
                self.version = self.version.saturating_add(1);
            }
            Event::NumberChanged { person } => {
                self.number = person.map(|person| OwnNumber { person, verified_at: None });
                self.version = self.version.saturating_add(1);
            }
            Event::NumberVerified { person } => {
                self.number = Some(OwnNumber { person: *person, verified_at: Some(at) });
                self.version = self.version.saturating_add(1);
            }
            Event::Erased { .. } => {
                *self = Self { is_erased: true, version: self.version, ..Self::default() };
            }
        }
    }
}
