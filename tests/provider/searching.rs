//! Lost submissions are found, or the answer is "unavailable": an empty one lets the engine send again.

use std::time::Duration;

use dunlin::engine::provider::{FindOutcome, Provider as _, Search, Submission};
use dunlin_workflows::timestamp::Timestamp;

use crate::listener::{Listener, answer};
use crate::stand::{TO, plain_client, submission};

/// 2026-11-24T08:00:00Z, in the middle of the search.
const NOW: Timestamp = Timestamp::from_millis(1_795_507_200_000);
const CREATED: &str = "Tue, 24 Nov 2026 08:00:00 +0000";
const LONG_BEFORE: &str = "Tue, 24 Nov 2026 07:00:00 +0000";

const TEXT: &str = "Your table is ready";

/// A search from five seconds before [`NOW`] to a minute after.
fn search() -> Search {
    let Submission { to, body, .. } = submission(TO, TEXT);
    let (created_from, created_until) = (NOW.minus(Duration::from_secs(5)), NOW.plus(Duration::from_mins(1)));
    Search { to, body, created_from, created_until }
}

fn entry(number: u32, change: impl FnOnce(&mut serde_json::Value)) -> serde_json::Value {
    let mut entry = serde_json::json!({
        "sid": format!("SM{number:032x}"),
        "status": "sent",
        "error_code": null,
        "direction": "outbound-api",
        "from": "+15005550006",
        "to": TO,
        "body": TEXT,
        "messaging_service_sid": null,
        "date_created": CREATED,
        "date_sent": CREATED,
    });
    change(&mut entry);
    entry
}

fn page(entries: &[serde_json::Value], next: Option<&str>) -> String {
    let page = serde_json::json!({"messages": entries, "next_page_uri": next});
    answer("200 OK", &page.to_string())
}

/// The numbers found, or `None` for "unavailable".
async fn find(answers: &[String]) -> (Option<Vec<u32>>, usize) {
    let server = Listener::start(answers).await;
    let client = plain_client(server.base_url());
    let found = match client.find(search()).await {
        FindOutcome::Matches(found) => Some(
            found
                .iter()
                .map(|found| u32::from_str_radix(found.sid.as_str().get(24..).unwrap(), 16).unwrap())
                .collect(),
        ),
        FindOutcome::Unavailable { .. } => None,
    };
    (found, server.requests())
}

#[tokio::test]
async fn only_our_text_in_the_window_matches() {
    let date = |date: &'static str| move |entry: &mut serde_json::Value| entry["date_created"] = date.into();
    let entries = [
        entry(1, |_| {}),
        entry(2, |entry| entry["body"] = format!("Sent from your Twilio trial account - {TEXT}").into()),
        entry(3, |entry| entry["from"] = serde_json::Value::Null),
        entry(4, date("Tue, 24 Nov 2026 07:59:55 +0000")),
        entry(5, date("Tue, 24 Nov 2026 08:01:00 +0000")),
        entry(10, |entry| entry["body"] = "Another text".into()),
        entry(11, |entry| entry["direction"] = "inbound".into()),
        entry(12, |entry| entry["direction"] = "outbound-reply".into()),
        entry(13, |entry| entry["from"] = "+15005550007".into()),
        entry(14, date("Tue, 24 Nov 2026 07:59:53 +0000")),
        entry(15, date("Tue, 24 Nov 2026 08:01:01 +0000")),
    ];
    assert_eq!(find(&[page(&entries, None)]).await, (Some(vec![1, 2, 3, 4, 5]), 1));
}

#[tokio::test]
async fn search_goes_on_until_the_list_is_older_than_the_submission() {
    let other = |number| entry(number, |entry| entry["body"] = "Another text".into());
    let old = |number| entry(number, |entry| entry["date_sent"] = LONG_BEFORE.into());
    // Created long before, sent just now: says nothing about what comes after it.
    let waited = entry(7, |entry| entry["date_created"] = LONG_BEFORE.into());
    let answers = [
        page(&[waited], Some("/2010-04-01/x?Page=1")),
        page(&[other(1), entry(2, |_| {})], Some("/2010-04-01/x?Page=2&PageToken=PA1")),
        page(&[entry(3, |_| {}), old(4)], Some("/2010-04-01/x?Page=3")),
        page(&[entry(5, |_| {})], None),
    ];
    assert_eq!(find(&answers).await, (Some(vec![2, 3, 4]), 3));
}

#[tokio::test]
async fn list_that_cannot_be_read_to_its_end_is_unavailable() {
    let other = || entry(1, |entry| entry["body"] = "Another text".into());
    let endless = || (0..9).map(|_| page(&[other()], Some("/2010-04-01/x?Page=1"))).collect::<Vec<_>>();
    assert_eq!(find(&endless()).await, (None, 5));
    for strange in [
        page(&[other()], Some("https://elsewhere.test/x")),
        page(&[entry(1, |entry| entry["date_created"] = serde_json::Value::Null)], None),
        page(&[entry(1, |entry| entry["date_created"] = "yesterday".into())], None),
        page(&[entry(1, |entry| entry["status"] = "teleported".into())], None),
        page(&[entry(1, |entry| entry["sid"] = "MX1".into())], None),
        answer("200 OK", "[]"),
        answer("404 Not Found", "{}"),
        answer("500 Internal Server Error", "{}"),
        answer("429 Too Many Requests", "{}"),
        String::new(),
    ] {
        assert_eq!(find(std::slice::from_ref(&strange)).await, (None, 1), "{strange:?}");
    }
}

#[tokio::test]
async fn next_page_is_asked_for_at_the_same_server_exactly_as_given() {
    let other = entry(1, |entry| entry["body"] = "Another text".into());
    let answers = [page(&[other], Some("//elsewhere.test/x?To=%2B1&PageToken=a%20b")), page(&[], None)];
    let server = Listener::start(&answers).await;
    assert_eq!(plain_client(server.base_url()).find(search()).await, FindOutcome::Matches(vec![]));
    let first = server.request(0);
    assert!(first.contains("Messages.json?To=%2B14155550100&PageSize=100 HTTP/1.1"), "{first}");
    let second = server.request(1);
    assert!(second.starts_with("GET //elsewhere.test/x?To=%2B1&PageToken=a%20b HTTP/1.1"), "{second}");
}
