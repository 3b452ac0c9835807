//! Consent within a turn: what was told becomes durable, and whoever opted out gets nothing more.

use dunlin_storage::By;
use dunlin_workflows::actor::{Origin, Reason};
use dunlin_workflows::consent::{self, Consent, Inbound, Meaning, Reply};
use dunlin_workflows::id::PersonNumber;
use dunlin_workflows::message::Message;
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::source::Source;

use crate::engine::ask::Whom;
use crate::engine::turn::{Turn, TurnError};

impl Turn<'_, '_> {
    /// The person with this number. Who was opted out when they were erased is so when they are met again.
    pub(super) fn person(&mut self, to: PhoneNumber, by: By) -> Result<PersonNumber, TurnError> {
        let person = self.batch.person(to)?;
        if let Some(since) = self.batch.erased_opt_out(person)? {
            self.tell(person, &consent::Command::Remember { since }, by, None)?;
        }
        Ok(person)
    }

    /// A text of a person to us: what it means is recorded once.
    pub(super) fn read(&mut self, from: PhoneNumber, inbound: &Inbound) -> Result<Reply, TurnError> {
        if consent::read(inbound) == Meaning::Nothing || self.batch.was_heard(inbound.sid)? {
            return Ok(Reply::Nothing);
        }
        let by = By::from(Source::Webhook);
        let person = self.person(from, by)?;
        let heard = consent::Command::Hear(inbound.clone());
        let (before, after) = self.tell(person, &heard, by, None)?;
        Ok(consent::reply(&before, &after, inbound, self.rules.sending))
    }

    /// Somebody tells of a person's consent.
    pub(super) fn told(
        &mut self,
        whom: Whom,
        command: &consent::Command,
        origin: &Origin,
    ) -> Result<Consent, TurnError> {
        let by = self.by(origin)?;
        let person = match whom {
            Whom::Number(to) => self.person(to, by)?,
            Whom::Person(person) => person,
        };
        if !self.batch.is_known(person)? {
            return Err(TurnError::Erased);
        }
        Ok(self.tell(person, command, by, origin.reason.as_ref())?.1)
    }

    /// The provider refused a message to somebody because they opted out.
    pub(super) fn refused(&mut self, before: &Message, by: By) -> Result<(), TurnError> {
        let tried_at = before.state.tried_at().unwrap_or(self.now);
        if self.batch.is_known(before.person)? {
            let refuse = consent::Command::Refuse { tried_at };
            self.tell(before.person, &refuse, by, None)?;
        }
        Ok(())
    }

    /// Decides, records, and keeps back what waits for somebody who just opted out: all in one transaction.
    /// Gives what was known before and after.
    fn tell(
        &mut self,
        person: PersonNumber,
        command: &consent::Command,
        by: By,
        reason: Option<&Reason>,
    ) -> Result<(Consent, Consent), TurnError> {
        let words = match command {
            consent::Command::Hear(inbound) => Some(&*inbound.words),
            consent::Command::Refuse { .. }
            | consent::Command::OptOut { .. }
            | consent::Command::UseLink
            | consent::Command::OptIn { .. }
            | consent::Command::Resolve { .. }
            | consent::Command::Remember { .. } => None,
        };
        let before = self.batch.consent(person)?;
        let mut after = before;
        for event in consent::decide(&before, command, reason, self.now)? {
            after.apply(&event);
            self.batch.record_consent(person, self.now, by, &event, &after, words)?;
        }
        if after.standing.is_out() && !before.standing.is_out() {
            self.reconsider(person, by)?;
        }
        Ok((before, after))
    }
}
