//! `POST /v1/preview`: what would become of a wish now, without anything being sent or kept.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Extract;
use dunlin_workflows::id::PersonNumber;
use dunlin_workflows::policy::{self, Case};
use serde_json::{Value, json};

use crate::http::accept::MESSAGE_MAX;
use crate::http::api_key::{Admitted, Scope};
use crate::http::problem::Problem;
use crate::http::whole_body::JsonBody;
use crate::http::wish::read;
use crate::http::{App, decision, recipient, warning_json};

/// Judges a wish by the gate that would judge it.
pub(super) async fn preview(
    Extract(app): Extract<Arc<App>>,
    admitted: Admitted,
    JsonBody(body): JsonBody<MESSAGE_MAX>,
) -> Result<Json<Value>, Problem> {
    let wish = read(&body, app.reading(admitted.has(Scope::Urgent)), "")?;
    let reader = app.reader()?;
    let rules = &app.edge.rules;
    let request = recipient::addressed(&reader, wish, rules)?;
    let request = recipient::worded(&reader, request, rules)?;
    let known = recipient::of_number(&reader, request.to, request.user_id.as_ref(), &request.body, rules)?;
    // Terms name the person by a number that nobody looks at here.
    let terms = request.terms(PersonNumber::new(0), None);
    let case = Case::wish(&terms, &known, rules, app.edge.clock.wall());
    let ruling = policy::judge(&case);
    Ok(Json(json!({
        "action": ruling.action(),
        "rule": ruling.rule(),
        "until": decision::until(ruling),
        "sentence": decision::sentence(ruling),
        "evidence": decision::evidence(ruling, &case),
        "lifted_by": ruling.lifted_by(),
        "bypasses_quiet_hours": policy::bypasses(&case),
        "segments": terms.segments,
        "encoding": terms.encoding.to_string(),
        "warnings": warning_json::of_text(request.body.as_str()),
    })))
}
