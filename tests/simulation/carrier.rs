//! The provider's side of the world: what it took, what its list shows, and what it says when.

use std::sync::{Arc, Mutex};

use dunlin::engine::courier::Effects;
use dunlin::engine::provider::{Candidate, Search, Submission};
use dunlin::engine::verify_service::VerifyQuestion;
use dunlin_workflows::id::{Attempt, MessageNumber, ProviderSid};
use dunlin_workflows::message::ProviderStatus;
use dunlin_workflows::timestamp::Timestamp;

use crate::service::Service;

/// An effect that left the engine.
#[derive(Debug)]
pub(crate) enum Call {
    Submit(Submission),
    Keep(Submission),
    Find(MessageNumber, Attempt, Search),
    Fetch(MessageNumber, ProviderSid),
    Verify(u64, VerifyQuestion),
}

/// Where effects leave the engine. Clones are the same wire.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<Vec<Call>>>);

impl Wire {
    pub(crate) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn put(&self, call: Call) {
        self.0.lock().unwrap().push(call);
    }
}

impl Effects for Wire {
    fn submit(&self, submission: Submission) {
        self.put(Call::Submit(submission));
    }

    fn keep(&self, submission: Submission) {
        self.put(Call::Keep(submission));
    }

    fn find(&self, number: MessageNumber, attempt: Attempt, search: Search) {
        self.put(Call::Find(number, attempt, search));
    }

    fn fetch(&self, number: MessageNumber, sid: ProviderSid) {
        self.put(Call::Fetch(number, sid));
    }

    fn verify(&self, number: u64, question: VerifyQuestion) {
        self.put(Call::Verify(number, question));
    }
}

/// One message that the provider took.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) sid: ProviderSid,
    pub(crate) number: MessageNumber,
    pub(crate) attempt: Attempt,
    pub(crate) came_ms: u64,
    created_at: Timestamp,
    listed_ms: u64,
    to: u64,
    pub(crate) body: String,
    /// Everything it said of the message, in order.
    pub(crate) said: Vec<(ProviderStatus, Option<u32>)>,
    /// Callbacks that were answered with success.
    pub(crate) heard: Vec<ProviderStatus>,
}

impl Taken {
    pub(crate) fn newest(&self) -> (ProviderStatus, Option<u32>) {
        *self.said.last().unwrap()
    }

    pub(crate) fn candidate(&self) -> Candidate {
        let (status, error_code) = self.newest();
        Candidate { sid: self.sid, status, error_code }
    }
}

/// Everything the provider took, in order.
#[derive(Debug, Default)]
pub(crate) struct Carrier {
    pub(crate) taken: Vec<Taken>,
    pub(crate) service: Service,
}

impl Carrier {
    /// Takes a submission now; it is in the list `lag_ms` later.
    pub(crate) fn take(
        &mut self,
        submission: &Submission,
        now_ms: u64,
        wall: Timestamp,
        lag_ms: u64,
    ) -> usize {
        let n = self.taken.len();
        self.taken.push(Taken {
            sid: format!("SM{n:032x}").parse().unwrap(),
            number: submission.message,
            attempt: submission.attempt,
            came_ms: now_ms,
            created_at: wall,
            listed_ms: now_ms + lag_ms,
            to: submission.to.digits(),
            body: submission.body.as_str().to_owned(),
            said: vec![(ProviderStatus::Queued, None)],
            heard: Vec::new(),
        });
        n
    }

    /// What the list shows now, newest first.
    pub(crate) fn find(&self, search: &Search, now_ms: u64) -> Vec<Candidate> {
        let fits = |taken: &&Taken| {
            taken.to == search.to.digits()
                && taken.body == search.body.as_str()
                && taken.listed_ms <= now_ms
                && taken.created_at >= search.created_from
                && taken.created_at <= search.created_until
        };
        self.taken.iter().rev().filter(fits).map(Taken::candidate).collect()
    }

    /// The code in the newest text to this number that holds one.
    pub(crate) fn code(&self, to: u64) -> Option<&str> {
        let texts = self.taken.iter().rev().filter(|taken| taken.to == to);
        texts
            .filter_map(|taken| taken.body.split_once(" is your verification code"))
            .map(|(code, _)| code)
            .next()
    }

    pub(crate) fn of(&self, sid: ProviderSid) -> Option<&Taken> {
        self.taken.iter().find(|taken| taken.sid == sid)
    }
}
