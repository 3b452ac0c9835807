//! Carries effects to the provider and brings the answers back as commands.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::mpsc;

use dunlin_workflows::id::{Attempt, MessageNumber, ProviderSid};
use dunlin_workflows::message::{Cause, Outcome, Report, Via};
use dunlin_workflows::verification::{Checked, Command, Looked, Refusal, Sent};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::engine::ask::{Ask, Found};
use crate::engine::provider::{
    Candidate, FetchOutcome, FindOutcome, Provider, Search, Submission, SubmitOutcome,
};
use crate::engine::verify_service::{VerifyQuestion, VerifyService};

/// Carries effects to the provider. Every effect it is given is durable already.
///
/// The answer to each comes back as an [`Ask`], from [`submitted`], [`searched`] or [`polled`].
pub trait Effects: Debug + Send + Sync {
    /// Submits one committed attempt.
    fn submit(&self, submission: Submission);

    /// Says of one committed attempt that it did not leave: the lease that it needs lapsed before it could.
    fn keep(&self, submission: Submission);

    /// Searches for an attempt whose outcome was lost.
    fn find(&self, number: MessageNumber, attempt: Attempt, search: Search);

    /// Asks where one message is.
    fn fetch(&self, number: MessageNumber, sid: ProviderSid);

    /// Asks the service about the verification with this number. Whoever knows no service leaves it: a timer ends
    /// the wait.
    fn verify(&self, _number: u64, _question: VerifyQuestion) {}
}

/// What a submission came to, as a question to the writer.
pub fn submitted(number: MessageNumber, attempt: Attempt, outcome: SubmitOutcome) -> Ask {
    Ask::Concluded { number, attempt, outcome: concluded(outcome) }
}

/// That a submission did not leave, as a question to the writer.
pub fn kept(submission: &Submission) -> Ask {
    Ask::Kept { number: submission.message, attempt: submission.attempt }
}

/// What a search came to, as a question to the writer.
pub fn searched(number: MessageNumber, attempt: Attempt, outcome: FindOutcome) -> Ask {
    let found = match outcome {
        FindOutcome::Matches(matches) => {
            Found::Matches(matches.into_iter().map(|found| said(&found, Via::Lookup)).collect())
        }
        FindOutcome::Unavailable { detail } => {
            tracing::warn!(number = number.get(), detail, "search in the provider's list failed");
            Found::Unavailable
        }
    };
    Ask::Resolved { number, attempt, found }
}

/// Where the provider says a message is, as a question to the writer.
pub fn polled(number: MessageNumber, outcome: FetchOutcome) -> Ask {
    let answer = match outcome {
        FetchOutcome::Found(candidate) => Some(said(&candidate, Via::Poll)),
        FetchOutcome::NotFound => None,
        FetchOutcome::Unavailable { detail } => {
            tracing::warn!(number = number.get(), detail, "question about a message failed");
            None
        }
    };
    Ask::Polled { number, answer }
}

/// The courier of the daemon: one task per effect.
#[derive(Debug, Clone)]
pub(super) struct Courier {
    provider: Arc<dyn Provider>,
    service: Option<Arc<dyn VerifyService>>,
    asks: mpsc::Sender<Ask>,
    questions: Arc<Semaphore>,
    runtime: Handle,
}

impl Courier {
    /// A courier on the current runtime; `questions_max` searches and polls at a time.
    pub(super) fn new(
        provider: Arc<dyn Provider>,
        service: Option<Arc<dyn VerifyService>>,
        asks: mpsc::Sender<Ask>,
        questions_max: usize,
    ) -> Self {
        let questions = Arc::new(Semaphore::new(questions_max.max(1)));
        Self { provider, service, asks, questions, runtime: Handle::current() }
    }

    /// A writer that is gone needs no answers: the restart re-derives what is open.
    fn bring(&self, ask: Ask) {
        if self.asks.send(ask).is_err() {
            tracing::debug!("an answer of the provider came after the writer had stopped");
        }
    }
}

impl Effects for Courier {
    fn submit(&self, submission: Submission) {
        let courier = self.clone();
        self.runtime.spawn(async move {
            let (number, attempt) = (submission.message, submission.attempt);
            let outcome = courier.provider.submit(submission).await;
            courier.bring(submitted(number, attempt, outcome));
        });
    }

    fn keep(&self, submission: Submission) {
        self.bring(kept(&submission));
    }

    fn find(&self, number: MessageNumber, attempt: Attempt, search: Search) {
        let courier = self.clone();
        self.runtime.spawn(async move {
            let _turn = courier.questions.acquire().await;
            let outcome = courier.provider.find(search).await;
            courier.bring(searched(number, attempt, outcome));
        });
    }

    fn fetch(&self, number: MessageNumber, sid: ProviderSid) {
        let courier = self.clone();
        self.runtime.spawn(async move {
            let _turn = courier.questions.acquire().await;
            let outcome = courier.provider.fetch(sid).await;
            courier.bring(polled(number, outcome));
        });
    }

    fn verify(&self, number: u64, question: VerifyQuestion) {
        let courier = self.clone();
        self.runtime.spawn(async move {
            let command = match &courier.service {
                Some(service) => service.ask(question).await,
                None => unanswerable(&question),
            };
            courier.bring(Ask::VerifyAnswered { number, command });
        });
    }
}

/// What is said when there is no service to ask: it was there when the verification began.
fn unanswerable(question: &VerifyQuestion) -> Command {
    match question {
        VerifyQuestion::Send { .. } => Command::Sent(Sent::Refused { refusal: Refusal::Unavailable }),
        VerifyQuestion::Check { digest, .. } => {
            Command::Checked { digest: *digest, checked: Checked::Unavailable }
        }
        VerifyQuestion::Look { .. } => Command::Looked(Looked::Unavailable),
    }
}

fn said(candidate: &Candidate, via: Via) -> Report {
    Report { sid: candidate.sid, status: candidate.status, code: candidate.error_code, via }
}

fn concluded(outcome: SubmitOutcome) -> Outcome {
    match outcome {
        SubmitOutcome::Accepted { sid, status } => Outcome::Taken { sid, status },
        SubmitOutcome::Refused { http_status, code, detail, retry_after } => Outcome::Refused {
            cause: Cause::Refused { http_status, code },
            detail: detail.into(),
            retry_after,
        },
        SubmitOutcome::NotSent { detail } => {
            Outcome::Refused { cause: Cause::NotConnected, detail: detail.into(), retry_after: None }
        }
        SubmitOutcome::Unknown { detail } => Outcome::Lost { detail: detail.into() },
    }
}
