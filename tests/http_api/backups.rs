//! Backups as callers ask for them.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::house::House;
use crate::wish;

#[tokio::test]
async fn backup_answers_what_it_holds_and_is_listed_under_its_name() {
    let house = House::build(None);
    house.post("/v1/messages", &[], &wish("+15551234567")).await;
    let (status, _, taken) = house.post("/v1/backups", &[], &json!({"name": "first.redb"})).await;
    assert_eq!((status, &taken["name"]), (StatusCode::CREATED, &json!("first.redb")));
    assert_eq!(taken["records"], 2);
    assert!(taken["head"].as_str().unwrap().starts_with("2:"), "{taken}");
    assert!(taken["bytes"].as_u64().unwrap() > 0 && taken["seconds"].is_f64(), "{taken}");
    let (status, _, unnamed) = house.post("/v1/backups", &[], &Value::Null).await;
    assert_eq!(status, StatusCode::CREATED, "{unnamed}");
    let (status, _, list) = house.get("/v1/backups").await;
    let names: Vec<_> = list["data"].as_array().unwrap().iter().map(|row| &row["name"]).collect();
    assert_eq!((status, names), (StatusCode::OK, vec![&unnamed["name"], &json!("first.redb")]));
    assert_eq!(list["data"][1]["bytes"], taken["bytes"]);
}

#[tokio::test]
async fn second_backup_of_a_name_is_refused() {
    let house = House::build(None);
    let name = json!({"name": "monday"});
    assert_eq!(house.post("/v1/backups", &[], &name).await.0, StatusCode::CREATED);
    let (status, _, problem) = house.post("/v1/backups", &[], &name).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("backup_exists")));
}

#[tokio::test]
async fn two_backups_at_once_are_one_and_a_refusal() {
    let house = House::build(None);
    let (one, other) = (json!({"name": "one"}), json!({"name": "other"}));
    let first = house.post("/v1/backups", &[], &one);
    let second = house.post("/v1/backups", &[], &other);
    let (first, second) = tokio::join!(first, second);
    let refused = if first.0 == StatusCode::CREATED { &second } else { &first };
    // On a machine that does one after the other, both are taken.
    if refused.0 != StatusCode::CREATED {
        assert_eq!((refused.0, &refused.2["code"]), (StatusCode::CONFLICT, &json!("backup_running")));
        assert!(refused.1.contains_key("retry-after"));
    }
}

#[tokio::test]
async fn name_that_is_none_and_callers_without_the_token_are_refused() {
    let house = House::build(None);
    for body in [json!({"name": "../up"}), json!({"name": 7}), json!({"nome": "a"})] {
        let (status, _, problem) = house.post("/v1/backups", &[], &body).await;
        assert_eq!((status, &problem["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("invalid_request")));
    }
    let guarded = House::build(Some("secret"));
    assert_eq!(guarded.post("/v1/backups", &[], &Value::Null).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(guarded.get("/v1/backups").await.0, StatusCode::UNAUTHORIZED);
}
