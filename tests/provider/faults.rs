//! Every fault of the sandbox, and what the client makes of it.

use std::time::Duration;

use dunlin::engine::provider::{FetchOutcome, Provider as _, SubmitOutcome};
use dunlin_workflows::message::ProviderStatus;
use tokio::task::JoinSet;

use crate::stand::{FROM, Stand, TO, TOKEN, client, submission};

fn refused(outcome: SubmitOutcome) -> (u16, Option<u32>, Option<Duration>) {
    match outcome {
        SubmitOutcome::Refused { http_status, code, retry_after, .. } => (http_status, code, retry_after),
        other @ (SubmitOutcome::Accepted { .. }
        | SubmitOutcome::NotSent { .. }
        | SubmitOutcome::Unknown { .. }) => panic!("{other:?} is not a refusal"),
    }
}

fn is_unknown(outcome: &SubmitOutcome) -> bool {
    matches!(outcome, SubmitOutcome::Unknown { .. })
}

#[tokio::test]
async fn a_busy_carrier_refuses_and_says_for_how_long() {
    let stand = Stand::with("rate_429=1,retry_after=7s").await;
    let refused = refused(stand.submit(TO, "Hello").await);
    assert_eq!(refused, (429, Some(20429), Some(Duration::from_secs(7))));
    assert!(stand.ledger().await.is_empty());
}

#[tokio::test]
async fn a_loss_after_acceptance_is_unknown_and_the_search_finds_exactly_that_message() {
    let lost =
        ["timeout_after_accept=1,hang=1m", "reset_after_accept=1", "error_500_after_accept=1", "latency=1m"];
    let mut tries: JoinSet<()> = lost.into_iter().map(lose_and_find).collect();
    while let Some(done) = tries.join_next().await {
        done.unwrap();
    }
}

async fn lose_and_find(faults: &'static str) {
    let stand = Stand::with(faults).await;
    // Older ones to the same recipient and younger ones to others must not be taken for it.
    for (to, text) in [(TO, "Another"), (TO, "Hello"), ("+14155550199", "Hello")] {
        let outcome = stand.submit(to, text).await;
        assert!(is_unknown(&outcome), "{faults}: {outcome:?}");
    }
    let ledger = stand.ledger().await;
    let bodies: Vec<&str> = ledger.iter().map(|entry| entry.body.as_str()).collect();
    assert_eq!(bodies, ["Another", "Hello", "Hello"], "{faults}");
    let found: Vec<String> = stand.find("Hello").await.iter().map(|found| found.sid.to_string()).collect();
    let wanted = ledger.get(1).map(|entry| entry.sid.clone());
    assert_eq!(found, Vec::from_iter(wanted), "{faults}");
}

#[tokio::test]
async fn a_search_reads_on_past_the_first_page() {
    let stand = Stand::with("").await;
    for number in 0..250 {
        stand.submit(TO, &format!("Text {number}")).await;
    }
    let found: Vec<String> = stand.find("Text 3").await.iter().map(|found| found.sid.to_string()).collect();
    let wanted = stand.ledger().await.get(3).map(|entry| entry.sid.clone());
    assert_eq!(found, Vec::from_iter(wanted));
}

#[tokio::test]
async fn a_loss_before_acceptance_is_unknown_too_and_the_search_finds_nothing() {
    for faults in ["reset_before=1", "error_500=1"] {
        let stand = Stand::with(faults).await;
        let outcome = stand.submit(TO, "Hello").await;
        assert!(is_unknown(&outcome), "{faults}: {outcome:?}");
        assert_eq!(stand.find("Hello").await, [], "{faults}");
        assert!(stand.ledger().await.is_empty(), "{faults}");
    }
}

#[tokio::test]
async fn faults_of_callbacks_and_short_delays_do_not_touch_the_answer() {
    let all = "callback_early=1,callback_duplicate=1,callback_reorder=1,callback_lost=1,latency=20ms,callback_latency=1ms";
    let stand = Stand::with(all).await;
    let SubmitOutcome::Accepted { sid, status } = stand.submit(TO, "Hello").await else {
        panic!("the carrier did not take it");
    };
    assert_eq!(status, ProviderStatus::Queued);
    let sids: Vec<String> = stand.ledger().await.into_iter().map(|entry| entry.sid).collect();
    assert_eq!(sids, [sid.to_string()]);
    assert!(matches!(stand.client.fetch(sid).await, FetchOutcome::Found(found) if found.sid == sid));
}

#[tokio::test]
async fn a_message_that_lists_do_not_show_yet_is_not_found_rather_than_unavailable() {
    let stand = Stand::with("late_list=1h").await;
    let SubmitOutcome::Accepted { sid, .. } = stand.submit(TO, "Hello").await else {
        panic!("the carrier did not take it");
    };
    assert_eq!(stand.find("Hello").await, []);
    assert_eq!(stand.client.fetch(sid).await, FetchOutcome::NotFound);
}

#[tokio::test]
async fn two_equal_texts_are_both_found_newest_first() {
    let stand = Stand::with("reset_after_accept=1").await;
    for _ in 0..2 {
        assert!(is_unknown(&stand.submit(TO, "Hello").await));
    }
    let newest_first: Vec<String> = stand.ledger().await.into_iter().rev().map(|entry| entry.sid).collect();
    let found: Vec<String> = stand.find("Hello").await.iter().map(|found| found.sid.to_string()).collect();
    assert_eq!(found, newest_first);
}

#[tokio::test]
async fn refusals_keep_status_and_code() {
    let stand = Stand::with("").await;
    // Numbers that the client's own types let through; the judge tries the others.
    for (to, code) in [("+15005550001", 21211), ("+15005550004", 21610), ("+15005550009", 21614)] {
        assert_eq!(refused(stand.submit(to, "Hello").await), (400, Some(code), None), "{to}");
    }
    for (token, from, wanted) in [
        ("wrong", FROM, (401, Some(20003), None)),
        (TOKEN, "+15005550007", (400, Some(21606), None)),
        (TOKEN, "+15005550008", (400, Some(21611), None)),
    ] {
        let client = client(stand.sandbox.base_url(), token, from);
        assert_eq!(refused(client.submit(submission(TO, "Hello")).await), wanted, "{from}");
    }
    assert!(stand.ledger().await.is_empty());
}
