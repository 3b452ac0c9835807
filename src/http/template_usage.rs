//! `GET /v1/templates/{key}/usage`: what became of the texts of a template, counted from the texts themselves, so that no
//! counter can drift from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State as Extract};
use dunlin_storage::{Filter, Reader};
use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::message::PublicStatus;
use dunlin_workflows::timestamp::Timestamp;
use serde_json::{Map, Value, json};

use crate::http::problem::Problem;
use crate::http::templates::{Named, find, not_found};
use crate::http::{App, instant, paging};

/// Most texts that one answer looks at; it says where the next goes on.
const LOOKED_AT_MAX: usize = 50_000;
/// How many are read at once.
const PAGE: usize = 1_000;

/// Where texts are that this leaves out.
const LEAVES_OUT: &str = "what was settled longer ago than DUNLIN_ARCHIVE_AFTER is in archives";

/// From when on, and where to go on.
#[derive(Debug, Default)]
struct Wanted {
    since: Option<Timestamp>,
    before: Option<u64>,
}

/// Texts of one version.
#[derive(Debug)]
struct Texts {
    accepted: usize,
    by_status: BTreeMap<PublicStatus, usize>,
    newest: Timestamp,
}

/// Counts the texts of every version, newest first.
pub(super) async fn usage(
    Extract(app): Extract<Arc<App>>,
    Named(key): Named,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let wanted = paging::wanted(query.as_deref(), |wanted: &mut Wanted, name, value| {
        match name {
            "since" => {
                let at = instant::read(value).map_err(|error| paging::refused(name, value, &error))?;
                wanted.since = Some(at);
            }
            "cursor" => {
                let mut paging = paging::Paging::default();
                paging.take(name, value)?;
                wanted.before = paging.before;
            }
            unknown => return Err(paging::unknown(unknown, "since, cursor")),
        }
        Ok(())
    })?;
    paging::read(app, move |reader| {
        let (number, known) = find(reader, &key)?.ok_or_else(|| not_found(&key))?;
        let (versions, next) = count(reader, number, &wanted)?;
        let data: Vec<Value> = versions.iter().rev().map(|(version, texts)| told(*version, texts)).collect();
        Ok(Json(json!({
            "key": known.key.as_str(),
            "data": data,
            "accepted": versions.values().map(|texts| texts.accepted).sum::<usize>(),
            "has_more": next.is_some(),
            "next_cursor": next.map(|number| paging::cursor(number.get())),
            "leaves_out": LEAVES_OUT,
        })))
    })
    .await
}

fn count(
    reader: &Reader,
    template: u64,
    wanted: &Wanted,
) -> Result<(BTreeMap<u32, Texts>, Option<MessageNumber>), Problem> {
    let before = wanted.before.map(MessageNumber::new);
    let mut filter = Filter { before, limit: PAGE, ..Filter::default() };
    let mut versions = BTreeMap::new();
    for _ in 0..LOOKED_AT_MAX.div_euclid(PAGE) {
        let page = reader.list(&filter)?;
        for (_, row) in &page.messages {
            let message = &row.message;
            if wanted.since.is_some_and(|since| message.accepted_at < since) {
                return Ok((versions, None));
            }
            let Some(used) = message.template.filter(|used| used.number == template) else { continue };
            let new = || Texts { accepted: 0, by_status: BTreeMap::new(), newest: message.accepted_at };
            let texts = versions.entry(used.version).or_insert_with(new);
            texts.accepted = texts.accepted.saturating_add(1);
            let same = texts.by_status.entry(message.public_status()).or_default();
            *same = same.saturating_add(1);
            texts.newest = texts.newest.max(message.accepted_at);
        }
        filter.before = page.next;
        if page.next.is_none() {
            return Ok((versions, None));
        }
    }
    Ok((versions, filter.before))
}

fn told(version: u32, texts: &Texts) -> Value {
    let by_status: Map<String, Value> =
        texts.by_status.iter().map(|(status, count)| (status.as_str().to_owned(), json!(count))).collect();
    json!({
        "version": version,
        "accepted": texts.accepted,
        "by_status": by_status,
        "last_used_at": instant::format(texts.newest),
    })
}
