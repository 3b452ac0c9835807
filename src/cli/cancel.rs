//! `dunlin cancel`: withdraws a message, up to the moment its attempt is committed.

use clap::Args;
use dunlin_workflows::actor::Reason;
use serde_json::json;

use crate::cli::client::Client;
use crate::cli::exit::{Ended, Exit};
use crate::cli::message::{name, sentence};
use crate::cli::output::{Form, Output};

/// Withdraw a message that is not on its way yet.
#[derive(Debug, Args)]
pub(super) struct Cancel {
    /// The message: its id, or the provider's SID
    #[arg(value_parser = name)]
    id: String,
    /// Why; goes on record
    #[arg(long, value_name = "WORDS")]
    reason: Option<Reason>,
}

impl Cancel {
    pub(super) async fn run(self, output: Output) -> Ended {
        let client = Client::from_environment()?.because(self.reason);
        let path = format!("/v1/messages/{}/cancel", self.id);
        let message = client.post(&path, &json!({}), None).await?.into_success()?;
        match output.form() {
            Form::Json => output.json(&message)?,
            Form::Text => output.line(sentence(&message))?,
        }
        Ok(Exit::Success)
    }
}
