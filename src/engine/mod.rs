//! The loop: the only writer. Commands come in, decisions are committed, then effects go out.
//!
//! ```text
//!  ask ──> admission ──> writer thread: decide, commit a batch (one transaction), answer
//!                            │    ^
//!              effects after │    │ outcomes as commands
//!              the commit    v    │
//!                         courier (submit, find, fetch at the provider)
//! ```
//!
//! Nothing leaves before the transaction that intends it is durable. While one commit waits for the
//! disk, the next batch is decided; it is written when the disk has the one before.

mod admission;
mod alarm;
mod answer;
pub mod ask;
mod consents;
pub mod courier;
pub mod dispatcher;
mod doubts;
pub mod duty;
pub mod first_text;
mod flows;
mod instances;
pub mod lease;
pub mod progress;
pub mod provider;
pub mod rate;
mod receipt;
mod recipients;
mod recurrences;
mod regions;
mod scheduler;
pub mod script;
pub mod stepper;
pub mod sync;
mod templates;
pub mod timer_wheel;
mod turn;
mod users;
pub mod verifications;
pub mod verify_service;
mod writer;

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use dunlin_storage::{FaultKind, JournalSeq, Store};
use dunlin_workflows::actor::Origin;
use dunlin_workflows::consent::{self, Consent, Inbound, Reply};
use dunlin_workflows::id::{Attempt, MessageNumber};
use dunlin_workflows::message::{Command, Report, State, UserId};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::recurrence::Recurrence;
use dunlin_workflows::rules::Rules;
use dunlin_workflows::template::Template;
use dunlin_workflows::user::User;
use tokio::sync::{oneshot, watch};

use crate::clock::Clock;
use crate::engine::admission::Admission;
use crate::engine::ask::{
    Again, Ask, AskError, Claim, Receipt, RecurrenceAsk, Retried, Target, TemplateAsk, UserAsk, Whom, Wish,
};
use crate::engine::courier::Courier;
use crate::engine::dispatcher::DispatchLimits;
use crate::engine::lease::LeaseHandle;
use crate::engine::progress::Progress;
use crate::engine::provider::Provider;
use crate::engine::verifications::{CodeWish, Verified, VerifyAsk, Verifying};
use crate::engine::writer::Writer;

/// When somebody who found no room on the disk may ask again.
pub const ROOM_AFTER: Duration = Duration::from_secs(10);

/// Everything the engine is started with.
#[derive(Debug)]
pub struct EngineConfig {
    /// The rules in force.
    pub rules: Rules,
    /// Limits on what may be with the provider at once.
    pub limits: DispatchLimits,
    /// Most bytes of requests waiting for the writer.
    pub queue_bytes_max: usize,
    /// How far ahead timers are kept in memory.
    pub timer_horizon: Duration,
    /// How long an idempotency key is remembered.
    pub idempotency_retention: Duration,
    /// How long a callback without a message is kept.
    pub orphan_retention: Duration,
    /// How many questions (searches, polls) may be with the provider at once.
    pub questions_max: usize,
    /// How numbers are proven.
    pub verifying: Verifying,
    /// The lease under which texts of a shared database are ours, as it stands at the start.
    pub lease: LeaseHandle,
    /// Seed of the jitter.
    pub seed: u64,
}

/// A handle on the running engine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    asks: mpsc::Sender<Ask>,
    admission: Arc<Admission>,
    progress: Arc<Progress>,
    lease: LeaseHandle,
    ended: watch::Receiver<Option<Ended>>,
}

/// How the engine ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// As asked.
    Stopped,
    /// The store failed; only opening it again can tell what is durable.
    Failed {
        /// What failed.
        kind: FaultKind,
        /// How, in words.
        why: String,
    },
}

impl Engine {
    /// Re-derives every effect from the store, then starts the writer.
    ///
    /// # Errors
    /// A text for the operator when the store can't be read or the thread can't be started.
    pub fn start(
        store: Arc<Store>,
        provider: Arc<dyn Provider>,
        clock: Arc<dyn Clock>,
        config: EngineConfig,
    ) -> Result<Self, StartError> {
        let (asks, inbox) = mpsc::channel();
        let (end, ended) = watch::channel(None);
        let admission = Arc::new(Admission::new(config.queue_bytes_max));
        let progress = Arc::new(Progress::default());
        let lease = config.lease.clone();
        let courier = Box::new(Courier::new(
            provider,
            config.verifying.service.clone(),
            asks.clone(),
            config.questions_max,
        ));
        let mut writer =
            Writer::recover(store, clock, config, courier, Arc::clone(&admission), Arc::clone(&progress))?;
        thread::Builder::new()
            .name("writer".into())
            .spawn(move || {
                let how = match writer.run(&inbox) {
                    Ok(()) => Ended::Stopped,
                    Err(error) => Ended::Failed { kind: writer.failure(&error), why: error.to_string() },
                };
                // Whoever waits for the end may close the store at once.
                drop(writer);
                end.send_replace(Some(how));
            })
            .map_err(StartError::Thread)?;
        Ok(Self { asks, admission, progress, lease, ended })
    }

    /// Accepts wishes, each for itself. Answered after they are durable.
    ///
    /// # Errors
    /// [`AskError::Busy`] and [`AskError::Stopping`] for all of them; others per wish.
    pub async fn accept(
        &self,
        wishes: Vec<Wish>,
        origin: impl Into<Origin>,
    ) -> Result<Vec<Result<Receipt, AskError>>, AskError> {
        let bytes =
            wishes.iter().map(|wish| 256_usize.saturating_add(wish.request.body.as_str().len())).sum();
        let origin = origin.into();
        self.ask(bytes, |reply| Ask::Accept { wishes, origin, reply }).await
    }

    /// Carries out one command. Answered after its events are durable.
    ///
    /// # Errors
    /// [`AskError::Rejected`] when the domain says no, [`AskError::NotFound`], and as [`Engine::accept`].
    pub async fn command(
        &self,
        target: Target,
        command: Command,
        origin: impl Into<Origin>,
    ) -> Result<State, AskError> {
        let origin = origin.into();
        self.ask(256, |reply| Ask::Command { target, command, origin, reply }).await?
    }

    /// Tries a message again: the same one while it waits, else as a new message.
    ///
    /// # Errors
    /// As [`Engine::command`].
    pub async fn retry(&self, again: Again, origin: impl Into<Origin>) -> Result<Retried, AskError> {
        let origin = origin.into();
        self.ask(256, |reply| Ask::Retry { again, origin, reply }).await?
    }

    /// Tries finalized messages again, each for itself, all in one transaction. `claim` makes the whole
    /// recognizable afterwards; whether it was asked before is the caller's to look up.
    ///
    /// # Errors
    /// [`AskError::Busy`] and [`AskError::Stopping`] for all of them; others per message.
    pub async fn recover(
        &self,
        again: Vec<Again>,
        claim: Option<Claim>,
        origin: impl Into<Origin>,
    ) -> Result<Vec<Result<Receipt, AskError>>, AskError> {
        let (bytes, origin) = (again.len().saturating_mul(512), origin.into());
        self.ask(bytes, |reply| Ask::Recover { again, claim, origin, reply }).await
    }

    /// Takes in what a signed callback says. Answered after it is durable, also when it says nothing new.
    ///
    /// # Errors
    /// [`AskError::Busy`] and [`AskError::Stopping`].
    pub async fn callback(
        &self,
        named: Option<(MessageNumber, Attempt)>,
        report: Report,
    ) -> Result<(), AskError> {
        self.ask(128, |reply| Ask::Callback { named, report, reply }).await
    }

    /// Takes in a text of a person to us. Answered after what it means is durable, with what it is
    /// answered with; a text that was heard before means nothing new.
    ///
    /// # Errors
    /// [`AskError::Busy`] and [`AskError::Stopping`].
    pub async fn text(&self, from: PhoneNumber, inbound: Inbound) -> Result<Reply, AskError> {
        let bytes = 256_usize.saturating_add(inbound.words.len());
        self.ask(bytes, |reply| Ask::Text { from, inbound, reply }).await
    }

    /// Tells of a person's consent. Answered after it is durable, with what is known then.
    ///
    /// # Errors
    /// [`AskError::Consent`] when the domain says no, [`AskError::Erased`], and as [`Engine::accept`].
    pub async fn consent(
        &self,
        whom: Whom,
        command: consent::Command,
        origin: impl Into<Origin>,
    ) -> Result<Consent, AskError> {
        let origin = origin.into();
        self.ask(256, |reply| Ask::Consent { whom, command, origin, reply }).await?
    }

    /// Asks about a user. Answered after it is durable, with what is known of them then.
    ///
    /// # Errors
    /// [`AskError::User`] when the domain says no, and as [`Engine::accept`].
    pub async fn user(&self, id: UserId, ask: UserAsk, origin: impl Into<Origin>) -> Result<User, AskError> {
        let origin = origin.into();
        self.ask(512, |reply| Ask::User { id, ask, origin, reply }).await?
    }

    /// Asks for a code to prove a number, or whether one is right. Answered after it is durable, and once the
    /// service has answered, when it is asked.
    ///
    /// # Errors
    /// [`AskError::Verification`], [`AskError::Allowance`], [`AskError::Forbidden`] and [`AskError::SendingDisabled`]
    /// when the domain says no, and as [`Engine::accept`].
    pub async fn verify(&self, ask: VerifyAsk, origin: impl Into<Origin>) -> Result<Verified, AskError> {
        let origin = origin.into();
        self.ask(512, |reply| Ask::Verify { ask, origin, reply }).await?
    }

    /// Texts a code that somebody else made and will check. Answered after it is durable; a repeat with the same
    /// claim sends nothing.
    ///
    /// # Errors
    /// As [`Engine::verify`], and [`AskError::KeyReused`].
    pub async fn relay(&self, wish: CodeWish, claim: Claim) -> Result<Receipt, AskError> {
        self.ask(512, |reply| Ask::Relay { wish, claim, reply }).await?
    }

    /// Asks about a recurrence. Answered after it is durable, with what is known of it then.
    ///
    /// # Errors
    /// [`AskError::Recurrence`] when the domain says no, and as [`Engine::accept`].
    pub async fn recurrence(
        &self,
        ask: RecurrenceAsk,
        origin: impl Into<Origin>,
    ) -> Result<Recurrence, AskError> {
        let origin = origin.into();
        self.ask(2048, |reply| Ask::Recurrence { ask, origin, reply }).await?
    }

    /// Asks about a template. Answered after it is durable, with what is known of it then.
    ///
    /// # Errors
    /// [`AskError::Template`] when the domain says no, and as [`Engine::accept`].
    pub async fn template(&self, ask: TemplateAsk, origin: impl Into<Origin>) -> Result<Template, AskError> {
        let origin = origin.into();
        self.ask(8192, |reply| Ask::Template { ask, origin, reply }).await?
    }

    /// Remembers that the journal was told to the product's own server up to and including `seq`. A position before one
    /// that was noted changes nothing.
    ///
    /// # Errors
    /// [`AskError::Busy`], [`AskError::Stopping`] and [`AskError::NoRoom`].
    pub async fn note_told(&self, seq: JournalSeq) -> Result<(), AskError> {
        self.ask(64, |reply| Ask::Told { seq, reply }).await
    }

    async fn ask<T>(&self, bytes: usize, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Result<T, AskError> {
        let _room = self.admission.enter(bytes)?;
        let (reply, answer) = oneshot::channel();
        if self.asks.send(ask(reply)).is_ok()
            && let Ok(answer) = answer.await
        {
            return Ok(answer);
        }
        // The writer is gone, or about to say how it ended.
        Err(match self.ended().await {
            Ended::Failed { kind: FaultKind::NoRoom, .. } => AskError::NoRoom { retry_after: ROOM_AFTER },
            Ended::Failed { .. } | Ended::Stopped => AskError::Stopping,
        })
    }

    /// Starts nothing new and waits until every request on the wire is answered, then stops the writer.
    ///
    /// Whatever is unanswered at `deadline` is looked up after the restart.
    pub async fn drain(&self, deadline: Duration) {
        if self.asks.send(Ask::Drain).is_ok() {
            let mut ended = self.ended.clone();
            let idle = async {
                while self.progress.in_flight() > 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            if tokio::time::timeout(deadline, idle).await.is_err() {
                tracing::warn!(
                    in_flight = self.progress.in_flight(),
                    "requests unanswered at the deadline; they will be looked up after the restart"
                );
            }
            if self.asks.send(Ask::Stop).is_ok() {
                // The writer always reports its end; if it can't, it is gone, which is the same.
                drop(ended.wait_for(Option::is_some).await);
            }
        }
    }

    /// How the engine ended, once it has.
    pub async fn ended(&self) -> Ended {
        let mut ended = self.ended.clone();
        ended.wait_for(Option::is_some).await.ok().and_then(|how| how.clone()).unwrap_or(Ended::Stopped)
    }

    /// The lease under which texts of a shared database are ours.
    pub fn lease(&self) -> &LeaseHandle {
        &self.lease
    }

    /// What the engine is doing, for readiness and metrics.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }
}

/// The engine can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store can't be read.
    #[error("the store can't be read: {0}")]
    Read(#[from] dunlin_storage::ReadError),
    /// The writer thread can't be started.
    #[error("the writer thread can't be started: {0}")]
    Thread(#[source] std::io::Error),
}
