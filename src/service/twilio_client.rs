//! The provider's API alone: one call, one request, and nothing remembered.

use std::time::Duration;

use dunlin_workflows::body::{Body, BodyError};
use dunlin_workflows::id::{ProviderSid, ProviderSidError};
use dunlin_workflows::message::ProviderStatus;
use dunlin_workflows::phone_number::{PhoneNumber, PhoneNumberError};
use dunlin_workflows::provider_error;
use dunlin_workflows::verification::{Checked, Code, CodeError, Refusal, Sent, VerificationSid};

use crate::config::account::Account;
use crate::engine::provider::{Candidate, FetchOutcome, Provider as _, SubmitOutcome};
use crate::twilio::{Credentials, Twilio, TwilioConfig, TwilioError, TwilioVerify};

/// Longest times to a connection and to the whole answer: those of a daemon that is told nothing else.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(15);

/// The provider's API, **without the engine's promises**: what is sent here is not durable, not tried again, not looked up
/// when its answer is lost, and judged by no rule. Opt-outs, quiet hours, limits and proofs are not asked for.
/// [`SmsService`](crate::service::SmsService) does all of that. No reports are asked for either: ask with
/// [`TwilioClient::fetch`].
///
/// Clones share connections.
///
/// ```
/// use std::sync::Arc;
///
/// use dunlin::clock::SystemClock;
/// use dunlin::config::account::VerifyAccount;
/// use dunlin::id_source::SystemIds;
/// use dunlin::sandbox::{Faults, Sandbox, SandboxConfig};
/// use dunlin::service::{CodeCheck, TwilioClient};
/// use dunlin::trial_account::TrialAccount;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // A carrier on this machine that speaks the provider's API, and an account there.
/// let trial = TrialAccount::draw(&SystemIds);
/// let carrier = SandboxConfig {
///     listen: ([127, 0, 0, 1], 0).into(),
///     account_sid: trial.account_sid.clone(),
///     auth_token: trial.auth_token.clone(),
///     faults: Faults::default(),
/// };
/// let carrier = Sandbox::start(carrier, Arc::new(SystemClock::start())).await?;
/// let mut account = trial.at(carrier.base_url());
/// let service_sid = "VA0123456789abcdef0123456789abcdef".to_owned();
/// account.verify = Some(VerifyAccount { service_sid, api_base_url: carrier.base_url() });
///
/// let client = TwilioClient::new(&account)?;
/// let sent = client.send("+15551234567", "Your table is ready").await?;
/// assert_eq!(client.fetch(sent.sid.as_str()).await?.sid, sent.sid);
///
/// client.start_verification("+15551234567").await?;
/// let check = client.check_verification("+15551234567", "no code").await;
/// assert!(check.is_err(), "letters are no code, and nobody is asked");
/// assert_ne!(client.check_verification("+15551234567", "0000").await?, CodeCheck::Right);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct TwilioClient {
    messages: Twilio,
    verify: Option<TwilioVerify>,
}

/// A text as the provider knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderMessage {
    /// The provider's name for it.
    pub sid: ProviderSid,
    /// Where it is.
    pub status: ProviderStatus,
    /// Why it failed, when it did.
    pub error_code: Option<u32>,
}

/// What the service says of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeCheck {
    /// It is the right one: the number is proven.
    Right,
    /// It is a wrong one.
    Wrong,
    /// There were too many wrong ones: start again.
    Spent,
    /// No code counts for this number: it expired, or proved it already.
    Gone,
}

/// What came to nothing, or may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TwilioClientError {
    /// It can't be a number.
    #[error(transparent)]
    Number(#[from] PhoneNumberError),
    /// It can't be sent as a text.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// It is no name of a message.
    #[error(transparent)]
    Sid(#[from] ProviderSidError),
    /// It can't be a code.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// The account names no service for codes.
    #[error("the account has no verification service; name one, VA and 32 hexadecimal digits")]
    NoService,
    /// The provider said no.
    #[error("the provider refused it: HTTP {http_status}{}", explained(*code))]
    Refused {
        /// HTTP status of the answer.
        http_status: u16,
        /// The provider's error code, when it gave one.
        code: Option<u32>,
        /// When to ask again, when the provider said so.
        retry_after: Option<Duration>,
    },
    /// No code is sent.
    #[error("the verification service sends no code: {}", refusal_words(*.0))]
    NoCode(Refusal),
    /// The provider does not know it.
    #[error("the provider knows no message {0}")]
    NotFound(ProviderSid),
    /// Nothing was asked, or nothing that may not be asked twice: ask again.
    #[error("the provider gave no usable answer: {0}")]
    Unavailable(String),
    /// It may have been done. Sending it again may send it twice.
    #[error("nobody knows whether the provider did it: {0}")]
    Unknown(String),
}

impl TwilioClient {
    /// A client of this account. Makes no connection.
    ///
    /// # Errors
    /// [`TwilioError`]: an address that is none, or to which credentials would travel in clear.
    pub fn new(account: &Account) -> Result<Self, TwilioError> {
        let credentials = match &account.api_key {
            Some(key) => Credentials::ApiKey { sid: key.sid.clone(), secret: key.secret.clone() },
            None => Credentials::AuthToken(account.auth_token.clone()),
        };
        let config = TwilioConfig {
            base_url: account.api_base_url.clone(),
            account_sid: account.account_sid.clone(),
            credentials,
            sender: account.sender.clone(),
            // Nothing that is sent from here asks for callbacks.
            status_callback_url: String::new(),
            callback_key: [0; 32],
            connect_timeout: CONNECT_TIMEOUT,
            timeout: TIMEOUT,
        };
        let verify = account.verify.as_ref();
        let verify =
            verify.map(|verify| TwilioVerify::new(&config, &verify.api_base_url, &verify.service_sid));
        Ok(Self { verify: verify.transpose()?, messages: Twilio::new(config)? })
    }

    /// Sends a text: one request, once.
    ///
    /// # Errors
    /// [`TwilioClientError::Unknown`] when it may be on its way all the same.
    pub async fn send(&self, to: &str, body: &str) -> Result<ProviderMessage, TwilioClientError> {
        let (to, body) = (PhoneNumber::parse(to, None)?, Body::parse(body)?);
        match self.messages.send(to, &body).await {
            SubmitOutcome::Accepted { sid, status } => Ok(ProviderMessage { sid, status, error_code: None }),
            SubmitOutcome::Refused { http_status, code, retry_after, .. } => {
                Err(TwilioClientError::Refused { http_status, code, retry_after })
            }
            SubmitOutcome::NotSent { detail } => Err(TwilioClientError::Unavailable(detail)),
            SubmitOutcome::Unknown { detail } => Err(TwilioClientError::Unknown(detail)),
        }
    }

    /// Asks where a text is.
    ///
    /// # Errors
    /// [`TwilioClientError::NotFound`], [`TwilioClientError::Unavailable`].
    pub async fn fetch(&self, sid: &str) -> Result<ProviderMessage, TwilioClientError> {
        let sid: ProviderSid = sid.parse()?;
        match self.messages.fetch(sid).await {
            FetchOutcome::Found(Candidate { sid, status, error_code }) => {
                Ok(ProviderMessage { sid, status, error_code })
            }
            FetchOutcome::NotFound => Err(TwilioClientError::NotFound(sid)),
            FetchOutcome::Unavailable { detail } => Err(TwilioClientError::Unavailable(detail)),
        }
    }

    /// Withdraws a text that the provider itself still holds.
    ///
    /// # Errors
    /// [`TwilioClientError::Unavailable`] with what the provider said: most often that it is too late.
    pub async fn cancel(&self, sid: &str) -> Result<(), TwilioClientError> {
        self.messages.cancel(sid.parse()?).await.map_err(TwilioClientError::Unavailable)
    }

    /// Has a code sent to a number, by the account's verification service.
    ///
    /// # Errors
    /// [`TwilioClientError::NoService`], [`TwilioClientError::NoCode`]. After [`TwilioClientError::Unknown`] ask again: the
    /// service sends the same code.
    pub async fn start_verification(&self, to: &str) -> Result<VerificationSid, TwilioClientError> {
        let to = PhoneNumber::parse(to, None)?;
        match self.service()?.send(to.to_string()).await {
            Sent::Taken { sid } => Ok(sid),
            Sent::Refused { refusal } => Err(TwilioClientError::NoCode(refusal)),
            Sent::Lost => Err(TwilioClientError::Unknown("no usable answer".to_owned())),
        }
    }

    /// Asks whether this is the code that was sent to a number.
    ///
    /// # Errors
    /// [`TwilioClientError::NoService`]. After [`TwilioClientError::Unknown`] the code may have counted: a right one is
    /// [`CodeCheck::Gone`] when it is asked about again.
    pub async fn check_verification(&self, to: &str, code: &str) -> Result<CodeCheck, TwilioClientError> {
        let (to, code) = (PhoneNumber::parse(to, None)?, code.parse::<Code>()?);
        match self.service()?.check(&to.to_string(), None, code.as_str()).await {
            Checked::Right => Ok(CodeCheck::Right),
            Checked::Wrong => Ok(CodeCheck::Wrong),
            Checked::Spent => Ok(CodeCheck::Spent),
            Checked::Gone => Ok(CodeCheck::Gone),
            Checked::Unavailable => {
                Err(TwilioClientError::Unavailable("the code was not looked at".to_owned()))
            }
            Checked::Lost => Err(TwilioClientError::Unknown("no usable answer".to_owned())),
        }
    }

    fn service(&self) -> Result<&TwilioVerify, TwilioClientError> {
        self.verify.as_ref().ok_or(TwilioClientError::NoService)
    }
}

/// What a code of the provider means, when the table of its errors knows.
fn explained(code: Option<u32>) -> String {
    let Some(code) = code else { return String::new() };
    let known = provider_error::find(code).map(|known| format!(", {} {}", known.cause, known.remedy));
    format!(", code {code}{}", known.unwrap_or_default())
}

fn refusal_words(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Unreachable => "the number can't receive one",
        Refusal::Blocked => "it sends none to this country or number; see the service's permissions",
        Refusal::Limited => "too many were asked for; wait ten minutes",
        Refusal::Unavailable => "it is in trouble; try again",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_is_told_with_cause_and_remedy() {
        let refused = TwilioClientError::Refused { http_status: 400, code: Some(21610), retry_after: None };
        let known = provider_error::find(21610).unwrap();
        let told = refused.to_string();
        assert!(told.contains(known.cause) && told.contains(known.remedy), "{told}");
    }
}
