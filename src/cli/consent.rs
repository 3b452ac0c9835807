//! `dunlin consent`: whether somebody may be texted, and what they said about it.

use clap::{Args, Subcommand, ValueEnum};
use dunlin_workflows::actor::Reason;
use dunlin_workflows::id::ProviderSid;
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::output::{Form, Output};
use crate::cli::pages;

/// Whether somebody may be texted, and what they said about it.
#[derive(Debug, Subcommand)]
pub(super) enum ConsentCommand {
    /// Show whether somebody may be texted
    Show(Number),
    /// Record that somebody wants no more texts
    OptOut(Statement),
    /// Record that somebody agreed again; give the reason
    OptIn(Statement),
    /// Make the link by which somebody opts out with one click
    Link(Link),
    /// Write everything that was said, as JSON lines, oldest first
    Export(Export),
    /// List texts that sound like an opt-out and wait to be read
    Reviews(Reviews),
    /// Say what such a text is
    Resolve(Resolve),
}

/// A number.
#[derive(Debug, Args)]
pub(super) struct Number {
    /// The phone number
    to: String,
}

/// What somebody said.
#[derive(Debug, Args)]
pub(super) struct Statement {
    /// The phone number
    to: String,
    /// Why; goes on record
    #[arg(long, value_name = "WORDS")]
    reason: Option<Reason>,
    /// When they said it, RFC 3339; now when left out
    #[arg(long, value_name = "INSTANT")]
    said_at: Option<String>,
}

/// Whose link.
#[derive(Debug, Args)]
pub(super) struct Link {
    /// The phone number
    #[arg(required_unless_present = "user", conflicts_with = "user")]
    to: Option<String>,
    /// The user whose number it is
    #[arg(long, value_name = "USER_ID")]
    user: Option<String>,
}

/// An export.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// Only of this phone number
    #[arg(long, value_name = "NUMBER")]
    to: Option<String>,
}

/// A list.
#[derive(Debug, Args)]
pub(super) struct Reviews {
    /// Most texts shown
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

/// A decision.
#[derive(Debug, Args)]
pub(super) struct Resolve {
    /// The text: the provider's SID
    sid: ProviderSid,
    /// What it is
    #[arg(long)]
    finding: Found,
    /// Why; goes on record
    #[arg(long, value_name = "WORDS")]
    reason: Option<Reason>,
}

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Found {
    /// They want no more texts
    OptOut,
    /// It is about something else
    NotOne,
}

impl ConsentCommand {
    pub(super) async fn run(self, output: Output) -> Ended {
        match self {
            Self::Show(Number { to }) => {
                let query = form_urlencoded::Serializer::new(String::new()).append_pair("to", &to).finish();
                let told = Client::from_environment()?.get(&format!("/v1/consent?{query}")).await?;
                standing(output, &told)
            }
            Self::OptOut(said) => said.put("opted_out", output).await,
            Self::OptIn(said) => said.put("opted_in", output).await,
            Self::Link(link) => link.make(output).await,
            Self::Export(export) => {
                let json = Output::new(Form::Json);
                let filters = [("to", export.to.as_deref())];
                pages::show(json, "/v1/consent/events", &filters, usize::MAX, row).await
            }
            Self::Reviews(reviews) => {
                pages::show(output, "/v1/consent/reviews", &[], reviews.limit, row).await
            }
            Self::Resolve(resolve) => {
                let finding = if resolve.finding == Found::OptOut { "opt_out" } else { "not_one" };
                let path = format!("/v1/consent/reviews/{}", resolve.sid);
                let client = Client::from_environment()?.because(resolve.reason);
                let told = client.post(&path, &json!({"finding": finding}), None).await?.into_success()?;
                standing(output, &told)
            }
        }
    }
}

impl Statement {
    async fn put(self, standing_word: &str, output: Output) -> Ended {
        let mut body = json!({"to": self.to, "standing": standing_word});
        if let (Some(at), Some(fields)) = (self.said_at, body.as_object_mut()) {
            fields.insert("said_at".to_owned(), at.into());
        }
        let client = Client::from_environment()?.because(self.reason);
        let told = client.put("/v1/consent", &body).await?.into_success()?;
        standing(output, &told)
    }
}

impl Link {
    async fn make(self, output: Output) -> Ended {
        let body = match self.user {
            Some(user) => json!({"user_id": user}),
            None => json!({"to": self.to}),
        };
        let client = Client::from_environment()?;
        let told = client.post("/v1/consent/link", &body, None).await?.into_success()?;
        match output.form() {
            Form::Json => output.json(&told)?,
            Form::Text => output.line(told.get("url").and_then(Value::as_str).unwrap_or_default())?,
        }
        Ok(Exit::Success)
    }
}

fn standing(output: Output, told: &Value) -> Ended {
    if output.form() == Form::Json {
        output.json(told)?;
        return Ok(Exit::Success);
    }
    let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
    let since = if text("since").is_empty() { String::new() } else { format!(" since {}", text("since")) };
    let how = if text("how").is_empty() { String::new() } else { format!(" ({})", text("how")) };
    let review = if text("review").is_empty() {
        String::new()
    } else {
        format!("; {} waits to be read", text("review"))
    };
    output.line(format_args!("{} is {}{since}{how}{review}", text("to"), text("standing")))?;
    Ok(Exit::Success)
}

fn row(output: Output, value: &Value) -> Result<(), Failure> {
    if output.form() == Form::Json {
        return Ok(output.json(value)?);
    }
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let (at, sid, to) = (text("at"), text("provider_sid"), text("to"));
    output.line(format_args!("{at}  {sid}  {to}  {:?}", text("words")))?;
    Ok(())
}
