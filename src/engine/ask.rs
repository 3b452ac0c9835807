//! What can be asked of the engine, and what it answers.

use std::time::Duration;

use dunlin_storage::JournalSeq;
use dunlin_workflows::actor::Origin;
use dunlin_workflows::body::Encoding;
use dunlin_workflows::consent::{self, Consent, Inbound, Reply};
use dunlin_workflows::id::{Attempt, MessageId, MessageNumber, PersonNumber};
use dunlin_workflows::message::{
    Addressee, Command, Hold, Outcome, PublicStatus, Rejection, Report, Request, State, UserId,
};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::policy::{Ban, Ruling};
use dunlin_workflows::recurrence::{self, Recurrence};
use dunlin_workflows::template::{self, Template};
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::user::{self, User};
use dunlin_workflows::{allowance, verification};
use tokio::sync::oneshot;

pub use crate::engine::recurrences::RecurrenceAsk;
pub use crate::engine::sync::SyncAsk;
pub use crate::engine::templates::{TemplateAsk, TemplateWish};
pub use crate::engine::users::UserAsk;
use crate::engine::verifications::{CodeWish, Verified, VerifyAsk};

/// One wish, and what makes a repeat of it recognizable.
#[derive(Debug)]
pub struct Wish {
    /// What is wanted, and for whom.
    pub request: Request<Addressee>,
    /// The caller's idempotency key, hashed together with its owner and route.
    pub claim: Option<Claim>,
}

/// What makes a repeated wish recognizable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Hash of owner, route, key and, in a batch, position.
    pub key: [u8; 16],
    /// Hash of what was asked.
    pub fingerprint: [u8; 16],
}

/// The answer to an accepted wish: where it stood when it became durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The message's public name.
    pub id: MessageId,
    /// Its state after the first verdict.
    pub state: State,
    /// Its public status after the first verdict.
    pub status: PublicStatus,
    /// When it became durable.
    pub accepted_at: Timestamp,
    /// How the body is encoded on the air.
    pub encoding: Encoding,
    /// Billed parts.
    pub segments: u16,
    /// Whether this repeats an earlier answer.
    pub replayed: bool,
}

/// Which message a command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// By public name.
    Id(MessageId),
    /// By the number inside the file.
    Number(MessageNumber),
}

/// Whose consent is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// By phone number; who was never met is met now.
    Number(PhoneNumber),
    /// By the number inside the file.
    Person(PersonNumber),
}

/// A question to the single writer.
///
/// [`Engine`](crate::engine::Engine) asks for the world, [`Effects`](crate::engine::courier::Effects)
/// bring what the provider said. Replies are sent after the turn is durable.
#[derive(Debug)]
pub enum Ask {
    /// Accepts wishes, each for itself.
    Accept {
        /// What is wanted.
        wishes: Vec<Wish>,
        /// On whose behalf.
        origin: Origin,
        /// Where the answers go.
        reply: oneshot::Sender<Vec<Result<Receipt, AskError>>>,
    },
    /// Carries out one command.
    Command {
        /// Which message.
        target: Target,
        /// What to do.
        command: Command,
        /// On whose behalf.
        origin: Origin,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<State, AskError>>,
    },
    /// Tries a message again.
    Retry {
        /// Which message, and how.
        again: Again,
        /// On whose behalf.
        origin: Origin,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Retried, AskError>>,
    },
    /// Tries finalized messages again, all in one transaction.
    Recover {
        /// Which, in the order in which the new messages are to stand.
        again: Vec<Again>,
        /// What makes a repeat recognizable.
        claim: Option<Claim>,
        /// On whose behalf.
        origin: Origin,
        /// Where the answers go.
        reply: oneshot::Sender<Vec<Result<Receipt, AskError>>>,
    },
    /// Takes in what a signed callback says.
    Callback {
        /// Which attempt it names.
        named: Option<(MessageNumber, Attempt)>,
        /// What it says.
        report: Report,
        /// Where the answer goes.
        reply: oneshot::Sender<()>,
    },
    /// Takes in a text of a person to us.
    Text {
        /// Who wrote.
        from: PhoneNumber,
        /// What, and where to.
        inbound: Inbound,
        /// Where the answer goes.
        reply: oneshot::Sender<Reply>,
    },
    /// Tells of a person's consent.
    Consent {
        /// Whose.
        whom: Whom,
        /// What.
        command: consent::Command,
        /// On whose behalf.
        origin: Origin,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Consent, AskError>>,
    },
    /// Asks about a user.
    User {
        /// Their id in the caller's product.
        id: UserId,
        /// What.
        ask: UserAsk,
        /// On whose behalf.
        origin: Origin,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<User, AskError>>,
    },
    /// Asks for a code, or whether one is right.
    Verify {
        /// What.
        ask: VerifyAsk,
        /// On whose behalf.
        origin: Origin,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Verified, AskError>>,
    },
    /// Texts a code that somebody else made.
    Relay {
        /// Which, and to whom.
        wish: CodeWish,
        /// What makes a repeat recognizable.
        claim: Claim,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Receipt, AskError>>,
    },
    /// The service that checks codes answered.
    VerifyAnswered {
        /// Which verification.
        number: u64,
        /// What.
        command: verification::Command,
    },
    /// Asks about a recurrence.
    Recurrence {
        /// What.
        ask: RecurrenceAsk,
        /// On whose behalf.
        origin: Origin,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Recurrence, AskError>>,
    },
    /// Asks about a template.
    Template {
        /// What.
        ask: TemplateAsk,
        /// On whose behalf.
        origin: Origin,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Template, AskError>>,
    },
    /// Asks something on behalf of a shared database.
    Sync(SyncAsk),
    /// The journal was told to the product's own server up to and including this position.
    Told {
        /// The position.
        seq: JournalSeq,
        /// Where the answer goes.
        reply: oneshot::Sender<()>,
    },
    /// A submission ended.
    Concluded {
        /// Which message.
        number: MessageNumber,
        /// Which attempt.
        attempt: Attempt,
        /// How.
        outcome: Outcome,
    },
    /// A submission did not leave: the lease that it needs lapsed before it could.
    Kept {
        /// Which message.
        number: MessageNumber,
        /// Which attempt.
        attempt: Attempt,
    },
    /// A search ended.
    Resolved {
        /// Which message.
        number: MessageNumber,
        /// Which attempt.
        attempt: Attempt,
        /// How.
        found: Found,
    },
    /// A question about one message ended.
    Polled {
        /// Which message.
        number: MessageNumber,
        /// Where it is, if that could be learned.
        answer: Option<Report>,
    },
    /// Start nothing new.
    Drain,
    /// End after this turn.
    Stop,
}

/// What a search in the provider's list came to.
#[derive(Debug)]
pub enum Found {
    /// Everything that fits, newest first.
    Matches(Vec<Report>),
    /// The question could not be answered.
    Unavailable,
}

/// Which message is to be tried again, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Again {
    /// Which message.
    pub target: Target,
    /// The name of the new message, when there must be one.
    pub id: MessageId,
    /// When the new message goes; at once when `None`.
    pub scheduled_for: Option<Timestamp>,
    /// Its deadline; that of the old one when `None`.
    pub expires_at: Option<Timestamp>,
}

/// How a retry was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retried {
    /// The message itself goes again.
    Same(State),
    /// A new message tries the finalized one again.
    As(Receipt),
}

fn held_by(hold: Hold) -> &'static str {
    Ruling::Hold { hold, until: Timestamp::MAX }.lifted_by()
}

/// The engine says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The domain says no.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The domain says no about a person's consent.
    #[error(transparent)]
    Consent(#[from] consent::Rejection),
    /// The domain says no about a user.
    #[error(transparent)]
    User(#[from] user::Rejection),
    /// The domain says no about a verification.
    #[error(transparent)]
    Verification(#[from] verification::Rejection),
    /// Too many codes were asked for.
    #[error(transparent)]
    Allowance(#[from] allowance::Rejection),
    /// No code may go to the number: most often its holder opted out.
    #[error("{0}; no code is sent to them")]
    Forbidden(Ban),
    /// As many texts as may went lately, so no code can go now.
    #[error("no code can be sent now, because of {}, which is lifted by {}; ask again later", .hold.as_str(), held_by(*.hold))]
    Crowded {
        /// What holds it.
        hold: Hold,
        /// When to ask again.
        until: Timestamp,
    },
    /// Nothing is sent, so no code is either.
    #[error(
        "sending is switched off, so no code can be sent; the operator switches it on with SMS_SENDING_ENABLED"
    )]
    SendingDisabled,
    /// The words around a code make no message.
    #[error("the text of a code is too long; the operator shortens DUNLIN_VERIFY_BRAND")]
    Wording,
    /// The domain says no about a recurrence.
    #[error(transparent)]
    Recurrence(#[from] recurrence::Rejection),
    /// The domain says no about a template.
    #[error(transparent)]
    Template(#[from] template::Rejection),
    /// There is no such message.
    #[error("there is no message with that id")]
    NotFound,
    /// The id belongs to another message.
    #[error(
        "message {0} exists already; leave the id out or use an idempotency key to repeat a request safely"
    )]
    IdTaken(MessageId),
    /// It was claimed again from a shared database, and is here with another text or recipient.
    #[error(
        "message {0} is here with another text or recipient, which can't be changed; it is left to the shared database: park it there, and queue the text anew"
    )]
    Altered(MessageId),
    /// The idempotency key was used for something else.
    #[error("this idempotency key was used for a different request; use a new key")]
    KeyReused,
    /// The recipient was erased.
    #[error("the recipient was erased; nobody knows the number and the text any more")]
    Erased,
    /// The queue in front of the writer is full.
    #[error("the engine has {waiting_bytes} bytes of requests waiting; try again in a moment")]
    Busy {
        /// Bytes waiting.
        waiting_bytes: usize,
        /// When to try again.
        retry_after: Duration,
    },
    /// The disk is full.
    #[error(
        "there is no room on the disk, and it may or may not have become durable; make room, and repeat it with the same Idempotency-Key"
    )]
    NoRoom {
        /// When to try again.
        retry_after: Duration,
    },
    /// The engine is stopping or has stopped.
    #[error("the engine is stopping; try again after the restart")]
    Stopping,
}
