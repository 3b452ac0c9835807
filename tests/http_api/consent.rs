//! Whoever says STOP is texted no more: over real sockets, by every way in.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::house::{ACCOUNT, House, TOKEN};
use crate::wish;

const ADA: &str = "+15551234567";
const NOTHING: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>";

async fn consent(house: &House, to: &str) -> Value {
    let (status, _, consent) = house.get(&format!("/v1/consent?to={}", to.replace('+', "%2B"))).await;
    assert_eq!(status, StatusCode::OK, "{consent}");
    consent
}

async fn accept(house: &House, wish: &Value) -> (String, Value) {
    let (status, headers, accepted) = house.post("/v1/messages", &[], wish).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
    (headers.get("location").unwrap().to_str().unwrap().to_owned(), accepted)
}

async fn put(house: &House, body: &Value, reason: &[(&str, &str)]) -> (StatusCode, Value) {
    let (status, _, told) = house.send("PUT", "/v1/consent", reason, body).await;
    (status, told)
}

#[tokio::test]
async fn stop_reaches_the_store_and_nothing_reaches_whoever_said_it() {
    let house = House::on_a_street("").await;
    let (refused, _) = accept(&house, &wish("+15005550009")).await;
    house.wait_for(&refused, |message| message["state"] == "failed").await;
    let later = json!({"to": ADA, "body": "later", "scheduled_for": "2099-12-24T08:00:00Z"});
    let (scheduled, _) = accept(&house, &later).await;

    for number in [ADA, "+15005550009"] {
        let answer = house.text(number, "Stop", &[]).await;
        assert_eq!((&answer["status"], &answer["body"]), (&json!(200), &json!(NOTHING)));
        assert_eq!(answer["content_type"], "text/xml; charset=utf-8");
    }
    let known = consent(&house, ADA).await;
    assert_eq!((&known["standing"], &known["how"]), (&json!("opted_out"), &json!("keyword")));

    let (_, _, held) = house.get(&scheduled).await;
    assert_eq!((&held["state"], &held["status"]), (&json!("suppressed"), &json!("cancelled")));
    assert_eq!(held["suppressed_by"]["rule"], "opted_out");
    let (by_api, accepted) = accept(&house, &wish(ADA)).await;
    assert_eq!((&accepted["state"], &accepted["decision"]["action"]), (&json!("suppressed"), &json!("drop")));
    let (_, _, why) = house.get(&format!("{by_api}/explain")).await;
    assert_eq!(
        (&why["action"], &why["rule"], &why["evidence"]["how"]),
        (&json!("drop"), &json!("opted_out"), &json!("keyword"))
    );
    assert_eq!(why["sentence"], "it is not sent: the recipient opted out: they texted a keyword");
    let batch = json!({"messages": [wish(ADA), wish("+15551234568")]});
    let (_, _, batch) = house.post("/v1/messages/batch", &[], &batch).await;
    assert_eq!(batch["data"][0]["state"], "suppressed");
    assert_ne!(batch["data"][1]["state"], "suppressed");
    for old in [&refused, &scheduled] {
        let (status, _, no) = house.post(&format!("{old}/retry"), &[], &json!({})).await;
        assert_eq!((status, &no["code"]), (StatusCode::CONFLICT, &json!("recipient_opted_out")), "{old}");
    }
    let (_, _, list) = house.get("/v1/messages?state=suppressed").await;
    assert_eq!(list["data"].as_array().unwrap().len(), 3);
    assert_eq!(house.carried(ADA).await, 0);
}

#[tokio::test]
async fn start_played_again_does_not_undo_a_stop_and_a_new_one_does() {
    let house = House::on_a_street("").await;
    let first = [("MessageSid", "SM0000000000000000000000000000000a")];
    house.text(ADA, "START", &first).await;
    assert_eq!(consent(&house, ADA).await["standing"], "opted_in");
    house.text(ADA, "STOP", &[]).await;
    house.text(ADA, "START", &first).await;
    assert_eq!(consent(&house, ADA).await["standing"], "opted_out");
    let (status, no) = put(
        &house,
        &json!({"to": ADA, "standing": "opted_in", "said_at": "2026-01-01T00:00:00Z"}),
        &[("dunlin-reason", "an old form")],
    )
    .await;
    assert_eq!((status, &no["code"]), (StatusCode::CONFLICT, &json!("consent_contradicted")));
    house.text(ADA, "START", &[]).await;
    let (sent, _) = accept(&house, &wish(ADA)).await;
    assert_eq!(house.wait_for(&sent, |message| message["state"] == "delivered").await["state"], "delivered");
}

#[tokio::test]
async fn refusal_of_the_provider_because_of_a_stop_is_an_opt_out() {
    let house = House::on_a_street("").await;
    let (first, _) = accept(&house, &wish("+15005550004")).await;
    let failed = house.wait_for(&first, |message| message["state"] == "failed").await;
    assert_eq!(failed["error"]["code"], 21610);
    let known = consent(&house, "+15005550004").await;
    assert_eq!((&known["standing"], &known["how"]), (&json!("opted_out"), &json!("refusal")));
    let (_, second) = accept(&house, &wish("+15005550004")).await;
    assert_eq!(second["state"], "suppressed");
}

#[tokio::test]
async fn plain_words_count_at_once_are_confirmed_once_and_wait_to_be_read() {
    let house = House::on_a_street("").await;
    let sid = "SM0000000000000000000000000000000b";
    let words = "Please stop texting me \u{1f44b}";
    let answer = house.text(ADA, words, &[("MessageSid", sid)]).await;
    assert!(answer["body"].as_str().unwrap().contains("<Message>You are unsubscribed"), "{answer}");
    let again = house.text(ADA, words, &[("MessageSid", sid)]).await;
    assert_eq!(again["body"], NOTHING, "one confirmation");
    let (_, _, reviews) = house.get("/v1/consent/reviews").await;
    let review = &reviews["data"][0];
    assert_eq!(
        (&review["provider_sid"], &review["words"], &review["to"]),
        (&json!(sid), &json!(words), &json!(ADA))
    );
    let (_, accepted) = accept(&house, &wish(ADA)).await;
    assert_eq!(accepted["state"], "suppressed");
    let path = format!("/v1/consent/reviews/{sid}");
    let (status, _, known) = house.post(&path, &[], &json!({"finding": "not_one"})).await;
    assert_eq!((status, &known["standing"]), (StatusCode::OK, &json!("unknown")));
    let (status, _, twice) = house.post(&path, &[], &json!({"finding": "opt_out"})).await;
    assert_eq!((status, &twice["code"]), (StatusCode::NOT_FOUND, &json!("review_not_found")));
}

#[tokio::test]
async fn nothing_is_answered_where_the_provider_answers_and_other_texts_change_nothing() {
    let house = House::on_a_street("").await;
    for (words, more) in [
        ("HELP", &[][..]),
        ("Thanks!", &[]),
        ("opt out", &[("OptOutType", "STOP")]),
        ("START", &[("OptOutType", "START")]),
    ] {
        let answer = house.text(ADA, words, more).await;
        assert_eq!((&answer["status"], &answer["body"]), (&json!(200), &json!(NOTHING)), "{words}");
    }
    let answer = house.text("12345", "STOP", &[]).await;
    assert_eq!(answer["body"], NOTHING, "a short code is nobody");
    let (_, _, events) = house.get("/v1/consent/events").await;
    let told: Vec<_> = events["data"].as_array().unwrap().iter().map(|row| row["type"].clone()).collect();
    assert_eq!(told, ["help_asked", "opted_out", "opted_in"]);
}

#[tokio::test]
async fn texts_are_believed_only_with_the_provider_s_signature_and_for_our_account() {
    let house = House::build(None);
    let form = |account| {
        format!("AccountSid={account}&MessageSid=SM{}&From=%2B15551234567&Body=STOP", "c".repeat(32))
    };
    let good = form(ACCOUNT);
    for (form, token) in [(good.as_str(), None), (&good, Some("wrong")), ("", None), ("x", Some("wrong"))] {
        let (status, problem) = house.inbound(form, token).await;
        assert_eq!((status, &problem["code"]), (StatusCode::FORBIDDEN, &json!("signature_invalid")));
    }
    let (status, problem) = house.inbound(&form("AC1"), Some(TOKEN)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::FORBIDDEN, &json!("account_mismatch")));
    let (status, _) = house.inbound("AccountSid=AC1&Body=STOP", Some(TOKEN)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(consent(&house, ADA).await["standing"], "unknown");
    assert_eq!(house.inbound(&good, Some(TOKEN)).await.0, StatusCode::OK);
    assert_eq!(consent(&house, ADA).await["standing"], "opted_out");
}

#[tokio::test]
async fn whoever_records_consent_stands_in_the_export_with_the_reason() {
    let house = House::build(None);
    let (status, told) = put(&house, &json!({"to": ADA, "standing": "opted_out"}), &[]).await;
    assert_eq!((status, &told["how"]), (StatusCode::OK, &json!("command")));
    let back = json!({"to": ADA, "standing": "opted_in"});
    let (status, no) = put(&house, &back, &[]).await;
    assert_eq!((status, &no["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("reason_required")));
    let who = [("dunlin-actor", "ada"), ("dunlin-reason", "signed form 7")];
    assert_eq!(put(&house, &back, &who).await.1["standing"], "opted_in");
    let (_, _, page) = house.get("/v1/consent/events?to=%2B15551234567&limit=1").await;
    assert_eq!((&page["data"][0]["type"], &page["has_more"]), (&json!("opted_out"), &json!(true)));
    let next = format!("/v1/consent/events?cursor={}", page["next_cursor"].as_str().unwrap());
    let (_, _, page) = house.get(&next).await;
    let row = &page["data"][0];
    assert_eq!((&row["type"], &row["actor"]), (&json!("opted_in"), &json!("local/ada")));
    assert_eq!(
        (&row["reason_given"], &row["to"], &row["words"]),
        (&json!("signed form 7"), &json!(ADA), &json!(null))
    );
    let (status, problem) = put(&house, &json!({"to": ADA, "standing": "maybe", "more": 1}), &[]).await;
    assert_eq!(
        (status, &problem["errors"][1]["pointer"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("/standing"))
    );
}
