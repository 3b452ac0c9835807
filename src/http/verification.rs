//! Proving a number: `/v1/verifications`, and `/api/sms/verify` as the seed's callers know it.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use dunlin_storage::{InstanceKind, Reader, Verifications};
use dunlin_workflows::allowance;
use dunlin_workflows::id::PersonNumber;
use dunlin_workflows::message::UserId;
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::verification::{
    Code as SmsCode, Outcome, Refusal, Rejection, Standing, Verification, Via,
};
use serde_json::{Map, Value, json};

use crate::engine::ask::AskError;
use crate::engine::verifications::{CodeWish, Verified, VerifyAsk};
use crate::http::accept::MESSAGE_MAX;
use crate::http::asker::Asker;
use crate::http::field_errors::{FieldErrors, object};
use crate::http::problem::{Code, Problem, not_sent};
use crate::http::whole_body::JsonBody;
use crate::http::{App, instant};

/// Headers that say for whom and from where, for callers whose body is not theirs to change.
const USER_ID: &str = "dunlin-user-id";
const CLIENT_IP: &str = "dunlin-client-ip";
/// Longest time that the service's answer is waited for: less than any answer of ours may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);
/// When to ask again what could not be learned.
const AGAIN: Duration = Duration::from_secs(5);

/// How long the service's newest answer took. One that needs no service takes as long, so that nobody can tell by
/// the clock that a number is another user's.
#[derive(Debug, Default)]
pub(super) struct Pace(AtomicU64);

/// Who asks for what, as the body or the headers say it.
struct Asked {
    to: Option<PhoneNumber>,
    user: Option<UserId>,
    address: Option<Box<str>>,
    code: Option<SmsCode>,
}

/// The names of the fields: ours, and those that the seed has.
struct Names {
    to: &'static str,
    needs_code: bool,
    needs_to: bool,
}

fn read(app: &App, headers: &HeaderMap, body: &[u8], names: &Names) -> Result<Asked, Problem> {
    let object = object(body)?;
    let mut wrong = FieldErrors::under("");
    let known: &[&str] = match (names.needs_to, names.needs_code) {
        (true, true) => &[names.to, "user_id", "client_ip", "code"],
        (true, false) => &[names.to, "user_id", "client_ip"],
        (false, _) => &["user_id", "code"],
    };
    wrong.unknown(&object, known);
    let text = |field: &str| object.get(field).and_then(Value::as_str);
    for field in known.iter().filter(|field| object.get(**field).is_some_and(|value| !value.is_string())) {
        wrong.add(field, "invalid", "expected a text".to_owned());
    }
    let said = |field: &str, header: &str| {
        text(field).or_else(|| headers.get(header).and_then(|value| value.to_str().ok()))
    };
    let region = app.edge.default_region;
    let number = |text| PhoneNumber::parse(text, region);
    let to = if names.needs_to { wrong.required(names.to, text(names.to), number) } else { None };
    let code = if names.needs_code { wrong.required("code", text("code"), str::parse) } else { None };
    let user = wrong.parse("user_id", said("user_id", USER_ID), str::parse);
    let address = wrong.parse("client_ip", said("client_ip", CLIENT_IP), address);
    wrong.none().map(|()| Asked { to, user, address, code })
}

/// Whom an address stands for: itself, or the 2^64 addresses that one subscriber of IPv6 has.
fn address(text: &str) -> Result<Box<str>, &'static str> {
    match text.trim().parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => Ok(address.to_string().into()),
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            Ok(format!("{a:x}:{b:x}:{c:x}:{d:x}::").into())
        }
        Err(_no_address) => Err("expected an IP address"),
    }
}

/// `POST /v1/verifications`: text a code to `to`.
pub(super) async fn start(
    Extract(app): Extract<Arc<App>>,
    Asker(asker): Asker,
    headers: HeaderMap,
    JsonBody(body): JsonBody<MESSAGE_MAX>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let names = Names { to: "to", needs_to: true, needs_code: false };
    let asked = read(&app, &headers, &body, &names)?;
    let verified = started(&app, asked, asker).await?;
    Ok((StatusCode::ACCEPTED, Json(Value::Object(told(&verified.name, &verified.verification)))))
}

/// `POST /api/sms/verify` with `phoneNumber`.
pub(super) async fn seed_start(
    Extract(app): Extract<Arc<App>>,
    Asker(asker): Asker,
    headers: HeaderMap,
    JsonBody(body): JsonBody<MESSAGE_MAX>,
) -> Result<Json<Value>, Problem> {
    let names = Names { to: "phoneNumber", needs_to: true, needs_code: false };
    let asked = read(&app, &headers, &body, &names)?;
    let verified = started(&app, asked, asker).await?;
    let data = json!({"verificationSent": true, "verificationSid": verified.name});
    Ok(Json(json!({
        "success": true,
        "verificationSent": true,
        "verificationSid": verified.name,
        "data": data,
    })))
}

/// `POST /v1/verifications/{id}/check` with `code`.
pub(super) async fn check(
    Extract(app): Extract<Arc<App>>,
    Asker(asker): Asker,
    Path(name): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<MESSAGE_MAX>,
) -> Result<Json<Value>, Problem> {
    let names = Names { to: "to", needs_to: false, needs_code: true };
    let asked = read(&app, &headers, &body, &names)?;
    let (_, verification) = find(&app.reader()?, &name)?;
    let verified = checked(&app, verification.person, asked, asker).await?;
    Ok(Json(Value::Object(told(&verified.name, &verified.verification))))
}

/// `POST /api/sms/verify/confirm` with `phoneNumber` and `code`.
pub(super) async fn seed_confirm(
    Extract(app): Extract<Arc<App>>,
    Asker(asker): Asker,
    headers: HeaderMap,
    JsonBody(body): JsonBody<MESSAGE_MAX>,
) -> Result<Json<Value>, Problem> {
    let names = Names { to: "phoneNumber", needs_to: true, needs_code: true };
    let asked = read(&app, &headers, &body, &names)?;
    let reader = app.reader()?;
    let person = asked.to.map(|to| reader.person_of(to)).transpose()?.flatten();
    drop(reader);
    checked(&app, person, asked, asker).await?;
    Ok(Json(json!({
        "success": true,
        "verified": true,
        "message": "Phone number verified successfully",
        "data": {"verified": true},
    })))
}

/// `GET /v1/verifications/{id}`.
pub(super) async fn show(
    Extract(app): Extract<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    let (_, verification) = find(&app.reader()?, &name)?;
    Ok(Json(Value::Object(told(&name, &verification))))
}

fn find(reader: &Reader, name: &str) -> Result<(u64, Verification), Problem> {
    let unknown = || Problem::new(Code::VerificationNotFound, "there is no verification with that id");
    let number = reader.instance_named(InstanceKind::Verification, name)?.ok_or_else(unknown)?;
    let verification = reader.instance::<Verifications>(number)?.ok_or_else(unknown)?;
    Ok((number, verification))
}

/// A verification as callers see it. How its code went out is not told: of another user's number none did.
fn told(name: &str, verification: &Verification) -> Map<String, Value> {
    let failed = if let Standing::Failed { refusal } = verification.standing { Some(refusal) } else { None };
    let mut told = Map::new();
    told.insert("id".to_owned(), json!(name));
    told.insert("status".to_owned(), json!(verification.standing.as_str()));
    told.insert("expires_at".to_owned(), json!(instant::format(verification.expires_at)));
    told.insert("checks".to_owned(), json!(verification.checks));
    told.insert("why".to_owned(), json!(failed.map(Refusal::as_str)));
    told
}

async fn started(
    app: &App,
    asked: Asked,
    asker: dunlin_workflows::actor::Origin,
) -> Result<Verified, Problem> {
    let Asked { to: Some(to), user, address, .. } = asked else {
        return Err(Problem::new(Code::InvalidJson, "the body names a field twice"));
    };
    app.room()?;
    let code = SmsCode::of_random(random(&app.edge.ids.secret()));
    let message = app.edge.ids.message_id();
    let wish = CodeWish { to, user, address, code, message };
    ask(app, VerifyAsk::Start(wish), asker).await
}

async fn checked(
    app: &App,
    person: Option<PersonNumber>,
    asked: Asked,
    asker: dunlin_workflows::actor::Origin,
) -> Result<Verified, Problem> {
    let (Some(person), Some(code)) = (person, asked.code) else {
        return Err(AskError::Verification(Rejection::Expired).into());
    };
    ask(app, VerifyAsk::Check { person, user: asked.user, code }, asker).await
}

/// Asks the engine; what is no success is a problem.
async fn ask(app: &App, ask: VerifyAsk, asker: dunlin_workflows::actor::Origin) -> Result<Verified, Problem> {
    let began_ms = app.edge.clock.monotonic_ms();
    let on_duty = app.on_duty()?;
    let answer = tokio::time::timeout(ANSWER_WITHIN, on_duty.engine.verify(ask, asker)).await;
    drop(on_duty);
    let unlearned = || {
        let detail =
            "the service that sends and checks codes did not answer; nothing is known about the code";
        Problem::new(Code::ProviderUnavailable, detail).after(AGAIN)
    };
    let verified = match answer {
        Ok(Ok(verified)) => verified,
        Ok(Err(refused)) => return Err(waiting(app, refused)),
        Err(_too_long) => return Err(unlearned()),
    };
    app.pace.keep(app.edge.clock.monotonic_ms().saturating_sub(began_ms), verified.verification.via).await;
    let detail = |code, detail: &str| Err(Problem::new(code, detail));
    match verified.outcome {
        Outcome::Sent | Outcome::Approved => Ok(verified),
        Outcome::NotSent(refusal) => detail(not_sent(refusal), "no code could be sent to this number"),
        Outcome::Incorrect => detail(Code::CodeIncorrect, "the code is wrong; look at the newest text again"),
        Outcome::Spent => detail(Code::TooManyAttempts, "too many wrong codes; ask for a new one"),
        Outcome::Expired => detail(Code::CodeExpired, "no code counts for this number; ask for a new one"),
        Outcome::Unavailable => Err(unlearned()),
    }
}

/// The engine's no, with the time after which it may say yes.
fn waiting(app: &App, refused: AskError) -> Problem {
    let now = app.edge.clock.wall();
    let wait = if let AskError::Verification(Rejection::CoolingDown { until })
    | AskError::Crowded { until, .. }
    | AskError::Allowance(allowance::Rejection::Exhausted { until, .. }) = &refused
    {
        Some(until.since(now))
    } else {
        matches!(refused, AskError::Verification(Rejection::Unanswered)).then_some(AGAIN)
    };
    let problem = Problem::from(refused);
    match wait {
        // Whole seconds, and not one too few.
        Some(wait) => problem.after(Duration::from_secs(wait.as_secs().saturating_add(1))),
        None => problem,
    }
}

impl Pace {
    /// Remembers how long the service took, or takes as long as it did.
    async fn keep(&self, took_ms: u64, via: Via) {
        match via {
            Via::Service => self.0.store(took_ms, Ordering::Relaxed),
            Via::Notice => {
                let rest = self.0.load(Ordering::Relaxed).saturating_sub(took_ms);
                tokio::time::sleep(Duration::from_millis(rest)).await;
            }
            Via::Message => {}
        }
    }
}

fn random(secret: &[u8; 32]) -> u64 {
    // The bytes of a UUID that are random through and through are its last eight but for two bits of the first.
    secret.last_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_subscriber_of_ipv6_is_one_address_however_it_is_written() {
        assert_eq!(address("2001:db8::1").unwrap(), address("2001:0db8:0:0:ffff::2").unwrap());
        assert_eq!(address("::ffff:192.0.2.7").unwrap(), address("192.0.2.7").unwrap());
        assert_ne!(address("192.0.2.7").unwrap(), address("192.0.2.8").unwrap());
        assert!(address("example.com").is_err());
    }
}
