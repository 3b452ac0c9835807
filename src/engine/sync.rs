//! What is asked of the engine on behalf of a database that several daemons share.

use dunlin_storage::{Claim, DaemonId, JournalSeq, PullCursor};
use dunlin_workflows::id::{Attempt, MessageId, MessageNumber};
use dunlin_workflows::message::{
    Addressee, Cause, Command, Custody, Message, Outcome, PublicStatus, Request, State, StateName, Suspicion,
};
use dunlin_workflows::source::Source;
use tokio::sync::oneshot;

use crate::engine::Engine;
use crate::engine::answer::{Ready, said};
use crate::engine::ask::{Ask, AskError};
use crate::engine::turn::{Turn, TurnError};

/// A text that was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// What is wanted, and for whom; the id is the database's.
    pub request: Request<Addressee>,
    /// What the database said with it. Kept until [`Engine::confirm`] or [`Engine::relinquish`], also over a restart: see
    /// [`Reader::open_claims`](dunlin_storage::Reader::open_claims).
    pub claim: Claim,
}

/// Where a text that was claimed stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its public name, the same in the database.
    pub id: MessageId,
    /// Its state: one that waits waits for [`Engine::confirm`]; one that is settled only has to be told of.
    pub state: State,
    /// Its public status.
    pub status: PublicStatus,
    /// Whether it was not here before.
    pub is_new: bool,
}

/// What is asked on behalf of a shared database.
#[derive(Debug)]
pub enum SyncAsk {
    /// Texts were claimed.
    Claim {
        /// Which.
        claims: Vec<Claimed>,
        /// Where the answers go.
        reply: oneshot::Sender<Vec<Result<Standing, AskError>>>,
    },
    /// Texts are ours.
    Confirm {
        /// Which.
        ids: Vec<MessageId>,
        /// Where the states afterwards go.
        reply: oneshot::Sender<Vec<Result<State, AskError>>>,
    },
    /// Texts are another daemon's.
    Relinquish {
        /// Which.
        ids: Vec<MessageId>,
        /// Where the states afterwards go.
        reply: oneshot::Sender<Vec<Result<State, AskError>>>,
    },
    /// What the database knows this daemon by.
    Daemon {
        /// Where the answer goes.
        reply: oneshot::Sender<DaemonId>,
    },
    /// The database's changes are taken in up to here.
    Pulled {
        /// The database's own words for it.
        cursor: PullCursor,
        /// Where the answer goes.
        reply: oneshot::Sender<()>,
    },
    /// The database has learned of the journal up to and including this position.
    Pushed {
        /// The position.
        seq: JournalSeq,
        /// Where the answer goes.
        reply: oneshot::Sender<()>,
    },
}

impl Engine {
    /// Takes in texts that were claimed, all in one transaction. Each waits for [`Engine::confirm`]. One that is here
    /// already is the same wish: what waits, waits for the confirmation of this claim; what is under way or settled
    /// says where it stands. Answered after it is durable.
    ///
    /// # Errors
    /// [`AskError::Busy`], [`AskError::Stopping`] and [`AskError::NoRoom`] for all of them. For one:
    /// [`AskError::Rejected`] and those of a user without a number for a wish that is not accepted, [`AskError::IdTaken`]
    /// when a text of our own has the id, [`AskError::Altered`], [`AskError::Erased`].
    pub async fn claim(&self, claims: Vec<Claimed>) -> Result<Vec<Result<Standing, AskError>>, AskError> {
        let bytes =
            claims.iter().map(|claim| 256_usize.saturating_add(claim.request.body.as_str().len())).sum();
        self.ask(bytes, |reply| Ask::Sync(SyncAsk::Claim { claims, reply })).await
    }

    /// The database says that texts are ours: they go as soon as the gate lets them, or are looked up first when the
    /// claim says that somebody else may have sent them. All in one transaction; says where each stands then.
    ///
    /// # Errors
    /// As [`Engine::claim`] for all of them; [`AskError::NotFound`] for one.
    pub async fn confirm(&self, ids: Vec<MessageId>) -> Result<Vec<Result<State, AskError>>, AskError> {
        let bytes = ids.len().saturating_mul(128);
        self.ask(bytes, |reply| Ask::Sync(SyncAsk::Confirm { ids, reply })).await
    }

    /// The database says that texts are another daemon's: nothing of them is sent from here any more. An attempt
    /// that is under way is followed to its end. All in one transaction; says where each stands then.
    ///
    /// # Errors
    /// As [`Engine::confirm`].
    pub async fn relinquish(&self, ids: Vec<MessageId>) -> Result<Vec<Result<State, AskError>>, AskError> {
        let bytes = ids.len().saturating_mul(128);
        self.ask(bytes, |reply| Ask::Sync(SyncAsk::Relinquish { ids, reply })).await
    }

    /// What a shared database knows this daemon by. Drawn when it is asked for first; answered after it is durable.
    ///
    /// # Errors
    /// [`AskError::Busy`], [`AskError::Stopping`] and [`AskError::NoRoom`].
    pub async fn daemon_id(&self) -> Result<DaemonId, AskError> {
        self.ask(64, |reply| Ask::Sync(SyncAsk::Daemon { reply })).await
    }

    /// Remembers how far the database's changes were taken in. Everything that was asked and answered before is
    /// durable no later than this.
    ///
    /// # Errors
    /// As [`Engine::daemon_id`].
    pub async fn note_pulled(&self, cursor: PullCursor) -> Result<(), AskError> {
        let bytes = 64_usize.saturating_add(cursor.as_str().len());
        self.ask(bytes, |reply| Ask::Sync(SyncAsk::Pulled { cursor, reply })).await
    }

    /// Remembers that the database has learned of the journal up to and including `seq`: from the first time on,
    /// nothing after it is archived. A position before one that was noted changes nothing.
    ///
    /// # Errors
    /// As [`Engine::daemon_id`].
    pub async fn note_pushed(&self, seq: JournalSeq) -> Result<(), AskError> {
        self.ask(64, |reply| Ask::Sync(SyncAsk::Pushed { seq, reply })).await
    }
}

/// Carries out one ask. Only a failure of the store is an error here.
pub(super) fn answer(turn: &mut Turn<'_, '_>, ask: SyncAsk) -> Result<Ready, TurnError> {
    Ok(match ask {
        SyncAsk::Claim { claims, reply } => {
            let claimed = claims.into_iter().map(|claimed| said(claim(turn, claimed)));
            Ready::Claimed(reply, claimed.collect::<Result<_, _>>()?)
        }
        SyncAsk::Confirm { ids, reply } => {
            let confirmed = ids.into_iter().map(|id| said(confirm(turn, id)));
            Ready::Stand(reply, confirmed.collect::<Result<_, _>>()?)
        }
        SyncAsk::Relinquish { ids, reply } => {
            let let_go = ids.into_iter().map(|id| said(answered(turn, id, &Command::Relinquish)));
            Ready::Stand(reply, let_go.collect::<Result<_, _>>()?)
        }
        SyncAsk::Daemon { reply } => Ready::Named(reply, turn.batch.daemon_id()?),
        SyncAsk::Pulled { cursor, reply } => {
            turn.batch.set_pull_cursor(&cursor)?;
            Ready::Heard(reply)
        }
        SyncAsk::Pushed { seq, reply } => {
            turn.batch.set_pushed(seq)?;
            Ready::Heard(reply)
        }
    })
}

fn claim(turn: &mut Turn<'_, '_>, claimed: Claimed) -> Result<Standing, TurnError> {
    let Claimed { request, claim } = claimed;
    let id = request.id;
    let Some(number) = turn.batch.number_of_id(id)? else {
        let request = turn.addressed(Request { is_claimed: true, ..request })?;
        let (number, message, _) = turn.accept(&request, Source::Sync.into())?;
        turn.batch.open_claim(number, &claim)?;
        return Ok(standing(id, &message, true));
    };
    let before = turn.load(number)?.ok_or(TurnError::NotFound)?;
    if before.custody == Custody::Own {
        return Err(TurnError::IdTaken(id));
    }
    if waits(before.state) {
        let request = turn.addressed(request)?;
        let kept = turn.batch.request(number)?.ok_or(TurnError::Erased)?;
        if (kept.to, kept.body.as_str()) != (request.to, request.body.as_str()) {
            answered(turn, id, &Command::Relinquish)?;
            return Err(TurnError::Altered(id));
        }
        obey(turn, id, &Command::Reclaim)?;
        if before.scheduled_for != request.scheduled_for && !before.is_parked() {
            obey(turn, id, &Command::Reschedule { scheduled_for: request.scheduled_for })?;
        }
    } else {
        obey(turn, id, &Command::Reclaim)?;
    }
    turn.batch.open_claim(number, &claim)?;
    let after = turn.load(number)?.ok_or(TurnError::NotFound)?;
    Ok(standing(id, &after, false))
}

/// Whether nothing of it is under way, and it is not over: its words and its time are still to come.
fn waits(state: State) -> bool {
    match state.name() {
        StateName::Accepted | StateName::Held | StateName::Due | StateName::Relinquished => true,
        StateName::Submitting
        | StateName::Unknown
        | StateName::Submitted
        | StateName::Sent
        | StateName::Unconfirmed
        | StateName::Delivered
        | StateName::Undelivered
        | StateName::Failed
        | StateName::Canceled
        | StateName::Expired
        | StateName::Suppressed => false,
    }
}

fn standing(id: MessageId, message: &Message, is_new: bool) -> Standing {
    Standing { id, state: message.state, status: message.public_status(), is_new }
}

fn confirm(turn: &mut Turn<'_, '_>, id: MessageId) -> Result<State, TurnError> {
    let number = turn.batch.number_of_id(id)?.ok_or(TurnError::NotFound)?;
    let mut suspicion = turn.batch.claim(number)?.and_then(|claim| claim.suspicion);
    if let Some(Suspicion { known: Some(known), .. }) = suspicion
        && turn.batch.number_of_sid(known.sid)?.is_some()
    {
        // A message of ours has that name already: what somebody else did must be looked up.
        suspicion = suspicion.map(|suspicion| Suspicion { known: None, ..suspicion });
    }
    answered(turn, id, &Command::Confirm { suspicion })
}

/// Carries out what the database answered to a claim.
fn answered(turn: &mut Turn<'_, '_>, id: MessageId, command: &Command) -> Result<State, TurnError> {
    let state = obey(turn, id, command)?;
    if let Some(number) = turn.batch.number_of_id(id)? {
        turn.batch.close_claim(number)?;
    }
    Ok(state)
}

fn obey(turn: &mut Turn<'_, '_>, id: MessageId, command: &Command) -> Result<State, TurnError> {
    let number = turn.batch.number_of_id(id)?.ok_or(TurnError::NotFound)?;
    turn.carry_out(number, command, Source::Sync)
}

/// An attempt did not leave, because the lease lapsed before it could. It says nothing of the way to the provider.
pub(super) fn kept(
    turn: &mut Turn<'_, '_>,
    number: MessageNumber,
    attempt: Attempt,
) -> Result<(), TurnError> {
    turn.memory.dispatcher.release(number);
    let detail = "the lease lapsed before it could leave".into();
    let outcome = Outcome::Refused { cause: Cause::NotConnected, detail, retry_after: None };
    turn.carry_out(number, &Command::Conclude { attempt, outcome }, Source::Dispatcher)?;
    Ok(())
}
