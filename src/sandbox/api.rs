//! The carrier's HTTP API: the provider's paths, checks and answers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dunlin_workflows::message::ProviderStatus;
use dunlin_workflows::timestamp::Timestamp;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};

use crate::sandbox::answer::{ErrorAnswer, MessageAnswer, PageAnswer};
use crate::sandbox::carrier::{Carrier, Creation};
use crate::sandbox::faults::Fault;
use crate::sandbox::ledger::Taken;
use crate::sandbox::verify::Fields;

/// Longest body of a request, in bytes.
const BODY_MAX: usize = 64 * 1024;
/// How far an early callback is ahead of the answer.
const AHEAD: Duration = Duration::from_millis(20);

/// The connection breaks instead of an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection breaks on purpose")]
pub(super) struct HangUp;

type Answered = Result<Response<Full<Bytes>>, HangUp>;

/// Answers one request, or hangs up.
pub(super) async fn answer(carrier: Arc<Carrier>, request: Request<Incoming>) -> Answered {
    let path = request.uri().path().to_owned();
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    match segments.as_slice() {
        ["sandbox", "stats"] => Ok(json(200, &stats(&carrier))),
        ["sandbox", "inbound"] if request.method() == Method::POST => Ok(match read(request).await {
            Some(form) => match carrier.write(&form).await {
                Ok(answered) => json(200, &answered),
                Err(why) => error(400, 20001, why),
            },
            None => error(413, 20001, "The request body is too large"),
        }),
        ["sandbox", "ledger"] => Ok(json(200, &ledger(&carrier))),
        ["sandbox", "codes"] => Ok(json(200, &carrier.verifications.codes())),
        ["v2", "Services", service, rest @ ..] => {
            if !signed_in(&carrier, &request, &carrier.account_sid) {
                return Ok(error(401, 20003, "Authenticate"));
            }
            verify(&carrier, request, service, rest).await
        }
        ["2010-04-01", "Accounts", account, rest @ ..] => {
            if !signed_in(&carrier, &request, account) {
                return Ok(error(401, 20003, "Authenticate"));
            }
            route(carrier, request, rest).await
        }
        _elsewhere => Ok(error(404, 20404, "The requested resource was not found")),
    }
}

async fn route(carrier: Arc<Carrier>, request: Request<Incoming>, rest: &[&str]) -> Answered {
    let method = request.method().clone();
    match (&method, rest) {
        (&Method::POST, ["Messages.json"]) => create(carrier, request).await,
        (&Method::GET, ["Messages.json"]) => Ok(list(&carrier, request.uri().query().unwrap_or_default())),
        (_, ["Messages", file]) => {
            let position = file.strip_suffix(".json").and_then(|sid| carrier.ledger.position(sid));
            let visible = position.filter(|position| is_listed(&carrier, *position));
            match (&method, visible) {
                (_, None) => Ok(error(404, 20404, "The requested resource was not found")),
                (&Method::GET, Some(position)) => Ok(show(&carrier, 200, position)),
                (&Method::POST, Some(position)) => update(&carrier, request, position).await,
                (&Method::DELETE, Some(position)) => Ok(delete(&carrier, position)),
                (_, Some(_)) => Ok(error(405, 20004, "Method not allowed")),
            }
        }
        _other => Ok(error(404, 20404, "The requested resource was not found")),
    }
}

/// Answers a question to the verification service, with the same faults as a creation.
async fn verify(carrier: &Carrier, request: Request<Incoming>, service: &str, rest: &[&str]) -> Answered {
    let method = request.method().clone();
    let Some(form) = read(request).await else {
        return Ok(error(413, 20001, "The request body is too large"));
    };
    let (account, fields, now) = (carrier.account_sid.as_str(), Fields::parse(&form), carrier.clock.wall());
    let dice = &carrier.dice;
    if let Some(refused) = refused_at_once(carrier)? {
        return Ok(refused);
    }
    let (status, answered) = match (&method, rest) {
        (&Method::POST, ["Verifications"]) => {
            (201, carrier.verifications.start(account, service, &fields, now))
        }
        (&Method::POST, ["VerificationCheck"]) => {
            (201, carrier.verifications.check(account, service, &fields, now))
        }
        (&Method::GET, ["Verifications", sid]) => {
            (200, carrier.verifications.show(account, service, sid, now))
        }
        (&Method::POST, ["Verifications", sid]) => {
            (200, carrier.verifications.update(account, service, sid, &fields, now))
        }
        _elsewhere => return Ok(error(404, 20404, "The requested resource was not found")),
    };
    tokio::time::sleep(dice.faults().latency).await;
    let answer = match answered {
        Ok(value) => json(status, &value),
        Err((status, code, words)) => return Ok(error(status, code, words)),
    };
    // Reading is answered, whatever happens to the rest.
    if method == Method::GET { Ok(answer) } else { lost_or(carrier, answer).await }
}

/// What a request meets that is not taken at all.
fn refused_at_once(carrier: &Carrier) -> Result<Option<Response<Full<Bytes>>>, HangUp> {
    let dice = &carrier.dice;
    if dice.falls(Fault::Rate429) {
        let mut busy = error(429, 20429, "Too Many Requests");
        let seconds = dice.faults().retry_after.as_secs().to_string();
        if let Ok(value) = seconds.parse() {
            busy.headers_mut().insert(RETRY_AFTER, value);
        }
        return Ok(Some(busy));
    }
    if dice.falls(Fault::Error500) {
        return Ok(Some(error(500, 20500, "Internal Server Error")));
    }
    if dice.falls(Fault::ResetBefore) { Err(HangUp) } else { Ok(None) }
}

/// The answer to what was taken, unless a fault takes it away.
async fn lost_or(carrier: &Carrier, answer: Response<Full<Bytes>>) -> Answered {
    let dice = &carrier.dice;
    let fate = [Fault::TimeoutAfterAccept, Fault::ResetAfterAccept, Fault::Error500AfterAccept];
    match fate.into_iter().find(|fault| dice.falls(*fault)) {
        Some(Fault::TimeoutAfterAccept) => {
            tokio::time::sleep(dice.faults().hang).await;
            Err(HangUp)
        }
        Some(Fault::Error500AfterAccept) => Ok(error(500, 20500, "Internal Server Error")),
        Some(_) => Err(HangUp),
        None => Ok(answer),
    }
}

fn signed_in(carrier: &Carrier, request: &Request<Incoming>, account: &str) -> bool {
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
    account == carrier.account_sid && given.is_some_and(|(_, secret)| secret == carrier.sign_in)
}

async fn read(request: Request<Incoming>) -> Option<Bytes> {
    Limited::new(request.into_body(), BODY_MAX).collect().await.ok().map(http_body_util::Collected::to_bytes)
}

async fn create(carrier: Arc<Carrier>, request: Request<Incoming>) -> Answered {
    let Some(form) = read(request).await else {
        return Ok(error(413, 20001, "The request body is too large"));
    };
    let dice = &carrier.dice;
    if let Some(refused) = refused_at_once(&carrier)? {
        return Ok(refused);
    }
    let taken = match carrier.check(&Creation::parse(&form)) {
        Ok(taken) => taken,
        Err((code, words)) => return Ok(error(400, code, &words)),
    };
    let to = Arc::clone(&taken.to);
    let position = carrier.ledger.take(taken);
    let answer = show(&carrier, 201, position);
    let latency = dice.faults().latency;
    carrier.carry_after(latency, position, &to);
    let mut wait = latency;
    if dice.falls(Fault::CallbackEarly) {
        wait = wait.saturating_add(dice.faults().callback_latency).saturating_add(AHEAD);
    }
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    lost_or(&carrier, answer).await
}

async fn update(carrier: &Arc<Carrier>, request: Request<Incoming>, position: usize) -> Answered {
    let Some(form) = read(request).await else {
        return Ok(error(413, 20001, "The request body is too large"));
    };
    let fields: Vec<_> = form_urlencoded::parse(&form).collect();
    if fields.iter().any(|(name, value)| name == "Status" && value == "canceled") {
        let held = carrier.ledger.get(position).is_some_and(|taken| taken.status.rank() < 2);
        if !held {
            return Ok(error(400, 30409, "Message cannot be canceled"));
        }
        carrier.step(position, ProviderStatus::Canceled, None);
    }
    if fields.iter().any(|(name, value)| name == "Body" && value.is_empty()) {
        if !is_final(carrier, position) {
            return Ok(unfinished());
        }
        carrier.ledger.change(position, |taken| taken.body = "".into());
    }
    Ok(show(carrier, 200, position))
}

/// Takes a message out of list and fetch; the report to tests still has it.
fn delete(carrier: &Carrier, position: usize) -> Response<Full<Bytes>> {
    if !is_final(carrier, position) {
        return unfinished();
    }
    carrier.ledger.change(position, |taken| taken.deleted = true);
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn is_final(carrier: &Carrier, position: usize) -> bool {
    carrier.ledger.get(position).is_some_and(|taken| taken.status.rank() >= ProviderStatus::Delivered.rank())
}

fn unfinished() -> Response<Full<Bytes>> {
    error(409, 20009, "Cannot delete message or its text: it is not in a final state")
}

/// Whether list and fetch show a message yet.
fn is_listed(carrier: &Carrier, position: usize) -> bool {
    let late = carrier.dice.faults().late_list;
    let is_due = |taken: &Taken| late.is_zero() || taken.created_at.plus(late) <= carrier.clock.wall();
    carrier.ledger.get(position).is_some_and(|taken| !taken.deleted && is_due(&taken))
}

fn show(carrier: &Carrier, status: u16, position: usize) -> Response<Full<Bytes>> {
    let sid = carrier.ledger.sid(position);
    match carrier.ledger.get(position) {
        Some(taken) => json(status, &MessageAnswer::new(&carrier.account_sid, &sid, &taken)),
        None => error(404, 20404, "The requested resource was not found"),
    }
}

/// A list, newest first, with the provider's filters and paging.
fn list(carrier: &Carrier, query: &str) -> Response<Full<Bytes>> {
    let fields: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let number = |name: &str| field(name).and_then(|value| value.parse::<usize>().ok());
    let page_size = number("PageSize").unwrap_or(50).clamp(1, 1000);
    let page = number("Page").unwrap_or(0);
    let fits = |position: &usize| {
        let Some(taken) = carrier.ledger.get(*position) else { return false };
        let from = field("From").is_none_or(|from| taken.from.as_deref() == Some(from));
        // What was not sent has no date, and no filter by date shows it.
        let sent = |fits: &dyn Fn(Timestamp) -> bool| taken.sent_at.is_some_and(fits);
        let on = field("DateSent").is_none_or(|date| sent(&|at| same_day(at, date)));
        let since =
            field("DateSent>").is_none_or(|date| sent(&|at| instant(date).is_none_or(|from| at >= from)));
        let until = field("DateSent<").is_none_or(|date| sent(&|at| instant(date).is_none_or(|to| at <= to)));
        from && on && since && until && is_listed(carrier, *position)
    };
    let start = page.saturating_mul(page_size);
    let wanted = page_size.saturating_add(1);
    let mut found: Vec<usize> =
        carrier.ledger.newest_first(field("To")).into_iter().filter(fits).skip(start).take(wanted).collect();
    let more = found.len() > page_size;
    found.truncate(page_size);
    let messages: Vec<_> = found
        .iter()
        .filter_map(|p| carrier.ledger.get(*p).map(|taken| (carrier.ledger.sid(*p), taken)))
        .collect();
    let uri = |page: usize| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields.iter().filter(|(name, _)| name != "Page" && name != "PageToken") {
            query.append_pair(name, value);
        }
        let query = query.append_pair("Page", &page.to_string()).finish();
        format!("/2010-04-01/Accounts/{}/Messages.json?{query}", carrier.account_sid)
    };
    let answer = PageAnswer {
        page,
        page_size,
        start,
        end: start.saturating_add(messages.len()).saturating_sub(1),
        uri: uri(page),
        first_page_uri: uri(0),
        next_page_uri: more.then(|| uri(page.saturating_add(1))),
        previous_page_uri: page.checked_sub(1).map(uri),
        messages: messages
            .iter()
            .map(|(sid, taken)| MessageAnswer::new(&carrier.account_sid, sid, taken))
            .collect(),
    };
    json(200, &answer)
}

/// Midnight of a date, or an instant, as the provider's filters write them.
fn instant(text: &str) -> Option<Timestamp> {
    let day =
        chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|day| day.and_hms_opt(0, 0, 0));
    let at = day.map(|midnight| midnight.and_utc().timestamp_millis());
    let at = at.or_else(|| chrono::DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp_millis()));
    at.map(Timestamp::from_millis)
}

fn same_day(at: Timestamp, date: &str) -> bool {
    instant(date).is_some_and(|from| at >= from && at < from.plus(Duration::from_hours(24)))
}

/// What a test in another process wants to know of every accepted message.
fn ledger(carrier: &Carrier) -> serde_json::Value {
    let entry = |position: usize| {
        let taken = carrier.ledger.get(position)?;
        Some(serde_json::json!({
            "sid": carrier.ledger.sid(position),
            "to": &*taken.to,
            "body": &*taken.body,
            "status_callback": taken.status_callback.as_deref(),
            "accepted_at_ms": taken.created_at.as_millis(),
            "status": taken.status.as_str(),
        }))
    };
    (0..carrier.ledger.len()).filter_map(entry).collect()
}

fn stats(carrier: &Carrier) -> serde_json::Value {
    use std::sync::atomic::Ordering::Relaxed;
    let counts = &carrier.callbacks.counts;
    serde_json::json!({
        "accepted": carrier.ledger.len(),
        "callbacks_taken": counts.taken.load(Relaxed),
        "callbacks_failed": counts.failed.load(Relaxed),
    })
}

fn error(status: u16, code: u32, message: &str) -> Response<Full<Bytes>> {
    let more_info = format!("https://www.twilio.com/docs/errors/{code}");
    json(status, &ErrorAnswer { code, message, more_info, status })
}

fn json<T: serde::Serialize>(status: u16, value: &T) -> Response<Full<Bytes>> {
    let body = serde_json::to_vec(value).unwrap_or_default();
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    response
}
