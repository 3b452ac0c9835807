//! The edge as callers meet it: real routes, real engine, real store; sending is switched off, so
//! nothing leaves and every answer is the edge's own.
#![expect(clippy::unwrap_used, reason = "a test may end by panicking")]

mod house;

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
        events["data"].as_array().unwrap().iter().map(|event| event["event"].clone()).collect();
    assert_eq!(names, ["accepted", "held"]);
}

#[tokio::test]
async fn the_same_key_and_body_replay_and_another_body_is_refused() {
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
    let (_, _, list) = house.get("/v1/messages").await;
    assert_eq!(list["data"].as_array().unwrap().len(), 2);
}

/// Pages must cover everything once, also when messages arrive between them.
#[tokio::test]
async fn pages_cover_everything_once_while_messages_arrive() {
    let house = House::build(None);
    let mut expected = Vec::new();
    for n in 0..25 {
        let (_, _, body) = house.post("/v1/messages", &[], &wish(&format!("+1555123{n:04}"))).await;
        expected.push(body["id"].clone());
    }
    let (mut path, mut seen) = ("/v1/messages?limit=4".to_owned(), Vec::new());
    loop {
        let (_, _, page) = house.get(&path).await;
        seen.extend(page["data"].as_array().unwrap().iter().map(|message| message["id"].clone()));
        house.post("/v1/messages", &[], &wish("+15559999999")).await;
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/messages?limit=4&cursor={cursor}"),
            None => break,
        }
    }
    seen.reverse();
    assert_eq!(seen, expected);
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

#[tokio::test]
async fn every_refusal_is_a_problem_with_its_code() {
    let house = House::build(None);
    let unknown = "/v1/messages/01890a5d-ac96-774b-bcce-b302099a8057";
    for (method, path, body, status, code) in [
        ("GET", unknown, json!(null), 404, "message_not_found"),
        ("GET", "/v1/nothing", json!(null), 404, "not_found"),
        ("PUT", "/v1/messages", json!({}), 405, "method_not_allowed"),
        ("GET", "/v1/messages?colour=red", json!(null), 400, "invalid_filter"),
        ("GET", "/v1/messages?cursor=zz", json!(null), 400, "invalid_cursor"),
        ("POST", "/v1/messages", json!([1]), 400, "invalid_json"),
        (
            "POST",
            "/v1/messages",
            json!({"to": "+15551234567", "body": "x".repeat(70_000)}),
            413,
            "payload_too_large",
        ),
        (
            "POST",
            "/v1/messages",
            json!({"to": "+15551234567", "body": "x", "expires_at": "2020-01-01T00:00:00Z"}),
            422,
            "never_sendable",
        ),
    ] {
        let (given, headers, problem) = house.send(method, path, &[], &body).await;
        assert_eq!((given.as_u16(), &problem["code"]), (status, &json!(code)), "{method} {path}");
        assert_eq!(headers["content-type"], "application/problem+json");
        assert!(headers.contains_key("x-request-id"));
    }
}

#[tokio::test]
async fn without_the_token_v1_is_closed_and_health_is_open() {
    let house = House::build(Some("secret"));
    let (status, headers, _) = house.get("/v1/messages").await;
    assert_eq!((status, headers["www-authenticate"].to_str().unwrap()), (StatusCode::UNAUTHORIZED, "Bearer"));
    let bearer = [("authorization", "Bearer secret")];
    let (status, _, _) = house.send("GET", "/v1/messages", &bearer, &json!(null)).await;
    assert_eq!(status, StatusCode::OK);
    let (status, _, _) = house.get("/readyz").await;
    assert_eq!(status, StatusCode::OK);
}

/// A callback without a valid signature is refused whatever else it says; a signed one that comes
/// before its message is known is kept.
#[tokio::test]
async fn the_signature_is_checked_before_anything_else() {
    let house = House::build(None);
    let sid = format!("SM{}", "a".repeat(32));
    let form = format!("AccountSid=AC1&MessageSid={sid}&MessageStatus=sent");
    assert_eq!(house.callback(&form, None).await, StatusCode::FORBIDDEN);
    assert_eq!(house.callback("not a callback", Some("wrong")).await, StatusCode::FORBIDDEN);
    assert_eq!(house.orphans(), 0);
    assert_eq!(house.callback(&form, Some(house::TOKEN)).await, StatusCode::NO_CONTENT);
    assert_eq!(house.orphans(), 1);
    let unknown_word = form.replace("=sent", "=teleported");
    assert_eq!(house.callback(&unknown_word, Some(house::TOKEN)).await, StatusCode::UNPROCESSABLE_ENTITY);
}
