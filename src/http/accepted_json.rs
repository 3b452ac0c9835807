//! The answer to an accepted wish.

use dunlin_workflows::message::State;
use dunlin_workflows::policy::Ruling;
use dunlin_workflows::timestamp::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::engine::ask::Receipt;
use crate::http::instant;
use crate::timeline::{event_fields, hold_words};

/// The answer to an accepted wish.
#[derive(Debug, Serialize)]
pub(super) struct AcceptedJson {
    id: String,
    status: &'static str,
    state: &'static str,
    accepted_at: String,
    decision: DecisionJson,
}

/// What was decided on acceptance, and why.
#[derive(Debug, Serialize)]
struct DecisionJson {
    action: &'static str,
    held_by: Option<&'static str>,
    release_at: Option<String>,
    why: Option<String>,
    /// What forbids it, when something does.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifted_by: Option<&'static str>,
    segments: u16,
    encoding: String,
}

impl AcceptedJson {
    /// The receipt as callers see it.
    pub(super) fn new(receipt: &Receipt) -> Self {
        let mut decision = DecisionJson {
            action: "send",
            held_by: None,
            release_at: None,
            why: None,
            evidence: None,
            lifted_by: None,
            segments: receipt.segments,
            encoding: receipt.encoding.to_string(),
        };
        if let State::Held { hold, until } = receipt.state {
            decision.action = "hold";
            decision.held_by = Some(hold.as_str());
            decision.release_at = (until < Timestamp::MAX).then(|| instant::format(until));
            decision.why = Some(hold_words(hold).to_owned());
        }
        if let State::Suppressed { ban } = receipt.state {
            decision.action = "drop";
            decision.why = Some(ban.to_string());
            decision.evidence = Some(event_fields::evidence(ban));
            decision.lifted_by = Some(Ruling::Suppress(ban).lifted_by());
        }
        Self {
            id: receipt.id.to_string(),
            status: receipt.status.as_str(),
            state: receipt.state.name().as_str(),
            accepted_at: instant::format(receipt.accepted_at),
            decision,
        }
    }
}
