//! Refusals: every one is a problem document with a code that stays.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;

use crate::house::House;
use crate::wish;

#[tokio::test]
async fn every_refusal_is_a_problem_with_its_code() {
    let house = House::build(None);
    let unknown = "/v1/messages/01890a5d-ac96-774b-bcce-b302099a8057";
    for (method, path, body, status, code) in [
        ("GET", unknown, json!(null), 404, "message_not_found"),
        ("GET", "/v1/nothing", json!(null), 404, "not_found"),
        ("PUT", "/v1/messages", json!({}), 405, "method_not_allowed"),
        ("GET", "/v1/messages?colour=red", json!(null), 400, "invalid_filter"),
        ("GET", "/v1/messages/not-an-id", json!(null), 404, "message_not_found"),
        ("GET", "/v1/messages/%ff/events", json!(null), 404, "message_not_found"),
        ("GET", "/v1/messages?limit=251", json!(null), 400, "invalid_filter"),
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
        ("POST", "/v1/messages/batch", json!({"rows": []}), 422, "invalid_request"),
        ("PATCH", unknown, json!({}), 422, "invalid_request"),
        ("PATCH", unknown, json!({"scheduled_for": null}), 404, "message_not_found"),
        ("POST", &format!("{unknown}/retry"), json!({"expires_at": "soon"}), 422, "invalid_request"),
    ] {
        let (given, headers, problem) = house.send(method, path, &[], &body).await;
        assert_eq!((given.as_u16(), &problem["code"]), (status, &json!(code)), "{method} {path}");
        assert_eq!(headers["content-type"], "application/problem+json");
        assert!(headers.contains_key("x-request-id"));
    }
}

#[tokio::test]
async fn a_problem_says_what_where_and_what_to_do() {
    let house = House::build(None);
    let id = [("x-request-id", "req-7")];
    let (_, headers, problem) = house.post("/v1/messages?x=1", &id, &json!({"to": "12", "text": "hi"})).await;
    assert_eq!(headers["x-request-id"], "req-7");
    let known = "there is no such field; known: id, to, body, template, vars, locale, kind, priority, \
                 scheduled_for, expires_at, on_unknown, user_id, metadata";
    let country = "\"**\" has no country; start it with + and the country code, or set a default region";
    assert_eq!(
        problem,
        json!({
            "type": "https://dunlin.dev/problems/invalid_request",
            "title": "The request can't be carried out",
            "status": 422,
            "detail": format!("/text: {known}"),
            "instance": "/v1/messages",
            "code": "invalid_request",
            "request_id": "req-7",
            "errors": [
                {"pointer": "/text", "code": "unknown", "detail": known},
                {"pointer": "/to", "code": "invalid", "detail": country},
                {"pointer": "/body", "code": "required", "detail": "body is required"},
            ],
        })
    );
}

#[tokio::test]
async fn a_method_that_is_not_allowed_names_those_that_are() {
    let house = House::build(None);
    let (_, headers, _) = house.send("PUT", "/v1/messages", &[], &json!({})).await;
    let mut allowed: Vec<&str> = headers["allow"].to_str().unwrap().split(',').collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
}

#[tokio::test]
async fn bodies_that_are_not_json_are_refused_by_their_kind() {
    let house = House::build(None);
    for (kind, status) in [
        ("text/plain", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/json; charset=utf-8", StatusCode::ACCEPTED),
        ("Application/JSON", StatusCode::ACCEPTED),
    ] {
        let request = Request::post("/v1/messages").header("content-type", kind);
        let request = request.body(Body::from(wish("+15551234567").to_string())).unwrap();
        assert_eq!(house.answer(request).await.0, status, "{kind}");
    }
}

#[tokio::test]
async fn a_full_engine_says_busy_and_when_to_come_back() {
    let house = House::build(None);
    let (first, second) = (wish("+15551234567"), wish("+15551234568"));
    let first = house.post("/v1/messages", &[], &first);
    let second = house.post("/v1/messages", &[], &second);
    let ((first, _, _), (second, headers, problem)) = tokio::join!(first, second);
    assert_eq!((first, second), (StatusCode::ACCEPTED, StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!((&problem["code"], &headers["retry-after"]), (&json!("busy"), &"1".parse().unwrap()));
}

#[tokio::test]
async fn a_house_whose_engine_has_ended_is_alive_and_not_ready() {
    let house = House::build(None);
    let (status, _, told) = house.get("/readyz?verbose").await;
    assert_eq!((status, &told["ready"], &told["mode"]), (StatusCode::OK, &json!(true), &json!("off")));
    house.stop_the_engine().await;
    let (status, _, told) = house.get("/readyz?verbose").await;
    assert_eq!((status, &told["engine_ended"]), (StatusCode::SERVICE_UNAVAILABLE, &json!(true)));
    assert_eq!(house.get("/healthz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(house.get("/livez").await.0, StatusCode::OK);
    let (status, headers, problem) = house.post("/v1/messages", &[], &wish("+15551234567")).await;
    assert_eq!((status, &problem["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("unavailable")));
    assert!(headers.contains_key("retry-after"));
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
