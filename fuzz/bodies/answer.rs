//! What the provider, or whoever sits in front of it, answers.

use dunlin::engine::provider::SubmitOutcome;
use dunlin::twilio::answer::{MessageAnswer, PageAnswer};
use dunlin::twilio::messages::{candidate, created};
use dunlin_workflows::message::ProviderStatus;
use serde_json::Value;

use super::callback::is_sid;

/// An answer is taken for what it says; one that is not understood is unknown, never a refusal.
pub fn answer(input: &[u8]) {
    judge(input, created);
    if let Ok(message) = serde_json::from_slice::<MessageAnswer>(input) {
        one(&message);
    }
    if let Ok(page) = serde_json::from_slice::<PageAnswer>(input) {
        page.messages.iter().for_each(one);
    }
}

/// Judges a reader of creations by one answer.
pub fn judge(body: &[u8], created: impl Fn(&[u8]) -> SubmitOutcome) {
    let there = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let text = |name: &str| there.get(name).and_then(Value::as_str);
    let status = text("status").and_then(|word| word.parse::<ProviderStatus>().ok());
    match created(body) {
        SubmitOutcome::Accepted { sid, status: said } => {
            // An array of two, and a name that stands twice, are read by their place.
            if there.is_object() {
                assert_eq!(Some(sid.as_str()), text("sid"));
                assert_eq!(Some(said), status);
            }
            assert!(is_sid(sid.as_str()));
        }
        SubmitOutcome::Unknown { detail } => {
            assert!(detail.chars().count() < 300, "what is not understood is quoted in part");
            let understood = text("sid").is_some_and(is_sid) && status.is_some();
            let doubled = serde_json::from_slice::<MessageAnswer>(body).is_err();
            assert!(!understood || doubled, "an attempt that was taken is searched for: {there}");
        }
        other @ (SubmitOutcome::Refused { .. } | SubmitOutcome::NotSent { .. }) => {
            panic!("a creation is taken or unknown, not {other:?}")
        }
    }
}

fn one(message: &MessageAnswer) {
    for at in [message.created_at(), message.sent_at()].into_iter().flatten() {
        let year = 1000 * 3600 * 24 * 366;
        assert!((-270_000 * year..270_000 * year).contains(&at.as_millis()), "{at:?} is no date");
    }
    match candidate(message) {
        Ok(candidate) => assert!(is_sid(candidate.sid.as_str())),
        Err(why) => assert!(!why.is_empty()),
    }
}
