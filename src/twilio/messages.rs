//! The Messages resource: create, fetch, cancel. Finding is in `search`.
//!
//! Source: the provider's OpenAPI document `twilio_api_v2010`, read 2026-11-23.

use dunlin_workflows::body::Body;
use dunlin_workflows::id::ProviderSid;
use dunlin_workflows::message::ProviderStatus;
use dunlin_workflows::phone_number::PhoneNumber;

use crate::engine::provider::{
    Answer, Candidate, FetchOutcome, FindOutcome, Provider, Search, Submission, SubmitOutcome,
};
use crate::twilio::answer::{
    CreatedAnswer, ErrorAnswer, MessageAnswer, PageAnswer, network, read, retry_after,
};
use crate::twilio::client::Twilio;
use crate::twilio::token;

impl Provider for Twilio {
    fn submit(&self, submission: Submission) -> Answer<'_, SubmitOutcome> {
        Box::pin(self.create(submission))
    }

    fn find(&self, search: Search) -> Answer<'_, FindOutcome> {
        Box::pin(async move {
            self.search(&search).await.unwrap_or_else(|detail| FindOutcome::Unavailable { detail })
        })
    }

    fn fetch(&self, sid: ProviderSid) -> Answer<'_, FetchOutcome> {
        Box::pin(
            async move { self.get(sid).await.unwrap_or_else(|detail| FetchOutcome::Unavailable { detail }) },
        )
    }
}

impl Twilio {
    async fn create(&self, submission: Submission) -> SubmitOutcome {
        self.post(self.creation(&submission)).await
    }

    /// Sends one text, once, and asks for no callbacks.
    pub(crate) async fn send(&self, to: PhoneNumber, body: &Body) -> SubmitOutcome {
        let mut form = form_urlencoded::Serializer::new(self.sender_field.clone());
        form.append_pair("To", &to.to_string()).append_pair("Body", body.as_str());
        self.post(form.finish()).await
    }

    /// Sends one creation, once. What is not certainly refused or unwritten is unknown.
    async fn post(&self, form: String) -> SubmitOutcome {
        let sent = self.http.post(self.creation_url.clone()).body(form).send().await;
        let response = match sent {
            Ok(response) => response,
            // The connector failed, in time or not: there was no connection to write to. A timeout of the
            // whole exchange is not of this kind.
            Err(error) if error.is_connect() => {
                return SubmitOutcome::NotSent { detail: network(&error) };
            }
            Err(error) => return SubmitOutcome::Unknown { detail: network(&error) },
        };
        let (status, retry_after) = (response.status().as_u16(), retry_after(&response));
        let Some(body) = read(response).await else {
            return match status {
                400..=499 => SubmitOutcome::Refused {
                    http_status: status,
                    code: None,
                    detail: String::new(),
                    retry_after,
                },
                _not_refused => {
                    SubmitOutcome::Unknown { detail: format!("HTTP {status}, and the answer broke off") }
                }
            };
        };
        match status {
            201 => created(&body),
            400..=499 => {
                let code = serde_json::from_slice::<ErrorAnswer>(&body).unwrap_or_default().code;
                SubmitOutcome::Refused {
                    http_status: status,
                    code,
                    detail: format!("HTTP {status}"),
                    retry_after,
                }
            }
            _neither_taken_nor_refused => SubmitOutcome::Unknown { detail: format!("HTTP {status}") },
        }
    }

    /// The form that creates one message.
    fn creation(&self, submission: &Submission) -> String {
        let token = token::seal(&self.callback_key, submission.message, submission.attempt);
        let mut form = form_urlencoded::Serializer::new(self.sender_field.clone());
        form.append_pair("To", &submission.to.to_string());
        form.append_pair("Body", submission.body.as_str());
        form.append_pair("StatusCallback", &self.callback_url(&token));
        if let Some(validity) = submission.validity {
            form.append_pair("ValidityPeriod", &validity.as_secs().to_string());
        }
        form.finish()
    }

    async fn get(&self, sid: ProviderSid) -> Result<FetchOutcome, String> {
        match self.ask::<MessageAnswer>(&format!("{}/{sid}.json", self.messages_url)).await? {
            Some(message) => candidate(&message).map(FetchOutcome::Found),
            None => Ok(FetchOutcome::NotFound),
        }
    }

    /// Withdraws a message that the provider itself still holds.
    ///
    /// # Errors
    /// Why it could not be withdrawn, without addresses or secrets.
    pub async fn cancel(&self, sid: ProviderSid) -> Result<(), String> {
        let url = format!("{}/{sid}.json", self.messages_url);
        let response =
            self.http.post(url).body("Status=canceled").send().await.map_err(|error| network(&error))?;
        let status = response.status();
        if status.is_success() { Ok(()) } else { Err(format!("HTTP {}", status.as_u16())) }
    }

    /// Asks whether the account can be reached with these credentials.
    ///
    /// # Errors
    /// What the provider or the network says.
    pub async fn check(&self) -> Result<(), String> {
        self.ask::<PageAnswer>(&format!("{}.json?PageSize=1", self.messages_url))
            .await?
            .map(|_page| ())
            .ok_or_else(|| "HTTP 404: the account does not exist".to_owned())
    }

    /// Reads one resource; `None` when it does not exist.
    pub(super) async fn ask<T: serde::de::DeserializeOwned>(&self, url: &str) -> Result<Option<T>, String> {
        let response = self.http.get(url).send().await.map_err(|error| network(&error))?;
        let status = response.status().as_u16();
        let body = read(response).await.ok_or("the answer broke off")?;
        match status {
            200 => serde_json::from_slice(&body)
                .map(Some)
                .map_err(|error| format!("the answer is not as documented: {error}")),
            404 => Ok(None),
            other => Err(format!("HTTP {other}")),
        }
    }
}

/// What a creation that was answered with 201 came to. Whatever is not understood is unknown.
pub fn created(body: &[u8]) -> SubmitOutcome {
    let Ok(answer) = serde_json::from_slice::<CreatedAnswer<'_>>(body) else {
        return SubmitOutcome::Unknown {
            detail: "HTTP 201 with an answer that is not as documented".to_owned(),
        };
    };
    match (answer.sid.parse::<ProviderSid>(), answer.status.parse::<ProviderStatus>()) {
        (Ok(sid), Ok(status)) => SubmitOutcome::Accepted { sid, status },
        (Err(error), _) => SubmitOutcome::Unknown { detail: error.to_string() },
        (_, Err(error)) => SubmitOutcome::Unknown { detail: error.to_string() },
    }
}

/// What the engine needs to know of a message.
///
/// # Errors
/// Which of it the provider does not say, or says in words that we do not know.
pub fn candidate(message: &MessageAnswer) -> Result<Candidate, String> {
    let sid = message
        .sid
        .as_deref()
        .unwrap_or_default()
        .parse::<ProviderSid>()
        .map_err(|error| error.to_string())?;
    let word = message.status.as_deref().unwrap_or_default();
    let status = word.parse::<ProviderStatus>().map_err(|error| error.to_string())?;
    Ok(Candidate { sid, status, error_code: message.error_code })
}
