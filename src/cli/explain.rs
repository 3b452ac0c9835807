//! `dunlin explain`: what keeps a message back, or kept it for good.

use clap::Args;
use serde_json::Value;

use crate::cli::client::Client;
use crate::cli::exit::{Ended, Exit};
use crate::cli::message::name;
use crate::cli::output::{Form, Output};

/// Say what keeps a message back, or kept it for good, and who may change it.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The message: its id, or the provider's SID
    #[arg(value_parser = name)]
    id: String,
}

impl Explain {
    pub(super) async fn run(self, output: Output) -> Ended {
        let client = Client::from_environment()?;
        let told = client.get(&format!("/v1/messages/{}/explain", self.id)).await?;
        if output.form() == Form::Json {
            output.json(&told)?;
            return Ok(Exit::Success);
        }
        let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
        output.line(format_args!("{} is {}: {}", text("id"), text("state"), text("sentence")))?;
        for (label, name) in [("rule", "rule"), ("until", "until"), ("may be changed by", "lifted_by")] {
            if !text(name).is_empty() {
                output.line(format_args!("  {label}: {}", text(name)))?;
            }
        }
        output.line(format_args!("  next: {}", text("next")))?;
        Ok(Exit::Success)
    }
}
