//! What the sandbox calls back, when and how often; and that it is what our webhook takes.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::OriginalUri;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use dunlin::engine::provider::{FetchOutcome, Provider as _, SubmitOutcome};
use dunlin::sandbox::ENDINGS;
use dunlin::twilio::callback::StatusCallback;
use dunlin::twilio::signature::Verifier;
use dunlin::twilio::token;
use dunlin_workflows::id::{Attempt, MessageNumber};
use dunlin_workflows::message::ProviderStatus;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::stand::{ACCOUNT, CALLBACK_KEY, Stand, TO, TOKEN, submission};

/// A webhook that checks each callback as the daemon does, and hands it on.
async fn webhook() -> (String, mpsc::UnboundedReceiver<StatusCallback>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let (sender, inbox) = mpsc::unbounded_channel();
    let verifier = Verifier::new(&[TOKEN.into()]);
    let url = format!("{origin}/status?who=us#rc=5");
    let take = async move |OriginalUri(uri): OriginalUri, headers: HeaderMap, body: Bytes| {
        let address = format!("{origin}{uri}");
        let signature = headers.get("x-twilio-signature").and_then(|value| value.to_str().ok());
        assert_eq!(verifier.verify(&address, &body, true, signature), Ok(()));
        let sealed = uri.query().unwrap().split('&').find_map(|pair| pair.strip_prefix("t=")).unwrap();
        assert_eq!(token::open(&CALLBACK_KEY, sealed), Some((MessageNumber::new(1), Attempt::new(1))));
        let callback = StatusCallback::parse(&body).unwrap();
        assert_eq!(callback.account_sid, ACCOUNT);
        sender.send(callback).unwrap();
        StatusCode::NO_CONTENT
    };
    let app = Router::new().route("/status", post(take));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, inbox)
}

/// The next callback's status and error code.
async fn next(inbox: &mut mpsc::UnboundedReceiver<StatusCallback>) -> (ProviderStatus, Option<u32>) {
    let callback = tokio::time::timeout(Duration::from_secs(5), inbox.recv()).await.unwrap().unwrap();
    (callback.report.status, callback.report.code)
}

#[tokio::test]
async fn every_step_is_called_back_in_order_and_signed() {
    for pause in ["0ms", "20ms"] {
        let (url, mut inbox) = webhook().await;
        let stand = Stand::calling(&format!("callback_latency={pause}"), &url).await;
        let SubmitOutcome::Accepted { .. } = stand.submit(TO, "Hello").await else { panic!("not accepted") };
        assert_eq!(next(&mut inbox).await, (ProviderStatus::Sent, None));
        assert_eq!(next(&mut inbox).await, (ProviderStatus::Delivered, None));
        stand.count("callbacks_taken", 2).await;
    }
}

#[tokio::test]
async fn special_recipients_end_as_documented() {
    for (number, status, code) in ENDINGS {
        let (url, mut inbox) = webhook().await;
        let stand = Stand::calling("", &url).await;
        let SubmitOutcome::Accepted { sid, .. } = stand.client.submit(submission(number, "Hello")).await
        else {
            panic!("{number} not accepted")
        };
        if status == ProviderStatus::Delivered || status == ProviderStatus::Undelivered {
            assert_eq!(next(&mut inbox).await, (ProviderStatus::Sent, None), "{number}");
        }
        assert_eq!(next(&mut inbox).await, (status, code), "{number}");
        let FetchOutcome::Found(found) = stand.client.fetch(sid).await else { panic!("{number} not found") };
        assert_eq!((found.status, found.error_code), (status, code), "{number}");
    }
}

#[tokio::test]
async fn repeated_reordered_and_lost_callbacks_are_what_the_faults_say() {
    use ProviderStatus::{Delivered, Sent};
    for (faults, expected) in [
        ("callback_duplicate=1", vec![Sent, Sent, Delivered, Delivered]),
        ("callback_reorder=1", vec![Delivered, Sent]),
        ("callback_reorder=1,callback_latency=10ms", vec![Delivered, Sent]),
    ] {
        let (url, mut inbox) = webhook().await;
        let stand = Stand::calling(faults, &url).await;
        let SubmitOutcome::Accepted { .. } = stand.submit(TO, "Hello").await else { panic!("not accepted") };
        for status in expected {
            assert_eq!(next(&mut inbox).await.0, status, "{faults}");
        }
    }
    let (url, mut inbox) = webhook().await;
    let stand = Stand::calling("callback_lost=1", &url).await;
    let SubmitOutcome::Accepted { sid, .. } = stand.submit(TO, "Hello").await else { panic!("not accepted") };
    let FetchOutcome::Found(found) = stand.client.fetch(sid).await else { panic!("not found") };
    assert_eq!(found.status, Delivered);
    assert!(inbox.try_recv().is_err());
}

#[tokio::test]
async fn early_callback_comes_before_the_answer() {
    let (url, mut inbox) = webhook().await;
    let stand = Stand::calling("callback_early=1,latency=100ms", &url).await;
    tokio::select! {
        biased;
        outcome = stand.submit(TO, "Hello") => panic!("answered first: {outcome:?}"),
        first = next(&mut inbox) => assert_eq!(first.0, ProviderStatus::Sent),
    }
}

#[tokio::test]
async fn text_is_carried_although_the_caller_is_gone_and_nobody_takes_callbacks() {
    let stand = Stand::with("timeout_after_accept=1,hang=1h").await;
    let SubmitOutcome::Unknown { .. } = stand.submit(TO, "Hello").await else { panic!("answered") };
    stand.count("callbacks_failed", 2).await;
    let statuses: Vec<String> = stand.ledger().await.into_iter().map(|entry| entry.status).collect();
    assert_eq!(statuses, ["delivered"]);
}
