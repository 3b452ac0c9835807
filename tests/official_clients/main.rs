//! Judged by the provider's own Python library and its own OpenAPI document: what the sandbox
//! answers and signs, what the client sends, and what the verifier takes.
//!
//! Needs Python 3.9 or later with `venv`, and the Python package index once: see `setup`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests end at the first surprise")]

mod judge; // the Python side
mod recorder; // what the client sends

use std::sync::Arc;
use std::time::Duration;

use dunlin::clock::SystemClock;
use dunlin::engine::provider::{Provider as _, Search, Submission};
use dunlin::engine::verify_service::{VerifyQuestion, VerifyService as _};
use dunlin::sandbox::{Faults, Sandbox, SandboxConfig};
use dunlin::twilio::signature::{SignatureError, Verifier};
use dunlin::twilio::{Credentials, Sender, Twilio, TwilioConfig, TwilioVerify};
use dunlin_workflows::body::Body;
use dunlin_workflows::id::{Attempt, MessageNumber};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::verification::{Checked, Code, CodeDigest, Command};
use secrecy::SecretString;
use serde::Deserialize;

use crate::recorder::Recorder;

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const SERVICE: &str = "MG0123456789abcdef0123456789abcdef";
const VERIFY: &str = "VA0123456789abcdef0123456789abcdef";
/// Seed of the requests that the library signs.
const SEED: u32 = 20_261_124;

/// Holds the sandbox to one of the judge's claims.
async fn hold(claim: &str, faults: &str) {
    let config = SandboxConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        account_sid: ACCOUNT.into(),
        auth_token: TOKEN.into(),
        faults: Faults::parse(faults).unwrap(),
    };
    let sandbox = Sandbox::start(config, Arc::new(SystemClock::start())).await.unwrap();
    judge::ask(&[claim, &sandbox.base_url(), ACCOUNT, TOKEN], String::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn official_client_creates_fetches_lists_and_pages_through_the_sandbox() {
    hold("messages", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn official_client_meets_refusals_of_the_sandbox_with_their_codes() {
    hold("refusals", "").await;
    hold("busy", "rate_429=1").await;
    hold("broken", "error_500=1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn official_client_cancels_what_the_sandbox_still_holds() {
    hold("cancel", "callback_latency=1h").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn official_client_proves_numbers_through_the_sandbox() {
    hold("verifications", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn official_validator_takes_the_signatures_of_sandbox_callbacks() {
    hold("callbacks", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn official_validator_takes_the_signatures_of_texts_from_the_sandbox() {
    hold("texts", "").await;
}

/// A request, signed by the library.
#[derive(Debug, Deserialize)]
struct Signed {
    token: String,
    url: String,
    body: String,
    is_form: bool,
    signature: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn signatures_of_the_official_library_verify_and_fit_nothing_else() {
    let said = judge::ask(&["signatures", &SEED.to_string()], String::new()).await;
    let mut verified = 0_u32;
    for line in said.lines() {
        let Signed { token, url, body, is_form, signature } = serde_json::from_str(line).unwrap();
        let verifier = Verifier::new(&[SecretString::from(token)]);
        let verify = |url: &str, body: &str| verifier.verify(url, body.as_bytes(), is_form, Some(&signature));
        assert_eq!(verify(&url, &body), Ok(()), "{line}");
        let other_body = if body.is_empty() { "x=1".to_owned() } else { format!("{body}&x=1") };
        let wrong_body = if is_form { SignatureError::Mismatch } else { SignatureError::BodyHash };
        assert_eq!(verify(&url, &other_body), Err(wrong_body), "{line}");
        let other_url = url.replacen("example.com", "example.org", 1);
        assert_eq!(verify(&other_url, &body), Err(SignatureError::Mismatch), "{line}");
        let stranger = Verifier::new(&[SecretString::from("another token")]);
        let refused = stranger.verify(&url, body.as_bytes(), is_form, Some(&signature));
        assert_eq!(refused, Err(SignatureError::Mismatch), "{line}");
        verified = verified.saturating_add(1);
    }
    assert_eq!(verified, 400);
}

fn config(base_url: String, sender: Sender) -> TwilioConfig {
    TwilioConfig {
        base_url,
        account_sid: ACCOUNT.into(),
        credentials: Credentials::AuthToken(SecretString::from(TOKEN)),
        sender,
        status_callback_url: "https://sms.example.com/v1/twilio/status?from=here#rc=2&rp=all".into(),
        callback_key: [7; 32],
        connect_timeout: Duration::from_secs(5),
        timeout: Duration::from_secs(5),
    }
}

/// Asks everything that is asked about a verification.
async fn ask_to_verify(base_url: String, to: PhoneNumber) {
    let config = config(base_url, Sender::From("+15005550006".into()));
    let service = TwilioVerify::new(&config, &config.base_url, VERIFY).unwrap();
    let sid = "VE0123456789abcdef0123456789abcdef".parse().unwrap();
    let (code, digest) = (Code::of_random(7), CodeDigest::from_bytes([7; 16]));
    let check = |sid| VerifyQuestion::Check { to, sid, code: code.clone(), digest };
    for question in [VerifyQuestion::Send { to }, check(None), check(Some(sid)), VerifyQuestion::Look { sid }]
    {
        // The recorder's answers say nothing, so nothing is believed.
        let told = service.ask(question).await;
        assert_ne!(told, Command::Checked { digest, checked: Checked::Right });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_of_the_client_has_only_documented_parameters_that_fit() {
    let recorder = Recorder::start().await;
    let to = PhoneNumber::parse("+14155550100", None).unwrap();
    let sid = "SM0123456789abcdef0123456789abcdef".parse().unwrap();
    for sender in [Sender::From("+15005550006".into()), Sender::MessagingService(SERVICE.into())] {
        let client = Twilio::new(config(recorder.base_url(), sender)).unwrap();
        for (attempt, text) in
            ["Hello", "Votre caf\u{e9}, 10 \u{20ac} \u{1f44b}\n&To=+1%20=;"].into_iter().enumerate()
        {
            let body = Body::parse(text).unwrap();
            let validity = (attempt == 0).then_some(Duration::from_hours(10));
            let (message, attempt) = (MessageNumber::new(u64::MAX), Attempt::new(u32::MAX));
            let submission = Submission { message, attempt, to, body: body.clone(), validity };
            drop(client.submit(submission).await);
            let (created_from, created_until) = (Timestamp::EPOCH, Timestamp::from_millis(1));
            drop(client.find(Search { to, body, created_from, created_until }).await);
        }
        drop(client.fetch(sid).await);
        client.cancel(sid).await.unwrap();
        drop(client.check().await);
    }
    ask_to_verify(recorder.base_url(), to).await;
    let requests = recorder.requests();
    assert_eq!(requests.len(), 18);
    let lines: Vec<String> = requests.iter().map(ToString::to_string).collect();
    judge::ask(&["requests"], lines.join("\n")).await;
}
