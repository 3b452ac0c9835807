//! Who may be texted, and when: preferences, hours, limits and proven numbers, over real sockets, with a clock
//! that the test moves. Each test tells of a way in which texts went wrong before.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use dunlin::clock::{Clock, SystemClock};
use dunlin_workflows::policy::{Limits, Verified, ZoneByRegion};
use dunlin_workflows::rules::Rules;
use dunlin_workflows::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::house::House;

const ADA: &str = "+15551234567";
const USER: &str = "7c1d6a52-0b1e-4a0e-9a55-8a3f0f6f2f11";
/// 2026-12-24T03:12:00Z: in Chicago 21:12 on the 23rd.
pub(crate) const EVENING_MS: i64 = 1_798_081_920_000;
const MINUTE_MS: i64 = 60_000;

/// A clock that goes on from where it is put.
#[derive(Debug)]
pub(crate) struct MovedClock {
    real: SystemClock,
    off_ms: AtomicI64,
}

impl MovedClock {
    pub(crate) fn at(ms: i64) -> Arc<Self> {
        let real = SystemClock::start();
        let off_ms = AtomicI64::new(ms - real.wall().as_millis());
        Arc::new(Self { real, off_ms })
    }

    pub(crate) fn ahead(&self, minutes: i64) {
        self.off_ms.fetch_add(minutes * MINUTE_MS, Ordering::SeqCst);
    }
}

impl Clock for MovedClock {
    fn wall(&self) -> Timestamp {
        Timestamp::from_millis(self.real.wall().as_millis() + self.off_ms.load(Ordering::SeqCst))
    }

    fn monotonic_ms(&self) -> u64 {
        self.real.monotonic_ms()
    }
}

async fn prefer(house: &House, fields: &Value) -> Value {
    let path = format!("/v1/users/{USER}/preferences");
    let (status, _, told) = house.send("PUT", &path, &[], fields).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    told
}

fn reminder(priority: &str, kind: &str) -> Value {
    json!({"to": ADA, "body": "Your report is due", "user_id": USER, "kind": kind, "priority": priority})
}

pub(crate) async fn accept(house: &House, wish: &Value) -> (String, Value) {
    let (status, headers, accepted) = house.post("/v1/messages", &[], wish).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
    (headers.get("location").unwrap().to_str().unwrap().to_owned(), accepted)
}

pub(crate) async fn delivered(house: &House, path: &str) {
    let seen = house.wait_for(path, |message| message["state"] == "delivered").await;
    assert_eq!(seen["state"], "delivered", "{seen}");
}

fn chicago() -> Value {
    json!({"timezone": "America/Chicago", "quiet_hours_start": "22:00", "quiet_hours_end": "07:00"})
}

#[tokio::test]
async fn quiet_hours_hold_a_text_to_the_minute_and_say_so() {
    let clock = MovedClock::at(EVENING_MS);
    let house = House::ruled("", clock.clone(), Rules::default()).await;
    prefer(&house, &chicago()).await;
    let (before, _) = accept(&house, &reminder("normal", "custom")).await;
    delivered(&house, &before).await;
    clock.ahead(48 + 30);

    let (held, accepted) = accept(&house, &reminder("normal", "custom")).await;
    let decision = &accepted["decision"];
    assert_eq!((&decision["action"], &decision["held_by"]), (&json!("hold"), &json!("quiet_hours_user")));
    assert!(decision["release_at"].as_str().unwrap().starts_with("2026-12-24T13:00:00"), "{accepted}");
    let (_, _, why) = house.get(&format!("{held}/explain")).await;
    assert_eq!(why["evidence"]["quiet_hours"], "22:00-07:00");
    assert_eq!(why["evidence"]["timezone"], "America/Chicago");
    assert!(why["lifted_by"].as_str().unwrap().contains("urgent"), "{why}");
    let (_, _, preview) = house.post("/v1/preview", &[], &reminder("normal", "custom")).await;
    assert_eq!((&preview["rule"], &preview["evidence"]), (&why["rule"], &why["evidence"]));

    clock.ahead(8 * 60 + 28);
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(house.get(&held).await.2["state"], "held", "one minute before");
    clock.ahead(3);
    delivered(&house, &held).await;
    assert_eq!(house.carried(ADA).await, 2);
}

#[tokio::test]
async fn what_is_not_urgent_leaves_at_the_next_time_of_the_recipient_s_day_and_says_so() {
    let clock = MovedClock::at(EVENING_MS);
    let limits = Limits { low_priority_hours: Some("09:00,17:30".parse().unwrap()), ..Limits::default() };
    let house = House::ruled("", clock.clone(), Rules { limits, ..Rules::default() }).await;
    prefer(&house, &chicago()).await;
    let (at_once, _) = accept(&house, &reminder("normal", "custom")).await;
    delivered(&house, &at_once).await;
    let (held, accepted) = accept(&house, &reminder("low", "custom")).await;
    let decision = &accepted["decision"];
    assert_eq!((&decision["action"], &decision["held_by"]), (&json!("hold"), &json!("low_priority_hours")));
    assert!(decision["release_at"].as_str().unwrap().starts_with("2026-12-24T15:00:00"), "{accepted}");
    let (_, _, why) = house.get(&format!("{held}/explain")).await;
    assert_eq!(
        (&why["evidence"]["leaves_at"], &why["evidence"]["for_minutes"]),
        (&json!("09:00,17:30"), &json!(30))
    );
    assert_eq!(why["evidence"]["timezone"], "America/Chicago");
    assert!(why["lifted_by"].as_str().unwrap().contains("DUNLIN_LOW_PRIORITY_HOURS"), "{why}");
    clock.ahead(11 * 60 + 48);
    delivered(&house, &held).await;
}

/// The old system judged when it scheduled, and sent what it had scheduled.
#[tokio::test]
async fn preferences_that_change_count_for_what_waits() {
    let clock = MovedClock::at(EVENING_MS + 78 * MINUTE_MS);
    let house = House::ruled("", clock.clone(), Rules::default()).await;
    prefer(&house, &chicago()).await;
    prefer(&house, &json!({"phone_number": ADA})).await;
    let (held, _) = accept(&house, &reminder("normal", "custom")).await;
    assert_eq!(house.get(&held).await.2["hold"]["reason"], "quiet_hours_user");
    prefer(&house, &json!({"quiet_hours_start": "23:30"})).await;
    delivered(&house, &held).await;

    let later = json!({"to": ADA, "body": "Daily brief", "user_id": USER, "kind": "daily_brief",
                       "scheduled_for": "2026-12-24T18:00:00Z"});
    prefer(&house, &json!({"daily_brief_sms": true})).await;
    let (scheduled, _) = accept(&house, &later).await;
    prefer(&house, &json!({"daily_brief_sms": false})).await;
    clock.ahead(20 * 60);
    let seen = house.wait_for(&scheduled, |message| message["state"] == "suppressed").await;
    assert_eq!(seen["suppressed_by"], json!({"rule": "category_disabled", "toggle": "daily_brief_sms"}));
}

#[tokio::test]
async fn urgent_passes_quiet_hours_only_with_the_kind_and_the_toggle_and_is_journaled() {
    let clock = MovedClock::at(EVENING_MS + 78 * MINUTE_MS);
    let house = House::ruled("", clock, Rules::default()).await;
    prefer(&house, &chicago()).await;
    let (_, accepted) = accept(&house, &reminder("urgent", "custom")).await;
    assert_eq!(accepted["decision"]["held_by"], "quiet_hours_user", "the kind may not");
    let (_, accepted) = accept(&house, &reminder("normal", "urgent_alert")).await;
    assert_eq!(accepted["decision"]["held_by"], "quiet_hours_user", "it is not urgent");
    let (passed, _) = accept(&house, &reminder("urgent", "urgent_alert")).await;
    delivered(&house, &passed).await;
    let (_, _, events) = house.get(&format!("{passed}/events")).await;
    let bypassed = events["data"].as_array().unwrap().iter().any(|event| event["type"] == "bypassed");
    assert!(bypassed, "{events}");
    prefer(&house, &json!({"urgent_alerts": false})).await;
    let (_, accepted) = accept(&house, &reminder("urgent", "urgent_alert")).await;
    assert_eq!(accepted["decision"]["held_by"], "quiet_hours_user", "its recipient does not want it");
}

#[tokio::test]
async fn text_that_recurs_is_judged_as_one_of_its_kind() {
    let clock = MovedClock::at(EVENING_MS);
    let house = House::ruled("", clock.clone(), Rules::default()).await;
    prefer(&house, &json!({"timezone": "America/Chicago", "phone_number": ADA})).await;
    let often = json!({"user_id": USER, "cron": "* * * * *", "body": "Daily brief", "kind": "daily_brief"});
    let (_, _, made) = house.post("/v1/recurrences", &[], &often).await;
    assert_eq!((&made["kind"], &made["priority"]), (&json!("daily_brief"), &json!("low")), "{made}");
    clock.ahead(1);
    let newest = |list: &Value| list["data"][0]["state"] != Value::Null;
    let list = house.wait_for("/v1/messages", newest).await;
    let brief = &list["data"][0];
    assert_eq!((&brief["kind"], &brief["state"]), (&json!("daily_brief"), &json!("suppressed")), "{brief}");
    assert_eq!(brief["suppressed_by"]["toggle"], "daily_brief_sms");
    let path = format!("/v1/recurrences/{}", made["id"].as_str().unwrap());
    let (_, _, changed) = house.send("PATCH", &path, &[], &json!({"kind": null})).await;
    assert_eq!((&changed["kind"], &changed["priority"]), (&Value::Null, &json!("low")), "{changed}");
    clock.ahead(1);
    let list = house.wait_for("/v1/messages?state=delivered", newest).await;
    assert_eq!(list["data"][0]["kind"], Value::Null, "{list}");
}

#[tokio::test]
async fn text_that_recurs_is_filled_from_its_template_as_it_is_when_it_comes() {
    let clock = MovedClock::at(EVENING_MS);
    let house = House::ruled("", clock.clone(), Rules::default()).await;
    prefer(
        &house,
        &json!({"timezone": "America/Chicago", "phone_number": ADA, "quiet_hours_start": null, "quiet_hours_end": null}),
    )
    .await;
    let template = "/v1/templates/morning";
    let write = async |text: &str| {
        let content = json!({"name": "Morning", "text": text, "variables": {"name": "string"}});
        house.send("PUT", template, &[], &content).await;
        house.post(&format!("{template}/publish"), &[], &json!({})).await
    };
    let often = json!({"user_id": USER, "cron": "* * * * *", "template": "morning", "vars": {"name": "Ada"}});
    let (status, _, told) = house.post("/v1/recurrences", &[], &often).await;
    assert_eq!(
        (status, &told["errors"][0]["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("template_not_found"))
    );
    write("Good morning {{ name }}").await;
    let (_, _, made) = house.post("/v1/recurrences", &[], &often).await;
    assert_eq!((&made["template"], &made["vars"]), (&json!("morning"), &json!({"name": "Ada"})), "{made}");
    write("Hello {{ name }}").await;
    clock.ahead(1);
    let newest = |list: &Value| list["data"][0]["state"] != Value::Null;
    let list = house.wait_for("/v1/messages", newest).await;
    let text = &list["data"][0];
    assert_eq!((&text["body"], &text["template"]["version"]), (&json!("Hello Ada"), &json!(2)), "{text}");
    house.post(&format!("{template}/deactivate"), &[], &json!({})).await;
    clock.ahead(1);
    let path = format!("/v1/recurrences/{}", made["id"].as_str().unwrap());
    let shown = house.wait_for(&path, |shown| shown["skipped"] == json!(1)).await;
    assert_eq!(shown["last"]["skipped"], "not_filled", "{shown}");
}

/// The old quota counted at scheduling and compared at sending, so that a full plan sent nothing.
#[tokio::test]
async fn whoever_has_exactly_as_many_reminders_as_their_limit_gets_them_all_and_no_more() {
    let clock = MovedClock::at(EVENING_MS);
    let house = House::ruled("", clock.clone(), Rules::default()).await;
    prefer(
        &house,
        &json!({"timezone": "America/Chicago", "quiet_hours_start": null, "quiet_hours_end": null,
                           "daily_sms_limit": 3}),
    )
    .await;
    let mut paths = Vec::new();
    for _ in 0..3 {
        paths.push(accept(&house, &reminder("normal", "custom")).await.0);
    }
    for path in &paths {
        delivered(&house, path).await;
    }
    let (fourth, accepted) = accept(&house, &reminder("normal", "custom")).await;
    assert_eq!(accepted["decision"]["held_by"], "daily_limit_user");
    assert!(accepted["decision"]["release_at"].as_str().unwrap().starts_with("2026-12-24T06:00:00"));
    let (_, _, why) = house.get(&format!("{fourth}/explain")).await;
    assert_eq!((&why["evidence"]["limit"], &why["evidence"]["counted_today"]), (&json!(3), &json!(3)));
    assert_eq!(prefer(&house, &json!({"phone_number": ADA})).await["daily_sms_count"], 3);
    clock.ahead(2 * 60 + 50);
    delivered(&house, &fourth).await;
    prefer(&house, &json!({"daily_sms_limit": 0})).await;
    let (_, accepted) = accept(&house, &reminder("normal", "custom")).await;
    assert_eq!(
        accepted["decision"]["evidence"]["rule"], "daily_limit_user",
        "0 means none, not ten: {accepted}"
    );
    assert_eq!(house.carried(ADA).await, 4);
}

#[tokio::test]
async fn nobody_guesses_an_hour_without_a_zone() {
    let house = House::ruled("", MovedClock::at(EVENING_MS), Rules::default()).await;
    prefer(&house, &json!({"phone_number": ADA})).await;
    let (held, accepted) = accept(&house, &reminder("normal", "custom")).await;
    assert_eq!(accepted["decision"]["held_by"], "quiet_hours_unknown_tz");
    prefer(
        &house,
        &json!({"timezone": "Europe/Copenhagen", "quiet_hours_start": "23:00", "quiet_hours_end": "04:00"}),
    )
    .await;
    delivered(&house, &held).await;
}

#[tokio::test]
async fn number_says_the_zone_of_its_user_where_that_is_wanted_and_its_country_has_one() {
    const DANISH: &str = "+4532123456";
    let limits = Limits { zone_by_region: ZoneByRegion::On, ..Limits::default() };
    let house = House::ruled("", MovedClock::at(EVENING_MS), Rules { limits, ..Rules::default() }).await;
    prefer(
        &house,
        &json!({"phone_number": DANISH, "quiet_hours_start": "22:00", "quiet_hours_end": "05:00"}),
    )
    .await;
    let wish = json!({"to": DANISH, "user_id": USER, "body": "Your report is due"});
    let (held, _) = accept(&house, &wish).await;
    let why = house.get(&format!("{held}/explain")).await.2;
    let told = json!({
        "rule": "quiet_hours_user", "quiet_hours": "22:00-05:00", "kind_may_bypass": false,
        "timezone": "Europe/Copenhagen", "timezone_from": "number_region", "number_region": "DK",
    });
    for (name, value) in told.as_object().unwrap() {
        assert_eq!(&why["evidence"][name], value, "{why}");
    }
    assert_eq!(house.post("/v1/preview", &[], &wish).await.2["evidence"], why["evidence"]);
    // The United States have many.
    prefer(&house, &json!({"phone_number": ADA})).await;
    let (_, accepted) = accept(&house, &reminder("normal", "custom")).await;
    assert_eq!(accepted["decision"]["held_by"], "quiet_hours_unknown_tz");
}

#[tokio::test]
async fn rate_of_one_person_holds_what_is_too_much_for_them() {
    let limits = Limits { per_minute: Some(2), ..Limits::default() };
    let clock = MovedClock::at(EVENING_MS);
    let house = House::ruled("", clock.clone(), Rules { limits, ..Rules::default() }).await;
    let wish = json!({"to": ADA, "body": "hello"});
    let mut paths = Vec::new();
    for _ in 0..2 {
        paths.push(accept(&house, &wish).await.0);
        delivered(&house, paths.last().unwrap()).await;
    }
    let (third, accepted) = accept(&house, &wish).await;
    assert_eq!(accepted["decision"]["held_by"], "rate_limit_recipient");
    let (other, _) = accept(&house, &json!({"to": "+15551234568", "body": "hello"})).await;
    delivered(&house, &other).await;
    clock.ahead(1);
    delivered(&house, &third).await;
}

/// The old system texted any number that somebody named, and let users call their own numbers verified.
#[tokio::test]
async fn only_a_number_that_was_proven_is_texted_when_that_is_required() {
    let limits = Limits { verified: Verified::Required, ..Limits::default() };
    let house = House::ruled("", MovedClock::at(EVENING_MS), Rules { limits, ..Rules::default() }).await;
    prefer(&house, &json!({"timezone": "America/Chicago", "phone_number": ADA})).await;
    let (_, accepted) = accept(&house, &reminder("normal", "custom")).await;
    assert_eq!(accepted["decision"]["evidence"]["rule"], "not_verified");
    house.verify(USER, ADA).await.unwrap();
    let (sent, _) = accept(&house, &reminder("normal", "custom")).await;
    delivered(&house, &sent).await;
    let by_number = json!({"to": ADA, "body": "hello"});
    delivered(&house, &accept(&house, &by_number).await.0).await;
    assert!(house.verify("somebody-else", ADA).await.is_err(), "one number, one user");
    let other = json!({"to": ADA, "body": "hello", "user_id": "somebody-else"});
    assert_eq!(accept(&house, &other).await.1["decision"]["evidence"]["rule"], "not_verified");
    prefer(&house, &json!({"phone_number": "+15551234568"})).await;
    let (_, accepted) = accept(&house, &by_number).await;
    assert_eq!(
        accepted["decision"]["evidence"]["rule"], "not_verified",
        "changing the number takes the proof away"
    );
}

/// Callers that keep users, not numbers, read the number first and wished for a text to it a moment later.
#[tokio::test]
async fn text_to_a_user_goes_to_the_number_that_is_theirs_when_it_is_accepted() {
    const NEW: &str = "+15551234568";
    let house = House::ruled("", MovedClock::at(EVENING_MS), Rules::default()).await;
    let wish = json!({"user_id": USER, "body": "Your report is due"});
    let key = [("idempotency-key", "report-7")];
    let (status, _, problem) = house.post("/v1/messages", &key, &wish).await;
    assert_eq!((status, &problem["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("user_without_number")));
    let preview = house.post("/v1/preview", &[], &wish).await;
    assert_eq!((preview.0, &preview.2["code"]), (status, &problem["code"]));
    prefer(&house, &json!({"timezone": "America/Chicago", "phone_number": ADA})).await;
    let (_, headers, first) = house.post("/v1/messages", &key, &wish).await;
    let path = headers.get("location").unwrap().to_str().unwrap();
    delivered(&house, path).await;
    assert_eq!(house.get(path).await.2["to"], ADA);
    prefer(&house, &json!({"phone_number": NEW})).await;
    let (_, _, again) = house.post("/v1/messages", &key, &wish).await;
    assert_eq!(again["id"], first["id"], "a repeat is the same text, whatever changed since");
    let (next, _) = accept(&house, &wish).await;
    assert_eq!(house.get(&next).await.2["to"], NEW);
    delivered(&house, &next).await;
    let stranger = json!({"user_id": "nobody", "body": "hello"});
    let rows = json!({"messages": [stranger, wish]});
    let (_, _, told) = house.post("/v1/messages/batch", &[], &rows).await;
    assert_eq!((&told["accepted"], &told["refused"]), (&json!(1), &json!(1)), "{told}");
    assert_eq!(told["data"][0]["error"]["code"], "user_without_number");
    let unmet = house.get("/v1/users/nobody/preferences").await.0;
    assert_eq!(unmet, StatusCode::NOT_FOUND, "who is refused is not met");
    assert_eq!(house.carried(ADA).await, 1);
}

#[tokio::test]
async fn text_to_a_user_goes_only_to_a_number_that_they_have_proven_when_that_is_required() {
    let limits = Limits { verified: Verified::Required, ..Limits::default() };
    let house = House::ruled("", MovedClock::at(EVENING_MS), Rules { limits, ..Rules::default() }).await;
    prefer(&house, &json!({"timezone": "America/Chicago", "phone_number": ADA})).await;
    let wish = json!({"user_id": USER, "body": "Your report is due"});
    for path in ["/v1/messages", "/v1/preview"] {
        let (status, _, problem) = house.post(path, &[], &wish).await;
        let told = (status, problem["code"].as_str().unwrap());
        assert_eq!(told, (StatusCode::UNPROCESSABLE_ENTITY, "number_not_verified"));
    }
    house.verify(USER, ADA).await.unwrap();
    assert_eq!(house.post("/v1/preview", &[], &wish).await.2["action"], "send");
    delivered(&house, &accept(&house, &wish).await.0).await;
    assert_eq!(house.carried(ADA).await, 1);
}

#[tokio::test]
async fn preferences_refuse_what_is_wrong_and_what_is_not_theirs_to_set() {
    let house = House::build(None);
    let path = format!("/v1/users/{USER}/preferences");
    assert_eq!(house.get(&path).await.0, StatusCode::NOT_FOUND);
    let (status, _, problem) = house
        .send("PUT", &path, &[], &json!({"colour": "red", "phone_verified": true, "opted_out": false, "daily_sms_count": 0,
            "quiet_hours_start": "25:00", "timezone": "Mars/Olympus", "urgent_alerts": "yes", "daily_sms_limit": -1}))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let mut told: Vec<(&str, &str)> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["pointer"].as_str().unwrap(), error["code"].as_str().unwrap()))
        .collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            ("/colour", "unknown"),
            ("/daily_sms_count", "read_only"),
            ("/daily_sms_limit", "invalid"),
            ("/opted_out", "read_only"),
            ("/phone_verified", "read_only"),
            ("/quiet_hours_start", "invalid"),
            ("/timezone", "invalid"),
            ("/urgent_alerts", "invalid"),
        ]
    );
    assert_eq!(house.get(&path).await.0, StatusCode::NOT_FOUND, "nothing was kept");
    let (status, headers, told) = house
        .send("PUT", &path, &[], &json!({"task_reminders": false, "quiet_hours_start": "21:30:00"}))
        .await;
    assert_eq!((status, &told["quiet_hours_start"]), (StatusCode::OK, &json!("21:30")));
    let tag = headers.get("etag").unwrap().to_str().unwrap().to_owned();
    let fresh = house.send("PUT", &path, &[("if-match", &tag)], &json!({"daily_sms_limit": 4})).await;
    assert_eq!(fresh.0, StatusCode::OK);
    let stale = house.send("PUT", &path, &[("if-match", &tag)], &json!({"daily_sms_limit": 9})).await;
    assert_eq!((stale.0, &stale.2["code"]), (StatusCode::PRECONDITION_FAILED, &json!("precondition_failed")));
    let (_, _, told) = house.get(&format!("/api/sms/preferences?user_id={USER}")).await;
    assert_eq!(told["data"]["preferences"]["daily_sms_limit"], 4);
    let seed = json!({"task_reminders": true, "daily_brief_sms": false, "quiet_hours_start": "22:00", "quiet_hours_end": "08:00"});
    let (status, _, told) =
        house.send("PUT", &format!("/api/sms/preferences?user_id={USER}"), &[], &seed).await;
    assert_eq!((status, &told["success"]), (StatusCode::OK, &json!(true)));
}
