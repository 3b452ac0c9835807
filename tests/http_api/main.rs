//! The edge as callers meet it: real routes, real engine, real store, and a real carrier on loopback
//! where one is needed; else sending is switched off, so every answer is the edge's own.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may end by panicking"
)]

mod backups;
mod consent;
mod house;
mod lists;
mod opt_out; // one click, without a key
mod people; // who may be texted, and when
mod recoveries;
mod recurrences;
mod refusals;
mod streams;
mod street;
mod templates;
mod verification;
mod webhooks;

use axum::http::StatusCode;
use serde_json::{Value, json};

use house::House;

fn wish(to: &str) -> Value {
    json!({"to": to, "body": "Your task is due soon!"})
}

#[tokio::test]
async fn an_accepted_text_is_there_with_its_reason_for_waiting() {
    let house = House::build(None);
    let (status, headers, body) = house.post("/v1/messages", &[], &wish("+15551234567")).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let id = body["id"].as_str().unwrap();
    assert_eq!(headers["location"], format!("/v1/messages/{id}"));
    assert_eq!(body["decision"]["held_by"], "sending_disabled");
    let (status, _, shown) = house.get(&format!("/v1/messages/{id}")).await;
    assert_eq!(
        (status, &shown["state"], &shown["to"]),
        (StatusCode::OK, &json!("held"), &json!("+15551234567"))
    );
    let (_, _, events) = house.get(&format!("/v1/messages/{id}/events")).await;
    let names: Vec<_> =
        events["data"].as_array().unwrap().iter().map(|event| event["type"].clone()).collect();
    assert_eq!(names, ["accepted", "held"]);
}

#[tokio::test]
async fn same_key_same_body_replays_and_other_body_is_refused() {
    let house = House::build(None);
    let key = [("idempotency-key", "task-42-due")];
    let (_, _, first) = house.post("/v1/messages", &key, &wish("+15551234567")).await;
    let (status, headers, again) = house.post("/v1/messages", &key, &wish("+15551234567")).await;
    assert_eq!((status, &again), (StatusCode::ACCEPTED, &first));
    assert_eq!(headers["idempotent-replayed"], "true");
    let (status, _, other) = house.post("/v1/messages", &key, &wish("+15551234568")).await;
    assert_eq!(
        (status, &other["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("idempotency_key_reused"))
    );
    let (_, _, list) = house.get("/v1/messages").await;
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_second_request_while_the_first_is_in_flight_is_told_to_wait() {
    let house = House::build(None);
    let (key, wish) = ([("idempotency-key", "task-42-due")], wish("+15551234567"));
    let first = house.post("/v1/messages", &key, &wish);
    let second = house.post("/v1/messages", &key, &wish);
    let ((first, _, _), (second, headers, problem)) = tokio::join!(first, second);
    assert_eq!((first, second), (StatusCode::ACCEPTED, StatusCode::CONFLICT));
    assert_eq!(problem["code"], "idempotency_in_progress");
    assert_eq!((&headers["retry-after"], &problem["retry_after"]), (&"1".parse().unwrap(), &json!(1)));
}

#[tokio::test]
async fn a_batch_tells_its_rows_apart_and_repeats_safely() {
    let house = House::build(None);
    let rows = json!({"messages": [wish("+15551234567"), wish("nobody"), wish("+15551234568")]});
    let key = [("idempotency-key", "batch-1")];
    let (status, _, first) = house.post("/v1/messages/batch", &key, &rows).await;
    assert_eq!((status, &first["accepted"], &first["refused"]), (StatusCode::OK, &json!(2), &json!(1)));
    assert_eq!(first["data"][1]["error"]["errors"][0]["pointer"], "/messages/1/to");
    let (_, _, again) = house.post("/v1/messages/batch", &key, &rows).await;
    assert_eq!(again["data"][0]["id"], first["data"][0]["id"]);
    assert_eq!(again["data"][2]["replayed"], true);
    let mended = json!({"messages": [wish("+15551234567"), wish("+15551234569"), wish("+15551234560")]});
    let (_, _, third) = house.post("/v1/messages/batch", &key, &mended).await;
    assert_eq!((&third["data"][0]["replayed"], &third["data"][1]["replayed"]), (&json!(true), &json!(false)));
    assert_eq!(third["data"][2]["error"]["code"], "idempotency_key_reused");
    let (_, _, list) = house.get("/v1/messages").await;
    assert_eq!(list["data"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn cancel_and_reschedule_work_until_the_end_and_say_why_not_after_it() {
    let house = House::build(None);
    let (_, _, body) = house.post("/v1/messages", &[], &wish("+15551234567")).await;
    let path = format!("/v1/messages/{}", body["id"].as_str().unwrap());
    let later = json!({"scheduled_for": "2099-12-24T08:00:00Z"});
    let (status, _, moved) = house.send("PATCH", &path, &[], &later).await;
    assert_eq!((status, &moved["scheduled_for"]), (StatusCode::OK, &json!("2099-12-24T08:00:00.000Z")));
    let (status, _, canceled) = house.post(&format!("{path}/cancel"), &[], &json!({})).await;
    assert_eq!((status, &canceled["status"]), (StatusCode::OK, &json!("cancelled")));
    let (status, _, refused) = house.send("PATCH", &path, &[], &later).await;
    assert_eq!((status, &refused["code"]), (StatusCode::CONFLICT, &json!("message_finalized")));
    let (status, _, fresh) = house.post(&format!("{path}/retry"), &[], &json!({})).await;
    assert_eq!((status, &fresh["retry_of"]), (StatusCode::ACCEPTED, &body["id"]));
    let (status, _, twice) = house.post(&format!("{path}/retry"), &[], &json!({})).await;
    assert_eq!((status, &twice["code"]), (StatusCode::CONFLICT, &json!("already_retried")));
}
