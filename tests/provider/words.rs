//! What is written on the wire, and what is kept of the answer.

use std::time::Duration;

use dunlin::engine::provider::{Provider as _, SubmitOutcome};
use dunlin::twilio::{Sender, Twilio, TwilioConfig, token};
use dunlin_workflows::id::{Attempt, MessageNumber};

use crate::listener::{Listener, answer};
use crate::stand::{ACCOUNT, CALLBACK_KEY, FROM, TO, TOKEN, config, plain_client, submission};

const TAKEN: &str = r#"{"sid":"SM0123456789abcdef0123456789abcdef","status":"accepted"}"#;
const TEXT: &str = "Your table is ready \u{1f37d} & waiting";

#[tokio::test]
async fn form_holds_what_the_provider_needs_and_nothing_else() {
    let server = Listener::start(&[answer("201 Created", TAKEN)]).await;
    let service = "MG0123456789abcdef0123456789abcdef";
    let config = TwilioConfig {
        sender: Sender::MessagingService(service.into()),
        status_callback_url: "https://h/status?who=us#rc=5&rp=all".into(),
        ..config(server.base_url(), TOKEN, FROM)
    };
    let outcome = Twilio::new(config).unwrap().submit(submission(TO, TEXT)).await;
    assert!(matches!(outcome, SubmitOutcome::Accepted { .. }), "{outcome:?}");
    let request = server.request(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let line = format!("POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1\r\n");
    assert!(head.starts_with(&line) && head.contains("user-agent: dunlin/"), "{head}");
    let fields: Vec<(String, String)> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let sealed = token::seal(&CALLBACK_KEY, MessageNumber::new(1), Attempt::new(1));
    let callback = format!("https://h/status?who=us&t={sealed}#rc=5&rp=all");
    let expected = [
        ("MessagingServiceSid", service),
        ("To", TO),
        ("Body", TEXT),
        ("StatusCallback", callback.as_str()),
        ("ValidityPeriod", "600"),
    ];
    assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn retry_after_is_taken_up_to_a_day() {
    for (value, expected) in [
        ("30", Some(Duration::from_secs(30))),
        ("0", Some(Duration::ZERO)),
        ("99999999", Some(Duration::from_hours(24))),
        ("-1", None),
        ("soon", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ] {
        let busy = format!("HTTP/1.1 429 Too Many\r\nretry-after: {value}\r\ncontent-length: 0\r\n\r\n");
        let server = Listener::start(&[busy]).await;
        let outcome = plain_client(server.base_url()).submit(submission(TO, TEXT)).await;
        let SubmitOutcome::Refused { http_status: 429, retry_after, .. } = outcome else {
            panic!("{value}: {outcome:?}")
        };
        assert_eq!(retry_after, expected, "{value}");
    }
}

#[tokio::test]
async fn details_name_no_number_text_address_or_secret() {
    let echo = format!(r#"{{"code":21211,"message":"{TO} said {TEXT}"}}"#);
    let answers = [answer("400 Bad Request", &echo), answer("500 Oh", &echo), answer("201 Created", &echo)];
    let mut details =
        vec![detail(plain_client("http://127.0.0.1:9".into()).submit(submission(TO, TEXT)).await)];
    for given in answers.into_iter().chain([String::new()]) {
        let server = Listener::start(&[given]).await;
        details.push(detail(plain_client(server.base_url()).submit(submission(TO, TEXT)).await));
    }
    for detail in details {
        for private in ["4155550100", "table", "127.0.0.1", TOKEN, ACCOUNT] {
            assert!(!detail.is_empty() && !detail.contains(private), "{detail}");
        }
    }
}

fn detail(outcome: SubmitOutcome) -> String {
    match outcome {
        SubmitOutcome::Refused { detail, .. }
        | SubmitOutcome::NotSent { detail }
        | SubmitOutcome::Unknown { detail } => detail,
        SubmitOutcome::Accepted { .. } => panic!("{outcome:?}"),
    }
}
