//! What goes to whom ever: rates that all texts share, numbers that are new, and the same text said twice.

use std::time::Duration;

use axum::http::StatusCode;
use dunlin_workflows::kind::{Kind, Kinds};
use dunlin_workflows::policy::{Limits, Rate};
use dunlin_workflows::rules::Rules;
use serde_json::{Value, json};

use crate::house::House;
use crate::people::{EVENING_MS, MovedClock, accept, delivered};

fn wish(to: &str, body: &str) -> Value {
    json!({"to": to, "body": body})
}

fn per_minute(limit: u32) -> Rate {
    Rate { per_minute: Some(limit), ..Rate::NONE }
}

#[tokio::test]
async fn what_is_too_much_altogether_waits_in_a_line_and_says_so() {
    let limits = Limits { global_rate: per_minute(2), ..Limits::default() };
    let clock = MovedClock::at(EVENING_MS);
    let house = House::ruled("", clock.clone(), Rules { limits, ..Rules::default() }).await;
    for to in ["+15551234501", "+15551234502"] {
        delivered(&house, &accept(&house, &wish(to, "hello")).await.0).await;
    }
    let (held, accepted) = accept(&house, &wish("+15551234503", "hello")).await;
    assert_eq!(accepted["decision"]["held_by"], "rate_limit_global", "{accepted}");
    let (_, _, why) = house.get(&format!("{held}/explain")).await;
    assert_eq!(
        (&why["evidence"]["per_minute"], &why["evidence"]["counted_in_minute"]),
        (&json!(2), &json!(2))
    );
    assert!(why["lifted_by"].as_str().unwrap().contains("DUNLIN_RATE_GLOBAL"), "{why}");
    let (_, _, preview) = house.post("/v1/preview", &[], &wish("+15551234504", "hello")).await;
    assert_eq!((&preview["action"], &preview["rule"]), (&json!("hold"), &json!("rate_limit_global")));
    let until = |answer: &Value| answer["until"].as_str().unwrap().to_owned();
    assert!(until(&preview) > until(&why), "whoever comes next stands behind it");
    clock.ahead(2);
    delivered(&house, &held).await;
}

#[tokio::test]
async fn rate_of_a_country_holds_texts_to_no_other() {
    let country_rates = [("DK".parse().unwrap(), Rate { per_hour: Some(1), ..Rate::NONE })].into();
    let limits = Limits { country_rates, ..Limits::default() };
    let clock = MovedClock::at(EVENING_MS);
    let house = House::ruled("", clock.clone(), Rules { limits, ..Rules::default() }).await;
    delivered(&house, &accept(&house, &wish("+4532123456", "hej")).await.0).await;
    let (held, accepted) = accept(&house, &wish("+4532123457", "hej")).await;
    assert_eq!(accepted["decision"]["held_by"], "rate_limit_country", "{accepted}");
    let (_, _, why) = house.get(&format!("{held}/explain")).await;
    assert_eq!((&why["evidence"]["country"], &why["evidence"]["per_hour"]), (&json!("DK"), &json!(1)));
    delivered(&house, &accept(&house, &wish("+46701234567", "hej")).await.0).await;
    clock.ahead(62);
    delivered(&house, &held).await;
}

/// Whoever pumps has many numbers that follow each other.
#[tokio::test]
async fn many_new_numbers_of_one_block_wait_until_somebody_vouches_for_them() {
    let velocity = Rate { per_hour: Some(2), ..Rate::NONE };
    let limits = Limits { velocity, ..Limits::default() };
    let clock = MovedClock::at(EVENING_MS);
    let house = House::ruled("", clock, Rules { limits, ..Rules::default() }).await;
    for to in ["+15551230001", "+15551230002"] {
        delivered(&house, &accept(&house, &wish(to, "hello")).await.0).await;
    }
    let (third, accepted) = accept(&house, &wish("+15551230003", "hello")).await;
    assert_eq!(accepted["decision"]["held_by"], "fraud_velocity", "{accepted}");
    delivered(&house, &accept(&house, &wish("+15551230001", "again")).await.0).await;
    delivered(&house, &accept(&house, &wish("+15559990001", "elsewhere")).await.0).await;
    let (status, _, told) = house.post(&format!("{third}/retry"), &[], &json!({})).await;
    assert!(status.is_success(), "{told}");
    delivered(&house, &third).await;
    delivered(&house, &accept(&house, &wish("+15551230004", "hello")).await.0).await;
}

/// Nobody is told that a code was sent which waits, and nobody learns which numbers of a block are known.
#[tokio::test]
async fn code_that_would_have_to_wait_is_refused_alike_for_every_number_of_its_block() {
    let velocity = Rate { per_hour: Some(1), ..Rate::NONE };
    let limits = Limits { velocity, countries: vec!["US".parse().unwrap()], ..Limits::default() };
    let clock = MovedClock::at(EVENING_MS);
    let house = House::ruled("", clock.clone(), Rules { limits, ..Rules::default() }).await;
    let ask = async |number: &str, user: &str| {
        let who = [("dunlin-user-id", user)];
        let (status, _, mut told) =
            house.post("/api/sms/verify", &who, &json!({"phoneNumber": number})).await;
        told["request_id"] = Value::Null;
        (status, told)
    };
    let (known, unknown) = ("+12025550101", "+12025550102");
    let (status, told) = ask(known, "ada").await;
    assert_eq!((status, &told["verificationSent"]), (StatusCode::OK, &json!(true)), "{told}");
    let code: String = house.newest("ledger", known, "body").await.chars().take(6).collect();
    let proof = json!({"phoneNumber": known, "code": code});
    house.post("/api/sms/verify/confirm", &[("dunlin-user-id", "ada")], &proof).await;
    let (status, told) = ask(unknown, "eve").await;
    assert_eq!((status, &told["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("too_many_texts")), "{told}");
    assert!((1..=3700).contains(&told["retry_after"].as_u64().unwrap()), "{told}");
    assert_eq!(
        ask(known, "eve").await,
        (status, told),
        "a number that is taken is answered like one nobody knows"
    );
    assert_eq!(ask("+12125550101", "eve").await.0, StatusCode::OK, "another block has nothing to do with it");
    let (status, told) = ask("+4532123456", "eve").await;
    assert_eq!(
        (status, &told["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("number_unreachable")),
        "{told}"
    );
    clock.ahead(62);
    assert_eq!(ask(unknown, "eve").await.0, StatusCode::OK, "what was refused took nothing of any allowance");
    assert_eq!((house.carried(known).await, house.newest("ledger", unknown, "to").await.len()), (1, 12));
}

#[tokio::test]
async fn same_text_to_the_same_person_is_dropped_but_of_kinds_that_may_repeat() {
    let custom = Kinds::default().get(None).unwrap().clone();
    let kinds = Kinds::with([("alarm".parse().unwrap(), Kind { may_repeat: true, ..custom })].into());
    let limits = Limits { duplicate_window: Some(Duration::from_mins(10)), ..Limits::default() };
    let clock = MovedClock::at(EVENING_MS);
    let house = House::ruled("", clock.clone(), Rules { limits, kinds, ..Rules::default() }).await;
    let (first, other) = ("+15551234501", "+15551234502");
    delivered(&house, &accept(&house, &wish(first, "Your table is ready")).await.0).await;
    let (again, accepted) = accept(&house, &wish(first, "Your table is ready")).await;
    assert_eq!(accepted["decision"]["evidence"]["rule"], "duplicate", "{accepted}");
    let shown = house.get(&again).await.2;
    assert_eq!(
        (&shown["state"], &shown["suppressed_by"]["rule"]),
        (&json!("suppressed"), &json!("duplicate"))
    );
    let (_, _, preview) = house.post("/v1/preview", &[], &wish(first, "Your table is ready")).await;
    assert_eq!(
        (&preview["rule"], &preview["evidence"]["window_seconds"]),
        (&json!("duplicate"), &json!(600))
    );
    for wish in [
        wish(first, "Your table is ready!"),
        wish(other, "Your table is ready"),
        json!({"to": first, "body": "Your table is ready", "kind": "alarm"}),
    ] {
        delivered(&house, &accept(&house, &wish).await.0).await;
    }
    let (status, _, tried) = house.post(&format!("{again}/retry"), &[], &json!({})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{tried}");
    delivered(&house, &format!("/v1/messages/{}", tried["id"].as_str().unwrap())).await;
    clock.ahead(11);
    delivered(&house, &accept(&house, &wish(first, "Your table is ready")).await.0).await;
    assert_eq!(house.carried(first).await, 5);
}

#[tokio::test]
async fn first_text_to_a_person_ends_with_the_line_until_one_went_and_no_code_does() {
    let opt_out_line = Some("Text STOP to end these.".parse().unwrap());
    let limits =
        Limits { opt_out_line, duplicate_window: Some(Duration::from_mins(10)), ..Limits::default() };
    let house = House::ruled("", MovedClock::at(EVENING_MS), Rules { limits, ..Rules::default() }).await;
    let (ada, bob) = ("+15551234501", "+15551234502");
    let body = async |path: &str| house.get(path).await.2["body"].as_str().unwrap().to_owned();
    // What waits or came to nothing told nobody.
    let later = json!({"to": ada, "body": "Later", "scheduled_for": "2099-01-01T00:00:00Z"});
    assert_eq!(body(&accept(&house, &later).await.0).await, "Later\nText STOP to end these.");
    let ready = wish(ada, &"Your table is ready. ".repeat(7));
    let (_, _, preview) = house.post("/v1/preview", &[], &ready).await;
    assert_eq!(preview["segments"], 2, "as it would be sent: {preview}");
    let (first, accepted) = accept(&house, &ready).await;
    assert_eq!(accepted["decision"]["segments"], 2);
    assert!(body(&first).await.ends_with("ready.\nText STOP to end these."));
    delivered(&house, &first).await;
    let (second, _) = accept(&house, &wish(ada, "Your food too")).await;
    assert_eq!(body(&second).await, "Your food too");
    let (_, repeated) = accept(&house, &ready).await;
    assert_eq!(repeated["decision"]["evidence"]["rule"], "duplicate", "with the line or without: {repeated}");

    house.post("/api/sms/verify", &[], &json!({"phoneNumber": bob})).await;
    assert!(house.newest("ledger", bob, "body").await.contains("verification code"));
    assert!(!house.newest("ledger", bob, "body").await.contains("STOP"));
    let (first, _) = accept(&house, &wish(bob, "Welcome")).await;
    assert_eq!(body(&first).await, "Welcome\nText STOP to end these.");
}
