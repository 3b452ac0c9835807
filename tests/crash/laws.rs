//! The promises, each as a law over the evidence. A law returns what breaks it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use dunlin_workflows::message::{Hold, OnUnknown, State};

use crate::evidence::Evidence;

/// A promise and what breaks it.
type Law = (&'static str, fn(&Evidence) -> Vec<String>);

/// How long after its attempt became durable a request may reach the carrier.
const WIRE_MAX: Duration = Duration::from_secs(2);

const LAWS: [Law; 11] = [
    ("no acknowledged text is lost", nothing_is_lost),
    ("one key is one text, and nobody's text is nobody's", one_key_is_one_text),
    ("repeats are recognized", repeats_are_recognized),
    ("every text is final, or held for a person who was promised that", all_is_final_or_explained),
    ("one attempt is taken by the carrier at most once", one_attempt_is_taken_once),
    ("nothing is sent again unless a search found nothing and that was wanted", nothing_is_sent_twice),
    ("what was withdrawn is never sent", the_withdrawn_is_not_sent),
    ("nothing is sent before its time", nothing_is_early),
    ("nothing is sent after its deadline", nothing_is_late),
    ("every submission belongs to the text it carries", submissions_are_what_was_asked),
    ("what the carrier delivered is delivered, and nothing else is", both_sides_agree),
];

/// Everything that breaks a promise, named.
pub(crate) fn broken(evidence: &Evidence) -> Vec<String> {
    LAWS.iter()
        .flat_map(|(name, law)| law(evidence).into_iter().map(move |how| format!("{name}: {how}")))
        .collect()
}

fn nothing_is_lost(evidence: &Evidence) -> Vec<String> {
    let lost = evidence.pairs().filter(|(told, life)| {
        let kept = life.is_some_and(|life| {
            life.request.to.to_string() == told.wish.to && life.request.body.as_str() == told.wish.body
        });
        told.id.is_some() && !kept
    });
    lost.map(|(told, life)| format!("{told:?} is {life:?}")).collect()
}

fn one_key_is_one_text(evidence: &Evidence) -> Vec<String> {
    let named: HashSet<_> = evidence.told.iter().filter_map(|told| told.id).collect();
    let acknowledged = evidence.told.iter().filter(|told| told.id.is_some()).count();
    let mut broken = Vec::new();
    if named.len() != acknowledged {
        broken.push(format!("{acknowledged} keys got {} names", named.len()));
    }
    let nobodys = evidence.lives.iter().filter(|life| !named.contains(&life.request.id));
    broken.extend(nobodys.map(|life| format!("nobody knows {}", life.in_words())));
    broken
}

fn repeats_are_recognized(evidence: &Evidence) -> Vec<String> {
    evidence
        .told
        .iter()
        .flat_map(|told| told.wrong.iter().map(|wrong| format!("{}: {wrong}", told.wish.key)))
        .collect()
}

fn all_is_final_or_explained(evidence: &Evidence) -> Vec<String> {
    let open = evidence.lives.iter().filter(|life| match life.message.state {
        State::Held { hold: Hold::OutcomeUnknown, .. } => {
            // What was to be sent again is held only when its deadline had passed by then.
            let too_late = life.request.expires_at.is_some_and(|at| at <= life.message.changed_at);
            life.request.on_unknown == OnUnknown::Resend && !too_late
        }
        state => !state.name().is_final(),
    });
    open.map(super::journal::Life::in_words).collect()
}

fn one_attempt_is_taken_once(evidence: &Evidence) -> Vec<String> {
    let mut taken: HashMap<_, u32> = HashMap::new();
    for submission in &evidence.ledger {
        *taken.entry((submission.number, submission.attempt.get())).or_default() += 1;
    }
    let doubled = taken.into_iter().filter(|(_, times)| *times > 1);
    doubled
        .map(|((number, attempt), times)| {
            format!("attempt {attempt} of message {} {times} times", number.get())
        })
        .collect()
}

fn nothing_is_sent_twice(evidence: &Evidence) -> Vec<String> {
    let unexcused = evidence.sides().filter(|(life, submissions)| {
        let given_up =
            |attempt| life.request.on_unknown == OnUnknown::Resend && life.given_up_after_lookup(attempt);
        let all_but_last = submissions.len().saturating_sub(1);
        submissions.iter().take(all_but_last).any(|submission| !given_up(submission.attempt))
    });
    unexcused.map(|(life, submissions)| format!("{} times: {}", submissions.len(), life.in_words())).collect()
}

fn the_withdrawn_is_not_sent(evidence: &Evidence) -> Vec<String> {
    let submissions = evidence.submissions();
    let sent = evidence.pairs().filter_map(|(told, life)| {
        let life = life.filter(|_| told.canceled)?;
        let kept = life.message.state == State::Canceled && !submissions.contains_key(&life.number);
        (!kept).then(|| life.in_words())
    });
    sent.collect()
}

fn nothing_is_early(evidence: &Evidence) -> Vec<String> {
    let submissions = evidence.submissions();
    let early = evidence.pairs().filter_map(|(told, life)| {
        let (life, not_before) = (life?, told.not_before?);
        let first = submissions.get(&life.number)?.iter().map(|submission| submission.accepted_at).min()?;
        (first < not_before)
            .then(|| format!("{} ms early: {}", not_before.since(first).as_millis(), life.in_words()))
    });
    early.collect()
}

fn nothing_is_late(evidence: &Evidence) -> Vec<String> {
    let late = evidence.sides().flat_map(|(life, submissions)| {
        let late = submissions.into_iter().filter(|submission| {
            let started_at = life.started_at(submission.attempt);
            // The last moment is the durable attempt; from there the request is on its way.
            life.request.expires_at.is_some_and(|at| {
                started_at.is_none_or(|started| started >= at) || submission.accepted_at >= at.plus(WIRE_MAX)
            })
        });
        late.map(|submission| format!("taken at {:?}: {}", submission.accepted_at, life.in_words()))
            .collect::<Vec<_>>()
    });
    late.collect()
}

fn submissions_are_what_was_asked(evidence: &Evidence) -> Vec<String> {
    let by_number: HashMap<_, _> = evidence.lives.iter().map(|life| (life.number, life)).collect();
    let strange = evidence.ledger.iter().filter(|submission| {
        by_number.get(&submission.number).is_none_or(|life| {
            let same =
                life.request.to.to_string() == submission.to && life.request.body.as_str() == submission.body;
            !same || life.started_at(submission.attempt).is_none()
        })
    });
    strange.map(|submission| format!("{submission:?}")).collect()
}

fn both_sides_agree(evidence: &Evidence) -> Vec<String> {
    let mut owners: HashMap<_, Vec<_>> = HashMap::new();
    for life in &evidence.lives {
        for sid in life.sids() {
            owners.entry(sid).or_default().push(life);
        }
    }
    let mut broken = Vec::new();
    for submission in &evidence.ledger {
        match owners.get(&submission.sid).map(Vec::as_slice) {
            Some([life]) => {
                if life.message.sid == Some(submission.sid)
                    && life.message.state.name().as_str() != submission.status
                {
                    broken.push(format!("the carrier says {}: {}", submission.status, life.in_words()));
                }
            }
            Some(several) => broken.push(format!("{} belongs to {} texts", submission.sid, several.len())),
            None => broken.push(format!("nobody adopted {submission:?}")),
        }
    }
    let known: HashSet<_> = evidence.ledger.iter().map(|submission| submission.sid).collect();
    let invented = evidence.lives.iter().filter(|life| {
        life.message.state == State::Delivered && life.message.sid.is_none_or(|sid| !known.contains(&sid))
    });
    broken.extend(invented.map(|life| format!("the carrier does not know {}", life.in_words())));
    broken
}
