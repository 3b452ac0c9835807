//! `dunlin templates`: texts with variables.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use dunlin_workflows::actor::Reason;
use dunlin_workflows::template::TemplateKey;
use serde_json::{Map, Value, json};

use crate::cli::client::Client;
use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::output::{Form, Output};
use crate::cli::{pages, warnings};

/// Texts with variables.
#[derive(Debug, Subcommand)]
pub(super) enum TemplatesCommand {
    /// List them
    List(List),
    /// Show one: what is used, the draft, and how long its texts can get
    Show(One),
    /// List what was published, newest first
    Versions(One),
    /// Count what became of its texts, by version
    Usage(Usage),
    /// Write what will be its next version, from a file: {"name":...,"text":...,"variables":{...}}
    Write(Write),
    /// Use the draft from now on
    Publish(Told),
    /// Use an older version again
    Rollback(RollBack),
    /// Let nobody use it
    Deactivate(Told),
    /// Let it be used again
    Activate(Told),
    /// Show what it looks like with these values
    Preview(Preview),
}

/// A list.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Most that are shown
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

/// One.
#[derive(Debug, Args)]
pub(super) struct One {
    /// Which
    key: TemplateKey,
}

/// What became of its texts.
#[derive(Debug, Args)]
pub(super) struct Usage {
    /// Which
    key: TemplateKey,
    /// Accepted since then, RFC 3339
    #[arg(long, value_name = "INSTANT")]
    since: Option<String>,
}

/// What a template will say.
#[derive(Debug, Args)]
pub(super) struct Write {
    /// Which
    key: TemplateKey,
    /// The file; - reads standard input
    file: PathBuf,
    /// Publish it at once
    #[arg(long)]
    publish: bool,
    /// Why; goes on record
    #[arg(long, value_name = "WORDS")]
    reason: Option<Reason>,
}

/// One of which something is asked.
#[derive(Debug, Args)]
pub(super) struct Told {
    /// Which
    key: TemplateKey,
    /// Why; goes on record
    #[arg(long, value_name = "WORDS")]
    reason: Option<Reason>,
}

/// One, and a version of it.
#[derive(Debug, Args)]
pub(super) struct RollBack {
    /// Which
    key: TemplateKey,
    /// Which version
    version: u32,
    /// Why; goes on record
    #[arg(long, value_name = "WORDS")]
    reason: Option<Reason>,
}

/// One with values.
#[derive(Debug, Args)]
pub(super) struct Preview {
    /// Which
    key: TemplateKey,
    /// A value; true, false and numbers are read as such
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    vars: Vec<(String, Value)>,
    /// In this language
    #[arg(long)]
    locale: Option<String>,
    /// Where this user is
    #[arg(long, value_name = "USER_ID")]
    user: Option<String>,
    /// A version, or draft; what is used when left out
    #[arg(long)]
    version: Option<String>,
}

/// A value as the command line gives it: JSON where it is true, false or a number, else words.
pub(super) fn variable(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), plain_value(value)))
}

/// True, false or a number where it is one, else words.
pub(super) fn plain_value(text: &str) -> Value {
    let read = serde_json::from_str::<Value>(text).ok();
    read.filter(|value| value.is_number() || value.is_boolean()).unwrap_or_else(|| text.into())
}

impl TemplatesCommand {
    pub(super) async fn run(self, output: Output) -> Ended {
        match self {
            Self::List(List { limit }) => pages::show(output, "/v1/templates", &[], limit, row).await,
            Self::Show(One { key }) => shown(output, &Client::from_environment()?.get(&path(&key)).await?),
            Self::Versions(One { key }) => {
                let versions = format!("{}/versions", path(&key));
                shown(output, &Client::from_environment()?.get(&versions).await?)
            }
            Self::Usage(usage) => usage.run(output).await,
            Self::Write(write) => write.run(output).await,
            Self::Publish(told) => told.ask("publish", &json!({}), output).await,
            Self::Rollback(RollBack { key, version, reason }) => {
                Told { key, reason }.ask("rollback", &json!({ "version": version }), output).await
            }
            Self::Deactivate(told) => told.ask("deactivate", &json!({}), output).await,
            Self::Activate(told) => told.ask("activate", &json!({}), output).await,
            Self::Preview(preview) => preview.run(output).await,
        }
    }
}

impl Usage {
    async fn run(self, output: Output) -> Ended {
        let client = Client::from_environment()?;
        let mut cursor = None::<String>;
        loop {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(self.since.as_ref().map(|since| ("since", since)));
            query.extend_pairs(cursor.as_ref().map(|cursor| ("cursor", cursor)));
            let told = client.get(&format!("{}/usage?{}", path(&self.key), query.finish())).await?;
            if output.form() == Form::Json {
                output.json(&told)?;
            } else {
                for version in told.get("data").and_then(Value::as_array).into_iter().flatten() {
                    let (number, accepted) = (number(version, "version"), number(version, "accepted"));
                    let by_status = version.get("by_status").map(Value::to_string).unwrap_or_default();
                    output.line(format_args!("version {number}  {accepted} accepted  {by_status}"))?;
                }
            }
            cursor = told.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() {
                return Ok(Exit::Success);
            }
        }
    }
}

impl Write {
    async fn run(self, output: Output) -> Ended {
        let text = if self.file.as_os_str() == "-" {
            std::io::read_to_string(std::io::stdin())
        } else {
            std::fs::read_to_string(&self.file)
        };
        let unreadable = |why: &dyn std::fmt::Display| {
            Failure::new(Exit::Usage, format!("{} can't be read: {why}", self.file.display()))
        };
        let text = text.map_err(|error| unreadable(&error))?;
        let content: Value = serde_json::from_str(&text).map_err(|error| unreadable(&error))?;
        let client = Client::from_environment()?.because(self.reason.clone());
        let written = client.put(&path(&self.key), &content).await?.into_success()?;
        if !self.publish {
            return shown(output, &written);
        }
        Told { key: self.key, reason: self.reason }.ask("publish", &json!({}), output).await
    }
}

impl Told {
    async fn ask(self, what: &str, body: &Value, output: Output) -> Ended {
        let client = Client::from_environment()?.because(self.reason);
        let told = client.post(&format!("{}/{what}", path(&self.key)), body, None).await?.into_success()?;
        shown(output, &told)
    }
}

impl Preview {
    async fn run(self, output: Output) -> Ended {
        let vars: Map<String, Value> = self.vars.into_iter().collect();
        let mut fields = Map::new();
        fields.insert("vars".to_owned(), Value::Object(vars));
        for (name, value) in [("locale", self.locale), ("user_id", self.user)] {
            fields.extend(value.map(|value| (name.to_owned(), value.into())));
        }
        if let Some(version) = self.version {
            let number = version.parse::<u32>().map(Value::from);
            fields.insert("version".to_owned(), number.unwrap_or_else(|_word| version.into()));
        }
        let client = Client::from_environment()?;
        let preview = format!("{}/preview", path(&self.key));
        let told = client.post(&preview, &fields.into(), None).await?.into_success()?;
        if output.form() == Form::Json {
            output.json(&told)?;
            return Ok(Exit::Success);
        }
        output.line(text(&told, "body"))?;
        let (length, segments) = (number(&told, "length"), number(&told, "segments"));
        output.talk(format_args!("{length} characters, billed as {segments}, {}", text(&told, "encoding")));
        warnings::of(&told).for_each(|warning| output.talk(warning));
        Ok(Exit::Success)
    }
}

fn path(key: &TemplateKey) -> String {
    format!("/v1/templates/{key}")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or_default()
}

fn shown(output: Output, value: &Value) -> Ended {
    if output.form() == Form::Json {
        output.json(value)?;
        return Ok(Exit::Success);
    }
    if let Some(versions) = value.get("data").and_then(Value::as_array) {
        for version in versions {
            let used = if version.get("is_used") == Some(&Value::Bool(true)) { "used" } else { "" };
            let said = version.get("content").map(|content| text(content, "text")).unwrap_or_default();
            let at = text(version, "published_at");
            output.line(format_args!("{:>4}  {at}  {used:<4}  {said:?}", number(version, "version")))?;
        }
        return Ok(Exit::Success);
    }
    row(output, value)?;
    for part in ["published", "draft"] {
        let content = value.get(part).filter(|content| content.is_object());
        for measure in content.and_then(|content| content.get("worst_case")?.as_array()).into_iter().flatten()
        {
            let locale = measure.get("locale").and_then(Value::as_str).unwrap_or("everybody else");
            let (length, segments) = (number(measure, "length"), number(measure, "segments"));
            output.line(format_args!(
                "  {part}, {locale}: at most {length} characters, billed as {segments}"
            ))?;
        }
        for warning in content.into_iter().flat_map(warnings::of) {
            output.line(format_args!("  {part}: {warning}"))?;
        }
    }
    Ok(Exit::Success)
}

fn row(output: Output, value: &Value) -> Result<(), Failure> {
    if output.form() == Form::Json {
        return Ok(output.json(value)?);
    }
    let content = ["published", "draft"].into_iter().filter_map(|part| value.get(part));
    let said = content.filter(|content| content.is_object()).map(|content| text(content, "text")).next();
    let (key, status, version) = (text(value, "key"), text(value, "status"), number(value, "version"));
    output.line(format_args!("{key}  {status}  version {version}  {:?}", said.unwrap_or_default()))?;
    Ok(())
}
