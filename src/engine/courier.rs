//! Carries effects to the provider and brings the answers back as commands.

use std::sync::Arc;
use std::sync::mpsc;

use dunlin_workflows::id::{Attempt, MessageNumber, ProviderSid};
use dunlin_workflows::message::{Cause, Outcome, Report, Via};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::engine::ask::{Ask, Found};
use crate::engine::provider::{
    Candidate, FetchOutcome, FindOutcome, Provider, Search, Submission, SubmitOutcome,
};

/// Carries effects to the provider. Every effect it is given is durable already.
#[derive(Debug, Clone)]
pub(super) struct Courier {
    provider: Arc<dyn Provider>,
    asks: mpsc::Sender<Ask>,
    questions: Arc<Semaphore>,
    runtime: Handle,
}

impl Courier {
    /// A courier on the current runtime; `questions_max` searches and polls at a time.
    pub(super) fn new(provider: Arc<dyn Provider>, asks: mpsc::Sender<Ask>, questions_max: usize) -> Self {
        let questions = Arc::new(Semaphore::new(questions_max.max(1)));
        Self { provider, asks, questions, runtime: Handle::current() }
    }

    /// Submits one committed attempt.
    pub(super) fn submit(&self, submission: Submission) {
        let courier = self.clone();
        self.runtime.spawn(async move {
            let (number, attempt) = (submission.message, submission.attempt);
            let outcome = concluded(courier.provider.submit(submission).await);
            courier.bring(Ask::Concluded { number, attempt, outcome });
        });
    }

    /// Searches for an attempt whose outcome was lost.
    pub(super) fn find(&self, number: MessageNumber, attempt: Attempt, search: Search) {
        let courier = self.clone();
        self.runtime.spawn(async move {
            let _turn = courier.questions.acquire().await;
            let found = match courier.provider.find(search).await {
                FindOutcome::Matches(matches) => {
                    Found::Matches(matches.into_iter().map(|found| said(&found, Via::Lookup)).collect())
                }
                FindOutcome::Unavailable { detail } => {
                    tracing::warn!(number = number.get(), detail, "search in the provider's list failed");
                    Found::Unavailable
                }
            };
            courier.bring(Ask::Resolved { number, attempt, found });
        });
    }

    /// Asks where one message is.
    pub(super) fn fetch(&self, number: MessageNumber, sid: ProviderSid) {
        let courier = self.clone();
        self.runtime.spawn(async move {
            let _turn = courier.questions.acquire().await;
            let answer = match courier.provider.fetch(sid).await {
                FetchOutcome::Found(candidate) => Some(said(&candidate, Via::Poll)),
                FetchOutcome::NotFound => None,
                FetchOutcome::Unavailable { detail } => {
                    tracing::warn!(number = number.get(), detail, "question about a message failed");
                    None
                }
            };
            courier.bring(Ask::Polled { number, answer });
        });
    }

    /// A writer that is gone needs no answers: the restart re-derives what is open.
    fn bring(&self, ask: Ask) {
        if self.asks.send(ask).is_err() {
            tracing::debug!("an answer of the provider came after the writer had stopped");
        }
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
