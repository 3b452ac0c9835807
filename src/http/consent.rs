//! `/v1/consent`: whether somebody may be texted, what they said about it, and what waits to be read.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, RawQuery, State as Extract};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::{Json, RequestPartsExt as _};
use dunlin_storage::{Event, JournalSeq, PersonEvent, ReadError, Reader, Record};
use dunlin_workflows::consent::{Command, Consent, Finding, How};
use dunlin_workflows::id::{PersonNumber, ProviderSid};
use dunlin_workflows::phone_number::{PhoneNumber, Region};
use serde_json::{Map, Value, json};

use crate::engine::ask::Whom;
use crate::http::accept::MESSAGE_MAX;
use crate::http::asker::Asker;
use crate::http::field_errors::{FieldErrors, object};
use crate::http::paging::{self, Paging};
use crate::http::problem::{Code, Problem};
use crate::http::whole_body::JsonBody;
use crate::http::{App, instant};
use crate::timeline::event_fields;

/// Where a page of JSON lines goes on.
const NEXT_CURSOR: HeaderName = HeaderName::from_static("dunlin-next-cursor");
/// JSON lines, <https://github.com/ndjson/ndjson-spec>, read 2026-11-24.
const LINES: &str = "application/x-ndjson";

/// Of whom, and which part.
#[derive(Debug, Default)]
struct Wanted {
    to: Option<PhoneNumber>,
    person: Option<PersonNumber>,
    paging: Paging,
}

impl Wanted {
    fn parse(query: Option<&str>, region: Option<Region>) -> Result<Self, Problem> {
        paging::wanted(query, |wanted: &mut Self, name, value| wanted.take(name, value, region))
    }

    fn take(&mut self, name: &str, value: &str, region: Option<Region>) -> Result<(), Problem> {
        if self.paging.take(name, value)? {
            return Ok(());
        }
        let refuse = |why: &dyn std::fmt::Display| paging::refused(name, value, why);
        match name {
            "to" => self.to = Some(PhoneNumber::parse(value, region).map_err(|error| refuse(&error))?),
            "person" => {
                let number = value.parse().map_err(|_no_number| refuse(&"expected a number"))?;
                self.person = Some(PersonNumber::new(number));
            }
            unknown => return Err(paging::unknown(unknown, "limit, cursor, to, person")),
        }
        Ok(())
    }

    /// The person, by either name.
    fn person(&self, reader: &Reader) -> Result<Option<PersonNumber>, ReadError> {
        match (self.person, self.to) {
            (Some(person), _) => Ok(Some(person)),
            (None, Some(to)) => reader.person_of(to),
            (None, None) => Ok(None),
        }
    }
}

/// `GET /v1/consent?to=` or `?person=`.
pub(super) async fn show(
    Extract(app): Extract<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let wanted = Wanted::parse(query.as_deref(), app.edge.default_region)?;
    let reader = app.reader()?;
    let person = wanted.person(&reader)?;
    let consent = match (person, wanted.to) {
        (Some(person), _) => reader.consent(person)?,
        (None, Some(to)) => reader.consent_of(to)?,
        (None, None) => return Err(Problem::new(Code::InvalidFilter, "say of whom: to=NUMBER or person=N")),
    };
    Ok(Json(consent_json(&reader, person, wanted.to, &consent)?))
}

/// `PUT /v1/consent`: somebody records what a person said. `Dunlin-Reason` says why.
pub(super) async fn put(
    Extract(app): Extract<Arc<App>>,
    Asker(asker): Asker,
    JsonBody(body): JsonBody<MESSAGE_MAX>,
) -> Result<Json<Value>, Problem> {
    let object = object(&body)?;
    let text = |field: &str| object.get(field).and_then(Value::as_str);
    let mut wrong = FieldErrors::under("");
    wrong.unknown(&object, &["to", "standing", "said_at"]);
    let region = app.edge.default_region;
    let to = wrong.required("to", text("to"), |text| PhoneNumber::parse(text, region));
    let said_at = wrong.parse("said_at", text("said_at"), instant::read);
    if object.contains_key("said_at") && text("said_at").is_none() {
        wrong.add("said_at", "invalid", "expected an instant such as 2026-12-24T14:00:00Z".to_owned());
    }
    let said_at = said_at.unwrap_or_else(|| app.edge.clock.wall());
    let command = wrong.required("standing", text("standing"), |standing| match standing {
        "opted_out" => Ok(Command::OptOut { said_at }),
        "opted_in" => Ok(Command::OptIn { said_at }),
        _other => Err("expected opted_out or opted_in"),
    });
    wrong.none()?;
    let (Some(to), Some(command)) = (to, command) else {
        return Err(Problem::new(Code::InvalidJson, "the body names a field twice"));
    };
    let consent = app.on_duty()?.engine.consent(Whom::Number(to), command, asker).await?;
    let reader = app.reader()?;
    Ok(Json(consent_json(&reader, reader.person_of(to)?, Some(to), &consent)?))
}

fn consent_json(
    reader: &Reader,
    person: Option<PersonNumber>,
    to: Option<PhoneNumber>,
    consent: &Consent,
) -> Result<Value, ReadError> {
    let to = match (to, person) {
        (None, Some(person)) => reader.number_of(person)?,
        (to, _) => to,
    };
    let standing = consent.standing;
    Ok(json!({
        "person": person.map(PersonNumber::get),
        "to": to.map(|to| to.to_string()),
        "standing": standing.as_str(),
        "since": standing.since().map(instant::format),
        "how": standing.how().map(How::as_str),
        "why": standing.how().filter(|_| standing.is_out()).map(How::words),
        "review": consent.review.map(|review| review.text.to_string()),
    }))
}

/// `GET /v1/consent/events`: everything that was said, oldest first; as JSON lines when asked for.
pub(super) async fn events(
    Extract(app): Extract<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wanted = Wanted::parse(query.as_deref(), app.edge.default_region)?;
    let (rows, next) = paging::read(app, move |reader| events_page(reader, &wanted)).await?;
    let as_lines = headers.get(ACCEPT).is_some_and(|accept| accept.as_bytes() == LINES.as_bytes());
    if !as_lines {
        let page = json!({"data": rows, "has_more": next.is_some(), "next_cursor": next});
        return Ok(Json(page).into_response());
    }
    let mut lines = String::new();
    for row in rows {
        lines.push_str(&serde_json::to_string(&row).unwrap_or_default());
        lines.push('\n');
    }
    let mut response = ([(CONTENT_TYPE, LINES)], lines).into_response();
    if let Some(next) = next.and_then(|next| HeaderValue::try_from(next).ok()) {
        response.headers_mut().insert(NEXT_CURSOR, next);
    }
    Ok(response)
}

type EventsPage = (Vec<Map<String, Value>>, Option<String>);

fn events_page(reader: &Reader, wanted: &Wanted) -> Result<EventsPage, Problem> {
    let of = wanted.person(reader)?;
    if of.is_none() && wanted.to.is_some() {
        return Ok((Vec::new(), None));
    }
    let after = JournalSeq::new(wanted.paging.before.unwrap_or(0));
    let records = reader.consent_records(after, wanted.paging.limit, of)?;
    let next = records.last().filter(|_| records.len() >= wanted.paging.limit);
    let next = next.map(|record| paging::cursor(record.seq.get()));
    let rows: Result<Vec<_>, ReadError> = records.iter().map(|record| row(reader, record)).collect();
    Ok((rows?, next))
}

/// One thing that was said: when, of whom, how we know, and their own words.
fn row(reader: &Reader, record: &Record) -> Result<Map<String, Value>, ReadError> {
    let Event::Person { person, event } = &record.event else { return Ok(Map::new()) };
    let mut fields = event_fields::of_person(event);
    let mut add = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    add("seq", json!(record.seq.get()));
    add("at", json!(instant::format(record.at)));
    add("source", json!(record.source.as_str()));
    add("actor", json!(reader.actor_name(record.actor)?.map(|name| name.to_string())));
    add("person", json!(person.get()));
    add("to", json!(reader.number_of(*person)?.map(|to| to.to_string())));
    add("type", json!(event.name()));
    add("words", json!(reader.words(record)?));
    Ok(fields)
}

/// `GET /v1/consent/reviews`: texts that sound like an opt-out and wait to be read.
pub(super) async fn reviews(
    Extract(app): Extract<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let wanted = Wanted::parse(query.as_deref(), app.edge.default_region)?;
    let page = paging::read(app, move |reader| {
        let after = PersonNumber::new(wanted.paging.before.unwrap_or(0));
        let persons = reader.reviews(after, wanted.paging.limit)?;
        let next = persons.last().filter(|_| persons.len() >= wanted.paging.limit);
        let next = next.map(|person| paging::cursor(person.get()));
        let mut rows = Vec::with_capacity(persons.len());
        for person in persons {
            let review = reader.consent(person)?.review;
            if let Some(record) = review.map(|review| reader.heard(review.text)).transpose()?.flatten() {
                rows.push(row(reader, &record)?);
            }
        }
        Ok(json!({"data": rows, "has_more": next.is_some(), "next_cursor": next}))
    });
    page.await.map(Json)
}

/// `POST /v1/consent/reviews/{sid}` with `finding`: somebody read the text with this SID.
pub(super) async fn resolve(
    Extract(app): Extract<Arc<App>>,
    Asker(asker): Asker,
    TextName(text): TextName,
    JsonBody(body): JsonBody<MESSAGE_MAX>,
) -> Result<Json<Value>, Problem> {
    let object = object(&body)?;
    let mut wrong = FieldErrors::under("");
    wrong.unknown(&object, &["finding"]);
    let given = object.get("finding").and_then(Value::as_str);
    let finding = wrong.required("finding", given, |word| {
        Finding::parse(word).ok_or("expected opt_out, or not_one when it is about something else")
    });
    wrong.none()?;
    let heard = app.reader()?.heard(text)?.map(|record| record.event);
    let Some(Event::Person { person, event: PersonEvent::Consent(_) }) = heard else {
        return Err(not_there());
    };
    let command = Command::Resolve { text, finding: finding.unwrap_or(Finding::OptOut) };
    let consent = app.on_duty()?.engine.consent(Whom::Person(person), command, asker).await?;
    let reader = app.reader()?;
    Ok(Json(consent_json(&reader, Some(person), None, &consent)?))
}

fn not_there() -> Problem {
    Problem::new(Code::ReviewNotFound, "no text with that SID waits for a decision")
}

/// The `{sid}` in a path.
pub(super) struct TextName(ProviderSid);

impl<S: Sync> FromRequestParts<S> for TextName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let path = parts.extract::<Path<String>>().await;
        let sid = path.ok().and_then(|Path(name)| name.parse().ok());
        sid.map(Self).ok_or_else(not_there)
    }
}
