//! Recurrences within a turn: each tick and the message that it makes are recorded in one transaction, so no
//! crash parts them.

use dunlin_storage::{By, Holder, InstanceKind, JournalSeq, Recurrences, Templates, Told, Users};
use dunlin_workflows::actor::{Origin, Reason};
use dunlin_workflows::id::UserNumber;
use dunlin_workflows::message::{Addressee, OnUnknown, Priority, Request, TemplateVersion};
use dunlin_workflows::policy::{self, ZoneByRegion};
use dunlin_workflows::recurrence::{
    self, Command, Context, Due, Event, Outcome, PER_USER_MAX, Plan, Recipient, Recurrence, RecurrenceId,
    Rejection, Skip, Standing, Tick,
};
use dunlin_workflows::source::Source;
use dunlin_workflows::user::User;
use dunlin_workflows::zone::Zone;

use crate::engine::script::{self, Filled, Script};
use crate::engine::turn::{Turn, TurnError};

/// What somebody asks about a recurrence.
#[derive(Debug, Clone, PartialEq)]
pub enum RecurrenceAsk {
    /// Let there be one; a repeat of the same is answered with what there is.
    Create {
        /// Its public name.
        id: RecurrenceId,
        /// Who gets it.
        to: Addressee,
        /// When it comes.
        plan: Box<Plan>,
        /// What it says.
        script: Script,
    },
    /// Something about one that there is.
    Tell {
        /// Its public name.
        id: RecurrenceId,
        /// What.
        command: Command,
        /// What it says since, when that changes.
        script: Option<Script>,
    },
}

impl Turn<'_, '_> {
    /// Carries out what somebody asks about a recurrence; gives what is known of it then.
    pub(super) fn asked_of_recurrence(
        &mut self,
        ask: &RecurrenceAsk,
        origin: &Origin,
    ) -> Result<Recurrence, TurnError> {
        let by = self.by(origin)?;
        let reason = origin.reason.as_ref();
        match ask {
            RecurrenceAsk::Create { id, to, plan, script } => match self.recurrence_named(*id)? {
                Some(number) => self.repeated(number, *id, to, plan, script),
                None => self.create_recurrence(*id, to, plan, script, by, reason),
            },
            RecurrenceAsk::Tell { id, command, script } => {
                let number = self.recurrence_named(*id)?.ok_or(Rejection::NotFound)?;
                self.tell_recurrence(number, command, script.as_ref(), by, reason)
            }
        }
    }

    fn recurrence_named(&mut self, id: RecurrenceId) -> Result<Option<u64>, TurnError> {
        Ok(self.batch.instance_named(InstanceKind::Recurrence, &id.to_string())?)
    }

    fn recurrence(&mut self, number: u64) -> Result<Option<Recurrence>, TurnError> {
        Ok(self.batch.instance::<Recurrences>(number)?.flatten())
    }

    /// Whoever did not hear the answer asks again: there is one already, if it is the same.
    fn repeated(
        &mut self,
        number: u64,
        id: RecurrenceId,
        to: &Addressee,
        plan: &Plan,
        script: &Script,
    ) -> Result<Recurrence, TurnError> {
        let known = self.recurrence(number)?.ok_or(Rejection::NotFound)?;
        let same_recipient = match (to, known.recipient) {
            (Addressee::User(id), Recipient::User { user, .. }) => self.batch.user(id)? == Some(user),
            (Addressee::Number(to), Recipient::Person(person)) => self.batch.number_of(person)? == Some(*to),
            (Addressee::User(_), Recipient::Person(_)) | (Addressee::Number(_), Recipient::User { .. }) => {
                false
            }
        };
        let is_there = known.standing != Standing::Deleted;
        let same =
            is_there && same_recipient && known.plan == *plan && self.says(&known)?.as_ref() == Some(script);
        if same { Ok(known) } else { Err(Rejection::IdTaken { id }.into()) }
    }

    fn create_recurrence(
        &mut self,
        id: RecurrenceId,
        to: &Addressee,
        plan: &Plan,
        script: &Script,
        by: By,
        reason: Option<&Reason>,
    ) -> Result<Recurrence, TurnError> {
        // Everything that can be refused is, before anything is recorded.
        let known = match to {
            Addressee::User(user) => self.batch.user(user)?,
            Addressee::Number(_) => None,
        };
        let zone = match (to, known) {
            (Addressee::User(_), Some(user)) => self.zone_of(user)?,
            (Addressee::User(_), None) => self.rules.limits.zone,
            (Addressee::Number(_), _) => None,
        };
        let slot = known.map_or(Ok(0), |user| self.free_slot(user))?;
        let context = Context { now: self.now, zone, position: 0, reason };
        let create = |recipient| Command::Create { id, recipient, plan: plan.clone() };
        let anybody = Recipient::User { user: UserNumber::new(0), slot };
        recurrence::decide(None, &create(anybody), &context)?;
        let recipient = match to {
            Addressee::User(user) => Recipient::User { user: self.user(user)?, slot },
            Addressee::Number(to) => Recipient::Person(self.person(*to, by)?),
        };
        let number = self.batch.next_instance(InstanceKind::Recurrence)?;
        let made = self.tell_recurrence(number, &create(recipient), Some(script), by, reason)?;
        self.batch.name_instance(InstanceKind::Recurrence, &id.to_string(), number)?;
        Ok(made)
    }

    fn free_slot(&mut self, user: UserNumber) -> Result<u8, TurnError> {
        for slot in 0..PER_USER_MAX {
            if self.in_slot(user, slot)?.is_none() {
                return Ok(slot);
            }
        }
        Err(Rejection::TooMany.into())
    }

    fn in_slot(&mut self, user: UserNumber, slot: u8) -> Result<Option<u64>, TurnError> {
        let Some(claim) = Recipient::slot(user, slot) else { return Ok(None) };
        Ok(self.batch.claimant(InstanceKind::Recurrence, claim)?)
    }

    /// A user's zone changed: what recurs for them comes by the clock where they are now.
    pub(super) fn user_moved(&mut self, user: UserNumber) -> Result<(), TurnError> {
        for slot in 0..PER_USER_MAX {
            if let Some(number) = self.in_slot(user, slot)? {
                self.wake_recurrence(number)?;
            }
        }
        Ok(())
    }

    fn zone_of(&mut self, user: UserNumber) -> Result<Option<Zone>, TurnError> {
        let known = self.batch.instance::<Users>(user.get())?.unwrap_or_default();
        self.zone_of_state(&known)
    }

    /// Where a user is, as the gate sees it: by their preferences, then by their number if it may, then by the deployment.
    pub(super) fn zone_of_state(&mut self, user: &User) -> Result<Option<Zone>, TurnError> {
        let limits = &self.rules.limits;
        let by_number = user.number.filter(|_| limits.zone_by_region == ZoneByRegion::On);
        let region = by_number.map(|number| self.batch.region_of(number.person)).transpose()?.flatten();
        let whereabouts = policy::whereabouts(user.preferences.as_ref(), region, limits);
        Ok(whereabouts.map(|(zone, _)| zone))
    }

    /// A recurrence's timer fired, or its recipient moved: the tick that has come makes a message.
    pub(super) fn wake_recurrence(&mut self, number: u64) -> Result<(), TurnError> {
        let Some(known) = self.recurrence(number)? else { return Ok(()) };
        let by = By::from(Source::Timer);
        let zone = match known.recipient {
            Recipient::User { user, .. } => self.zone_of(user)?,
            Recipient::Person(_) => None,
        };
        let ticked = match recurrence::due(&known, zone, self.now) {
            Due::Not => None,
            Due::TooLate(wall) => Some((wall, Outcome::Skipped(Skip::Late))),
            Due::Now(tick) => {
                let Some(script) = self.says(&known)? else {
                    self.tell_recurrence(number, &Command::Lose, None, by, None)?;
                    return Ok(());
                };
                Some((tick.wall, self.text(&known, tick, &script, by)?))
            }
        };
        self.tell_recurrence(number, &Command::Wake { ticked }, None, by, None)?;
        Ok(())
    }

    /// Makes the message of a tick, unless it is there.
    fn text(
        &mut self,
        known: &Recurrence,
        tick: Tick,
        script: &Script,
        by: By,
    ) -> Result<Outcome, TurnError> {
        let id = known.id.message(tick.wall);
        if self.batch.number_of_id(id)?.is_some() {
            return Ok(Outcome::Texted(id));
        }
        let (person, user_id) = match known.recipient {
            Recipient::Person(person) => (Some(person), None),
            Recipient::User { user, .. } => {
                let number = self.batch.instance::<Users>(user.get())?.and_then(|user| user.number);
                (number.map(|number| number.person), self.batch.user_id(user)?)
            }
        };
        let to = person.map(|person| self.batch.number_of(person)).transpose()?.flatten();
        let Some(to) = to else { return Ok(Outcome::Skipped(Skip::NoNumber)) };
        let (body, template, may_bypass) = match script {
            Script::Text(body) => (body.clone(), None, false),
            Script::Values(values) => match self.filled(known, values)? {
                Ok((number, Filled { body, version, may_bypass })) => {
                    (body, Some(TemplateVersion { number, version }), may_bypass)
                }
                Err(why) => {
                    tracing::warn!(recurrence = %known.id, tick = %tick.wall, %why, "a template could not be filled");
                    return Ok(Outcome::Skipped(Skip::NotFilled));
                }
            },
        };
        let priority = known.plan.priority;
        let may_bypass = may_bypass && priority == Priority::Urgent;
        let request = Request {
            id,
            to,
            body,
            priority,
            scheduled_for: None,
            expires_at: Some(tick.at.plus(known.plan.grace.get())),
            on_unknown: OnUnknown::default(),
            user_id,
            metadata: None,
            retry_of: None,
            kind: known.plan.kind.clone(),
            template,
            may_bypass,
            is_claimed: false,
        };
        match self.accept(&request, by) {
            Ok(_) => Ok(Outcome::Texted(id)),
            Err(TurnError::Rejected(rejection)) => {
                tracing::warn!(recurrence = %known.id, tick = %tick.wall, %rejection, "a tick became no message");
                Ok(Outcome::Skipped(Skip::Refused))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Its template as it is now, filled, with the template's number; or why there is none.
    fn filled(
        &mut self,
        known: &Recurrence,
        values: &script::Values,
    ) -> Result<Result<(u64, Filled), String>, TurnError> {
        let Some(key) = &known.plan.template else { return Ok(Err("it names no template".to_owned())) };
        let number = self.batch.instance_named(InstanceKind::Template, key.as_str())?;
        let template = number.map(|number| self.batch.instance::<Templates>(number)).transpose()?;
        let (Some(number), Some(template)) = (number, template.flatten().flatten()) else {
            return Ok(Err(format!("there is no template \"{key}\"")));
        };
        let own = match known.recipient {
            Recipient::User { user, .. } => self.zone_of(user)?,
            Recipient::Person(_) => None,
        };
        let zone = known.plan.zone.or(own).or(self.rules.limits.zone);
        Ok(values.fill(&template, zone).map(|filled| (number, filled)))
    }

    /// What it says; `None` when nobody can read that any more.
    fn says(&mut self, known: &Recurrence) -> Result<Option<Script>, TurnError> {
        let secret = self.batch.secret_at(JournalSeq::new(known.text_at), known.recipient.into())?;
        Ok(secret.and_then(|bytes| Script::read(&bytes, known.plan.template.is_some())))
    }

    /// Decides and records; gives what is known of it then.
    fn tell_recurrence(
        &mut self,
        number: u64,
        command: &Command,
        script: Option<&Script>,
        by: By,
        reason: Option<&Reason>,
    ) -> Result<Recurrence, TurnError> {
        let mut known = self.recurrence(number)?;
        let recipient = if let Command::Create { recipient, .. } = command {
            Some(*recipient)
        } else {
            known.as_ref().map(|known| known.recipient)
        };
        let zone = match recipient {
            Some(Recipient::User { user, .. }) => self.zone_of(user)?,
            Some(Recipient::Person(_)) | None => None,
        };
        let position = self.batch.last_seq().next().get();
        let context = Context { now: self.now, zone, position, reason };
        for event in recurrence::decide(known.as_ref(), command, &context)? {
            event.apply_to(&mut known, self.now);
            let script = script.filter(|_| matches!(event, Event::Created { .. } | Event::Changed { .. }));
            let words = script.map(Script::bytes);
            let secret =
                recipient.zip(words.as_deref()).map(|(recipient, words)| (Holder::from(recipient), words));
            let told = Told::<Recurrences> { at: self.now, by, event: &event, after: &known, secret };
            self.batch.record_instance(number, &told)?;
        }
        Ok(known.ok_or(Rejection::NotFound)?)
    }
}
