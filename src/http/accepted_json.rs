//! The answer to an accepted wish.

use dunlin_workflows::message::{Hold, State};
use dunlin_workflows::timestamp::Timestamp;
use serde::Serialize;

use crate::engine::ask::Receipt;
use crate::http::instant;
use crate::timeline::hold_words;

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
    why: Option<&'static str>,
    segments: u16,
    encoding: String,
}

impl AcceptedJson {
    /// The receipt as callers see it.
    pub(super) fn new(receipt: &Receipt) -> Self {
        let held = held(receipt.state);
        let until = held.map(|(_, until)| until).filter(|until| *until < Timestamp::MAX);
        Self {
            id: receipt.id.to_string(),
            status: receipt.status.as_str(),
            state: receipt.state.name().as_str(),
            accepted_at: instant::format(receipt.accepted_at),
            decision: DecisionJson {
                action: if held.is_some() { "hold" } else { "send" },
                held_by: held.map(|(hold, _)| hold.as_str()),
                release_at: until.map(instant::format),
                why: held.map(|(hold, _)| hold_words(hold)),
                segments: receipt.segments,
                encoding: receipt.encoding.to_string(),
            },
        }
    }
}

fn held(state: State) -> Option<(Hold, Timestamp)> {
    if let State::Held { hold, until } = state { Some((hold, until)) } else { None }
}
