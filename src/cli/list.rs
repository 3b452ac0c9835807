//! `dunlin list`: messages that fit, newest first.

use clap::Args;
use serde_json::Value;

use crate::cli::exit::{Ended, Failure};
use crate::cli::message::Message;
use crate::cli::output::{Form, Output, Tone};
use crate::cli::pages;

/// List messages.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Only with this status: pending, scheduled, queued, sending, sent, delivered, undelivered, failed, cancelled
    #[arg(long)]
    status: Option<String>,
    /// Only in this state, such as held or unknown
    #[arg(long)]
    state: Option<String>,
    /// Only to this number
    #[arg(long)]
    to: Option<String>,
    /// Only of this user
    #[arg(long)]
    user_id: Option<String>,
    /// Only with this priority
    #[arg(long)]
    priority: Option<String>,
    /// Most messages shown
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

impl List {
    pub(super) async fn run(self, output: Output) -> Ended {
        let filters = [
            ("status", self.status.as_deref()),
            ("state", self.state.as_deref()),
            ("to", self.to.as_deref()),
            ("user_id", self.user_id.as_deref()),
            ("priority", self.priority.as_deref()),
        ];
        pages::show(output, "/v1/messages", &filters, self.limit, row).await
    }
}

fn row(output: Output, value: &Value) -> Result<(), Failure> {
    if output.form() == Form::Json {
        return Ok(output.json(value)?);
    }
    let Some(message) = Message::of(value) else {
        return Ok(output.line(value)?);
    };
    let tone = match message.status.as_str() {
        "delivered" => Tone::Good,
        "failed" | "undelivered" => Tone::Bad,
        _ => Tone::Dim,
    };
    let status = output.paint(tone, &format!("{:11}", message.status));
    let accepted_at = message.accepted_at.as_deref().unwrap_or_default();
    output.line(format_args!(
        "{}  {accepted_at}  {:16}  {status}  {}",
        message.id,
        message.masked(),
        message.why()
    ))?;
    Ok(())
}
