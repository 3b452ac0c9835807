//! The provider's account: whether texts go out for real, and as whom.

use dunlin_workflows::phone_number::PhoneNumber;
use secrecy::SecretString;

use crate::config::problem::Problem;
use crate::config::resolve::Values;
use crate::config::setting::{Name, Setting};
use crate::config::value;
use crate::twilio::Sender;

/// Where texts go.
#[derive(Debug, Clone)]
pub enum Destination {
    /// To the provider, and from there to people.
    Live(Box<Account>),
    /// To a carrier of our own inside the daemon; nobody receives anything.
    Sandbox,
}

/// Everything needed to be somebody at the provider.
#[derive(Debug, Clone)]
pub struct Account {
    /// The account.
    pub account_sid: String,
    /// Its token.
    pub auth_token: SecretString,
    /// The second token while tokens are rotated.
    pub auth_token_secondary: Option<SecretString>,
    /// A key to call with instead of the token.
    pub api_key: Option<ApiKey>,
    /// As whom to send.
    pub sender: Sender,
    /// Where the provider's API is, without a slash at the end.
    pub api_base_url: String,
    /// The service that sends and checks codes, when there is one.
    pub verify: Option<VerifyAccount>,
}

/// The provider's service that sends and checks codes.
#[derive(Debug, Clone)]
pub struct VerifyAccount {
    /// Its name: `VA` and 32 hexadecimal digits.
    pub service_sid: String,
    /// Where its API is, without a slash at the end.
    pub api_base_url: String,
}

/// A key to call the provider with.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Its name.
    pub sid: String,
    /// Its secret.
    pub secret: SecretString,
}

/// Where the provider's two APIs are.
const PROVIDER_URL: &str = "https://api.twilio.com";
const VERIFY_URL: &str = "https://verify.twilio.com";

/// Settings that only make sense with an account.
const OF_AN_ACCOUNT: [Name; 8] = [
    Name::AccountSid,
    Name::AuthToken,
    Name::AuthTokenSecondary,
    Name::ApiKeySid,
    Name::ApiKeySecret,
    Name::MessagingServiceSid,
    Name::From,
    Name::VerifyServiceSid,
];

/// Reads where texts go: live with account, token and sender; sandbox with none of them.
///
/// Some of them without the others is refused: a missing token must not turn sending for real into
/// sending nowhere.
pub(super) fn read(values: &Values, problems: &mut Vec<Problem>) -> Option<Destination> {
    let present: Vec<&str> = OF_AN_ACCOUNT
        .iter()
        .filter(|name| values.text(**name).is_some())
        .map(|name| values.named(*name))
        .collect();
    if present.is_empty() {
        return Some(Destination::Sandbox);
    }
    let lacking = lacking(values);
    if !lacking.is_empty() {
        problems.push(Problem {
            setting: Some(Name::AccountSid),
            what: format!(
                "{} set, but not {}; set all of them to send for real, or none of them for the sandbox",
                set(&present),
                lacking.join(" nor ")
            ),
        });
        return None;
    }
    let mut checked = |name: Name, prefix: &str| {
        let text = values.text(name)?;
        value::sid(text, prefix)
            .map_err(|why| {
                problems.push(Problem { setting: Some(name), what: format!("{} {why}", values.named(name)) });
            })
            .ok()
    };
    let account_sid = checked(Name::AccountSid, "AC");
    let key_sid = checked(Name::ApiKeySid, "SK");
    let service = checked(Name::MessagingServiceSid, "MG");
    let verify_service = checked(Name::VerifyServiceSid, "VA");
    let sender = sender(values, service, problems);
    let api_base_url = values.text(Name::ApiBaseUrl).unwrap_or_default();
    let api_base_url = value::guarded_url(api_base_url)
        .map_err(|why| {
            let what = format!("{}: {why}", values.named(Name::ApiBaseUrl));
            problems.push(Problem { setting: Some(Name::ApiBaseUrl), what });
        })
        .ok();
    let elsewhere = api_base_url.as_deref().filter(|url| *url != PROVIDER_URL).unwrap_or(VERIFY_URL);
    let verify_url = values.text(Name::VerifyApiBaseUrl).unwrap_or(elsewhere);
    let verify_url = value::guarded_url(verify_url)
        .map_err(|why| {
            let what = format!("{}: {why}", values.named(Name::VerifyApiBaseUrl));
            problems.push(Problem { setting: Some(Name::VerifyApiBaseUrl), what });
        })
        .ok();
    let verify = verify_service.zip(verify_url.clone());
    let secret = |name| values.text(name).map(SecretString::from);
    let api_key = key_sid.and_then(|sid| Some(ApiKey { sid, secret: secret(Name::ApiKeySecret)? }));
    Some(Destination::Live(Box::new(Account {
        account_sid: account_sid?,
        auth_token: secret(Name::AuthToken)?,
        auth_token_secondary: secret(Name::AuthTokenSecondary),
        api_key,
        sender: sender?,
        api_base_url: api_base_url?,
        verify: verify.map(|(service_sid, api_base_url)| VerifyAccount { service_sid, api_base_url }),
    })))
}

/// What is missing for an account, in variable names.
fn lacking(values: &Values) -> Vec<String> {
    let missing = |name| values.text(name).is_none();
    let variable = |name| Setting::of(name).map_or("", Setting::variable).to_owned();
    let mut lacking: Vec<String> =
        [Name::AccountSid, Name::AuthToken].into_iter().filter(|name| missing(*name)).map(variable).collect();
    if missing(Name::MessagingServiceSid) && missing(Name::From) {
        lacking.push(format!(
            "a sender ({} or {})",
            variable(Name::MessagingServiceSid),
            variable(Name::From)
        ));
    }
    if missing(Name::ApiKeySid) != missing(Name::ApiKeySecret) {
        lacking.extend(
            [Name::ApiKeySid, Name::ApiKeySecret].into_iter().filter(|name| missing(*name)).map(variable),
        );
    }
    lacking
}

fn set(present: &[&str]) -> String {
    let verb = if present.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", present.join(", "))
}

fn sender(values: &Values, service: Option<String>, problems: &mut Vec<Problem>) -> Option<Sender> {
    let mut problem = |what| problems.push(Problem { setting: Some(Name::From), what });
    let from_name = values.named(Name::From);
    match (values.text(Name::MessagingServiceSid), values.text(Name::From)) {
        (Some(_), Some(_)) => {
            problem(format!(
                "{} and {from_name} are both set; keep one sender",
                values.named(Name::MessagingServiceSid)
            ));
            None
        }
        (Some(_), None) => service.map(Sender::MessagingService),
        (None, Some(from)) => PhoneNumber::parse(from, None)
            .map_err(|error| problem(format!("{from_name}: {error}")))
            .ok()
            .map(|number| Sender::From(number.to_string())),
        (None, None) => None,
    }
}
