//! `dunlin audit`: who did what, newest first.

use clap::Args;
use serde_json::Value;

use crate::cli::exit::{Ended, Failure};
use crate::cli::output::{Form, Output};
use crate::cli::pages;

/// Who did what, newest first.
///
/// Every record of the journal names the way it came and, when somebody with a name asked, who: the
/// key that was shown, and the name that its holder gave (DUNLIN_ACTOR for this program).
#[derive(Debug, Args)]
pub(super) struct Audit {
    /// Only on behalf of this actor, as this command shows it
    #[arg(long)]
    actor: Option<String>,
    /// Only what came this way: api, webhook, timer, dispatcher, lookup, recovery, cli, import
    #[arg(long)]
    source: Option<String>,
    /// Only of this message: its id, or the provider's SID
    #[arg(long, value_name = "ID")]
    message: Option<String>,
    /// Only of the person with this phone number
    #[arg(long, value_name = "NUMBER")]
    to: Option<String>,
    /// Not before this instant, RFC 3339
    #[arg(long, value_name = "INSTANT")]
    since: Option<String>,
    /// Not after this instant, RFC 3339
    #[arg(long, value_name = "INSTANT")]
    until: Option<String>,
    /// Most records shown
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

impl Audit {
    pub(super) async fn run(self, output: Output) -> Ended {
        let filters = [
            ("actor", self.actor.as_deref()),
            ("source", self.source.as_deref()),
            ("message", self.message.as_deref()),
            ("to", self.to.as_deref()),
            ("since", self.since.as_deref()),
            ("until", self.until.as_deref()),
        ];
        pages::show(output, "/v1/audit", &filters, self.limit, row).await
    }
}

fn row(output: Output, value: &Value) -> Result<(), Failure> {
    if output.form() == Form::Json {
        return Ok(output.json(value)?);
    }
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let who = if text("actor").is_empty() { text("source") } else { text("actor") };
    let what = match text("message_id") {
        "" => value.get("person").map(|person| format!("person {person}")).unwrap_or_default(),
        id => format!("message {id}"),
    };
    let why = text("reason_given");
    let why = if why.is_empty() { String::new() } else { format!("  because: {why}") };
    output.line(format_args!("{}  {who:24}  {:20}  {what}{why}", text("at"), text("type")))?;
    Ok(())
}
