//! The client and its carrier.

use std::sync::Arc;
use std::time::Duration;

use dunlin::clock::{Clock, SystemClock};
use dunlin::engine::provider::{Candidate, FindOutcome, Provider as _, Search, Submission, SubmitOutcome};
use dunlin::sandbox::{Faults, Sandbox, SandboxConfig};
use dunlin::twilio::{Credentials, Sender, Twilio, TwilioConfig};
use dunlin_workflows::body::Body;
use dunlin_workflows::id::{Attempt, MessageNumber};
use dunlin_workflows::phone_number::PhoneNumber;
use secrecy::SecretString;
use serde::Deserialize;

pub(crate) const FROM: &str = "+15005550006";
pub(crate) const TO: &str = "+14155550100";
const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// Long enough for a busy machine to answer, short enough to wait for.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A client at `base_url`.
pub(crate) fn client(base_url: String, token: &str, from: &str) -> Twilio {
    Twilio::new(TwilioConfig {
        base_url,
        account_sid: ACCOUNT.into(),
        credentials: Credentials::AuthToken(SecretString::from(token)),
        sender: Sender::From(from.into()),
        status_callback_url: "http://127.0.0.1:9/status".into(),
        callback_key: [7; 32],
        connect_timeout: TIMEOUT,
        timeout: TIMEOUT,
    })
    .unwrap()
}

/// A client with what the carrier on loopback wants.
pub(crate) fn plain_client(base_url: String) -> Twilio {
    client(base_url, TOKEN, FROM)
}

/// A text to somebody.
pub(crate) fn submission(to: &str, text: &str) -> Submission {
    Submission {
        message: MessageNumber::new(1),
        attempt: Attempt::new(1),
        to: PhoneNumber::parse(to, None).unwrap(),
        body: Body::parse(text).unwrap(),
        validity: Some(Duration::from_mins(10)),
    }
}

/// What the carrier took, as it says itself.
#[derive(Debug, Deserialize)]
pub(crate) struct Entry {
    pub(crate) sid: String,
    pub(crate) body: String,
}

/// A sandbox with faults, and a client for it.
#[derive(Debug)]
pub(crate) struct Stand {
    pub(crate) sandbox: Sandbox,
    pub(crate) client: Twilio,
    clock: Arc<SystemClock>,
}

impl Stand {
    pub(crate) async fn with(faults: &str) -> Self {
        let clock = Arc::new(SystemClock::start());
        let config = SandboxConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            account_sid: ACCOUNT.into(),
            auth_token: TOKEN.into(),
            faults: Faults::parse(faults).unwrap(),
        };
        let sandbox = Sandbox::start(config, Arc::<SystemClock>::clone(&clock)).await.unwrap();
        let client = plain_client(sandbox.base_url());
        Self { sandbox, client, clock }
    }

    pub(crate) async fn submit(&self, to: &str, text: &str) -> SubmitOutcome {
        self.client.submit(submission(to, text)).await
    }

    /// Searches as the engine does after a lost outcome.
    pub(crate) async fn find(&self, text: &str) -> Vec<Candidate> {
        let now = self.clock.wall();
        let minute = Duration::from_mins(1);
        let Submission { to, body, .. } = submission(TO, text);
        let search = Search { to, body, created_from: now.minus(minute), created_until: now.plus(minute) };
        match self.client.find(search).await {
            FindOutcome::Matches(matches) => matches,
            FindOutcome::Unavailable { detail } => panic!("the search failed: {detail}"),
        }
    }

    /// What the carrier took, oldest first.
    pub(crate) async fn ledger(&self) -> Vec<Entry> {
        let url = format!("{}/sandbox/ledger", self.sandbox.base_url());
        reqwest::get(url).await.unwrap().json().await.unwrap()
    }
}
