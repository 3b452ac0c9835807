//! Status callbacks: who may speak, and what is made of it.

use axum::http::StatusCode;
use serde_json::json;

use crate::house::{ACCOUNT, House, TOKEN};
use crate::wish;

fn form(account: &str, status: &str) -> String {
    format!("AccountSid={account}&MessageSid=SM{}&MessageStatus={status}", "a".repeat(32))
}

/// A callback without a valid signature is refused whatever else it says, also when nothing could be
/// done with it.
#[tokio::test]
async fn signature_is_checked_before_anything_else() {
    let house = House::build(None);
    let good = form(ACCOUNT, "sent");
    for form in ["", "not a callback", &good, &form(ACCOUNT, "teleported"), &form("AC1", "sent")] {
        for token in [None, Some("wrong")] {
            let (status, problem) = house.callback("", form, token).await;
            assert_eq!((status, &problem["code"]), (StatusCode::FORBIDDEN, &json!("signature_invalid")));
        }
    }
    house.stop_the_engine().await;
    assert_eq!(house.callback("", &good, None).await.0, StatusCode::FORBIDDEN);
    assert_eq!(house.orphans(), 0);
}

#[tokio::test]
async fn callback_before_its_message_is_known_is_kept() {
    let house = House::build(None);
    let sent = form(ACCOUNT, "sent");
    for (query, token) in [("", TOKEN), ("", "the token before"), ("?t=forged&x=%2B1", TOKEN)] {
        let (status, body) = house.callback(query, &sent, Some(token)).await;
        assert_eq!((status, body), (StatusCode::NO_CONTENT, json!(null)));
    }
    assert!(house.orphans() > 0);
}

#[tokio::test]
async fn what_is_signed_and_not_understood_is_named_not_guessed() {
    let house = House::build(None);
    let (status, problem) = house.callback("", &form(ACCOUNT, "teleported"), Some(TOKEN)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(problem["detail"].as_str().unwrap().contains("\"teleported\""));
    let other = form(&ACCOUNT.replace('0', "1"), "sent");
    let (status, problem) = house.callback("", &other, Some(TOKEN)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::FORBIDDEN, &json!("account_mismatch")));
    let long = format!("{}&More={}", form(ACCOUNT, "sent"), "x".repeat(16 * 1024));
    let (status, problem) = house.callback("", &long, Some(TOKEN)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!("payload_too_large")));
    assert_eq!(house.orphans(), 0);
}

#[tokio::test]
async fn callback_while_the_engine_is_full_is_told_to_come_back() {
    let house = House::build(None);
    let (wish, form) = (wish("+15551234567"), form(ACCOUNT, "sent"));
    let first = house.post("/v1/messages", &[], &wish);
    let (_, (status, problem)) = tokio::join!(first, house.callback("", &form, Some(TOKEN)));
    assert_eq!((status, &problem["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("busy")));
    assert_eq!(problem["retry_after"], 1);
}
