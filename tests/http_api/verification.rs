//! Proving a number, as callers and their people meet it.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dunlin::clock::{Clock as _, SystemClock};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::house::{HOOK_SECRET, House};

const NUMBER: &str = "+15551234567";
const ADA: [(&str, &str); 1] = [("dunlin-user-id", "ada")];
const EVE: [(&str, &str); 1] = [("dunlin-user-id", "eve")];

type Who<'a> = &'a [(&'a str, &'a str)];

async fn start(house: &House, who: Who<'_>, number: &str) -> (StatusCode, Value) {
    let (status, _, body) = house.post("/api/sms/verify", who, &json!({"phoneNumber": number})).await;
    (status, body)
}

async fn confirm(house: &House, who: Who<'_>, number: &str, code: &str) -> (StatusCode, Value) {
    let wish = json!({"phoneNumber": number, "code": code});
    let (status, _, body) = house.post("/api/sms/verify/confirm", who, &wish).await;
    (status, body)
}

/// The code in the newest text to this number.
async fn texted(house: &House, number: &str) -> String {
    house.newest("ledger", number, "body").await.chars().take(6).collect()
}

fn other_than(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

#[tokio::test]
async fn seed_examples_prove_a_number_and_the_code_is_shown_to_nobody() {
    let house = House::on_a_street("").await;
    for who in [&[][..], &ADA[..]] {
        let number = if who.is_empty() { "+15551234568" } else { NUMBER };
        let (status, body) = start(&house, who, number).await;
        assert_eq!(
            (status, &body["success"], &body["verificationSent"]),
            (StatusCode::OK, &json!(true), &json!(true))
        );
        assert!(body["verificationSid"].as_str().unwrap().starts_with("VA"), "{body}");
        assert_eq!(body["data"]["verificationSid"], body["verificationSid"]);
        let code = texted(&house, number).await;
        let (_, _, list) = house.get("/v1/messages").await;
        assert!(!list.to_string().contains(&code), "{list}");
        let (status, body) = confirm(&house, who, number, &code).await;
        let message = "Phone number verified successfully";
        assert_eq!(status, StatusCode::OK, "{body}");
        assert_eq!(
            (&body["success"], &body["verified"], &body["message"]),
            (&json!(true), &json!(true), &json!(message))
        );
        let (status, _) = confirm(&house, who, number, &code).await;
        assert_eq!(status, StatusCode::OK, "a repeat is told the same");
    }
}

#[tokio::test]
async fn sixth_code_is_too_many_and_another_text_comes_only_after_a_while() {
    let house = House::on_a_street("").await;
    start(&house, &ADA, NUMBER).await;
    let code = texted(&house, NUMBER).await;
    let (status, body) = start(&house, &ADA, NUMBER).await;
    assert_eq!((status, &body["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("cooldown")));
    assert!((1..=31).contains(&body["retry_after"].as_u64().unwrap()), "{body}");
    for _ in 0..5 {
        let (status, body) = confirm(&house, &ADA, NUMBER, other_than(&code)).await;
        assert_eq!((status, &body["code"]), (StatusCode::BAD_REQUEST, &json!("code_incorrect")));
    }
    let (status, body) = confirm(&house, &ADA, NUMBER, &code).await;
    assert_eq!((status, &body["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("too_many_attempts")));
}

#[tokio::test]
async fn number_of_another_user_answers_like_any_other_and_proves_nothing() {
    let house = House::on_a_street("").await;
    let (_, first) = start(&house, &ADA, NUMBER).await;
    let code = texted(&house, NUMBER).await;
    confirm(&house, &ADA, NUMBER, &code).await;
    let (status, body) = start(&house, &EVE, NUMBER).await;
    let fields = |body: &Value| body.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!((status, fields(&body)), (StatusCode::OK, fields(&first)));
    let (status, body) = confirm(&house, &EVE, NUMBER, &code).await;
    assert_eq!((status, &body["code"]), (StatusCode::BAD_REQUEST, &json!("code_incorrect")));
    let texts = house.newest("ledger", NUMBER, "body").await;
    assert!(texts.contains("another account") || texts.starts_with(&code), "{texts}");
}

#[tokio::test]
async fn whoever_opted_out_gets_no_code_and_the_caller_is_told_why() {
    let house = House::on_a_street("").await;
    house.send("PUT", "/v1/consent", &[], &json!({"to": NUMBER, "standing": "opted_out"})).await;
    let (status, body) = start(&house, &ADA, NUMBER).await;
    assert_eq!((status, &body["code"]), (StatusCode::CONFLICT, &json!("recipient_opted_out")));
    assert_eq!(house.carried(NUMBER).await, 0);
}

#[tokio::test]
async fn one_address_asks_for_ten_codes_an_hour_whatever_the_numbers() {
    let house = House::on_a_street("").await;
    let who = [("dunlin-client-ip", "192.0.2.7")];
    for last in 0..10 {
        assert_eq!(start(&house, &who, &format!("+1555123450{last}")).await.0, StatusCode::OK);
    }
    let (status, body) = start(&house, &who, "+15551234511").await;
    assert_eq!((status, &body["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("too_many_codes")));
    assert_eq!(start(&house, &[("dunlin-client-ip", "192.0.2.8")], "+15551234511").await.0, StatusCode::OK);
}

#[tokio::test]
async fn service_checks_codes_and_its_refusals_are_told_apart() {
    let house = House::with_service("").await;
    start(&house, &ADA, NUMBER).await;
    let code = house.newest("codes", NUMBER, "code").await;
    let (_, wrong) = confirm(&house, &ADA, NUMBER, other_than(&code)).await;
    assert_eq!(wrong["code"], "code_incorrect");
    assert_eq!(confirm(&house, &ADA, NUMBER, &code).await.0, StatusCode::OK);
    for (number, wanted) in [
        ("+15005550009", "number_unreachable"),
        ("+15005550004", "number_unreachable"),
        ("+15005550010", "too_many_codes"),
    ] {
        let (_, body) = start(&house, &[], number).await;
        assert_eq!(body["code"], wanted, "{number}");
    }
}

#[tokio::test]
async fn lost_answers_of_the_service_are_looked_up_and_never_called_a_wrong_code() {
    let house = House::with_service("reset_after_accept=1").await;
    let (status, body) = start(&house, &ADA, NUMBER).await;
    assert_eq!((status, &body["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("provider_unavailable")));
    // Its name was in the answers that were lost, so there is nothing to look up: trouble, and not a wrong code.
    let code = house.newest("codes", NUMBER, "code").await;
    let (status, body) = confirm(&house, &ADA, NUMBER, &code).await;
    assert_eq!((status, &body["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("provider_unavailable")));

    let house = House::with_service("error_500_after_accept=0.5,seed=4").await;
    for last in 0..8 {
        let number = format!("+1555123456{last}");
        start(&house, &[], &number).await;
        let code = house.newest("codes", &number, "code").await;
        let (_, body) = confirm(&house, &[], &number, &code).await;
        assert_ne!(body["code"], "code_incorrect", "{body}");
        assert!(body["verified"] == true || body["code"] == "provider_unavailable", "{body}");
    }
}

#[tokio::test]
async fn service_in_trouble_is_no_wrong_code() {
    let house = House::with_service("rate_429=1").await;
    let (status, body) = start(&house, &ADA, NUMBER).await;
    assert_eq!((status, &body["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("provider_unavailable")));
}

#[tokio::test]
async fn of_two_who_race_for_a_number_exactly_one_proves_it() {
    let house = House::with_service("").await;
    let (first, second) = tokio::join!(start(&house, &ADA, NUMBER), start(&house, &EVE, NUMBER));
    assert_eq!([first.0, second.0].iter().filter(|status| **status == StatusCode::OK).count(), 1);
    let code = house.newest("codes", NUMBER, "code").await;
    let (first, second) =
        tokio::join!(confirm(&house, &ADA, NUMBER, &code), confirm(&house, &EVE, NUMBER, &code));
    assert_eq!([first.0, second.0].iter().filter(|status| **status == StatusCode::OK).count(), 1);
}

/// Sends the hook of Supabase Auth, signed as it signs.
async fn hook(house: &House, id: &str, body: &Value, secret: &str) -> (StatusCode, Value) {
    let body = body.to_string();
    let now = SystemClock::start().wall().as_millis().checked_div(1000).unwrap();
    let key = STANDARD.decode(secret.strip_prefix("v1,whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{now}.{body}").as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    let request = Request::post("/api/hooks/supabase/send-sms")
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", now)
        .header("webhook-signature", signature)
        .body(Body::from(body));
    let (status, _, body) = house.answer(request.unwrap()).await;
    (status, body)
}

#[tokio::test]
async fn code_of_supabase_auth_is_texted_once_and_only_when_it_is_signed() {
    let house = House::on_a_street("").await;
    let said = json!({"user": {"id": "6481a5c1-3d37-4a56-9f6a-bee08c554965", "phone": "15551234567"}, "sms": {"otp": "561166"}});
    let (status, body) = hook(&house, "msg_1", &said, "v1,whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").await;
    assert_eq!((status, &body["error"]["http_code"]), (StatusCode::UNAUTHORIZED, &json!(401)));
    for _ in 0..3 {
        assert_eq!(hook(&house, "msg_1", &said, HOOK_SECRET).await, (StatusCode::OK, json!({})));
    }
    assert!(house.newest("ledger", NUMBER, "body").await.starts_with("561166 "));
    assert_eq!(house.carried(NUMBER).await, 1);
    for id in ["msg_2", "msg_3", "msg_4", "msg_5"] {
        assert_eq!(hook(&house, id, &said, HOOK_SECRET).await.0, StatusCode::OK);
    }
    let (status, body) = hook(&house, "msg_6", &said, HOOK_SECRET).await;
    assert_eq!((status, &body["error"]["http_code"]), (StatusCode::TOO_MANY_REQUESTS, &json!(429)));
}
