//! `POST /api/webhooks/twilio/inbound`: texts of people to us.
//!
//! The answer is `TwiML`, always: the provider sends a text/plain body to the person as it is
//! (<https://www.twilio.com/docs/messaging/twiml>, read 2026-11-24).

use std::sync::Arc;

use axum::extract::{OriginalUri, State as Extract};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use dunlin_workflows::consent::Reply;

use crate::http::App;
use crate::http::problem::Problem;
use crate::http::webhook::{ours, signed, unreadable};
use crate::http::whole_body::WholeBody;
use crate::twilio::inbound::InboundText;

/// Largest body of a text, in bytes: 1,600 characters of four bytes each, escaped, with room for the rest.
const INBOUND_MAX: usize = 64 * 1024;

/// No reply.
const NOTHING: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>";

/// One confirmation, without a word of marketing: 47 CFR 64.1200(a)(12),
/// <https://www.ecfr.gov/current/title-47/section-64.1200>, read 2026-11-24.
const CONFIRMATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Message>You are \
unsubscribed and will get no more messages from us. Reply START to get them again.</Message></Response>";

/// Takes in one text. Answered only after what it means for consent is durable.
pub(super) async fn inbound(
    Extract(app): Extract<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    WholeBody(body): WholeBody<INBOUND_MAX>,
) -> Result<Response, Problem> {
    signed(&app, &uri, &headers, &body)?;
    let text = InboundText::parse(&body).map_err(|error| unreadable(&error))?;
    ours(&app, &text.account_sid)?;
    let reply = match text.from {
        Some(from) => app.on_duty()?.engine.text(from, text.inbound).await?,
        None => Reply::Nothing,
    };
    let twiml = match reply {
        Reply::Confirmation => CONFIRMATION,
        Reply::Nothing => NOTHING,
    };
    Ok(([(CONTENT_TYPE, "text/xml; charset=utf-8")], twiml).into_response())
}
