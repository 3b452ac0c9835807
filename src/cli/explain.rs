//! `dunlin explain`: what keeps a message back, or kept it for good.

use clap::Args;
use serde_json::Value;

use crate::cli::client::Client;
use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::message::name;
use crate::cli::output::{Form, Output};

/// Say what keeps a message back, or kept it for good, and who may change it.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The message: its id, or the provider's SID; or a phone number, for the newest message to it
    #[arg(value_name = "ID|SID|NUMBER", value_parser = meant)]
    message: Meant,
}

/// Which message is meant.
#[derive(Debug, Clone)]
enum Meant {
    Message(String),
    NewestTo(String),
}

/// A number begins with a plus sign; nothing else does.
fn meant(text: &str) -> Result<Meant, String> {
    if text.starts_with('+') { Ok(Meant::NewestTo(text.to_owned())) } else { name(text).map(Meant::Message) }
}

impl Meant {
    async fn id(self, client: &Client) -> Result<String, Failure> {
        let to = match self {
            Self::Message(id) => return Ok(id),
            Self::NewestTo(to) => to,
        };
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("to", &to)
            .append_pair("limit", "1")
            .finish();
        let newest = client.get(&format!("/v1/messages?{query}")).await?;
        let id = newest.pointer("/data/0/id").and_then(Value::as_str).map(str::to_owned);
        id.ok_or_else(|| Failure::new(Exit::NotFound, "no message to that number is in the store"))
    }
}

impl Explain {
    pub(super) async fn run(self, output: Output) -> Ended {
        let client = Client::from_environment()?;
        let id = self.message.id(&client).await?;
        let told = client.get(&format!("/v1/messages/{id}/explain")).await?;
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
