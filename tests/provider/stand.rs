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
pub(crate) const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const CALLBACK_KEY: [u8; 32] = [7; 32];
/// Long enough for a busy machine to answer, short enough to wait for.
const TIMEOUT: Duration = Duration::from_secs(1);

/// What a client at `base_url` is set up with.
pub(crate) fn config(base_url: String, token: &str, from: &str) -> TwilioConfig {
    TwilioConfig {
        base_url,
        account_sid: ACCOUNT.into(),
        credentials: Credentials::AuthToken(SecretString::from(token)),
        sender: Sender::From(from.into()),
        status_callback_url: "http://127.0.0.1:9/status".into(),
        callback_key: CALLBACK_KEY,
        // The shorter one, so that a handshake ends by it and not by the other.
        connect_timeout: TIMEOUT.mul_f32(0.5),
        timeout: TIMEOUT,
    }
}

/// A client at `base_url`.
pub(crate) fn client(base_url: String, token: &str, from: &str) -> Twilio {
    Twilio::new(config(base_url, token, from)).unwrap()
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
    pub(crate) status: String,
}

/// A sandbox with faults, and a client for it.
#[derive(Debug)]
pub(crate) struct Stand {
    pub(crate) sandbox: Sandbox,
    pub(crate) client: Twilio,
    clock: Arc<SystemClock>,
}

impl Stand {
    /// Callbacks go where nobody listens.
    pub(crate) async fn with(faults: &str) -> Self {
        Self::calling(faults, "http://127.0.0.1:9/status").await
    }

    /// Callbacks go to `callback_url`.
    pub(crate) async fn calling(faults: &str, callback_url: &str) -> Self {
        let clock = Arc::new(SystemClock::start());
        let carrier = SandboxConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            account_sid: ACCOUNT.into(),
            auth_token: TOKEN.into(),
            faults: Faults::parse(faults).unwrap(),
        };
        let sandbox = Sandbox::start(carrier, Arc::<SystemClock>::clone(&clock)).await.unwrap();
        let config = TwilioConfig {
            status_callback_url: callback_url.into(),
            ..config(sandbox.base_url(), TOKEN, FROM)
        };
        let client = Twilio::new(config).unwrap();
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

    /// Waits until the carrier counts `wanted` callbacks as `name`.
    pub(crate) async fn count(&self, name: &str, wanted: u64) {
        let url = format!("{}/sandbox/stats", self.sandbox.base_url());
        let counted =
            async || -> serde_json::Value { reqwest::get(&url).await.unwrap().json().await.unwrap() };
        let waited = tokio::time::timeout(Duration::from_secs(10), async {
            while counted().await.get(name).and_then(serde_json::Value::as_u64) != Some(wanted) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        waited.await.unwrap();
    }
}
