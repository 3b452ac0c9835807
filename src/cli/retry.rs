//! `dunlin retry`: tries a message again, at once while it waits, else as a new message.

use clap::Args;
use dunlin_workflows::actor::Reason;
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::exit::{Ended, Exit};
use crate::cli::instant::Instant;
use crate::cli::message::{name, sentence};
use crate::cli::output::{Form, Output};
use crate::clock::{Clock as _, SystemClock};
use crate::timeline::written;

/// Try a message again.
#[derive(Debug, Args)]
pub(super) struct Retry {
    /// The message: its id, or the provider's SID
    #[arg(value_parser = name)]
    id: String,
    /// Why; goes on record
    #[arg(long, value_name = "WORDS")]
    reason: Option<Reason>,
    /// Not at or after this instant: RFC 3339, or +DURATION from now
    #[arg(long, value_name = "INSTANT")]
    expires_at: Option<Instant>,
}

impl Retry {
    pub(super) async fn run(self, output: Output) -> Ended {
        let client = Client::from_environment()?.because(self.reason);
        let now = SystemClock::start().wall();
        let expires_at = self.expires_at.map(|instant| written(instant.seen_at(now)));
        let body = expires_at.map_or_else(|| json!({}), |instant| json!({"expires_at": instant}));
        let path = format!("/v1/messages/{}/retry", self.id);
        let message = client.post(&path, &body, None).await?.into_success()?;
        match output.form() {
            Form::Json => output.json(&message)?,
            Form::Text => {
                output.line(sentence(&message))?;
                if message.get("retry_of").and_then(Value::as_str) == Some(self.id.as_str()) {
                    output.talk(format_args!("a new message tries {} again", self.id));
                }
            }
        }
        Ok(Exit::Success)
    }
}
