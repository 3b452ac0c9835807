//! After an outage: what came to nothing is counted, and tried again once, by whoever saw the count.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::house::House;
use crate::wish;

/// Numbers whom the carrier does not reach with the first text, and reaches with every later one.
fn troubled(n: usize) -> String {
    format!("+15005552{n:03}")
}

/// Texts to so many of them, all undelivered.
async fn outage(house: &House, count: usize) {
    let wishes: Vec<Value> = (0..count).map(|n| wish(&troubled(n))).collect();
    let (status, _, told) = house.post("/v1/messages/batch", &[], &json!({"messages": wishes})).await;
    assert_eq!((status, &told["accepted"]), (StatusCode::OK, &json!(count)));
    let told = house.wait_for("/v1/failures", |told| told["count"] == count).await;
    assert_eq!(told["count"], count);
}

async fn recover(house: &House, body: &Value) -> (StatusCode, Value) {
    let (status, _, told) = house.post("/v1/recoveries", &[], body).await;
    (status, told)
}

fn order(more: &Value) -> Value {
    let mut order = json!({"filter": {"code": "30008"}, "rate_per_minute": 6000});
    order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    order
}

#[tokio::test]
async fn outage_is_counted_and_recovered_once() {
    let house = House::on_a_street("").await;
    outage(&house, 50).await;
    let (_, _, told) = house.get("/v1/failures").await;
    let group = &told["data"][0];
    assert_eq!((&group["code"], &group["class"]), (&json!("30008"), &json!("transient")));
    assert_eq!((&group["count"], &group["retryable"]), (&json!(50), &json!(50)));
    assert!(group["cause"].is_string() && group["remedy"].is_string());

    let (_, seen) = recover(&house, &order(&json!({"dry_run": true}))).await;
    assert_eq!((&seen["count"], &seen["not_retryable"]), (&json!(50), &json!({})), "{seen}");
    let (status, done) = recover(&house, &order(&json!({"expected_count": 50}))).await;
    assert_eq!(
        (status, &done["recovered"], &done["left"]),
        (StatusCode::OK, &json!(50), &json!(0)),
        "{done}"
    );
    let path = "/v1/messages?status=delivered&limit=100";
    let delivered = |page: &Value| page["data"].as_array().unwrap().len() == 50;
    let page = house.wait_for(path, delivered).await;
    assert!(
        delivered(&page) && page["data"].as_array().unwrap().iter().all(|one| one["retry_of"].is_string())
    );

    let (_, seen) = recover(&house, &order(&json!({"dry_run": true}))).await;
    let tried = json!({"already_retried": 50});
    assert_eq!((&seen["count"], &seen["not_retryable"]), (&json!(0), &tried));
    let (_, again) = recover(&house, &order(&json!({"expected_count": 0}))).await;
    assert_eq!(again["recovered"], 0);
    for n in 0..50 {
        assert_eq!(house.carried(&troubled(n)).await, 2, "the first, and one more");
    }
}

#[tokio::test]
async fn whoever_opted_out_meanwhile_is_not_texted_and_changes_the_count() {
    let house = House::on_a_street("").await;
    outage(&house, 3).await;
    let (_, seen) = recover(&house, &order(&json!({"dry_run": true}))).await;
    house.text(&troubled(1), "STOP", &[]).await;
    let (status, no) = recover(&house, &order(&json!({"expected_count": seen["count"]}))).await;
    assert_eq!((status, &no["code"]), (StatusCode::CONFLICT, &json!("count_changed")), "{no}");
    let (_, done) = recover(&house, &order(&json!({"expected_count": 2}))).await;
    assert_eq!((&done["recovered"], &done["not_retryable"]), (&json!(2), &json!({"forbidden": 1})));
    house.wait_for("/v1/messages?status=delivered", |page| page["data"].as_array().unwrap().len() == 2).await;
    assert_eq!(house.carried(&troubled(1)).await, 1);
}

#[tokio::test]
async fn recovery_without_a_choice_or_without_a_look_is_refused() {
    let house = House::build(None);
    for (body, pointer) in [
        (json!({"dry_run": true}), "/filter"),
        (json!({"filter": {}, "dry_run": true}), "/filter"),
        (json!({"filter": {"until": "2026-11-24T00:00:00Z"}, "expected_count": 1}), "/filter"),
        (json!({"filter": {"colour": "red"}, "dry_run": true}), "/filter"),
        (json!({"filter": {"code": "soon"}, "dry_run": true}), "/filter"),
        (json!({"filter": {"code": 30008}}), "/expected_count"),
        (json!({"filter": {"code": 30008}, "expected_count": 0, "rate_per_minute": 0}), "/rate_per_minute"),
    ] {
        let (status, no) = recover(&house, &body).await;
        assert_eq!(
            (status, no["errors"][0]["pointer"].as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, Some(pointer)),
            "{body}: {no}"
        );
    }
}

#[tokio::test]
async fn recovered_texts_go_one_after_the_other_and_a_repeated_request_is_the_same_one() {
    let house = House::on_a_street("").await;
    outage(&house, 3).await;
    let body = json!({"filter": {"code": 30008}, "expected_count": 3, "rate_per_minute": 1,
        "starts_at": "2099-01-01T00:00:00Z", "expires_at": "2099-01-01T00:03:00Z"});
    let key = [("idempotency-key", "after-the-outage")];
    let (status, _, first) = house.post("/v1/recoveries", &key, &body).await;
    assert_eq!((status, &first["recovered"]), (StatusCode::OK, &json!(3)), "{first}");
    let times: Vec<_> =
        first["messages"].as_array().unwrap().iter().map(|one| one["scheduled_for"].clone()).collect();
    assert_eq!(times, ["2099-01-01T00:00:00.000Z", "2099-01-01T00:01:00.000Z", "2099-01-01T00:02:00.000Z"]);
    let (status, _, again) = house.post("/v1/recoveries", &key, &body).await;
    assert_eq!(
        (status, &again["replayed"], &again["messages"]),
        (StatusCode::OK, &json!(true), &first["messages"])
    );
    let (_, _, held) = house.get("/v1/messages?state=held").await;
    assert_eq!(held["data"].as_array().unwrap().len(), 3);
    let (status, _, no) = house.post("/v1/recoveries", &key, &order(&json!({"expected_count": 0}))).await;
    assert_eq!((status, &no["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("idempotency_key_reused")));
}

#[tokio::test]
async fn what_would_fail_again_is_tried_again_only_by_name() {
    let house = House::on_a_street("").await;
    house.post("/v1/messages", &[], &wish("+15005550009")).await;
    house.wait_for("/v1/failures", |told| told["count"] == 1).await;
    let since = json!({"filter": {"since": "2026-01-01T00:00:00Z"}, "dry_run": true});
    let (_, seen) = recover(&house, &since).await;
    assert_eq!(
        (&seen["count"], &seen["not_retryable"]),
        (&json!(0), &json!({"would_fail_again": 1})),
        "{seen}"
    );
    let named = json!({"filter": {"since": "2026-01-01T00:00:00Z", "class": ["recipient"]}, "dry_run": true});
    assert_eq!(recover(&house, &named).await.1["count"], 1);
}
