//! `GET /v1/messages/{id}/explain`: what keeps a message back, or kept it for good, in one sentence and as data.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Extract;
use dunlin_storage::Content;
use dunlin_workflows::consent::Standing;
use dunlin_workflows::message::{Message, StateName};
use dunlin_workflows::policy::{self, Case, Ruling};
use serde_json::{Value, json};

use crate::http::message_name::MessageName;
use crate::http::problem::Problem;
use crate::http::{App, decision, recipient};
use crate::timeline::{Recipient, Timeline};

/// What the gate says of a message now, with the evidence, and what comes next.
pub(super) async fn explain(
    Extract(app): Extract<Arc<App>>,
    name: MessageName,
) -> Result<Json<Value>, Problem> {
    let reader = app.reader()?;
    let located = name.find(&reader)?;
    let (row, life) = reader.whole(located)?;
    let message = row.message;
    let (terms, content) = reader.content_at(row.accepted_seq)?;
    let rules = &app.edge.rules;
    let mut known = recipient::of_person(&reader, message.person, message.user, rules)?;
    if let Content::Open(text) = &content
        && terms.retry_of.is_none()
    {
        known.same_text = recipient::said_last(&reader, message.person, &text.body, rules)?;
    }
    let now = app.edge.clock.wall();
    let case = Case::of(&message, &known, rules, now);
    let ruling = policy::explain(&message, &known, rules, now);
    let timeline = Timeline::of(&life, &Recipient::of(&content), now, &app.edge.rules);
    let told = || {
        let newest = timeline.steps.last().map(|step| step.words.clone()).unwrap_or_default();
        format!("{newest}{}", too_late(&message, known.standing))
    };
    let sentence = ruling.map_or_else(told, decision::sentence);
    let until = ruling.and_then(decision::until);
    let evidence = ruling.map_or(Value::Null, |ruling| decision::evidence(ruling, &case));
    Ok(Json(json!({
        "id": terms.id.to_string(),
        "status": message.public_status().as_str(),
        "state": message.state.name().as_str(),
        "action": ruling.map(Ruling::action),
        "rule": ruling.and_then(Ruling::rule),
        "until": until,
        "sentence": sentence,
        "evidence": evidence,
        "lifted_by": ruling.map(Ruling::lifted_by),
        "next": timeline.next,
    })))
}

/// Whoever opted out while a text was on its way may still get it.
fn too_late(message: &Message, standing: Standing) -> &'static str {
    let state = message.state.name();
    let on_its_way = [StateName::Submitting, StateName::Unknown, StateName::Submitted].contains(&state);
    if standing.is_out() && on_its_way {
        "; the recipient opted out since, and what is on its way can't be recalled"
    } else {
        ""
    }
}
