//! What the engine needs of a provider. `src/twilio` implements it; the engine knows no other.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use dunlin_workflows::body::Body;
use dunlin_workflows::id::{Attempt, MessageNumber, ProviderSid};
use dunlin_workflows::message::ProviderStatus;
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::timestamp::Timestamp;

/// A boxed answer: the trait is used as `Arc<dyn Provider>`.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The provider's network, as the engine sees it. Every method ends within its own time limits.
pub trait Provider: Debug + Send + Sync {
    /// Asks the provider to send. Called at most once for one (message, attempt), and only after
    /// the attempt is durable.
    fn submit(&self, submission: Submission) -> Answer<'_, SubmitOutcome>;

    /// Searches the provider's list for messages that a lost submission may have created. Reads only.
    fn find(&self, search: Search) -> Answer<'_, FindOutcome>;

    /// Asks where one message is. Reads only.
    fn fetch(&self, sid: ProviderSid) -> Answer<'_, FetchOutcome>;
}

/// One attempt, ready for the wire.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Whose attempt this is; the implementation puts it into the callback address as an opaque token.
    pub message: MessageNumber,
    /// Which attempt.
    pub attempt: Attempt,
    /// The recipient.
    pub to: PhoneNumber,
    /// The text.
    pub body: Body,
    /// How long the provider may hold the text itself, in whole seconds, 1 to 36000.
    pub validity: Option<Duration>,
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmitOutcome {
    /// The provider took it.
    Accepted {
        /// The provider's name for the message.
        sid: ProviderSid,
        /// The initial status.
        status: ProviderStatus,
    },
    /// The provider answered and did not take it.
    Refused {
        /// HTTP status of the answer.
        http_status: u16,
        /// The provider's error code, when it gave one.
        code: Option<u32>,
        /// The provider's own words, shortened; holds no number and no body.
        detail: String,
        /// `Retry-After`, when given.
        retry_after: Option<Duration>,
    },
    /// Nothing was written to the provider: no connection was made.
    NotSent {
        /// Why, without addresses or secrets.
        detail: String,
    },
    /// The request may or may not have been taken.
    Unknown {
        /// Why, without addresses or secrets.
        detail: String,
    },
}

/// What a lost submission would look like in the provider's list.
#[derive(Debug, Clone)]
pub struct Search {
    /// The recipient.
    pub to: PhoneNumber,
    /// The text.
    pub body: Body,
    /// Earliest creation time that can be ours.
    pub created_from: Timestamp,
    /// Latest creation time that can be ours.
    pub created_until: Timestamp,
}

/// One message in the provider's list that fits a [`Search`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The provider's name for it.
    pub sid: ProviderSid,
    /// Where it is.
    pub status: ProviderStatus,
    /// Why it failed, when it did.
    pub error_code: Option<u32>,
}

/// Answer of [`Provider::find`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FindOutcome {
    /// Everything that fits, newest first; empty when nothing does.
    Matches(Vec<Candidate>),
    /// The question could not be answered; ask again later.
    Unavailable {
        /// Why, without addresses or secrets.
        detail: String,
    },
}

/// Answer of [`Provider::fetch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchOutcome {
    /// The provider knows it.
    Found(Candidate),
    /// The provider does not know it (any more).
    NotFound,
    /// The question could not be answered; ask again later.
    Unavailable {
        /// Why, without addresses or secrets.
        detail: String,
    },
}
