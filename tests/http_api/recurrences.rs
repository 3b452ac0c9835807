//! Texts that recur, as callers meet them.

use axum::http::StatusCode;
use dunlin_workflows::policy::{Limits, ZoneByRegion};
use dunlin_workflows::rules::Rules;
use serde_json::{Value, json};

use crate::house::House;
use crate::people::{EVENING_MS, MovedClock};

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn mornings() -> Value {
    json!({
        "id": ID, "to": "+15551234567", "timezone": "America/New_York", "cron": "0 8 * * 1-5",
        "body": "Good morning", "missed": "skip", "grace_seconds": 900, "ends_at": "2099-01-01T00:00:00Z",
    })
}

async fn create(house: &House, body: &Value) -> (StatusCode, Value) {
    let (status, _, told) = house.post("/v1/recurrences", &[], body).await;
    (status, told)
}

#[tokio::test]
async fn repeated_request_makes_one_recurrence_and_another_under_its_id_is_refused() {
    let house = House::build(None);
    let (status, headers, made) = house.post("/v1/recurrences", &[], &mornings()).await;
    assert_eq!((status, &made["id"]), (StatusCode::CREATED, &json!(ID)), "{made}");
    assert_eq!(headers["location"], format!("/v1/recurrences/{ID}"));
    assert_eq!(made["next"].as_array().unwrap().len(), 5);
    for (name, value) in [("status", json!("active")), ("to", json!("+15551234567")), ("texted", json!(0))] {
        assert_eq!(made[name], value, "{made}");
    }
    assert_eq!(create(&house, &mornings()).await, (StatusCode::CREATED, made.clone()));
    let mut another = mornings();
    another["body"] = json!("Good evening");
    let (status, refused) = create(&house, &another).await;
    assert_eq!((status, &refused["code"]), (StatusCode::CONFLICT, &json!("recurrence_exists")));
    let (_, _, list) = house.get("/v1/recurrences").await;
    assert_eq!(list["data"], json!([made]));
}

#[tokio::test]
async fn reason_for_a_new_recurrence_goes_on_record_and_stops_nobody() {
    let house = House::build(None);
    let because = [("dunlin-reason", "they asked for it")];
    let (status, _, made) = house.post("/v1/recurrences", &because, &mornings()).await;
    assert_eq!((status, &made["body"]), (StatusCode::CREATED, &json!("Good morning")), "{made}");
    let (_, _, audit) = house.get("/v1/audit").await;
    assert!(audit.to_string().contains("they asked for it"), "{audit}");
}

#[tokio::test]
async fn recurrence_is_changed_paused_resumed_and_deleted() {
    let house = House::build(None);
    create(&house, &mornings()).await;
    let path = format!("/v1/recurrences/{ID}");
    let change = json!({"cron": "@daily", "ends_at": null, "body": "Good night"});
    let because = [("dunlin-reason", "they asked for it")];
    let (status, _, changed) = house.send("PATCH", &path, &because, &change).await;
    assert_eq!((status, &changed["cron"]), (StatusCode::OK, &json!("0 0 * * *")), "{changed}");
    assert_eq!((&changed["ends_at"], &changed["body"]), (&Value::Null, &json!("Good night")));
    assert_eq!((&changed["missed"], &changed["grace_seconds"]), (&json!("skip"), &json!(900)));
    let (_, _, paused) = house.post(&format!("{path}/pause"), &[], &Value::Null).await;
    assert_eq!((&paused["status"], &paused["next"]), (&json!("paused"), &json!([])));
    let (_, _, resumed) = house.post(&format!("{path}/resume"), &[], &Value::Null).await;
    assert_eq!((&resumed["status"], &resumed["body"]), (&json!("active"), &json!("Good night")));
    let (status, _, _) = house.send("DELETE", &path, &[], &Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, _, gone) = house.get(&path).await;
    assert_eq!((status, &gone["code"]), (StatusCode::NOT_FOUND, &json!("recurrence_not_found")));
    let (_, over) = create(&house, &mornings()).await;
    assert_eq!(over["code"], "recurrence_exists", "its id may name texts that were sent");
}

#[tokio::test]
async fn what_is_wrong_with_a_recurrence_is_named() {
    let house = House::build(None);
    let wrong = json!({
        "user_id": "u-1", "to": "+15551234567", "cron": "0 8 13 * 5", "body": "", "timezone": "Mars/Olympus",
        "missed": "never", "grace_seconds": 5, "starts_at": 7, "colour": "red", "kind": "sale",
    });
    let (status, refused) = create(&house, &wrong).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let errors = refused["errors"].as_array().unwrap().iter();
    let mut named: Vec<_> = errors.map(|error| error["pointer"].as_str().unwrap()).collect();
    named.sort_unstable();
    let all =
        ["/body", "/colour", "/cron", "/grace_seconds", "/kind", "/missed", "/starts_at", "/timezone", "/to"];
    assert_eq!(named, all);
    let nowhere = json!({"user_id": "u-1", "cron": "0 8 * * *", "body": "Good morning"});
    let (status, refused) = create(&house, &nowhere).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused["detail"].as_str().unwrap().contains("zone"), "{refused}");
    let (_, _, list) = house.get("/v1/recurrences?user_id=u-1").await;
    assert_eq!(list["data"], json!([]), "nothing was recorded");
}

#[tokio::test]
async fn morning_of_a_user_follows_the_zone_that_they_prefer() {
    let house = House::build(None);
    let mornings = json!({"id": ID, "user_id": "u-1", "cron": "0 8 * * *", "body": "Good morning"});
    let path = format!("/v1/recurrences/{ID}");
    // Neither changes its clock.
    for (zone, utc) in [("Asia/Tokyo", "T23:00:00.000Z"), ("Asia/Kolkata", "T02:30:00.000Z")] {
        let preferences = json!({"timezone": zone});
        let (status, _, told) = house.send("PUT", "/v1/users/u-1/preferences", &[], &preferences).await;
        assert_eq!(status, StatusCode::OK, "{told}");
        create(&house, &mornings).await;
        let (_, _, known) = house.get(&path).await;
        assert_eq!(known["comes_in_timezone"], zone, "{known}");
        assert!(known["next"][0].as_str().unwrap().ends_with(utc), "{known}");
    }
    let (_, _, theirs) = house.get("/v1/recurrences?user_id=u-1").await;
    assert_eq!(theirs["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn morning_of_whoever_named_no_zone_comes_by_their_number_or_by_the_deployment() {
    let zone = Some("America/New_York".parse().unwrap());
    let limits = Limits { zone, zone_by_region: ZoneByRegion::On, ..Limits::default() };
    let house = House::ruled("", MovedClock::at(EVENING_MS), Rules { limits, ..Rules::default() }).await;
    let mornings = json!({"id": ID, "user_id": "u-1", "cron": "0 8 * * *", "body": "Good morning"});
    let (status, made) = create(&house, &mornings).await;
    assert_eq!(
        (status, &made["comes_in_timezone"]),
        (StatusCode::CREATED, &json!("America/New_York")),
        "{made}"
    );
    // A number of Japan, of a country with many zones, and a word of their own.
    for (preferences, wanted) in [
        (json!({"phone_number": "+819012345678"}), "Asia/Tokyo"),
        (json!({"phone_number": "+12025550101"}), "America/New_York"),
        (json!({"phone_number": "+819012345678", "timezone": "Asia/Kolkata"}), "Asia/Kolkata"),
    ] {
        let (status, _, told) = house.send("PUT", "/v1/users/u-1/preferences", &[], &preferences).await;
        assert_eq!(status, StatusCode::OK, "{told}");
        let (_, _, known) = house.get(&format!("/v1/recurrences/{ID}")).await;
        assert_eq!(known["comes_in_timezone"], wanted, "{known}");
    }
}
