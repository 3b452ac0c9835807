//! `dunlin send`: hands one text to the daemon, and waits for its fate when asked to.

use std::io::Read as _;
use std::time::Duration;

use clap::Args;
use dunlin_workflows::id::MessageId;
use dunlin_workflows::kind::KindName;
use dunlin_workflows::message::{OnUnknown, Priority};
use dunlin_workflows::template::TemplateKey;
use serde_json::{Map, Value, json};

use crate::cli::client::Client;
use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::instant::Instant;
use crate::cli::message::{Message, sentence};
use crate::cli::output::{Form, Output};
use crate::cli::templates::variable;
use crate::cli::warnings;
use crate::clock::{Clock as _, SystemClock};
use crate::config::value;
use crate::timeline::written;

/// How often the daemon is asked while waiting.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Longest text read from the standard input, in bytes; the daemon refuses far shorter ones.
const STDIN_BYTES_MAX: u64 = 64 * 1024;

/// Send a text.
#[derive(Debug, Args)]
#[command(override_usage = "dunlin send [OPTIONS] <TO> <BODY>
       dunlin send [OPTIONS] --user <USER> <BODY>
       dunlin send [OPTIONS] --user <USER> --template <KEY> --var <NAME=VALUE>
       dunlin send [OPTIONS] <TO> --template <KEY> --var <NAME=VALUE>")]
pub(super) struct Send {
    /// The recipient, such as +15551234567, but for the number of --user; and the text, but for that of --template. - reads
    /// the text from the standard input
    #[arg(value_names = ["TO", "BODY"], num_args = 0..=2)]
    words: Vec<String>,
    /// The template that it is made of
    #[arg(long, value_name = "KEY")]
    template: Option<TemplateKey>,
    /// A value for the template, or for that of --kind; true, false and numbers are read as such
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    vars: Vec<(String, Value)>,
    /// The language of the template
    #[arg(long)]
    locale: Option<String>,
    /// What it is about, such as task_reminder
    #[arg(long)]
    kind: Option<KindName>,
    /// Not before this instant: RFC 3339, or +DURATION from now
    #[arg(long, value_name = "INSTANT")]
    at: Option<Instant>,
    /// Not at or after this instant: RFC 3339, or +DURATION from now
    #[arg(long, value_name = "INSTANT")]
    expires_at: Option<Instant>,
    /// Who goes first when not all can: urgent, high, normal or low
    #[arg(long)]
    priority: Option<Priority>,
    /// What to do when nobody knows whether the provider took it: hold or resend
    #[arg(long)]
    on_unknown: Option<OnUnknown>,
    /// The message's name: a UUID of your own
    #[arg(long)]
    id: Option<MessageId>,
    /// Idempotency key: the same key with the same text is sent once
    #[arg(long)]
    key: Option<String>,
    /// Whose message it is in your product; without TO it goes to their number
    #[arg(long, visible_alias = "user", value_name = "USER")]
    user_id: Option<String>,
    /// Only show what would become of it now, how it is billed, and what in it carriers may filter
    #[arg(long, conflicts_with_all = ["wait", "key"])]
    preview: bool,
    /// Wait until its fate is known, 10 minutes unless said otherwise
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true,
          default_missing_value = "10m", value_parser = value::duration)]
    wait: Option<Duration>,
}

impl Send {
    pub(super) async fn run(self, output: Output) -> Ended {
        let client = Client::from_environment()?;
        let request = self.request()?;
        if self.preview {
            return preview(output, &client.post("/v1/preview", &request, None).await?.into_success()?);
        }
        let accepted = client.post("/v1/messages", &request, self.key.as_deref()).await?.into_success()?;
        let Some(wait) = self.wait else {
            return show(output, &accepted).map(|()| Exit::Success);
        };
        let id = accepted.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        output.talk(format_args!("accepted as {id}"));
        let message = until_final(&client, &id, wait, output).await?;
        show(output, &message)?;
        let delivered = message.get("state").and_then(Value::as_str) == Some("delivered");
        Ok(if delivered { Exit::Success } else { Exit::Failure })
    }

    fn request(&self) -> Result<Value, Failure> {
        let now = SystemClock::start().wall();
        let instant = |given: Option<Instant>| given.map(|instant| written(instant.seen_at(now)));
        let (to, body) = self.to_and_body()?;
        let body = if body == Some("-") { Some(from_stdin()?) } else { body.map(str::to_owned) };
        let fields = [
            ("to", to.map(str::to_owned)),
            ("body", body),
            ("template", self.template.as_ref().map(TemplateKey::to_string)),
            ("locale", self.locale.clone()),
            ("kind", self.kind.as_ref().map(KindName::to_string)),
            ("scheduled_for", instant(self.at)),
            ("expires_at", instant(self.expires_at)),
            ("priority", self.priority.map(|priority| priority.as_str().to_owned())),
            ("on_unknown", self.on_unknown.map(|policy| policy.as_str().to_owned())),
            ("id", self.id.map(|id| id.to_string())),
            ("user_id", self.user_id.clone()),
        ];
        let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
        let mut fields: Map<_, _> = given.collect();
        if !self.vars.is_empty() {
            let vars: Map<String, Value> = self.vars.iter().cloned().collect();
            fields.insert("vars".to_owned(), vars.into());
        }
        Ok(Value::Object(fields))
    }

    /// Who gets it and what it says, as far as neither an option nor a template says so.
    fn to_and_body(&self) -> Result<(Option<&str>, Option<&str>), Failure> {
        let of_template = self.template.is_some() || !self.vars.is_empty();
        let refused = |why: &str| Err(Failure::new(Exit::Usage, why));
        match (self.words.as_slice(), of_template) {
            ([_, _], true) => refused("say either a text or --template, not both"),
            ([to, body], false) => Ok((Some(to.as_str()), Some(body.as_str()))),
            ([to], true) => Ok((Some(to.as_str()), None)),
            ([body], false) if self.user_id.is_some() => Ok((None, Some(body.as_str()))),
            ([], true) if self.user_id.is_some() => Ok((None, None)),
            _too_few => refused(
                "say who gets it and what it says: dunlin send NUMBER TEXT, or --user USER TEXT, or --template KEY for TEXT",
            ),
        }
    }
}

fn show(output: Output, message: &Value) -> Result<(), Failure> {
    match output.form() {
        Form::Json => output.json(message)?,
        Form::Text => output.line(sentence(message))?,
    }
    Ok(())
}

/// What would become of a text, by the gate that would judge it.
fn preview(output: Output, told: &Value) -> Ended {
    if output.form() == Form::Json {
        output.json(told)?;
        return Ok(Exit::Success);
    }
    let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
    let segments = told.get("segments").and_then(Value::as_u64).unwrap_or_default();
    output.line(format_args!("{}; billed as {segments}, {}", text("sentence"), text("encoding")))?;
    for warning in warnings::of(told) {
        output.line(warning)?;
    }
    Ok(Exit::Success)
}

fn from_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin().lock().take(STDIN_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

/// Watches a message until its fate is known, and says so whenever it moves.
async fn until_final(client: &Client, id: &str, wait: Duration, output: Output) -> Result<Value, Failure> {
    let path = format!("/v1/messages/{id}");
    let started = std::time::Instant::now();
    let mut seen = String::new();
    loop {
        let value = client.get(&path).await?;
        let message = Message::of(&value)
            .ok_or_else(|| Failure::new(Exit::Failure, "the daemon's answer holds no message"))?;
        if message.is_final() || message.waits_for_a_person() {
            return Ok(value);
        }
        if seen != message.state {
            output.talk(message.why());
            seen.clone_from(&message.state);
        }
        if started.elapsed() >= wait {
            let words =
                format!("still {} after {} s; `dunlin show {id}` tells more", message.state, wait.as_secs());
            return Err(Failure::new(Exit::Failure, words));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
