//! Verify, version 2: the provider's service that makes codes, sends them and checks them.
//!
//! Sources: the provider's OpenAPI document `twilio_verify_v2`, and
//! <https://www.twilio.com/docs/verify/api/verification-check>, both read 2026-11-24. A wrong code is answered
//! with 201 and `pending`; what is expired, approved or checked too often is answered with 404.

use std::fmt;
use std::time::Duration;

use dunlin_workflows::verification::{Checked, Command, Looked, Refusal, Sent, VerificationSid};
use serde::Deserialize;

use crate::engine::provider::Answer;
use crate::engine::verify_service::{VerifyQuestion, VerifyService};
use crate::twilio::answer::{ErrorAnswer, network, read};
use crate::twilio::client::{TwilioConfig, TwilioError, http, origin};

/// Longest time to an answer, however long texts may take: somebody waits, and after a minute an answer is
/// taken for lost.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// The provider does not know the resource.
const NOT_FOUND: u32 = 20404;
/// A parameter is not valid; of a check, only the code can be it.
const INVALID: u32 = 60200;
/// Too many wrong codes.
const CHECKS_SPENT: u32 = 60202;

/// The service over HTTP. Clones share connections.
#[derive(Clone)]
pub struct TwilioVerify {
    http: reqwest::Client,
    /// Address of the service, without a slash at its end.
    service_url: String,
}

impl fmt::Debug for TwilioVerify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TwilioVerify({})", self.service_url)
    }
}

/// What we need of an answer about a verification or a check.
#[derive(Debug, Deserialize)]
struct VerificationAnswer {
    sid: Option<String>,
    status: Option<String>,
}

/// An answer that was read in full: its status and body. Else why there is none.
enum Heard {
    Answer(u16, bytes::Bytes),
    /// Nothing was written: no connection was made.
    NotAsked,
    /// The question may or may not have been taken.
    Lost,
}

impl TwilioVerify {
    /// Sets up the client of a service (`VA` and 32 hexadecimal digits) of the account in `config`, at the origin
    /// `base_url`. Makes no connection.
    ///
    /// # Errors
    /// [`TwilioError`].
    pub fn new(config: &TwilioConfig, base_url: &str, service_sid: &str) -> Result<Self, TwilioError> {
        let origin = origin(base_url)?;
        let http = http(config, config.timeout.min(ANSWER_MAX))?;
        Ok(Self { http, service_url: format!("{origin}/v2/Services/{service_sid}") })
    }

    async fn hear(&self, request: reqwest::RequestBuilder, what: &'static str) -> Heard {
        let heard = match request.send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                match read(response).await {
                    Some(body) => Heard::Answer(status, body),
                    None => Heard::Lost,
                }
            }
            Err(error) => {
                tracing::warn!(what, why = network(&error), "the verification service did not answer");
                if error.is_connect() { Heard::NotAsked } else { Heard::Lost }
            }
        };
        if let Heard::Answer(status, body) = &heard
            && *status >= 400
        {
            let code = code(body);
            tracing::warn!(what, status, code, "the verification service refused a question");
        }
        heard
    }

    /// Asks for a code to be sent to this number.
    pub(crate) async fn send(&self, to: String) -> Sent {
        let form = form(&[("To", &to), ("Channel", "sms")]);
        let request = self.http.post(format!("{}/Verifications", self.service_url)).body(form);
        match self.hear(request, "send").await {
            Heard::Answer(200 | 201, body) => match verification(&body).and_then(|answer| answer.sid) {
                Some(sid) => sid.parse().map_or(Sent::Lost, |sid| Sent::Taken { sid }),
                None => Sent::Lost,
            },
            Heard::Answer(400..=499, body) => Sent::Refused { refusal: refusal(code(&body)) },
            Heard::NotAsked => Sent::Refused { refusal: Refusal::Unavailable },
            Heard::Answer(..) | Heard::Lost => Sent::Lost,
        }
    }

    /// Asks whether this is the code.
    pub(crate) async fn check(&self, to: &str, sid: Option<VerificationSid>, code_given: &str) -> Checked {
        let whom = match &sid {
            Some(sid) => ("VerificationSid", sid.as_str()),
            None => ("To", to),
        };
        let form = form(&[whom, ("Code", code_given)]);
        let request = self.http.post(format!("{}/VerificationCheck", self.service_url)).body(form);
        match self.hear(request, "check").await {
            Heard::Answer(200 | 201, body) => checked(&body),
            Heard::Answer(404, body) if code(&body) == Some(NOT_FOUND) => Checked::Gone,
            Heard::Answer(400, body) if code(&body) == Some(INVALID) => Checked::Wrong,
            Heard::Answer(429, body) if code(&body) == Some(CHECKS_SPENT) => Checked::Spent,
            Heard::Answer(400..=499, _) | Heard::NotAsked => Checked::Unavailable,
            Heard::Answer(..) | Heard::Lost => Checked::Lost,
        }
    }

    async fn look(&self, sid: VerificationSid) -> Looked {
        let request = self.http.get(format!("{}/Verifications/{sid}", self.service_url));
        match self.hear(request, "look").await {
            Heard::Answer(200, body) => looked(&body),
            Heard::Answer(404, body) if code(&body) == Some(NOT_FOUND) => Looked::Gone,
            Heard::Answer(..) | Heard::NotAsked | Heard::Lost => Looked::Unavailable,
        }
    }
}

impl VerifyService for TwilioVerify {
    fn ask(&self, question: VerifyQuestion) -> Answer<'_, Command> {
        Box::pin(async move {
            match question {
                VerifyQuestion::Send { to } => Command::Sent(self.send(to.to_string()).await),
                VerifyQuestion::Check { to, sid, code, digest } => {
                    let checked = self.check(&to.to_string(), sid, code.as_str()).await;
                    Command::Checked { digest, checked }
                }
                VerifyQuestion::Look { sid } => Command::Looked(self.look(sid).await),
            }
        })
    }
}

fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

fn verification(body: &[u8]) -> Option<VerificationAnswer> {
    serde_json::from_slice(body).ok()
}

fn code(body: &[u8]) -> Option<u32> {
    serde_json::from_slice::<ErrorAnswer>(body).unwrap_or_default().code
}

/// What an answer to a check says. A word that we do not know is looked up, not guessed.
fn checked(body: &[u8]) -> Checked {
    match verification(body).and_then(|answer| answer.status).as_deref() {
        Some("approved") => Checked::Right,
        Some("pending") => Checked::Wrong,
        Some("max_attempts_reached") => Checked::Spent,
        Some("canceled" | "deleted" | "failed" | "expired") => Checked::Gone,
        Some(_) | None => Checked::Lost,
    }
}

fn looked(body: &[u8]) -> Looked {
    match verification(body).and_then(|answer| answer.status).as_deref() {
        Some("approved") => Looked::Approved,
        Some("pending") => Looked::Pending,
        Some("max_attempts_reached") => Looked::Spent,
        Some("canceled" | "deleted" | "failed" | "expired") => Looked::Gone,
        Some(_) | None => Looked::Unavailable,
    }
}

/// Why no code was sent: the number's fault, the service's caution, or neither, which is our trouble.
fn refusal(code: Option<u32>) -> Refusal {
    match code {
        Some(21211 | 21614 | INVALID | 60205) => Refusal::Unreachable,
        Some(60220 | 60238 | 60410 | 60413 | 60605) => Refusal::Blocked,
        Some(60203) => Refusal::Limited,
        Some(_) | None => Refusal::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_we_do_not_know_are_never_a_yes_and_never_a_wrong_code() {
        for odd in [r#"{"status":"surprise"}"#, r#"{"status":null}"#, "{}", "<html>", r#"{"valid":true}"#] {
            assert_eq!(checked(odd.as_bytes()), Checked::Lost, "{odd}");
            assert_eq!(looked(odd.as_bytes()), Looked::Unavailable, "{odd}");
        }
        assert_eq!(refusal(None), Refusal::Unavailable);
    }
}
