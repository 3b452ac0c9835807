//! Recipients within a turn: what the gate must know of whom a text goes to.

use dunlin_storage::{By, InstanceKind, Users};
use dunlin_workflows::id::{Attempt, PersonNumber, UserNumber};
use dunlin_workflows::message::{Command, Message};
use dunlin_workflows::phone_number::Region;
use dunlin_workflows::policy::{Recipient, Usage};
use dunlin_workflows::user::User;

use crate::engine::turn::{Turn, TurnError};

/// Most older messages that are looked through at once when something about their recipient changes. Whatever is
/// older still meets the gate when its time comes: this only tells sooner.
const RECONSIDERED_AT_ONCE: usize = 1000;

impl Turn<'_, '_> {
    /// What is known of a person, and of the user to whom a message to them belongs, as it stands in this turn. What
    /// was sent to them lately is no concern of a message that was counted itself.
    pub(super) fn recipient(
        &mut self,
        person: PersonNumber,
        user: Option<UserNumber>,
        is_counted: bool,
    ) -> Result<Recipient, TurnError> {
        let standing = self.batch.consent(person)?.standing;
        let owner = self.batch.claimant(InstanceKind::User, person.get())?.map(UserNumber::new);
        let user = match user.or(owner) {
            Some(user) => self.batch.instance::<Users>(user.get())?,
            None => None,
        };
        let limits = &self.rules.limits;
        let preferences = user.and_then(|user| user.preferences);
        let is_unreadable = user.is_some_and(|user| user.is_unreadable);
        let counts = preferences.is_some() || limits.per_minute.is_some() || limits.per_hour.is_some();
        let usage = if counts && !is_counted { self.batch.usage(person)? } else { Usage::default() };
        let region = if limits.ask_region() { self.region_of(person)? } else { None };
        let is_verified = user.as_ref().and_then(User::verified) == Some(person);
        let (flows, same_text) = (Vec::new(), None);
        Ok(Recipient { standing, preferences, is_unreadable, is_verified, usage, region, flows, same_text })
    }

    /// Where a person's number belongs; `None` when that is nowhere, or they were erased.
    fn region_of(&mut self, person: PersonNumber) -> Result<Option<Region>, TurnError> {
        let number = self.batch.number_of(person)?;
        Ok(number.and_then(|number| self.memory.regions.of(number)))
    }

    /// What is known of whom a message goes to.
    pub(super) fn recipient_of(&mut self, message: &Message) -> Result<Recipient, TurnError> {
        let is_counted = message.attempt != Attempt::NONE;
        let mut recipient = self.recipient(message.person, message.user, is_counted)?;
        // What was attempted was counted, and waits for no place any more.
        if !is_counted {
            recipient.flows = self.flows(message.person, recipient.is_verified)?;
        }
        Ok(recipient)
    }

    /// Asks the gate again about what waits for somebody.
    pub(super) fn reconsider(&mut self, person: PersonNumber, by: By) -> Result<(), TurnError> {
        for number in self.batch.newest_to(person, RECONSIDERED_AT_ONCE)? {
            self.obey(number, &Command::Reconsider, by, None)?;
        }
        Ok(())
    }
}
