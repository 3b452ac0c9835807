//! One submission, one request: nothing between us and the wire asks again.

use std::net::Ipv4Addr;

use dunlin::engine::provider::{Provider as _, SubmitOutcome};
use tokio::net::TcpListener;

use crate::listener::{Listener, answer};
use crate::stand::{TO, plain_client, submission};

const TAKEN: &str = r#"{"sid":"SM0123456789abcdef0123456789abcdef","status":"queued"}"#;

/// Submits to a server that answers so on every connection; returns the outcomes and the count of requests.
async fn submit(times: usize, answers: &[String]) -> (Vec<SubmitOutcome>, usize) {
    let listener = Listener::start(answers).await;
    let client = plain_client(listener.base_url());
    let mut outcomes = Vec::new();
    for _ in 0..times {
        outcomes.push(client.submit(submission(TO, "Hello")).await);
    }
    (outcomes, listener.requests())
}

fn is_unknown(outcome: &SubmitOutcome) -> bool {
    matches!(outcome, SubmitOutcome::Unknown { .. })
}

fn is_accepted(outcome: &SubmitOutcome) -> bool {
    matches!(outcome, SubmitOutcome::Accepted { .. })
}

#[tokio::test]
async fn a_connection_that_closes_instead_of_an_answer_is_not_asked_again() {
    let (outcomes, requests) = submit(5, &[String::new()]).await;
    assert!(outcomes.iter().all(is_unknown), "{outcomes:?}");
    assert_eq!(requests, 5);
}

#[tokio::test]
async fn a_kept_connection_that_closes_instead_of_an_answer_is_not_asked_again() {
    let (outcomes, requests) = submit(6, &[answer("201 Created", TAKEN), String::new()]).await;
    for pair in outcomes.chunks(2) {
        assert!(pair.first().is_some_and(is_accepted) && pair.last().is_some_and(is_unknown), "{outcomes:?}");
    }
    assert_eq!(requests, 6);
}

#[tokio::test]
async fn a_kept_connection_that_closed_meanwhile_costs_no_second_request() {
    let (outcomes, requests) = submit(20, &[answer("201 Created", TAKEN)]).await;
    let accepted = outcomes.iter().filter(|outcome| is_accepted(outcome)).count();
    // Every request that came was answered; an outcome is only unknown when its request never came.
    assert_eq!(requests, accepted, "{outcomes:?}");
    assert!(outcomes.iter().all(|outcome| is_accepted(outcome) || is_unknown(outcome)), "{outcomes:?}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let redirect = format!("HTTP/1.1 {status}\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n");
        let (outcomes, requests) = submit(1, &[redirect, answer("201 Created", TAKEN)]).await;
        assert!(outcomes.iter().all(is_unknown), "{status}: {outcomes:?}");
        assert_eq!(requests, 1, "{status}");
    }
}

#[tokio::test]
async fn a_success_that_can_not_be_read_is_unknown() {
    let broken_off = answer("201 Created", TAKEN).replace("queued\"}", "");
    let not_created = answer("200 OK", TAKEN);
    let no_sid = answer("201 Created", r#"{"sid":null,"status":"queued"}"#);
    let odd_status = answer("201 Created", &TAKEN.replace("queued", "teleported"));
    let no_json = answer("201 Created", "<html>");
    let no_http = "220 smtp ready\r\n".to_owned();
    for given in [broken_off, not_created, no_sid, odd_status, no_json, no_http] {
        let (outcomes, requests) = submit(1, std::slice::from_ref(&given)).await;
        assert!(outcomes.iter().all(is_unknown), "{given}: {outcomes:?}");
        assert_eq!(requests, 1, "{given}");
    }
}

#[tokio::test]
async fn a_refusal_is_one_even_when_its_words_break_off() {
    let broken_off = "HTTP/1.1 400 Bad Request\r\ncontent-length: 99\r\n\r\n{\"code\":21211".to_owned();
    for (given, code) in [(broken_off, None), (answer("400 Bad Request", r#"{"code":21211}"#), Some(21211))] {
        let (outcomes, _) = submit(1, &[given]).await;
        let refused = |outcome: &SubmitOutcome| matches!(outcome, SubmitOutcome::Refused { http_status: 400, code: given, .. } if *given == code);
        assert!(outcomes.iter().all(refused), "{outcomes:?}");
    }
}

#[tokio::test]
async fn a_refused_connection_means_that_nothing_was_sent() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let outcome = plain_client(format!("http://{address}")).submit(submission(TO, "Hello")).await;
    assert!(matches!(outcome, SubmitOutcome::NotSent { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_handshake_that_does_not_end_in_time_means_that_nothing_was_sent() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = silent.local_addr().unwrap();
    let client = plain_client(format!("https://{address}"));
    let outcome = client.submit(submission(TO, "Hello")).await;
    assert!(matches!(outcome, SubmitOutcome::NotSent { .. }), "{outcome:?}");
}

#[tokio::test]
async fn silence_after_the_request_is_unknown() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = silent.local_addr().unwrap();
    let outcome = plain_client(format!("http://{address}")).submit(submission(TO, "Hello")).await;
    assert!(is_unknown(&outcome), "{outcome:?}");
}
