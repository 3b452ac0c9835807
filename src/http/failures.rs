//! `GET /v1/failures`: texts that came to nothing, grouped by why, with what can be done about each group.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State as Extract};
use dunlin_storage::{ReadError, Reader};
use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::provider_error::FailureClass;
use dunlin_workflows::recovery::{Obstacle, Reason, only_by_name};
use dunlin_workflows::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::http::problem::Problem;
use crate::http::survey::{FILTERS, Found, Judging, Wanted};
use crate::http::{App, instant, paging};

/// How many texts of a group are named.
pub(super) const EXAMPLES: usize = 5;

/// Where failures are that this list leaves out.
const LEAVES_OUT: &str =
    "what was settled longer ago than DUNLIN_ARCHIVE_AFTER is in archives; `dunlin replay` counts it";

/// Texts that came to nothing for one reason.
#[derive(Debug)]
struct Group {
    count: usize,
    retryable: usize,
    obstacles: BTreeMap<Obstacle, usize>,
    oldest: Timestamp,
    newest: Timestamp,
    examples: Vec<MessageNumber>,
}

/// The groups that fit, the largest first.
pub(super) async fn failures(
    Extract(app): Extract<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let region = app.edge.default_region;
    let wanted = paging::wanted(query.as_deref(), |wanted: &mut Wanted, name, value| {
        let taken = wanted.take(name, value, region);
        let taken = taken.ok_or_else(|| paging::unknown(name, &FILTERS.join(", ")))?;
        taken.map_err(|why| paging::refused(name, value, &why))
    })?;
    let (now, rules) = (app.edge.clock.wall(), app.edge.rules.clone());
    paging::read(app, move |reader| {
        // Whoever recovers a group names it.
        let judging = Judging { now, rules: &rules, named: true, expires_at: None };
        let mut groups = BTreeMap::new();
        let next = wanted.survey(reader, judging, |found| add(&mut groups, found))?;
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.count));
        let all = |of: fn(&Group) -> usize| groups.iter().map(|(_, group)| of(group)).sum::<usize>();
        let (count, retryable) = (all(|group| group.count), all(|group| group.retryable));
        let data: Result<Vec<_>, ReadError> =
            groups.iter().map(|(why, group)| told(reader, *why, group)).collect();
        Ok(Json(json!({
            "data": data?,
            "count": count,
            "retryable": retryable,
            "has_more": next.is_some(),
            "next_cursor": next.map(|number| paging::cursor(number.get())),
            "leaves_out": LEAVES_OUT,
        })))
    })
    .await
}

type Why = (Reason, Option<FailureClass>);

fn add(groups: &mut BTreeMap<Why, Group>, found: &Found<'_>) {
    let at = found.message.changed_at;
    let new = || Group {
        count: 0,
        retryable: 0,
        obstacles: BTreeMap::new(),
        oldest: at,
        newest: at,
        examples: Vec::new(),
    };
    let group = groups.entry((found.reason, found.reason.class(found.message))).or_insert_with(new);
    group.count = group.count.saturating_add(1);
    match found.obstacle {
        None => group.retryable = group.retryable.saturating_add(1),
        Some(obstacle) => tally(&mut group.obstacles, obstacle),
    }
    group.oldest = group.oldest.min(at);
    group.newest = group.newest.max(at);
    if group.examples.len() < EXAMPLES {
        group.examples.push(found.number);
    }
}

fn told(reader: &Reader, (reason, class): Why, group: &Group) -> Result<Value, ReadError> {
    Ok(json!({
        "code": reason.to_string(),
        "class": class.map(FailureClass::as_str),
        "cause": reason.cause(),
        "remedy": reason.remedy(),
        "count": group.count,
        "retryable": group.retryable,
        "not_retryable": by_word(&group.obstacles),
        "only_by_name": only_by_name(class).map(Obstacle::as_str),
        "oldest": instant::format(group.oldest),
        "newest": instant::format(group.newest),
        "examples": ids(reader, &group.examples)?,
    }))
}

/// One more that this stands in the way of.
pub(super) fn tally(obstacles: &mut BTreeMap<Obstacle, usize>, obstacle: Obstacle) {
    let count = obstacles.entry(obstacle).or_default();
    *count = count.saturating_add(1);
}

/// How many texts each obstacle stands in the way of.
pub(super) fn by_word(obstacles: &BTreeMap<Obstacle, usize>) -> Value {
    obstacles.iter().map(|(obstacle, count)| (obstacle.as_str().to_owned(), json!(count))).collect()
}

/// What callers call these messages.
pub(super) fn ids(reader: &Reader, numbers: &[MessageNumber]) -> Result<Vec<String>, ReadError> {
    let mut ids = Vec::with_capacity(numbers.len());
    for number in numbers {
        ids.extend(reader.content(*number)?.map(|(terms, _)| terms.id.to_string()));
    }
    Ok(ids)
}
