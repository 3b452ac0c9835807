//! `POST /v1/recoveries`: tries texts again that came to nothing, many together, after a look at how many.
//!
//! Each is tried again like a single one: as a new message that names the old one and meets the gate like
//! any other. All of a request stand in one transaction, so it happened or it did not.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State as Extract;
use axum::http::HeaderMap;
use dunlin_storage::{Idempotency, ReadError, Reader};
use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::phone_number::Region;
use dunlin_workflows::recovery::{Obstacle, Pace, RATE_DEFAULT, RATE_MAX};
use dunlin_workflows::rules::Rules;
use dunlin_workflows::timestamp::Timestamp;
use serde_json::{Map, Value, json};

use crate::engine::ask::{Again, AskError, Target};
use crate::http::accept::MESSAGE_MAX;
use crate::http::asker::Asker;
use crate::http::failures::{EXAMPLES, by_word, ids, tally};
use crate::http::field_errors::{FieldErrors, object};
use crate::http::problem::{Code, Problem};
use crate::http::survey::{FILTERS, Judging, Wanted};
use crate::http::whole_body::JsonBody;
use crate::http::{App, instant, paging};

/// Most texts that one request tries again; the answer says how many are left.
const TEXTS_MAX: usize = 1_000;

const FIELDS: [&str; 6] =
    ["filter", "dry_run", "expected_count", "rate_per_minute", "starts_at", "expires_at"];

/// What is asked for.
#[derive(Debug)]
struct Order {
    wanted: Wanted,
    /// How many the caller saw; `None` when it is only to be counted.
    expected: Option<usize>,
    rate_per_minute: u32,
    starts_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
}

/// Which texts would be tried again, the oldest first, and when; what stands in the way of others.
#[derive(Debug)]
struct Plan {
    pace: Pace,
    going: Vec<(MessageNumber, Timestamp)>,
    obstacles: BTreeMap<Obstacle, usize>,
    until: Timestamp,
    next: Option<MessageNumber>,
}

/// Counts, or tries again what was counted.
pub(super) async fn recover(
    Extract(app): Extract<Arc<App>>,
    Asker(asker): Asker,
    headers: HeaderMap,
    JsonBody(body): JsonBody<MESSAGE_MAX>,
) -> Result<Json<Value>, Problem> {
    let answering = app.in_flight.enter(&headers, "/v1/recoveries", &body)?;
    let order = Order::read(&body, app.edge.default_region)?;
    let (claim, expected, expires_at) = (answering.claim(), order.expected, order.expires_at);
    if let (Some(claim), Some(_)) = (claim, expected)
        && let Some(answered) = app.reader()?.idempotency(&claim.key)?
    {
        if answered.fingerprint != claim.fingerprint {
            return Err(AskError::KeyReused.into());
        }
        return paging::read(Arc::clone(&app), move |reader| Ok(Json(repeated(reader, answered)?))).await;
    }
    let (now, rules) = (app.edge.clock.wall(), app.edge.rules.clone());
    let reading = Arc::clone(&app);
    let (plan, examples) = paging::read(reading, move |reader| {
        let plan = Plan::of(reader, order, now, &rules)?;
        let first: Vec<_> = plan.going.iter().take(EXAMPLES).map(|(number, _)| *number).collect();
        Ok((plan, ids(reader, &first)?))
    })
    .await?;
    let Some(expected) = expected else { return Ok(Json(plan.counted(&examples))) };
    if expected != plan.going.len() {
        let detail = format!(
            "{expected} were expected and {} would be tried again now; look with dry_run, and take its count and until",
            plan.going.len()
        );
        return Err(Problem::new(Code::CountChanged, detail));
    }
    app.room()?;
    let chosen: Vec<_> = plan.going.iter().take(TEXTS_MAX).copied().collect();
    let again = chosen.iter().map(|(number, slot)| Again {
        target: Target::Number(*number),
        id: app.edge.ids.message_id(),
        scheduled_for: Some(*slot),
        expires_at,
    });
    let again: Vec<Again> = again.collect();
    let receipts = app.on_duty()?.engine.recover(again.clone(), claim, asker).await?;
    let left = plan.going.len().saturating_sub(chosen.len());
    let next_at = plan.pace.slot(chosen.len());
    paging::read(Arc::clone(&app), move |reader| {
        let (mut messages, mut obstacles) = (Vec::new(), plan.obstacles);
        for (receipt, asked) in receipts.iter().zip(&again) {
            match receipt {
                Ok(receipt) => {
                    let number = reader.number_of_id(receipt.id)?;
                    messages.extend(number.map(|number| row(reader, number)).transpose()?.flatten());
                }
                Err(error) => tally(&mut obstacles, obstacle(error, asked.target)),
            }
        }
        Ok(Json(json!({
            "dry_run": false,
            "replayed": false,
            "recovered": messages.len(),
            "left": left,
            "not_retryable": by_word(&obstacles),
            "next_at": instant::format(next_at),
            "messages": messages,
        })))
    })
    .await
}

/// What came between the look and the deed.
fn obstacle(error: &AskError, target: Target) -> Obstacle {
    if let AskError::Rejected(rejection) = error {
        return Obstacle::from(rejection);
    }
    if *error == AskError::Erased {
        return Obstacle::Erased;
    }
    tracing::warn!(?target, %error, "a text could not be tried again");
    Obstacle::NotRetryable
}

/// The answer that was given under this key: the messages that it made.
fn repeated(reader: &Reader, answered: Idempotency) -> Result<Value, ReadError> {
    let first = answered.first.get();
    let numbers = first..first.saturating_add(u64::from(answered.count));
    let rows: Result<Vec<_>, ReadError> =
        numbers.filter_map(|number| row(reader, MessageNumber::new(number)).transpose()).collect();
    let rows = rows?;
    Ok(json!({"dry_run": false, "replayed": true, "recovered": answered.count, "messages": rows}))
}

/// A new message; `None` when it is in an archive by now.
fn row(reader: &Reader, number: MessageNumber) -> Result<Option<Value>, ReadError> {
    Ok(reader.content(number)?.map(|(terms, _)| {
        json!({
            "id": terms.id.to_string(),
            "retry_of": terms.retry_of.map(|id| id.to_string()),
            "scheduled_for": terms.scheduled_for.map(instant::format),
        })
    }))
}

impl Plan {
    fn of(reader: &Reader, mut order: Order, now: Timestamp, rules: &Rules) -> Result<Self, Problem> {
        // Whoever comes back with this instant means the same texts, whatever fails meanwhile.
        let until = *order.wanted.selection.until.get_or_insert(now);
        let named = order.wanted.selection.names_why();
        let judging = Judging { now, rules, named, expires_at: order.expires_at };
        let (mut waiting, mut obstacles) = (Vec::new(), BTreeMap::new());
        let next = order.wanted.survey(reader, judging, |found| match found.obstacle {
            None => waiting.push((found.number, order.expires_at.or(found.message.expires_at))),
            Some(obstacle) => tally(&mut obstacles, obstacle),
        })?;
        let start = order.starts_at.map_or(now, |at| at.max(now));
        let pace = Pace::new(start, order.rate_per_minute).ok_or_else(|| {
            Problem::new(Code::Invalid, format!("rate_per_minute: expected 1 to {RATE_MAX}"))
        })?;
        let (going, too_late) = pace.spread(waiting.into_iter().rev());
        if too_late > 0 {
            let count = obstacles.entry(Obstacle::TooLate).or_default();
            *count = too_late.saturating_add(*count);
        }
        Ok(Self { pace, going, obstacles, until, next })
    }

    fn counted(&self, examples: &[String]) -> Value {
        json!({
            "dry_run": true,
            "count": self.going.len(),
            "not_retryable": by_word(&self.obstacles),
            "until": instant::format(self.until),
            "last_at": self.going.last().map(|(_, slot)| instant::format(*slot)),
            "examples": examples,
            "has_more": self.next.is_some(),
            "next_cursor": self.next.map(|number| paging::cursor(number.get())),
        })
    }
}

impl Order {
    fn read(body: &[u8], region: Option<Region>) -> Result<Self, Problem> {
        let object = object(body)?;
        let mut wrong = FieldErrors::under("");
        wrong.unknown(&object, &FIELDS);
        let wanted = if let Some(Value::Object(filter)) = object.get("filter") {
            read_filter(filter, region, &mut wrong)
        } else {
            wrong.add("filter", "required", format!("expected an object; known: {}", FILTERS.join(", ")));
            Wanted::default()
        };
        let dry_run = match object.get("dry_run") {
            None => false,
            Some(Value::Bool(dry_run)) => *dry_run,
            Some(_) => {
                wrong.add("dry_run", "invalid", "expected true or false".to_owned());
                true
            }
        };
        let expected = number(&object, "expected_count", &mut wrong);
        if !dry_run && expected.is_none() {
            let detail = "look with dry_run first, and give the count that it answered";
            wrong.add("expected_count", "required", detail.to_owned());
        }
        let rate = number(&object, "rate_per_minute", &mut wrong).unwrap_or_else(|| RATE_DEFAULT.into());
        let rate_per_minute = u32::try_from(rate).ok().filter(|rate| (1..=RATE_MAX).contains(rate));
        if rate_per_minute.is_none() {
            wrong.add("rate_per_minute", "invalid", format!("expected 1 to {RATE_MAX}"));
        }
        let mut at = |field: &str| {
            let text = match object.get(field)? {
                Value::String(text) => Some(text.as_str()),
                Value::Null => return None,
                Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
            };
            wrong.parse(field, Some(text.unwrap_or_default()), instant::read)
        };
        let (starts_at, expires_at) = (at("starts_at"), at("expires_at"));
        wrong.none()?;
        Ok(Self {
            wanted,
            expected: expected.filter(|_| !dry_run).map(|count| usize::try_from(count).unwrap_or(usize::MAX)),
            rate_per_minute: rate_per_minute.unwrap_or(RATE_DEFAULT),
            starts_at,
            expires_at,
        })
    }
}

fn number(object: &Map<String, Value>, field: &str, wrong: &mut FieldErrors<'_>) -> Option<u64> {
    let value = object.get(field).filter(|value| !value.is_null())?;
    if value.as_u64().is_none() {
        wrong.add(field, "invalid", "expected a whole number".to_owned());
    }
    value.as_u64()
}

/// A filter: each field one value or several.
fn read_filter(filter: &Map<String, Value>, region: Option<Region>, wrong: &mut FieldErrors<'_>) -> Wanted {
    let mut wanted = Wanted::default();
    for (name, value) in filter {
        let values =
            if let Value::Array(values) = value { values.as_slice() } else { std::slice::from_ref(value) };
        for value in values {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => String::new(),
            };
            match wanted.take(name, &text, region) {
                Some(Ok(())) => {}
                Some(Err(why)) => wrong.add("filter", "invalid", format!("{name}: {why}")),
                None => {
                    let known = FILTERS.join(", ");
                    wrong.add(
                        "filter",
                        "unknown",
                        format!("there is no filter \"{name:.64}\"; known: {known}"),
                    );
                }
            }
        }
    }
    if wanted.is_empty() {
        let detail = "say which: at least one of since, code, class, to, user_id and template";
        wrong.add("filter", "required", detail.to_owned());
    }
    wanted
}
