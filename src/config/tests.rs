//! What is refused, and what the defaults are.

use dunlin_workflows::rules::Rules;

use super::environment::Environment;
use super::*;
use crate::twilio::Sender;

const SID: &str = "0123456789abcdef0123456789abcdef";

fn read<const N: usize>(pairs: [(&str, &str); N]) -> Result<Config, Vec<String>> {
    Config::read(&Values::resolve(&[], &Environment::from(pairs)))
        .map_err(|problems| problems.0.into_iter().map(|problem| problem.what).collect())
}

#[test]
fn defaults_are_the_rules_of_the_core_and_the_sandbox() {
    let config = read([]).unwrap();
    assert_eq!(config.rules, Rules::default());
    assert!(matches!(config.destination, Destination::Sandbox));
    assert_eq!((config.sender_rate, config.provider_concurrency), (None, 32));
    assert_eq!((config.queue_bytes, config.cache_bytes), (16 << 20, 32 << 20));
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
}

#[test]
fn account_token_and_sender_mean_live() {
    let account = format!("AC{SID}");
    let service = format!("MG{SID}");
    let config = read([
        ("PRIVATE_TWILIO_ACCOUNT_SID", account.as_str()),
        ("TWILIO_AUTH_TOKEN", "hush"),
        ("TWILIO_MESSAGING_SERVICE_SID", service.as_str()),
        ("TWILIO_STATUS_CALLBACK_URL", "https://texts.example.test/api/webhooks/twilio/status"),
    ])
    .unwrap();
    let Destination::Live(account) = config.destination else { panic!("expected live") };
    assert_eq!(account.sender, Sender::MessagingService(service));
    assert_eq!(config.public_url.as_deref(), Some("https://texts.example.test"));
    assert_eq!(config.sender_rate, Some(100));
}

#[test]
fn half_an_account_is_refused_and_names_what_lacks() {
    assert_eq!(
        read([("TWILIO_AUTH_TOKEN", "hush")]).unwrap_err(),
        [
            "TWILIO_AUTH_TOKEN is set, but not TWILIO_ACCOUNT_SID nor a sender (TWILIO_MESSAGING_SERVICE_SID or \
          TWILIO_FROM); set all of them to send for real, or none of them for the sandbox"
        ]
    );
}

#[test]
fn everything_wrong_is_told_at_once_and_no_secret_with_it() {
    let account = format!("SK{SID}");
    let problems = read([
        ("TWILIO_ACCOUNT_SID", account.as_str()),
        ("TWILIO_AUTH_TOKEN", "hush"),
        ("PRIVATE_TWILIO_AUTH_TOKEN", "hush-hush"),
        ("TWILIO_FROM", "555 0100"),
        ("DUNLIN_LISTEN", "0.0.0.0:80"),
        ("DUNLIN_RETRY_CAP", "1s"),
        ("DUNLIN_POLL_AFTER", "1h,10m"),
        ("DUNLIN_LOG", "dunlin=loud"),
        ("DUNLIN_DEFAULT_REGION", "Denmark"),
    ])
    .unwrap_err();
    for (name, count) in [
        ("PRIVATE_TWILIO_AUTH_TOKEN", 1),
        ("TWILIO_ACCOUNT_SID", 1),
        ("TWILIO_FROM", 1),
        ("DUNLIN_LISTEN", 1),
        ("DUNLIN_RETRY_CAP", 1),
        ("DUNLIN_POLL_AFTER", 1),
        ("DUNLIN_LOG", 1),
        ("DUNLIN_DEFAULT_REGION", 1),
    ] {
        assert_eq!(
            problems.iter().filter(|what| what.contains(name)).count(),
            count,
            "{name}: {problems:#?}"
        );
    }
    assert!(!problems.concat().contains("hush"));
}

#[test]
fn two_public_urls_must_agree() {
    let callback = ("TWILIO_STATUS_CALLBACK_URL", "https://a.example.test/sms/api/webhooks/twilio/status");
    let agreed = read([callback, ("DUNLIN_PUBLIC_URL", "https://a.example.test/sms/")]).unwrap();
    assert_eq!(agreed.public_url.as_deref(), Some("https://a.example.test/sms"));
    let problems = read([callback, ("DUNLIN_PUBLIC_URL", "https://b.example.test")]).unwrap_err();
    assert!(problems[0].contains("disagree about the public URL"), "{problems:?}");
    assert!(read([("TWILIO_STATUS_CALLBACK_URL", "https://a.example.test/other")]).is_err());
}

#[test]
fn reports_about_people_come_by_https_or_on_loopback_only() {
    let (account, service) = (format!("AC{SID}"), format!("MG{SID}"));
    let live = |name, url| {
        read([
            ("TWILIO_ACCOUNT_SID", account.as_str()),
            ("TWILIO_AUTH_TOKEN", "hush"),
            ("TWILIO_MESSAGING_SERVICE_SID", service.as_str()),
            (name, url),
        ])
    };
    for good in ["https://a.example.test", "http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:1"] {
        assert_eq!(live("DUNLIN_PUBLIC_URL", good).unwrap().public_url.as_deref(), Some(good));
    }
    for (name, clear) in [
        ("DUNLIN_PUBLIC_URL", "http://a.example.test"),
        ("DUNLIN_PUBLIC_URL", "http://127.0.0.1.example.test"),
        ("TWILIO_STATUS_CALLBACK_URL", "http://a.example.test/api/webhooks/twilio/status"),
    ] {
        let problems = live(name, clear).unwrap_err();
        assert!(problems[0].contains(name) && problems[0].contains("use https"), "{problems:?}");
    }
    assert!(read([("DUNLIN_PUBLIC_URL", "http://a.example.test")]).is_ok(), "nothing is real in the sandbox");
}

#[test]
fn line_with_a_link_needs_a_public_url() {
    let line = ("DUNLIN_OPT_OUT_LINE", "STOP ends these, or {opt_out_url}");
    let problems = read([line]).unwrap_err();
    assert!(
        problems[0].contains("DUNLIN_OPT_OUT_LINE") && problems[0].contains("DUNLIN_PUBLIC_URL"),
        "{problems:?}"
    );
    let config = read([line, ("DUNLIN_PUBLIC_URL", "https://a.example.test")]).unwrap();
    let line = config.rules.limits.opt_out_line.unwrap();
    assert!(line.has_link() && line.to_string().ends_with("https://a.example.test/o/{token}"), "{line}");
}

#[test]
fn beyond_loopback_a_token_is_needed() {
    assert!(read([("DUNLIN_LISTEN", "0.0.0.0:80")]).is_err());
    assert!(read([("DUNLIN_LISTEN", "0.0.0.0:80"), ("DUNLIN_API_TOKEN", "hush")]).is_ok());
    assert!(read([("DUNLIN_LISTEN", "[::1]:80")]).is_ok());
}
