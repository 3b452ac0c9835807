//! Out with one click: over real sockets, without a key, by whoever has the link.

use axum::http::{HeaderMap, StatusCode};
use dunlin::opt_out_link::OptOutLinks;
use dunlin_workflows::policy::{Limits, OptOutLine};
use dunlin_workflows::rules::Rules;
use serde_json::{Value, json};

use crate::house::House;
use crate::people::{EVENING_MS, MovedClock};
use crate::wish;

const ADA: &str = "+15551234567";

/// The link of a number that a text was accepted for.
async fn link(house: &House, to: &str) -> String {
    let (status, _, told) = house.post("/v1/consent/link", &[], &json!({"to": to})).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    told["url"].as_str().unwrap().to_owned()
}

async fn accept(house: &House, wish: &Value) -> String {
    let (status, headers, accepted) = house.post("/v1/messages", &[], wish).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
    headers.get("location").unwrap().to_str().unwrap().to_owned()
}

/// What was said about consent so far, oldest first.
async fn said(house: &House) -> Vec<Value> {
    let (_, _, events) = house.get("/v1/consent/events").await;
    events["data"].as_array().unwrap().clone()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

#[tokio::test]
async fn looking_at_a_link_changes_nothing_and_one_click_opts_out_for_good() {
    let house = House::on_a_street("").await;
    let later = json!({"to": ADA, "body": "later", "scheduled_for": "2099-12-24T08:00:00Z"});
    let scheduled = accept(&house, &later).await;
    let link = link(&house, ADA).await;
    for method in ["GET", "HEAD", "GET"] {
        let (status, headers, page) = House::page(method, &link, "").await;
        assert_eq!(status, StatusCode::OK);
        assert!(
            method == "HEAD" || page.contains("<form method=\"post\">") && page.contains("+15*******67"),
            "{page}"
        );
        assert!(!page.contains(ADA), "{page}");
        for (name, value) in [
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("x-robots-tag", "noindex, nofollow"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(header(&headers, name), value, "{name}");
        }
        assert!(header(&headers, "content-security-policy").starts_with("default-src 'none';"));
    }
    assert!(said(&house).await.is_empty(), "scanners look at every link");

    for form in ["List-Unsubscribe=One-Click", "", "anything=at+all"] {
        let (status, _, page) = House::page("POST", &link, form).await;
        assert_eq!(status, StatusCode::OK);
        assert!(
            page.contains("gets no more texts") && page.contains("START") && !page.contains("<form"),
            "{page}"
        );
    }
    let told = said(&house).await;
    assert_eq!(told.len(), 1, "once is enough: {told:?}");
    assert_eq!(
        (&told[0]["type"], &told[0]["how"], &told[0]["source"]),
        (&json!("opted_out"), &json!("link"), &json!("link"))
    );
    let (_, _, held) = house.get(&scheduled).await;
    assert_eq!(held["state"], "suppressed");
    let (_, _, why) = house.get(&format!("{scheduled}/explain")).await;
    assert_eq!(why["sentence"], "it is not sent: the recipient opted out: their link was used");
    let (_, _, page) = House::page("GET", &link, "").await;
    assert!(page.contains("gets no more texts") && !page.contains("<form"), "{page}");

    house.text(ADA, "START", &[]).await;
    let sent = accept(&house, &wish(ADA)).await;
    assert_eq!(house.wait_for(&sent, |message| message["state"] == "delivered").await["state"], "delivered");
    let (_, _, page) = House::page("GET", &link, "").await;
    assert!(page.contains("<form"), "a link never expires: {page}");
    House::page("POST", &link, "").await;
    assert_eq!(said(&house).await.len(), 3);
}

#[tokio::test]
async fn first_text_may_carry_the_link_of_its_recipient() {
    let links = OptOutLinks::below("https://sms.example.test");
    let line = format!("STOP ends these, or {}", links.ending(OptOutLine::TOKEN));
    let limits = Limits { opt_out_line: Some(line.parse().unwrap()), ..Limits::default() };
    let clock = MovedClock::at(EVENING_MS);
    let house = House::ruled("", clock, Rules { limits, ..Rules::default() }).await;
    let (_, _, preview) = house.post("/v1/preview", &[], &wish(ADA)).await;
    let (_, headers, accepted) = house.post("/v1/messages", &[], &wish(ADA)).await;
    assert_eq!(accepted["decision"]["segments"], preview["segments"], "as long as it was told");
    let first = headers.get("location").unwrap().to_str().unwrap();
    assert_eq!(house.wait_for(first, |message| message["state"] == "delivered").await["state"], "delivered");
    let carried = house.carried_texts(ADA).await.concat();
    let (said, token) = carried.rsplit_once("/o/").unwrap();
    assert!(said.contains("STOP ends these, or https://sms.example.test") && token.len() == 32, "{carried}");
    assert!(link(&house, ADA).await.ends_with(token));
}

#[tokio::test]
async fn any_other_token_is_told_alike_and_changes_nothing() {
    let house = House::on_a_street("").await;
    accept(&house, &wish(ADA)).await;
    let link = link(&house, ADA).await;
    let (_, _, first) = House::page("GET", &format!("{link}A"), "").await;
    let (base, token) = link.rsplit_once('/').unwrap();
    let last = token.chars().last().unwrap();
    let other = if last == 'A' { 'B' } else { 'A' };
    let altered = format!("{}{other}", token.strip_suffix(last).unwrap());
    for wrong in [altered.as_str(), "x", "%00", "%ff", &"A".repeat(32), &"A".repeat(4096)] {
        for method in ["GET", "POST"] {
            let (status, _, page) = House::page(method, &format!("{base}/{wrong}"), "").await;
            assert_eq!((status, &page), (StatusCode::NOT_FOUND, &first), "{method} {wrong}");
        }
    }
    assert!(said(&house).await.is_empty());
}

#[tokio::test]
async fn two_clicks_at_once_are_one_opt_out() {
    let house = House::on_a_street("").await;
    accept(&house, &wish(ADA)).await;
    let link = link(&house, ADA).await;
    let click = || House::page("POST", &link, "List-Unsubscribe=One-Click");
    let (one, two, three) = tokio::join!(click(), click(), click());
    assert!([one.0, two.0, three.0].iter().all(|status| *status == StatusCode::OK));
    assert_eq!(said(&house).await.len(), 1);
}

#[tokio::test]
async fn link_is_given_to_keys_that_may_record_an_opt_out_and_used_without_one() {
    let house = House::judging("web:read+send:0123456789abcdef ops:admin+send+read:fedcba9876543210");
    let web = [("authorization", "Bearer 0123456789abcdef")];
    let ops = [("authorization", "Bearer fedcba9876543210")];
    let (status, _, _) = house.post("/v1/messages", &web, &wish(ADA)).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let preferences = json!({"phone_number": ADA, "timezone": "America/New_York"});
    let path = "/v1/users/ada/preferences";
    assert_eq!(house.send("PUT", path, &web, &preferences).await.0, StatusCode::OK);
    for (path, body) in [
        ("/v1/consent/link", json!({"to": ADA})),
        ("/v1/consent/link", json!({"user_id": "ada"})),
        ("/v1/users/ada/opt-out-link", json!({})),
    ] {
        assert_eq!(house.post(path, &web, &body).await.0, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(house.post(path, &[], &body).await.0, StatusCode::UNAUTHORIZED, "{path}");
        let (status, _, told) = house.post(path, &ops, &body).await;
        assert_eq!(status, StatusCode::OK, "{path}: {told}");
        let link = told["url"].as_str().unwrap();
        let token = link.strip_prefix("https://sms.example.test/o/").unwrap();
        assert!(token.len() == 32 && !link.contains("ada") && !link.contains("5551234567"), "{link}");
        let (status, _, _) = house.get(&format!("/o/{token}")).await;
        assert_eq!(status, StatusCode::OK, "no key is needed");
    }
    for (path, body, code) in [
        ("/v1/consent/link", json!({"to": "+15551234568"}), "person_not_found"),
        ("/v1/consent/link", json!({"user_id": "eve"}), "user_not_found"),
        ("/v1/users/eve/opt-out-link", json!({}), "user_not_found"),
        ("/v1/consent/link", json!({"to": ADA, "user_id": "ada"}), "invalid_request"),
        ("/v1/consent/link", json!({}), "invalid_request"),
    ] {
        let (_, _, no) = house.post(path, &ops, &body).await;
        assert_eq!(no["code"], code, "{path} {body}");
    }
}
