//! The evidence: what the callers were told, what the carrier saw, what the store says.

use std::collections::HashMap;

use dunlin_workflows::id::MessageNumber;

use crate::caller::Told;
use crate::carrier::Submission;
use crate::journal::Life;

/// Everything that the laws are about.
#[derive(Debug)]
pub(crate) struct Evidence {
    pub(crate) told: Vec<Told>,
    pub(crate) ledger: Vec<Submission>,
    pub(crate) lives: Vec<Life>,
}

impl Evidence {
    /// What each caller was told, with the life that it was told about, where there is one.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&Told, Option<&Life>)> {
        let by_id: HashMap<_, _> = self.lives.iter().map(|life| (life.request.id, life)).collect();
        self.told.iter().map(move |told| (told, told.id.and_then(|id| by_id.get(&id).copied())))
    }

    /// Accepted submissions of each message, in order.
    pub(crate) fn submissions(&self) -> HashMap<MessageNumber, Vec<&Submission>> {
        let mut submissions: HashMap<_, Vec<_>> = HashMap::new();
        for submission in &self.ledger {
            submissions.entry(submission.number).or_default().push(submission);
        }
        submissions
    }

    /// Every life with the carrier's side of it.
    pub(crate) fn sides(&self) -> impl Iterator<Item = (&Life, Vec<&Submission>)> {
        let mut submissions = self.submissions();
        self.lives.iter().map(move |life| (life, submissions.remove(&life.number).unwrap_or_default()))
    }
}
