//! `dunlin failures`: texts that came to nothing, grouped by why, with what to do.

use clap::Args;
use dunlin_workflows::timestamp::Timestamp;
use serde_json::{Map, Value, json};

use crate::cli::client::Client;
use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::instant::Past;
use crate::cli::output::{Form, Output, Tone};
use crate::clock::{Clock as _, SystemClock};
use crate::timeline::written;

/// Texts that came to nothing, grouped by why.
#[derive(Debug, Args)]
pub(super) struct Failures {
    #[command(flatten)]
    which: Which,
}

/// Which texts that came to nothing. Values of one filter add up, filters narrow each other down.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Failed not before this: RFC 3339, or how long ago, such as 2h
    #[arg(long, value_name = "INSTANT")]
    since: Option<Past>,
    /// Failed not after this: RFC 3339, or how long ago
    #[arg(long, value_name = "INSTANT")]
    until: Option<Past>,
    /// For this reason, as `dunlin failures` shows it: 30008, http_503, no_code, not_connected, outcome_unknown, expired
    #[arg(long)]
    code: Vec<String>,
    /// Of this class: configuration, recipient, content, opted_out, rate, transient, ambiguous
    #[arg(long)]
    class: Vec<String>,
    /// To this number
    #[arg(long, value_name = "NUMBER")]
    to: Option<String>,
    /// Of this user
    #[arg(long)]
    user_id: Option<String>,
    /// Of this template
    #[arg(long, value_name = "KEY")]
    template: Option<String>,
    /// Go on where a search ended that had more to look at
    #[arg(long)]
    cursor: Option<String>,
}

impl Which {
    /// The filter as the daemon reads it.
    pub(super) fn filter(&self, now: Timestamp) -> Map<String, Value> {
        let instant = |past: Option<Past>| past.map(|past| json!(written(past.seen_at(now))));
        let many = |words: &[String]| (!words.is_empty()).then(|| json!(words));
        let one = |word: &Option<String>| word.as_ref().map(|word| json!(word));
        let fields = [
            ("since", instant(self.since)),
            ("until", instant(self.until)),
            ("code", many(&self.code)),
            ("class", many(&self.class)),
            ("to", one(&self.to)),
            ("user_id", one(&self.user_id)),
            ("template", one(&self.template)),
            ("cursor", one(&self.cursor)),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

impl Failures {
    pub(super) async fn run(self, output: Output) -> Ended {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.which.filter(SystemClock::start().wall()) {
            let values = if let Value::Array(values) = value { values } else { vec![value] };
            for value in values {
                query.append_pair(&name, value.as_str().unwrap_or_default());
            }
        }
        let told = Client::from_environment()?.get(&format!("/v1/failures?{}", query.finish())).await?;
        for group in told.get("data").and_then(Value::as_array).into_iter().flatten() {
            show(output, group)?;
        }
        let number = |name: &str| told.get(name).and_then(Value::as_u64).unwrap_or_default();
        output.talk(format_args!(
            "{} came to nothing, {} of them can be tried again: dunlin recover --code CODE --dry-run",
            number("count"),
            number("retryable")
        ));
        more(output, &told);
        Ok(Exit::Success)
    }
}

/// Says when the daemon did not look at everything.
pub(super) fn more(output: Output, told: &Value) {
    if let Some(cursor) = told.get("next_cursor").and_then(Value::as_str) {
        output.talk(format_args!("there is more to look at: --cursor {cursor}"));
    }
}

fn show(output: Output, group: &Value) -> Result<(), Failure> {
    if output.form() == Form::Json {
        return Ok(output.json(group)?);
    }
    let text = |name: &str| group.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str| group.get(name).and_then(Value::as_u64).unwrap_or_default();
    let head = format!("{:>7}  {:16} {}", number("count"), text("code"), text("cause"));
    output.line(output.paint(Tone::Strong, &head))?;
    output.line(format_args!("         {}", text("remedy")))?;
    let why = group.get("not_retryable").and_then(Value::as_object);
    let why: Vec<String> = why
        .into_iter()
        .flatten()
        .map(|(word, count)| format!("{count} {}", word.replace('_', " ")))
        .collect();
    let why = if why.is_empty() { String::new() } else { format!("; {}", why.join(", ")) };
    output.line(output.paint(
        Tone::Dim,
        &format!(
            "         {} to {}; {} can be tried again{why}",
            text("oldest"),
            text("newest"),
            number("retryable")
        ),
    ))?;
    Ok(())
}
