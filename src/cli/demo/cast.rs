//! The texts of the demonstration: mostly plain, some scheduled, some to numbers that always fail.

use std::time::Duration;

use dunlin_workflows::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::timeline::written;

/// Recipients that fail in our carrier, each by itself: none of them opts out, so none changes what becomes
/// of another text.
const TROUBLED: [&str; 4] = ["+15005550001", "+15005550009", "+15005551003", "+15005551007"];
/// Texts per recipient in [`TROUBLED`].
const TROUBLED_EACH: usize = 2;
/// One text of this many is scheduled.
const SCHEDULED_EVERY: usize = 10;

/// One text to be sent.
#[derive(Debug, Clone)]
pub(super) struct Text {
    /// The request, as the API takes it.
    pub(super) request: Value,
    /// Its body: different for every text, so that the carrier's ledger tells them apart.
    pub(super) body: String,
    /// Not before this instant.
    pub(super) scheduled_for: Option<Timestamp>,
    /// The idempotency key that makes repeating the request safe.
    pub(super) key: String,
}

/// `count` texts to `count` different people.
pub(super) fn texts(count: usize, now: Timestamp) -> Vec<Text> {
    let troubled = TROUBLED.iter().flat_map(|to| std::iter::repeat_n(*to, TROUBLED_EACH));
    let mut troubled: Vec<&str> = troubled.collect();
    (1..=count)
        .map(|number| {
            let to = if number % 20 == 7 { troubled.pop() } else { None };
            let to = to.map_or_else(|| format!("+1555{:07}", number.saturating_add(100_000)), str::to_owned);
            let ahead = Duration::from_secs(if number % (2 * SCHEDULED_EVERY) == 0 { 7 } else { 4 });
            let scheduled_for = (number % SCHEDULED_EVERY == 0).then(|| now.plus(ahead));
            let body = format!("Dunlin demo, text {number} of {count}: your order is on its way.");
            let mut request = json!({"to": to, "body": body, "user_id": format!("person-{number}")});
            if let (Some(instant), Some(fields)) = (scheduled_for, request.as_object_mut()) {
                fields.insert("scheduled_for".to_owned(), json!(written(instant)));
            }
            Text { request, body, scheduled_for, key: format!("demo-{number}") }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_text_is_told_apart_by_its_body_and_key() {
        let texts = texts(200, Timestamp::EPOCH);
        let bodies: BTreeSet<&str> = texts.iter().map(|text| text.body.as_str()).collect();
        let keys: BTreeSet<&str> = texts.iter().map(|text| text.key.as_str()).collect();
        assert_eq!((bodies.len(), keys.len()), (200, 200));
        let troubled = texts.iter().filter(|text| text.request["to"].as_str().unwrap().starts_with("+1500"));
        assert_eq!(troubled.count(), TROUBLED.len() * TROUBLED_EACH);
        assert_eq!(texts.iter().filter(|text| text.scheduled_for.is_some()).count(), 20);
    }
}
