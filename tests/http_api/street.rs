//! Whole lives: out through the carrier, back through its signed callbacks.

use axum::http::StatusCode;
use dunlin_workflows::rules::Rules;
use serde_json::json;

use crate::house::House;
use crate::people::{EVENING_MS, MovedClock, accept, delivered};
use crate::wish;

#[tokio::test]
async fn a_text_is_delivered_by_signed_callbacks_and_found_by_either_name() {
    let house = House::on_a_street("").await;
    let (_, _, accepted) = house.post("/v1/messages", &[], &wish("+15551234567")).await;
    assert_eq!(accepted["decision"]["action"], "send");
    let path = format!("/v1/messages/{}", accepted["id"].as_str().unwrap());
    let message = house.wait_for(&path, |message| message["state"] == "delivered").await;
    assert_eq!((&message["status"], &message["attempts"]), (&json!("delivered"), &json!(1)));
    let sid = message["provider_sid"].as_str().unwrap();
    assert_eq!(house.get(&format!("/v1/messages/{sid}")).await.2, message);
    let (_, _, events) = house.get(&format!("/v1/messages/{sid}/events")).await;
    let last = events["data"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["source"], &last["type"]), (&json!("webhook"), &json!("status_reported")));
    let (status, _, refused) = house.post(&format!("/v1/messages/{sid}/cancel"), &[], &json!({})).await;
    assert_eq!((status, &refused["code"]), (StatusCode::CONFLICT, &json!("message_finalized")));
}

/// The answer never comes, so the SID is not known; the token in the callback's address says which
/// attempt it is about. Until then the text may be on its way, and nobody can take it back.
#[tokio::test]
async fn callback_before_its_sid_is_known_settles_its_attempt() {
    let house = House::on_a_street("timeout_after_accept=1,callback_latency=400ms").await;
    let (_, _, accepted) = house.post("/v1/messages", &[], &wish("+15551234567")).await;
    let path = format!("/v1/messages/{}", accepted["id"].as_str().unwrap());
    let seen = house.wait_for(&path, |message| message["attempts"] == 1).await;
    assert_eq!(seen["provider_sid"], json!(null));
    let (status, _, refused) = house.post(&format!("{path}/cancel"), &[], &json!({})).await;
    assert_eq!((status, &refused["code"]), (StatusCode::CONFLICT, &json!("already_committed")));
    let message = house.wait_for(&path, |message| message["state"] == "delivered").await;
    assert_eq!((&message["state"], &message["attempts"]), (&json!("delivered"), &json!(1)));
}

/// One goes to a person at a time, so the order is seen.
#[tokio::test]
async fn of_texts_that_become_due_together_the_more_urgent_go_first() {
    let clock = MovedClock::at(EVENING_MS);
    let house = House::ruled("", clock.clone(), Rules::default()).await;
    let to = "+15551234567";
    let mut paths = Vec::new();
    for priority in ["low", "normal", "urgent", "high"] {
        let text = json!({"to": to, "body": priority, "priority": priority, "scheduled_for": "2026-12-24T03:20:00Z"});
        paths.push(accept(&house, &text).await.0);
    }
    clock.ahead(10);
    for path in paths {
        delivered(&house, &path).await;
    }
    assert_eq!(house.carried_texts(to).await, ["urgent", "high", "normal", "low"]);
}
