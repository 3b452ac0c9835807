//! Carries out what was asked within a turn, and keeps the answers until the turn is durable.

use std::time::Duration;

use dunlin_storage::{By, DaemonId, Idempotency, JournalSeq, record};
use dunlin_workflows::actor::Origin;
use dunlin_workflows::consent::{Consent, Reply};
use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::message::{Command, Next, Request, State, next};
use dunlin_workflows::recurrence::Recurrence;
use dunlin_workflows::source::Source;
use dunlin_workflows::template::Template;
use dunlin_workflows::user::User;
use tokio::sync::oneshot;

use crate::engine::ask::{Again, Ask, AskError, Claim, Found, Receipt, Retried, Target, Wish};
use crate::engine::receipt::Dated;
use crate::engine::sync::{self, Standing};
use crate::engine::turn::{Turn, TurnError};
use crate::engine::verifications::Verified;

/// Somebody who waits until the service has answered about the verification with this number.
pub(super) type Waiting = (u64, oneshot::Sender<Result<Verified, AskError>>);

/// Answers that must not be given before the transaction they rest on is durable.
#[derive(Default)]
pub(super) struct Answers {
    ready: Vec<Ready>,
}

pub(super) enum Ready {
    Accepted(oneshot::Sender<Vec<Result<Receipt, AskError>>>, Vec<Result<Receipt, AskError>>),
    Done(oneshot::Sender<Result<State, AskError>>, Result<State, AskError>),
    Retried(oneshot::Sender<Result<Retried, AskError>>, Result<Retried, AskError>),
    Heard(oneshot::Sender<()>),
    Claimed(oneshot::Sender<Vec<Result<Standing, AskError>>>, Vec<Result<Standing, AskError>>),
    Stand(oneshot::Sender<Vec<Result<State, AskError>>>, Vec<Result<State, AskError>>),
    Named(oneshot::Sender<DaemonId>, DaemonId),
    Replied(oneshot::Sender<Reply>, Reply),
    Told(oneshot::Sender<Result<Consent, AskError>>, Result<Consent, AskError>),
    User(oneshot::Sender<Result<User, AskError>>, Result<User, AskError>),
    Relayed(oneshot::Sender<Result<Receipt, AskError>>, Result<Receipt, AskError>),
    Verified(oneshot::Sender<Result<Verified, AskError>>, Result<Verified, AskError>),
    Recurrence(oneshot::Sender<Result<Recurrence, AskError>>, Box<Result<Recurrence, AskError>>),
    Template(oneshot::Sender<Result<Template, AskError>>, Box<Result<Template, AskError>>),
}

impl Answers {
    /// Carries out one ask. Only a failure of the store is an error here; a no is an answer.
    pub(super) fn answer(
        &mut self,
        turn: &mut Turn<'_, '_>,
        ask: Ask,
        pause: Duration,
    ) -> Result<(), TurnError> {
        match ask {
            Ask::Accept { wishes, origin, reply } => {
                let by = turn.by(&origin)?;
                let receipts = wishes.into_iter().map(|wish| said(accept(turn, wish, by)));
                let receipts = receipts.collect::<Result<_, _>>()?;
                self.ready.push(Ready::Accepted(reply, receipts));
            }
            Ask::Command { target, command, origin, reply } => {
                let state = locate(turn, target).and_then(|number| turn.asked(number, &command, &origin));
                self.ready.push(Ready::Done(reply, said(state)?));
            }
            Ask::Retry { again, origin, reply } => {
                self.ready.push(Ready::Retried(reply, said(retry(turn, &again, &origin))?));
            }
            Ask::Recover { again, claim, origin, reply } => {
                let receipts = recover(turn, &again, claim, &origin)?;
                self.ready.push(Ready::Accepted(reply, receipts));
            }
            Ask::Callback { named, report, reply } => {
                turn.hear(named, report)?;
                self.ready.push(Ready::Heard(reply));
            }
            Ask::Text { from, inbound, reply } => {
                let answer = turn.read(from, &inbound)?;
                self.ready.push(Ready::Replied(reply, answer));
            }
            Ask::Consent { whom, command, origin, reply } => {
                let told = turn.told(whom, &command, &origin);
                self.ready.push(Ready::Told(reply, said(told)?));
            }
            Ask::User { id, ask, origin, reply } => {
                let user = turn.asked_of_user(&id, &ask, &origin);
                self.ready.push(Ready::User(reply, said(user)?));
            }
            Ask::Verify { ask, origin, reply } => match said(turn.asked_to_verify(&ask, &origin))? {
                Ok((number, None)) => turn.memory.waiting.push((number, reply)),
                Ok((_, Some(verified))) => self.ready.push(Ready::Verified(reply, Ok(verified))),
                Err(no) => self.ready.push(Ready::Verified(reply, Err(no))),
            },
            Ask::Relay { wish, claim, reply } => {
                self.ready.push(Ready::Relayed(reply, said(turn.relay(&wish, claim))?));
            }
            Ask::VerifyAnswered { number, command } => turn.verify_answered(number, &command)?,
            Ask::Recurrence { ask, origin, reply } => {
                let known = turn.asked_of_recurrence(&ask, &origin);
                self.ready.push(Ready::Recurrence(reply, Box::new(said(known)?)));
            }
            Ask::Template { ask, origin, reply } => {
                let known = turn.asked_of_template(&ask, &origin);
                self.ready.push(Ready::Template(reply, Box::new(said(known)?)));
            }
            Ask::Sync(ask) => self.ready.push(sync::answer(turn, ask)?),
            Ask::Told { seq, reply } => {
                turn.batch.set_told(seq)?;
                self.ready.push(Ready::Heard(reply));
            }
            Ask::Concluded { number, attempt, outcome } => turn.conclude(number, attempt, outcome)?,
            Ask::Kept { number, attempt } => sync::kept(turn, number, attempt)?,
            Ask::Resolved { number, attempt, found: Found::Matches(matches) } => {
                turn.resolve(number, attempt, &matches)?;
            }
            Ask::Resolved { number, found: Found::Unavailable, .. } => {
                turn.memory.doubts.postpone(number, pause, turn.now_ms);
            }
            Ask::Polled { number, answer } => {
                turn.carry_out(number, &Command::Poll { answer }, Source::Lookup)?;
            }
            Ask::Drain | Ask::Stop => {}
        }
        Ok(())
    }

    /// Whoever waited for the service is told what came of it.
    pub(super) fn settle(&mut self, waiting: &mut Vec<Waiting>, settled: Vec<Verified>) {
        for verified in settled {
            for (_, reply) in waiting.extract_if(.., |(number, _)| *number == verified.number) {
                self.ready.push(Ready::Verified(reply, Ok(verified.clone())));
            }
        }
    }

    /// Gives every answer; a caller that no longer listens loses nothing but the answer.
    pub(super) fn give(self) {
        for ready in self.ready {
            let listened = match ready {
                Ready::Accepted(reply, receipts) => reply.send(receipts).is_ok(),
                Ready::Done(reply, state) => reply.send(state).is_ok(),
                Ready::Retried(reply, retried) => reply.send(retried).is_ok(),
                Ready::Claimed(reply, standings) => reply.send(standings).is_ok(),
                Ready::Stand(reply, states) => reply.send(states).is_ok(),
                Ready::Heard(reply) => reply.send(()).is_ok(),
                Ready::Named(reply, id) => reply.send(id).is_ok(),
                Ready::Replied(reply, answer) => reply.send(answer).is_ok(),
                Ready::Told(reply, consent) => reply.send(consent).is_ok(),
                Ready::User(reply, user) => reply.send(user).is_ok(),
                Ready::Relayed(reply, receipt) => reply.send(receipt).is_ok(),
                Ready::Verified(reply, verified) => reply.send(verified).is_ok(),
                Ready::Recurrence(reply, known) => reply.send(*known).is_ok(),
                Ready::Template(reply, known) => reply.send(*known).is_ok(),
            };
            if !listened {
                tracing::debug!("a caller left before its answer");
            }
        }
    }
}

/// Splits the domain's no, which is an answer, from the store's failure, which ends the turn.
pub(super) fn said<T>(result: Result<T, TurnError>) -> Result<Result<T, AskError>, TurnError> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(TurnError::Rejected(rejection)) => Ok(Err(AskError::Rejected(rejection))),
        Err(TurnError::Consent(rejection)) => Ok(Err(AskError::Consent(rejection))),
        Err(TurnError::User(rejection)) => Ok(Err(AskError::User(rejection))),
        Err(TurnError::Verification(rejection)) => Ok(Err(AskError::Verification(rejection))),
        Err(TurnError::Allowance(rejection)) => Ok(Err(AskError::Allowance(rejection))),
        Err(TurnError::Forbidden(ban)) => Ok(Err(AskError::Forbidden(ban))),
        Err(TurnError::Crowded { hold, until }) => Ok(Err(AskError::Crowded { hold, until })),
        Err(TurnError::Wording) => Ok(Err(AskError::Wording)),
        Err(TurnError::SendingDisabled) => Ok(Err(AskError::SendingDisabled)),
        Err(TurnError::Recurrence(rejection)) => Ok(Err(AskError::Recurrence(rejection))),
        Err(TurnError::Template(rejection)) => Ok(Err(AskError::Template(rejection))),
        Err(TurnError::NotFound) => Ok(Err(AskError::NotFound)),
        Err(TurnError::Altered(id)) => Ok(Err(AskError::Altered(id))),
        Err(TurnError::IdTaken(id)) => Ok(Err(AskError::IdTaken(id))),
        Err(TurnError::KeyReused) => Ok(Err(AskError::KeyReused)),
        Err(TurnError::Erased) => Ok(Err(AskError::Erased)),
        Err(failure @ (TurnError::Store(_) | TurnError::Illegal(_))) => Err(failure),
    }
}

fn locate(turn: &mut Turn<'_, '_>, target: Target) -> Result<MessageNumber, TurnError> {
    match target {
        Target::Number(number) => Ok(number),
        Target::Id(id) => turn.batch.number_of_id(id)?.ok_or(TurnError::NotFound),
    }
}

pub(super) fn accept(turn: &mut Turn<'_, '_>, wish: Wish, by: By) -> Result<Receipt, TurnError> {
    if let Some(claim) = wish.claim
        && let Some(claimed) = turn.batch.idempotency(&claim.key)?
    {
        if claimed.fingerprint != claim.fingerprint {
            return Err(TurnError::KeyReused);
        }
        return first_receipt(turn, claimed.first);
    }
    let request = turn.addressed(wish.request)?;
    let (number, message, encoding) = turn.accept(&request, by)?;
    if let Some(claim) = wish.claim {
        let answered = Idempotency { fingerprint: claim.fingerprint, first: number, count: 1, at: turn.now };
        turn.batch.set_idempotency(&claim.key, &answered)?;
    }
    Ok(Receipt {
        id: request.id,
        state: message.state,
        status: message.public_status(),
        accepted_at: message.accepted_at,
        encoding,
        segments: message.segments,
        replayed: false,
    })
}

/// The answer that was given when the message was accepted.
fn first_receipt(turn: &mut Turn<'_, '_>, number: MessageNumber) -> Result<Receipt, TurnError> {
    let seq = turn.batch.load(number)?.ok_or(TurnError::NotFound)?.accepted_seq;
    let (accepted, verdict) = (event_at(turn, seq)?, event_at(turn, seq.next())?);
    Receipt::first(&accepted, &verdict)?.ok_or(TurnError::NotFound)
}

fn event_at(turn: &mut Turn<'_, '_>, seq: JournalSeq) -> Result<Dated, TurnError> {
    let record = turn.batch.record_at(seq)?;
    match record.event {
        record::Event::Message { event, .. } => Ok((event, record.at)),
        record::Event::Lane { .. } | record::Event::Person { .. } | record::Event::Instance { .. } => {
            Err(TurnError::NotFound)
        }
    }
}

fn retry(turn: &mut Turn<'_, '_>, again: &Again, origin: &Origin) -> Result<Retried, TurnError> {
    let number = locate(turn, again.target)?;
    let message = turn.load(number)?.ok_or(TurnError::NotFound)?;
    let finalized = next(&message, turn.rules) == Next::Nothing;
    if !finalized {
        let command = Command::Retry { id: again.id };
        return Ok(Retried::Same(turn.asked(number, &command, origin)?));
    }
    anew(turn, number, again, origin).map(Retried::As)
}

/// Tries a finalized message again as a new one; both stand in one transaction, so there is never a second.
fn anew(
    turn: &mut Turn<'_, '_>,
    number: MessageNumber,
    again: &Again,
    origin: &Origin,
) -> Result<Receipt, TurnError> {
    let message = turn.load(number)?.ok_or(TurnError::NotFound)?;
    let by = turn.by(origin)?;
    turn.would_retry(&message, again.id)?;
    let old = turn.batch.request(number)?.ok_or(TurnError::Erased)?;
    let request = Request {
        id: again.id,
        scheduled_for: again.scheduled_for,
        expires_at: again.expires_at.or(old.expires_at),
        retry_of: Some(old.id),
        is_claimed: false,
        ..old
    };
    let receipt = accept(turn, Wish { request: request.into(), claim: None }, by)?;
    turn.asked(number, &Command::Retry { id: again.id }, origin)?;
    Ok(receipt)
}

/// Tries many again, each for itself, and remembers the whole answer under the key.
fn recover(
    turn: &mut Turn<'_, '_>,
    again: &[Again],
    claim: Option<Claim>,
    origin: &Origin,
) -> Result<Vec<Result<Receipt, AskError>>, TurnError> {
    let first = turn.batch.next_number()?;
    let mut receipts = Vec::with_capacity(again.len());
    for one in again {
        let number = locate(turn, one.target);
        receipts.push(said(number.and_then(|number| anew(turn, number, one, origin)))?);
    }
    let made = receipts.iter().filter(|receipt| receipt.is_ok()).count();
    if let (Some(claim), Ok(count @ 1..)) = (claim, u32::try_from(made)) {
        let answered = Idempotency { fingerprint: claim.fingerprint, first, count, at: turn.now };
        turn.batch.set_idempotency(&claim.key, &answered)?;
    }
    Ok(receipts)
}
