//! Verifications within a turn: codes are asked for, sent and checked, and a proven number becomes its user's.

use std::sync::Arc;

use dunlin_storage::{Allowances, By, InstanceKind, Told, Verifications};
use dunlin_workflows::actor::Origin;
use dunlin_workflows::allowance::{self, Subject};
use dunlin_workflows::body::Body;
use dunlin_workflows::id::{MessageId, PersonNumber, UserNumber};
use dunlin_workflows::kind::{KindName, VERIFICATION};
use dunlin_workflows::message::{OnUnknown, Priority, Request, UserId};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::policy::{self, Case, Recipient, Ruling};
use dunlin_workflows::rules::Sending;
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::verification::{
    self, Code, Command, Context, Event, Outcome, Rejection, Standing, Verification, Via, Wording, decide,
};

use crate::engine::answer::accept;
use crate::engine::ask::{Claim, Receipt, Wish};
use crate::engine::turn::{Turn, TurnError};
use crate::engine::verify_service::{VerifyQuestion, VerifyService};

/// How numbers are proven.
#[derive(Debug, Clone, Default)]
pub struct Verifying {
    /// How long a code counts, and how often one is sent and checked.
    pub rules: verification::Rules,
    /// How often codes may be asked for.
    pub allowances: allowance::Rules,
    /// What our own texts say.
    pub wording: Wording,
    /// The service that sends and checks codes; without one they are ours.
    pub service: Option<Arc<dyn VerifyService>>,
}

/// What somebody asks about a verification.
#[derive(Debug)]
pub enum VerifyAsk {
    /// Send a code.
    Start(CodeWish),
    /// Check one.
    Check {
        /// Whose number it is said to prove.
        person: PersonNumber,
        /// For whom; the one who asked for it.
        user: Option<UserId>,
        /// The code.
        code: Code,
    },
}

/// A wish for a code.
#[derive(Debug)]
pub struct CodeWish {
    /// To whom.
    pub to: PhoneNumber,
    /// For whom; a number may be proven without a user.
    pub user: Option<UserId>,
    /// From where somebody asks the caller.
    pub address: Option<Box<str>>,
    /// The code, should it be ours: drawn by whoever asks, for decisions draw nothing.
    pub code: Code,
    /// The name of the text, should it be ours.
    pub message: MessageId,
}

/// What whoever asked is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The verification's number.
    pub number: u64,
    /// Its public name.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
    /// What is known of it.
    pub verification: Verification,
}

impl Turn<'_, '_> {
    /// Carries out what somebody asks about a verification. `None` while the service is asked: then the answer
    /// comes with [`Turn::settled`].
    pub(super) fn asked_to_verify(
        &mut self,
        ask: &VerifyAsk,
        origin: &Origin,
    ) -> Result<(u64, Option<Verified>), TurnError> {
        let by = self.by(origin)?;
        match ask {
            VerifyAsk::Start(wish) => self.start_verification(wish, by),
            VerifyAsk::Check { person, user, code } => {
                let user = match user {
                    Some(id) => Some(self.batch.user(id)?.ok_or(Rejection::Expired)?),
                    None => None,
                };
                let number = self.batch.claimant(InstanceKind::Verification, person.get())?;
                let number = number.ok_or(Rejection::Expired)?;
                let command = Command::Check { user, digest: self.batch.code_digest(number, code.as_str()) };
                let told = self.tell_verification(number, &command, by, Some(code))?;
                Ok((number, told))
            }
        }
    }

    /// Everything that can be refused is, before anything is recorded.
    fn start_verification(&mut self, wish: &CodeWish, by: By) -> Result<(u64, Option<Verified>), TurnError> {
        let takings = self.may_send(wish)?;
        let via = if self.verifying.service.is_some() { Via::Service } else { Via::Message };
        self.may_go(wish.to, via)?;
        let (wording, lifetime) = (&self.verifying.wording, self.verifying.rules.lifetime);
        let code_body = wording.code(&wish.code, Some(lifetime)).map_err(|_too_long| TurnError::Wording)?;
        let notice_body = wording.notice().map_err(|_too_long| TurnError::Wording)?;
        let person = self.agreed(wish.to, by)?;
        let user = wish.user.as_ref().map(|id| self.user(id)).transpose()?;
        let known = self.batch.claimant(InstanceKind::Verification, person.get())?;
        let number = match known {
            Some(number) => number,
            None => self.batch.next_instance(InstanceKind::Verification)?,
        };
        let digest = Some(self.batch.code_digest(number, wish.code.as_str()));
        let start = Command::Start { person, user, via, digest };
        let told = self.tell_verification(number, &start, by, None)?;
        if known.is_none() {
            let name = self.batch.verification_name(number);
            self.batch.name_instance(InstanceKind::Verification, &name, number)?;
        }
        self.take(takings, by)?;
        let state = self.batch.instance::<Verifications>(number)?.unwrap_or_default();
        let body = match state.via {
            Via::Message => code_body,
            Via::Notice => notice_body,
            Via::Service => return Ok((number, told)),
        };
        self.accept(&text(wish, body, state.expires_at), by)?;
        Ok((number, told))
    }

    /// Texts a code that somebody else made. Of whoever asked before with the same claim nothing is taken.
    pub(super) fn relay(&mut self, wish: &CodeWish, claim: Claim) -> Result<Receipt, TurnError> {
        let by = By::from(Source::Webhook);
        let is_new = self.batch.idempotency(&claim.key)?.is_none();
        let takings = if is_new { self.may_send(wish)? } else { Vec::new() };
        let body = self.verifying.wording.code(&wish.code, None).map_err(|_too_long| TurnError::Wording)?;
        let expires_at = self.now.plus(self.verifying.rules.lifetime);
        if is_new {
            self.may_go(wish.to, Via::Message)?;
            self.agreed(wish.to, by)?;
        }
        let request = text(wish, body, expires_at).into();
        let receipt = accept(self, Wish { request, claim: Some(claim) }, by)?;
        self.take(takings, by)?;
        Ok(receipt)
    }

    /// Whether a code may be sent at all, and what it takes of the allowances.
    fn may_send(&mut self, wish: &CodeWish) -> Result<Vec<Taking>, TurnError> {
        if self.rules.sending == Sending::Disabled {
            return Err(TurnError::SendingDisabled);
        }
        self.may_take(&[
            (Subject::Number, Some(&wish.to.to_string())),
            (Subject::User, wish.user.as_ref().map(UserId::as_str)),
            (Subject::Address, wish.address.as_deref()),
        ])
    }

    /// Whether a code to this number may go now, and not only later or never: whoever waits for it is told that it was sent.
    /// The service's own codes are in no line of ours. Only what holds for every number of a block is asked, and all of them
    /// count as new, so that nobody learns from the answer which of them are known.
    fn may_go(&mut self, to: PhoneNumber, via: Via) -> Result<(), TurnError> {
        let limits = &self.rules.limits;
        let streams = match via {
            Via::Message | Via::Notice => limits.streams(to, || to.region(), || Ok::<_, TurnError>(true))?,
            Via::Service => Vec::new(),
        };
        let region = if limits.ask_region() { to.region() } else { None };
        let flows = streams.into_iter().map(|stream| {
            let flow = self.batch.flow(&stream)?;
            Ok::<_, TurnError>((stream, flow))
        });
        let recipient = Recipient { region, flows: flows.collect::<Result<_, _>>()?, ..Recipient::default() };
        let kind: Option<KindName> = VERIFICATION.parse().ok();
        let case = Case {
            now: self.now,
            rules: self.rules,
            recipient: &recipient,
            kind: kind.as_ref(),
            priority: Priority::Urgent,
            may_bypass: false,
            scheduled_for: None,
            expires_at: None,
            is_counted: false,
            has_turn: false,
        };
        match policy::judge(&case) {
            Ruling::Hold { hold, until } if via != Via::Service => Err(TurnError::Crowded { hold, until }),
            Ruling::Suppress(ban) => Err(TurnError::Forbidden(ban)),
            Ruling::Send | Ruling::Hold { .. } | Ruling::Expire => Ok(()),
        }
    }

    /// The person with this number, unless they opted out.
    fn agreed(&mut self, to: PhoneNumber, by: By) -> Result<PersonNumber, TurnError> {
        let person = self.person(to, by)?;
        match policy::forbidden(self.batch.consent(person)?.standing) {
            Some(ban) => Err(TurnError::Forbidden(ban)),
            None => Ok(person),
        }
    }

    /// The service answered.
    pub(super) fn verify_answered(&mut self, number: u64, command: &Command) -> Result<(), TurnError> {
        self.settle_verification(number, command, Source::Lookup)
    }

    /// A timer of a verification fired.
    pub(super) fn wake_verification(&mut self, number: u64) -> Result<(), TurnError> {
        self.settle_verification(number, &Command::Wake, Source::Timer)
    }

    /// What nobody asked for is told to whoever waits.
    fn settle_verification(
        &mut self,
        number: u64,
        command: &Command,
        source: Source,
    ) -> Result<(), TurnError> {
        let told = self.tell_verification(number, command, source.into(), None)?;
        self.settled.extend(told);
        Ok(())
    }

    /// Decides and records, asks the service what is to be asked, and lets a proven number be its user's.
    fn tell_verification(
        &mut self,
        number: u64,
        command: &Command,
        by: By,
        code: Option<&Code>,
    ) -> Result<Option<Verified>, TurnError> {
        let mut state = self.batch.instance::<Verifications>(number)?.unwrap_or_default();
        let (person, user) = match command {
            Command::Start { person, user, .. } => (Some(*person), *user),
            Command::Sent(_)
            | Command::Check { .. }
            | Command::Checked { .. }
            | Command::Looked(_)
            | Command::Wake => (state.person, state.user),
        };
        let context =
            Context { now: self.now, rules: &self.verifying.rules, is_taken: self.is_taken(person, user)? };
        let events = decide(&state, command, &context)?;
        // Whoever asks again is told the same, and nothing happens.
        let known = (events.is_empty() && state.standing == Standing::Approved).then_some(Outcome::Approved);
        for event in &events {
            state.apply(event, self.now);
            let told = Told::<Verifications> { at: self.now, by, event, after: &state, secret: None };
            self.batch.record_instance(number, &told)?;
            if let (Event::Approved, Some(person), Some(user)) = (event, state.person, state.user) {
                self.verified(user, person, by)?;
            }
            self.question(number, &state, event, code)?;
        }
        let Some(outcome) = events.last().map_or(known, Event::outcome) else { return Ok(None) };
        let name = self.batch.verification_name(number);
        Ok(Some(Verified { number, name, outcome, verification: state }))
    }

    /// Whether another user than `user` has proven the number. Whoever has no user takes it from nobody.
    fn is_taken(
        &mut self,
        person: Option<PersonNumber>,
        user: Option<UserNumber>,
    ) -> Result<bool, TurnError> {
        let (Some(person), Some(user)) = (person, user) else { return Ok(false) };
        let owner = self.batch.claimant(InstanceKind::User, person.get())?;
        Ok(owner.is_some_and(|owner| owner != user.get()))
    }

    /// What the service is asked because of an event, once that is durable. A number that was erased meanwhile is
    /// asked about no more, and its timer ends the rest.
    fn question(
        &mut self,
        number: u64,
        state: &Verification,
        event: &Event,
        code: Option<&Code>,
    ) -> Result<(), TurnError> {
        let Some(person) = state.person else { return Ok(()) };
        let question = match (event, state.sid) {
            (Event::Started { via: Via::Service, .. } | Event::SendLost { again: true }, _) => {
                self.batch.number_of(person)?.map(|to| VerifyQuestion::Send { to })
            }
            (Event::CheckStarted { digest }, sid) => {
                let to = self.batch.number_of(person)?;
                to.zip(code.cloned()).map(|(to, code)| VerifyQuestion::Check {
                    to,
                    sid,
                    code,
                    digest: *digest,
                })
            }
            (Event::LookupStarted, Some(sid)) => Some(VerifyQuestion::Look { sid }),
            _nothing_to_ask => None,
        };
        self.questions.extend(question.map(|question| (number, question)));
        Ok(())
    }

    /// Whether one more may be taken of each of these allowances, and what is to be recorded then.
    fn may_take(&mut self, subjects: &[(Subject, Option<&str>)]) -> Result<Vec<Taking>, TurnError> {
        let mut takings = Vec::new();
        for (subject, whose) in subjects {
            let Some(whose) = whose else { continue };
            let name = format!("{} {whose}", subject.as_str());
            let number = self.batch.instance_named(InstanceKind::Allowance, &name)?;
            let known = match number {
                Some(number) => self.batch.instance::<Allowances>(number)?.unwrap_or_default(),
                None => allowance::Allowance::default(),
            };
            let limits = self.verifying.allowances.limits(*subject);
            let event = allowance::decide(&known, *subject, &limits, self.now)?;
            takings.push(Taking { name, number, known, event });
        }
        Ok(takings)
    }

    fn take(&mut self, takings: Vec<Taking>, by: By) -> Result<(), TurnError> {
        for Taking { name, number, mut known, event } in takings {
            let is_new = number.is_none();
            let number = match number {
                Some(number) => number,
                None => self.batch.next_instance(InstanceKind::Allowance)?,
            };
            known.apply(&event, self.now);
            let told = Told::<Allowances> { at: self.now, by, event: &event, after: &known, secret: None };
            self.batch.record_instance(number, &told)?;
            if is_new {
                self.batch.name_instance(InstanceKind::Allowance, &name, number)?;
            }
        }
        Ok(())
    }
}

/// One more taken of an allowance.
struct Taking {
    name: String,
    number: Option<u64>,
    known: allowance::Allowance,
    event: allowance::Event,
}

/// The text that proves a number, or tells that it is proven.
fn text(wish: &CodeWish, body: Body, expires_at: Timestamp) -> Request {
    Request {
        id: wish.message,
        to: wish.to,
        body,
        priority: Priority::Urgent,
        scheduled_for: None,
        expires_at: Some(expires_at),
        // A code twice is better than none.
        on_unknown: OnUnknown::Resend,
        kind: VERIFICATION.parse().ok(),
        user_id: wish.user.clone(),
        metadata: None,
        template: None,
        may_bypass: false,
        is_claimed: false,
        retry_of: None,
    }
}
