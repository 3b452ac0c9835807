//! Users within a turn: who they are, what they prefer, which number is theirs.

use std::collections::BTreeSet;

use dunlin_storage::{By, InstanceKind, Told, Users};
use dunlin_workflows::actor::{Origin, Reason};
use dunlin_workflows::id::{PersonNumber, UserNumber};
use dunlin_workflows::message::{Addressee, Request, UserId};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::policy;
use dunlin_workflows::user::{self, Changes, Command, Rejection, User};

use crate::engine::turn::{Turn, TurnError};

/// What somebody asks about a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserAsk {
    /// Change what they prefer, and which number is said to be theirs.
    Change {
        /// What changes of what they prefer.
        changes: Box<Changes>,
        /// The number; `None` leaves it, an inner `None` takes it away.
        number: Option<Option<PhoneNumber>>,
        /// Whether somebody who is believed says that they have proven it.
        is_proven: bool,
        /// The version that the caller has seen; any when `None`.
        seen: Option<u64>,
    },
    /// Somebody said what they prefer, and it can't be understood: their texts are held until that is mended.
    Misread,
    /// They proved that a number is theirs.
    Verify {
        /// The number.
        number: PhoneNumber,
    },
}

impl Turn<'_, '_> {
    /// The user with this id; who was never named is met now. That is no event of theirs: what names them is recorded.
    pub(super) fn user(&mut self, id: &UserId) -> Result<UserNumber, TurnError> {
        match self.batch.user(id)? {
            Some(user) => Ok(user),
            None => Ok(self.batch.meet_user(id)?),
        }
    }

    /// Carries out what somebody asks about a user; gives what is known of them then.
    pub(super) fn asked_of_user(
        &mut self,
        id: &UserId,
        ask: &UserAsk,
        origin: &Origin,
    ) -> Result<User, TurnError> {
        let by = self.by(origin)?;
        let reason = origin.reason.as_ref();
        match ask {
            UserAsk::Change { changes, number, is_proven, seen } => {
                // Everything that can be refused is, before anything is recorded.
                let known = self.known_user(id)?;
                let prefer = Command::Prefer { changes: **changes, seen: *seen };
                user::decide(known.as_ref(), &prefer, reason)?;
                let user = self.user(id)?;
                self.tell_user(user, &prefer, by, reason)?;
                if let Some(number) = number {
                    let person = number.map(|number| self.person(number, by)).transpose()?;
                    self.tell_user(user, &Command::Number { person, seen: None }, by, reason)?;
                    if let Some(person) = person.filter(|_| *is_proven) {
                        return self.verified(user, person, by);
                    }
                }
                self.user_now(user)
            }
            UserAsk::Misread => {
                let user = self.user(id)?;
                self.tell_user(user, &Command::Misread, by, reason)
            }
            UserAsk::Verify { number } => {
                let user = self.user(id)?;
                let person = self.person(*number, by)?;
                self.verified(user, person, by)
            }
        }
    }

    /// A user has proven that a number is theirs. One number has one user: who was first keeps it.
    pub(super) fn verified(
        &mut self,
        user: UserNumber,
        person: PersonNumber,
        by: By,
    ) -> Result<User, TurnError> {
        let owner = self.batch.claimant(InstanceKind::User, person.get())?;
        let is_taken = owner.is_some_and(|owner| owner != user.get());
        self.tell_user(user, &Command::Verify { person, is_taken }, by, None)
    }

    /// A wish with the number that it goes to: that of its user, as it stands in this turn, when it names none.
    pub(super) fn addressed(&mut self, request: Request<Addressee>) -> Result<Request, TurnError> {
        let to = match &request.to {
            Addressee::Number(to) => *to,
            Addressee::User(id) => {
                let user = self.known_user(id)?;
                let person = policy::number_of(user.as_ref(), request.kind.as_ref(), self.rules)?;
                self.batch.number_of(person)?.ok_or(Rejection::NoNumber)?
            }
        };
        Ok(request.addressed(to))
    }

    fn known_user(&mut self, id: &UserId) -> Result<Option<User>, TurnError> {
        let Some(user) = self.batch.user(id)? else { return Ok(None) };
        Ok(self.batch.instance::<Users>(user.get())?)
    }

    fn user_now(&mut self, user: UserNumber) -> Result<User, TurnError> {
        Ok(self.batch.instance::<Users>(user.get())?.unwrap_or_default())
    }

    /// Decides and records; gives what is known of them then.
    fn tell_user(
        &mut self,
        number: UserNumber,
        command: &Command,
        by: By,
        reason: Option<&Reason>,
    ) -> Result<User, TurnError> {
        let before = self.batch.instance::<Users>(number.get())?;
        let mut after = before.unwrap_or_default();
        let was = after.number;
        for event in user::decide(before.as_ref(), command, reason)? {
            after.apply(&event, self.now);
            let told = Told::<Users> { at: self.now, by, event: &event, after: &after, secret: None };
            self.batch.record_instance(number.get(), &told)?;
        }
        if let Some(before) = before
            && self.zone_of_state(&before)? != self.zone_of_state(&after)?
        {
            self.user_moved(number)?;
        }
        // What waits for them waits for reasons that may be gone.
        let persons = [was, after.number].into_iter().flatten().map(|number| number.person);
        let persons: BTreeSet<PersonNumber> = persons.collect();
        if Some(after) != before {
            for person in persons {
                self.reconsider(person, by)?;
            }
        }
        Ok(after)
    }
}
