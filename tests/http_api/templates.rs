//! Templates as callers meet them, and the keys that may write them.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::house::House;

const WEB: &str = "web-web-web-web-web";
const AUTHOR: &str = "author-author-author";
const PAGER: &str = "pager-pager-pager-pager";

fn keys() -> String {
    format!("web:read+send:{WEB} author:read+templates:{AUTHOR} pager:send+urgent:{PAGER}")
}

fn greeting(text: &str) -> Value {
    json!({
        "name": "A greeting", "text": text, "max_length": 60, "locales": {"da": "Hej {{ name }}"},
        "variables": {"name": {"type": "string", "max_length": 20, "on_long": "shorten"}},
    })
}

struct Caller<'a> {
    house: &'a House,
    bearer: String,
}

impl<'a> Caller<'a> {
    fn new(house: &'a House, key: &str) -> Self {
        Self { house, bearer: format!("Bearer {key}") }
    }

    async fn ask(&self, method: &str, path: &str, body: &Value) -> (StatusCode, Value) {
        let (status, _, told) = self.house.send(method, path, &[("authorization", &self.bearer)], body).await;
        (status, told)
    }
}

/// What carriers may filter is told to whoever writes it, and keeps nothing back.
#[tokio::test]
async fn what_carriers_may_filter_is_advice_and_never_a_rule() {
    let house = House::build(None);
    let text = json!({"to": "+15551234567", "body": "FREE RIDES TODAY!!! bit.ly/x"});
    let (_, _, preview) = house.post("/v1/preview", &[], &text).await;
    let codes = |told: &Value| -> Vec<String> {
        told["warnings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["code"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        codes(&preview),
        ["public_shortener", "promotional_words", "all_capitals", "repeated_punctuation"]
    );
    assert!(preview["warnings"][0]["source"].as_str().unwrap().starts_with("https://"));
    let (status, _, accepted) = house.post("/v1/messages", &[], &text).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");

    let content = json!({
        "name": "Sale", "text": "Hi {{ name }}{% if free %}, come in{% endif %}", "variables": {"name": "string", "free": "boolean"},
        "locales": {"da": "Hej {{ name }}, tinyurl.com/{{ name }}"},
    });
    let (status, _, written) = house.send("PUT", "/v1/templates/sale", &[], &content).await;
    assert_eq!(status, StatusCode::CREATED, "{written}");
    let told = &written["draft"]["warnings"];
    assert_eq!(
        (&told[0]["found"], &told[0]["locale"], &told[1]),
        (&json!("tinyurl.com"), &json!("da"), &Value::Null)
    );
    let vars = json!({"version": "draft", "vars": {"name": "winner", "free": true}});
    let (_, _, preview) = house.post("/v1/templates/sale/preview", &[], &vars).await;
    assert_eq!(codes(&preview), ["promotional_words"], "what fills it counts too: {preview}");
}

#[tokio::test]
async fn text_is_rendered_by_the_version_that_is_used_and_names_it() {
    let house = House::build(Some(&keys()));
    let (author, web) = (Caller::new(&house, AUTHOR), Caller::new(&house, WEB));
    let path = "/v1/templates/greeting";
    let (status, made) = author.ask("PUT", path, &greeting("Hello {{ name }}!")).await;
    assert_eq!((status, &made["status"]), (StatusCode::CREATED, &json!("draft")), "{made}");
    let worst = &made["draft"]["worst_case"][0];
    assert_eq!((&worst["length"], &worst["segments"]), (&json!(27), &json!(1)), "{made}");
    let wish = json!({"to": "+15551234567", "template": "greeting", "vars": {"name": "Ada"}});
    let (status, early) = web.ask("POST", "/v1/messages", &wish).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(early["errors"][0]["code"], "template_inactive", "{early}");
    assert_eq!(author.ask("POST", &format!("{path}/publish"), &json!({})).await.0, StatusCode::OK);
    let (status, accepted) = web.ask("POST", "/v1/messages", &wish).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
    author.ask("PUT", path, &greeting("Good day {{ name }}.")).await;
    author.ask("POST", &format!("{path}/publish"), &json!({})).await;
    let message = format!("/v1/messages/{}", accepted["id"].as_str().unwrap());
    let (_, shown) = web.ask("GET", &message, &Value::Null).await;
    assert_eq!(
        (&shown["body"], &shown["template"]),
        (&json!("Hello Ada!"), &json!({"key": "greeting", "version": 1}))
    );
    let danish =
        json!({"to": "+15551234567", "template": "greeting", "locale": "da-DK", "vars": {"name": "Ada"}});
    let (_, accepted) = web.ask("POST", "/v1/messages", &danish).await;
    let message = format!("/v1/messages/{}", accepted["id"].as_str().unwrap());
    let (_, shown) = web.ask("GET", &message, &Value::Null).await;
    assert_eq!((&shown["body"], &shown["template"]["version"]), (&json!("Hej Ada"), &json!(2)));
    let (_, usage) = web.ask("GET", &format!("{path}/usage"), &Value::Null).await;
    let counted = |row: &Value| (row["version"].clone(), row["accepted"].clone());
    let versions: Vec<_> = usage["data"].as_array().unwrap().iter().map(counted).collect();
    assert_eq!(versions, [(json!(2), json!(1)), (json!(1), json!(1))], "{usage}");
    let (_, back) = author.ask("POST", &format!("{path}/rollback"), &json!({"version": 1})).await;
    assert_eq!((&back["version"], &back["newest_version"]), (&json!(1), &json!(2)), "{back}");
    let (_, versions) = author.ask("GET", &format!("{path}/versions"), &Value::Null).await;
    let used: Vec<_> =
        versions["data"].as_array().unwrap().iter().map(|row| row["is_used"].clone()).collect();
    assert_eq!(used, [json!(false), json!(true)]);
    let preview = json!({"version": 2, "vars": {"name": "Somebody with a very long name"}});
    let (status, seen) = web.ask("POST", &format!("{path}/preview"), &preview).await;
    assert_eq!((status, &seen["body"]), (StatusCode::OK, &json!("Good day Somebody with a v....")), "{seen}");
    author.ask("POST", &format!("{path}/deactivate"), &json!({})).await;
    assert_eq!(web.ask("POST", "/v1/messages", &wish).await.0, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn key_does_what_it_is_for_and_nothing_else() {
    let house = House::build(Some(&keys()));
    let refused = |(status, told): (StatusCode, Value)| {
        assert_eq!((status, &told["code"]), (StatusCode::FORBIDDEN, &json!("insufficient_scope")), "{told}");
    };
    let [web, author, pager] = [WEB, AUTHOR, PAGER].map(|key| Caller::new(&house, key));
    let text = json!({"to": "+15551234567", "body": "x"});
    refused(web.ask("PUT", "/v1/templates/greeting", &greeting("x")).await);
    refused(web.ask("POST", "/v1/templates/greeting/publish", &json!({})).await);
    refused(author.ask("POST", "/v1/messages", &text).await);
    refused(pager.ask("GET", "/v1/messages", &Value::Null).await);
    refused(web.ask("GET", "/v1/audit", &Value::Null).await);
    refused(web.ask("POST", "/v1/recoveries", &json!({})).await);
    assert_eq!(
        Caller::new(&house, "nobody's").ask("GET", "/v1/messages", &Value::Null).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(web.ask("POST", "/v1/messages", &text).await.0, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn urgent_text_passes_quiet_hours_for_a_key_that_may_mark_it_and_for_no_other() {
    let urgent = json!({"to": "+15551234567", "user_id": "ada", "body": "Fire", "priority": "urgent"});
    let house = House::judging(&format!("{} duty:read+send+urgent:duty-duty-duty-duty", keys()));
    let (web, duty) = (Caller::new(&house, WEB), Caller::new(&house, "duty-duty-duty-duty"));
    house.verify("ada", "+15551234567").await.unwrap();
    let always = json!({"timezone": "UTC", "quiet_hours_start": "00:01", "quiet_hours_end": "00:00", "urgent_alerts": true});
    assert_eq!(web.ask("PUT", "/v1/users/ada/preferences", &always).await.0, StatusCode::OK);
    let (_, held) = web.ask("POST", "/v1/preview", &urgent).await;
    assert_eq!((&held["action"], &held["rule"]), (&json!("hold"), &json!("quiet_hours_user")), "{held}");
    let (_, goes) = duty.ask("POST", "/v1/preview", &urgent).await;
    assert_eq!((&goes["action"], &goes["bypasses_quiet_hours"]), (&json!("send"), &json!(true)), "{goes}");
}

#[tokio::test]
async fn template_that_can_not_be_used_or_was_changed_meanwhile_is_refused_where_it_is_wrong() {
    let house = House::build(None);
    let path = "/v1/templates/greeting";
    let (status, _, told) = house.send("PUT", path, &[], &greeting("Hello {{ nmae }}")).await;
    assert_eq!(
        (status, &told["errors"][0]["pointer"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("/text")),
        "{told}"
    );
    let wrong =
        json!({"name": "x", "text": "y", "variables": {"If": "string", "a": {"type": "date"}}, "colour": 1});
    let (_, _, told) = house.send("PUT", path, &[], &wrong).await;
    let pointers: Vec<_> =
        told["errors"].as_array().unwrap().iter().map(|error| error["pointer"].clone()).collect();
    assert_eq!(pointers, ["/colour", "/variables/If", "/variables/a"]);
    let (status, headers, _) =
        house.send("PUT", path, &[("if-none-match", "*")], &greeting("Hello {{ name }}")).await;
    assert_eq!((status, headers["etag"].to_str().unwrap()), (StatusCode::CREATED, "\"1\""));
    let (status, _, _) = house.send("PUT", path, &[("if-none-match", "*")], &greeting("Hi {{ name }}")).await;
    assert_eq!(status, StatusCode::PRECONDITION_FAILED);
    let because = [("if-match", "\"1\""), ("dunlin-reason", "shorter")];
    let (status, headers, _) = house.send("PUT", path, &because, &greeting("Hi {{ name }}")).await;
    assert_eq!((status, headers["etag"].to_str().unwrap()), (StatusCode::OK, "\"2\""));
    let (_, _, told) = house.post(&format!("{path}/publish"), &[("if-match", "\"1\"")], &json!({})).await;
    assert_eq!(told["code"], "precondition_failed");
    let first = [("dunlin-reason", "a first one")];
    let (status, _, _) = house.send("PUT", "/v1/templates/other", &first, &greeting("Hi {{ name }}")).await;
    assert_eq!(status, StatusCode::CREATED, "a reason can be given for the first version too");
    let (_, _, list) = house.get("/v1/templates?limit=1").await;
    assert_eq!((&list["data"][0]["key"], &list["has_more"]), (&json!("greeting"), &json!(true)));
}

#[tokio::test]
async fn repeat_is_answered_as_the_first_whatever_became_of_its_template() {
    let house = House::build(None);
    let path = "/v1/templates/greeting";
    house.send("PUT", path, &[], &greeting("Hello {{ name }}!")).await;
    house.post(&format!("{path}/publish"), &[], &json!({})).await;
    let wish = json!({"to": "+15551234567", "template": "greeting", "vars": {"name": "Ada"}});
    let key = [("idempotency-key", "morning")];
    let (status, _, first) = house.post("/v1/messages", &key, &wish).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{first}");
    let rows = json!({"messages": [wish, {"to": "12", "body": "wrong then and now"}]});
    let (_, _, first_batch) = house.post("/v1/messages/batch", &key, &rows).await;
    assert_eq!((&first_batch["accepted"], &first_batch["refused"]), (&json!(1), &json!(1)), "{first_batch}");

    // What says something else, needs another value, or is switched off.
    let other = json!({"name": "Another", "text": "Bye {{ nickname }}", "variables": {"nickname": "string"}});
    house.send("PUT", path, &[], &other).await;
    house.post(&format!("{path}/publish"), &[], &json!({})).await;
    for what in ["changed", "switched off"] {
        let (status, headers, again) = house.post("/v1/messages", &key, &wish).await;
        assert_eq!((status, &again), (StatusCode::ACCEPTED, &first), "{what}");
        assert_eq!(headers["idempotent-replayed"], "true", "{what}");
        let (_, _, batch) = house.post("/v1/messages/batch", &key, &rows).await;
        assert_eq!(batch["data"][0]["id"], first_batch["data"][0]["id"], "{what}: {batch}");
        assert_eq!((&batch["data"][0]["replayed"], &batch["refused"]), (&json!(true), &json!(1)), "{what}");
        let (status, _, _) = house.post("/v1/messages", &[("idempotency-key", "evening")], &wish).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{what}: nobody asked with this key before");
        let of_another = json!({"to": "+15551234568", "template": "greeting", "vars": {"name": "Ada"}});
        let (status, _, _) = house.post("/v1/messages", &key, &of_another).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{what}: another wish is no repeat");
        house.post(&format!("{path}/deactivate"), &[], &json!({})).await;
    }
    assert_eq!(house.get("/v1/messages").await.2["data"].as_array().map(Vec::len), Some(2));
}
