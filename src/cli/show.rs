//! `dunlin show`: one message's life, event by event.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::exit::{Ended, Exit};

use crate::cli::message::name;
use crate::cli::output::{Form, Output};
use crate::cli::timeline::Timeline;

/// Show one message's life.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The message: its id, or the provider's SID
    #[arg(value_parser = name)]
    id: String,
}

impl Show {
    pub(super) async fn run(self, output: Output) -> Ended {
        let client = Client::from_environment()?;
        let message = client.get(&format!("/v1/messages/{}", self.id)).await?;
        let events = client.get(&format!("/v1/messages/{}/events", self.id)).await?;
        match output.form() {
            Form::Json => output
                .json(&json!({"message": message, "events": events.get("data").unwrap_or(&Value::Null)}))?,
            Form::Text => output.line(Timeline::new(&message, &events).written(output))?,
        }
        Ok(Exit::Success)
    }
}
