//! Whether the provider knows us: one question that reads, and changes nothing.

use std::time::Duration;

use chrono::DateTime;
use reqwest::Response;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::cli::doctor::Check;
use crate::clock::{Clock as _, SystemClock};
use crate::config::account::Account;

/// Longest time for the answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Clocks further apart than this make searches for lost outcomes miss.
const SKEW_MAX: Duration = Duration::from_mins(1);

/// Asks for our own account.
///
/// Source: <https://www.twilio.com/docs/iam/api/account>, read 2026-11-24.
pub(super) async fn ask(account: &Account) -> Vec<Check> {
    // A carrier on this machine, such as our own, need not know more than messages.
    let path = if is_here(account) { "/Messages.json?PageSize=1" } else { ".json" };
    let url = format!("{}/2010-04-01/Accounts/{}{path}", account.api_base_url, account.account_sid);
    let http = reqwest::Client::builder()
        .timeout(ANSWER_MAX)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("dunlin/", env!("CARGO_PKG_VERSION")))
        .build();
    let request = match http {
        // The token is asked for even when calls go out with a key: callbacks can't be checked without it.
        Ok(http) => http.get(url).basic_auth(&account.account_sid, Some(account.auth_token.expose_secret())),
        Err(error) => {
            return vec![Check::bad("provider", error.to_string(), "check the TLS setup of this machine")];
        }
    };
    match request.send().await {
        Ok(response) => judge(response, account).await,
        Err(error) => {
            let words = format!("no answer from {}: {}", account.api_base_url, error.without_url());
            vec![Check::bad("provider", words, "check the network, firewall and TWILIO_API_BASE_URL")]
        }
    }
}

async fn judge(response: Response, account: &Account) -> Vec<Check> {
    let status = response.status();
    let date = response.headers().get("date").and_then(|date| date.to_str().ok()).and_then(clock);
    let body: Value = response.json().await.unwrap_or(Value::Null);
    let said = |field: &str| body.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let about_us = match status.as_u16() {
        200 if is_here(account) => Check::note(
            "provider",
            format!(
                "a carrier on this machine ({}) knows us; nobody receives anything",
                account.api_base_url
            ),
            "unset TWILIO_API_BASE_URL to send for real",
        ),
        200 if said("status") != "active" => Check::bad(
            "provider",
            format!("the account is {}", said("status")),
            "the provider's console says why and how to reactivate it",
        ),
        200 if said("type") == "Trial" => Check::note(
            "provider",
            "a trial account: only numbers verified in its console receive texts",
            "upgrade the account to reach everyone",
        ),
        200 => Check::good("provider", "knows us; the account is active"),
        401 | 403 => Check::bad(
            "provider",
            format!("refuses our credentials (HTTP {status})"),
            "TWILIO_AUTH_TOKEN must be the primary token of TWILIO_ACCOUNT_SID; both are in the provider's console",
        ),
        404 => Check::bad(
            "provider",
            format!("{} has no such account", account.api_base_url),
            "check TWILIO_ACCOUNT_SID and TWILIO_API_BASE_URL",
        ),
        _ => Check::bad(
            "provider",
            format!("answers HTTP {status}"),
            "try again; the provider's status page may tell more",
        ),
    };
    std::iter::once(about_us).chain(date).collect()
}

/// Whether the provider is a carrier on this machine: plain HTTP is for those alone.
fn is_here(account: &Account) -> bool {
    account.api_base_url.starts_with("http://")
}

/// Whether our clock agrees with the date in the provider's answer.
fn clock(date: &str) -> Option<Check> {
    let theirs = DateTime::parse_from_rfc2822(date).ok()?.timestamp_millis();
    let apart = Duration::from_millis(SystemClock::start().wall().as_millis().abs_diff(theirs));
    if apart <= SKEW_MAX {
        return Some(Check::good("clock", "agrees with the provider's"));
    }
    let words = format!("{} s apart from the provider's", apart.as_secs());
    Some(Check::bad("clock", words, "set the clock, best with NTP; schedules and searches depend on it"))
}
