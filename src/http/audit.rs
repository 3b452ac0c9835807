//! `GET /v1/audit`: who did what, newest first, with filters and an opaque cursor.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State as Extract};
use dunlin_storage::{AuditFilter, Event, JournalSeq, ReadError, Reader, Record};
use dunlin_workflows::actor::ActorName;
use dunlin_workflows::phone_number::{PhoneNumber, Region};
use dunlin_workflows::source::SOURCES;
use serde_json::{Map, Value, json};

use crate::http::message_name::MessageName;
use crate::http::paging::{self, Paging};
use crate::http::problem::Problem;
use crate::http::{App, instant};
use crate::timeline::{event_fields, instance_fields};

/// What is asked for, by the names that callers use.
#[derive(Debug, Default)]
struct Wanted {
    filter: AuditFilter,
    paging: Paging,
    actor: Option<ActorName>,
    message: Option<MessageName>,
    person: Option<PhoneNumber>,
}

/// The newest records that fit.
pub(super) async fn audit(
    Extract(app): Extract<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let wanted = Wanted::parse(query.as_deref(), app.edge.default_region)?;
    paging::read(app, move |reader| wanted.page(reader)).await.map(Json)
}

impl Wanted {
    fn page(self, reader: &Reader) -> Result<Value, Problem> {
        let nobody = json!({"data": [], "has_more": false, "next_cursor": null});
        let mut filter = self.filter;
        filter.limit = self.paging.limit;
        filter.before = self.paging.before.map(JournalSeq::new);
        if let Some(name) = &self.actor {
            let Some(actor) = reader.actor_of(name)? else { return Ok(nobody) };
            filter.actor = Some(actor);
        }
        if let Some(name) = self.message {
            filter.message = Some(name.find(reader)?.number);
        }
        if let Some(to) = self.person {
            let Some(person) = reader.person_of(to)? else { return Ok(nobody) };
            filter.person = Some(person);
        }
        let page = reader.audit(&filter)?;
        let rows: Result<Vec<_>, ReadError> = page.records.iter().map(|record| row(reader, record)).collect();
        let next_cursor = page.next.map(|seq| paging::cursor(seq.get()));
        Ok(json!({"data": rows?, "has_more": next_cursor.is_some(), "next_cursor": next_cursor}))
    }

    fn parse(query: Option<&str>, region: Option<Region>) -> Result<Self, Problem> {
        paging::wanted(query, |wanted: &mut Self, name, value| wanted.take(name, value, region))
    }

    fn take(&mut self, name: &str, value: &str, region: Option<Region>) -> Result<(), Problem> {
        if self.paging.take(name, value)? {
            return Ok(());
        }
        let refuse = |why: &dyn std::fmt::Display| paging::refused(name, value, why);
        match name {
            "actor" => self.actor = Some(value.parse().map_err(|error| refuse(&error))?),
            "source" => {
                let known = SOURCES.into_iter().find(|(_, word)| *word == value);
                let words: Vec<&str> = SOURCES.into_iter().map(|(_, word)| word).collect();
                let refused = || refuse(&format_args!("expected one of {}", words.join(", ")));
                self.filter.source = Some(known.ok_or_else(refused)?.0);
            }
            "message" => {
                self.message = Some(MessageName::parse(value).ok_or_else(|| refuse(&"no id and no SID"))?);
            }
            "to" => self.person = Some(PhoneNumber::parse(value, region).map_err(|error| refuse(&error))?),
            "since" => self.filter.since = Some(instant::read(value).map_err(|error| refuse(&error))?),
            "until" => self.filter.until = Some(instant::read(value).map_err(|error| refuse(&error))?),
            unknown => {
                let known = "limit, cursor, actor, source, message, to, since, until";
                return Err(paging::unknown(unknown, known));
            }
        }
        Ok(())
    }
}

/// One record: when, who, which way, what, and to what it happened.
fn row(reader: &Reader, record: &Record) -> Result<Map<String, Value>, ReadError> {
    let (kind, event, mut fields) = match &record.event {
        Event::Message { event, .. } => ("message", event.name(), event_fields::of_message(event)),
        Event::Person { event, .. } => ("person", event.name(), event_fields::of_person(event)),
        Event::Instance { event, .. } => {
            (event.kind().as_str(), event.name(), instance_fields::of_instance(event))
        }
        Event::Lane { event, .. } => ("lane", event.name(), event_fields::of_lane(event)),
    };
    let mut add = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    match &record.event {
        Event::Message { .. } => {
            if let Some(terms) = reader.terms_of(record)? {
                add("message_id", json!(terms.id.to_string()));
                add("person", json!(terms.person.get()));
            }
        }
        Event::Person { person, .. } => {
            add("person", json!(person.get()));
        }
        Event::Instance { number, event } => {
            add(event.kind().as_str(), json!(number));
        }
        Event::Lane { lane, .. } => {
            add("lane", json!(lane.get()));
        }
    }
    add("seq", json!(record.seq.get()));
    add("at", json!(instant::format(record.at)));
    add("source", json!(record.source.as_str()));
    add("actor", json!(reader.actor_name(record.actor)?.map(|name| name.to_string())));
    add("kind", json!(kind));
    add("type", json!(event));
    Ok(fields)
}
