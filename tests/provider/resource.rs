//! The message resource of the sandbox where the client does not go: deletion, redaction, blank texts.

use dunlin::engine::provider::{FetchOutcome, Provider as _, SubmitOutcome};
use dunlin_workflows::id::ProviderSid;
use reqwest::{Method, StatusCode};

use crate::stand::{ACCOUNT, FROM, Stand, TO, TOKEN};

async fn ask(stand: &Stand, method: Method, path: &str, form: &str) -> (u16, serde_json::Value) {
    let url = format!("{}/2010-04-01/Accounts/{ACCOUNT}/{path}", stand.sandbox.base_url());
    let request = reqwest::Client::new().request(method, url).basic_auth(ACCOUNT, Some(TOKEN));
    let answer = request.body(form.to_owned()).send().await.unwrap();
    let status = answer.status();
    let body = if status == StatusCode::NO_CONTENT { "null".into() } else { answer.text().await.unwrap() };
    (status.as_u16(), serde_json::from_str(&body).unwrap())
}

async fn taken(stand: &Stand) -> ProviderSid {
    match stand.submit(TO, "Hello").await {
        SubmitOutcome::Accepted { sid, .. } => sid,
        other @ (SubmitOutcome::Refused { .. }
        | SubmitOutcome::NotSent { .. }
        | SubmitOutcome::Unknown { .. }) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn only_a_final_message_can_be_deleted_or_redacted() {
    let stand = Stand::with("callback_latency=1h").await;
    let path = format!("Messages/{}.json", taken(&stand).await);
    for (method, form) in [(Method::DELETE, ""), (Method::POST, "Body=")] {
        let (status, body) = ask(&stand, method, &path, form).await;
        assert_eq!((status, body.get("code").cloned()), (409, Some(20009.into())));
    }

    let stand = Stand::with("").await;
    let sid = taken(&stand).await;
    let path = format!("Messages/{sid}.json");
    let (status, body) = ask(&stand, Method::POST, &path, "Body=").await;
    assert_eq!((status, body.get("body").cloned()), (200, Some("".into())));
    assert_eq!(ask(&stand, Method::DELETE, &path, "").await.0, 204);
    assert_eq!(stand.client.fetch(sid).await, FetchOutcome::NotFound);
    assert_eq!(stand.find("Hello").await, []);
    assert_eq!(stand.ledger().await.len(), 1, "what was accepted stays accepted");
}

#[tokio::test]
async fn blank_long_and_odd_texts_are_told_apart() {
    let stand = Stand::with("").await;
    for (text, wanted) in [
        ("", Some(21602)),
        ("%20%0A", Some(21602)),
        (&"a".repeat(1600), None),
        (&"a".repeat(1601), Some(21617)),
        ("bell%07", None),
    ] {
        let to = TO.replace('+', "%2B");
        let from = FROM.replace('+', "%2B");
        let form = format!("To={to}&From={from}&Body={text}");
        let (status, body) = ask(&stand, Method::POST, "Messages.json", &form).await;
        let code = body.get("code").and_then(serde_json::Value::as_u64);
        assert_eq!((status, code), (if wanted.is_some() { 400 } else { 201 }, wanted), "{text:.20}");
    }
}

#[tokio::test]
async fn dropped_sandbox_answers_nobody_any_more() {
    let Stand { sandbox, client, .. } = Stand::with("").await;
    client.check().await.unwrap();
    drop(sandbox);
    assert!(client.check().await.is_err());
}
