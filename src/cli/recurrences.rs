//! `dunlin recurrences`: texts that come again and again.

use clap::{Args, Subcommand};
use dunlin_workflows::actor::Reason;
use dunlin_workflows::recurrence::RecurrenceId;
use serde_json::{Map, Value};

use crate::cli::client::Client;
use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::output::{Form, Output};
use crate::cli::pages;
use crate::cli::templates::variable;

/// Texts that come again and again.
#[derive(Debug, Subcommand)]
pub(super) enum RecurrencesCommand {
    /// Let a text come again and again
    Create(Create),
    /// List them, oldest first
    List(List),
    /// Show one, and the times that come next
    Show(One),
    /// Change when it comes, or what it says
    Change(Change),
    /// Let nothing come until it is resumed
    Pause(Told),
    /// Let it come again, from now on
    Resume(Told),
    /// Delete it; texts that it made stay
    Delete(Told),
}

/// A new one.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// Who gets it: a phone number, or a user id with --user
    to: String,
    /// The name in the product is meant, not a phone number
    #[arg(long)]
    user: bool,
    /// Its id, so that a repeated command makes no second one
    #[arg(long)]
    id: Option<RecurrenceId>,
    #[command(flatten)]
    plan: Plan,
}

/// A change.
#[derive(Debug, Args)]
pub(super) struct Change {
    /// Which
    id: RecurrenceId,
    #[command(flatten)]
    plan: Plan,
}

/// When it comes, and what it says.
#[derive(Debug, Args)]
struct Plan {
    /// What it says
    #[arg(long)]
    body: Option<String>,
    /// The template that is filled when it comes, in place of a body
    #[arg(long, value_name = "KEY", conflicts_with = "body")]
    template: Option<String>,
    /// A value for the template; true, false and numbers are read as such
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable, requires = "template")]
    vars: Vec<(String, Value)>,
    /// The language of the template
    #[arg(long, requires = "template")]
    locale: Option<String>,
    /// When, such as "0 8 * * 1-5": minute, hour, day, month, day of the week
    #[arg(long)]
    cron: Option<String>,
    /// On whose clock; that of the user when left out
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// Not before, RFC 3339
    #[arg(long, value_name = "INSTANT")]
    starts_at: Option<String>,
    /// Not at or after, RFC 3339
    #[arg(long, value_name = "INSTANT")]
    ends_at: Option<String>,
    /// What becomes of a missed one: once or skip
    #[arg(long)]
    missed: Option<String>,
    /// How late it may come
    #[arg(long, value_name = "TIME")]
    grace: Option<humantime::Duration>,
    /// urgent, high, normal or low
    #[arg(long)]
    priority: Option<String>,
    /// What its texts are about: each is judged as one of that kind, whose priority counts unless another is given
    #[arg(long)]
    kind: Option<String>,
    /// Why; goes on record
    #[arg(long, value_name = "WORDS")]
    reason: Option<Reason>,
}

/// A list.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Only those of this user of which anything may still come
    #[arg(long, value_name = "USER_ID")]
    user: Option<String>,
    /// Most that are shown
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

/// One.
#[derive(Debug, Args)]
pub(super) struct One {
    /// Which
    id: RecurrenceId,
}

/// One of which something is asked.
#[derive(Debug, Args)]
pub(super) struct Told {
    /// Which
    id: RecurrenceId,
    /// Why; goes on record
    #[arg(long, value_name = "WORDS")]
    reason: Option<Reason>,
}

impl RecurrencesCommand {
    pub(super) async fn run(self, output: Output) -> Ended {
        match self {
            Self::Create(create) => {
                let mut fields = create.plan.fields();
                let name = if create.user { "user_id" } else { "to" };
                fields.insert(name.to_owned(), create.to.into());
                if let Some(id) = create.id {
                    fields.insert("id".to_owned(), id.to_string().into());
                }
                let client = Client::from_environment()?.because(create.plan.reason);
                let made = client.post("/v1/recurrences", &fields.into(), None).await?.into_success()?;
                shown(output, &made)
            }
            Self::List(list) => {
                let filters = [("user_id", list.user.as_deref())];
                pages::show(output, "/v1/recurrences", &filters, list.limit, row).await
            }
            Self::Show(One { id }) => shown(output, &Client::from_environment()?.get(&path(id)).await?),
            Self::Change(Change { id, plan }) => {
                let fields = plan.fields();
                let client = Client::from_environment()?.because(plan.reason);
                shown(output, &client.patch(&path(id), &fields.into()).await?.into_success()?)
            }
            Self::Pause(told) => told.ask("pause", output).await,
            Self::Resume(told) => told.ask("resume", output).await,
            Self::Delete(Told { id, reason }) => {
                Client::from_environment()?.because(reason).delete(&path(id)).await?.into_success()?;
                output.talk(format_args!("{id} is deleted"));
                Ok(Exit::Success)
            }
        }
    }
}

impl Told {
    async fn ask(self, what: &str, output: Output) -> Ended {
        let client = Client::from_environment()?.because(self.reason);
        let path = format!("{}/{what}", path(self.id));
        shown(output, &client.post(&path, &Value::Null, None).await?.into_success()?)
    }
}

impl Plan {
    /// What was given, by the names of the API.
    fn fields(&self) -> Map<String, Value> {
        let grace = self.grace.map(|grace| grace.as_secs().into());
        let text = |text: &Option<String>| text.clone().map(Value::from);
        let given = [
            ("body", text(&self.body)),
            ("template", text(&self.template)),
            ("vars", self.template.as_ref().map(|_| self.vars.iter().cloned().collect::<Map<_, _>>().into())),
            ("locale", text(&self.locale)),
            ("cron", text(&self.cron)),
            ("timezone", text(&self.timezone)),
            ("starts_at", text(&self.starts_at)),
            ("ends_at", text(&self.ends_at)),
            ("missed", text(&self.missed)),
            ("grace_seconds", grace),
            ("priority", text(&self.priority)),
            ("kind", text(&self.kind)),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

fn path(id: RecurrenceId) -> String {
    format!("/v1/recurrences/{id}")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn shown(output: Output, value: &Value) -> Ended {
    row(output, value)?;
    if output.form() == Form::Text {
        let next = value.get("next").and_then(Value::as_array);
        for at in next.into_iter().flatten().filter_map(Value::as_str) {
            output.line(format_args!("  next {at}"))?;
        }
    }
    Ok(Exit::Success)
}

fn row(output: Output, value: &Value) -> Result<(), Failure> {
    if output.form() == Form::Json {
        return Ok(output.json(value)?);
    }
    let to = [text(value, "to"), text(value, "user_id")].concat();
    let (id, status, cron) = (text(value, "id"), text(value, "status"), text(value, "cron"));
    let (zone, kind) = (text(value, "comes_in_timezone"), text(value, "kind"));
    let kind = if kind.is_empty() { "custom" } else { kind };
    output
        .line(format_args!("{id}  {status:<7}  {cron}  {zone}  {to}  {kind}  {:?}", text(value, "body")))?;
    Ok(())
}
