//! `dunlin recover`: looks how many texts that came to nothing can be tried again, then tries them again.

use clap::Args;
use dunlin_workflows::actor::Reason;
use serde_json::{Map, Value, json};

use crate::cli::client::Client;
use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::failures::{Which, more};
use crate::cli::instant::Instant;
use crate::cli::output::{Form, Output};
use crate::clock::{Clock as _, SystemClock};
use crate::timeline::written;

/// Try texts again that came to nothing, many together.
///
/// Each becomes a new message that names the old one and meets every rule again: nobody who opted out
/// is texted, and none is tried again twice. Without --yes or --count it only counts. What may have
/// arrived, or would fail again unchanged, is taken only when --code or --class names it.
#[derive(Debug, Args)]
pub(super) struct Recover {
    #[command(flatten)]
    which: Which,
    /// Only count; so does leaving out --yes and --count
    #[arg(long, conflicts_with_all = ["yes", "count"])]
    dry_run: bool,
    /// Try again as many as there are
    #[arg(long)]
    yes: bool,
    /// Try again if there are exactly so many
    #[arg(long, conflicts_with = "yes")]
    count: Option<u64>,
    /// So many a minute
    #[arg(long, default_value_t = dunlin_workflows::recovery::RATE_DEFAULT)]
    rate: u32,
    /// Not at or after this instant, in place of their own deadlines: RFC 3339, or +DURATION from now
    #[arg(long, value_name = "INSTANT")]
    expires_at: Option<Instant>,
    /// Why; goes on record
    #[arg(long, value_name = "WORDS")]
    reason: Option<Reason>,
}

impl Recover {
    pub(super) async fn run(self, output: Output) -> Ended {
        let now = SystemClock::start().wall();
        let client = Client::from_environment()?.because(self.reason);
        let mut body = Map::new();
        body.insert("filter".to_owned(), self.which.filter(now).into());
        body.insert("rate_per_minute".to_owned(), self.rate.into());
        if let Some(at) = self.expires_at {
            body.insert("expires_at".to_owned(), written(at.seen_at(now)).into());
        }
        let seen = ask(&client, &body, &[("dry_run", json!(true))]).await?;
        let count = seen.get("count").and_then(Value::as_u64).unwrap_or_default();
        let goes = !self.dry_run && (self.yes || self.count.is_some());
        if !goes {
            if output.form() == Form::Json {
                output.json(&seen)?;
            } else {
                output.line(format_args!("{count} would be tried again{}", left_out(&seen)))?;
                output.talk("nothing was sent; --yes, or --count with that number, tries them again");
            }
            more(output, &seen);
            return Ok(Exit::Success);
        }
        if let Some(Value::Object(filter)) = body.get_mut("filter") {
            // The same texts, whatever fails meanwhile.
            filter.insert("until".to_owned(), seen.get("until").cloned().unwrap_or_default());
        }
        let mut recovered = 0_u64;
        let mut expected = self.count.unwrap_or(count);
        let mut starts_at = Value::Null;
        loop {
            let more = [("expected_count", json!(expected)), ("starts_at", starts_at)];
            let told = ask(&client, &body, &more).await?;
            if output.form() == Form::Json {
                output.json(&told)?;
            }
            let number = |name: &str| told.get(name).and_then(Value::as_u64).unwrap_or_default();
            recovered = recovered.saturating_add(number("recovered"));
            expected = number("left");
            starts_at = told.get("next_at").cloned().unwrap_or_default();
            if expected == 0 || number("recovered") == 0 {
                break;
            }
        }
        if output.form() == Form::Text {
            output.line(format_args!(
                "{recovered} are tried again, {} a minute{}",
                self.rate,
                left_out(&seen)
            ))?;
        }
        more(output, &seen);
        Ok(Exit::Success)
    }
}

async fn ask(client: &Client, body: &Map<String, Value>, more: &[(&str, Value)]) -> Result<Value, Failure> {
    let mut body = body.clone();
    body.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    client.post("/v1/recoveries", &body.into(), None).await?.into_success()
}

/// Which others there are, and what stands in their way.
fn left_out(seen: &Value) -> String {
    let obstacles = seen.get("not_retryable").and_then(Value::as_object);
    let told: Vec<String> = obstacles
        .into_iter()
        .flatten()
        .map(|(word, count)| format!("{count} {}", word.replace('_', " ")))
        .collect();
    if told.is_empty() { String::new() } else { format!("; not: {}", told.join(", ")) }
}
