//! `dunlin preferences`: what a user prefers, and which number is theirs.

use clap::{Args, Subcommand};
use dunlin_workflows::actor::Reason;
use dunlin_workflows::message::UserId;
use serde_json::{Map, Value};

use crate::cli::client::Client;
use crate::cli::exit::{Ended, Exit, Failure};
use crate::cli::output::{Form, Output};

/// What a user prefers, and which number is theirs.
#[derive(Debug, Subcommand)]
pub(super) enum PreferencesCommand {
    /// Show what a user prefers
    Show(Whose),
    /// Change what a user prefers, such as `timezone=Europe/Copenhagen quiet_hours_start=22:00`
    Set(Set),
}

/// A user.
#[derive(Debug, Args)]
pub(super) struct Whose {
    /// The user's id in your product
    user: UserId,
}

/// Changes.
#[derive(Debug, Args)]
pub(super) struct Set {
    /// The user's id in your product
    user: UserId,
    /// Fields and their values; `null` clears one
    #[arg(required = true, value_name = "FIELD=VALUE", value_parser = field)]
    fields: Vec<(String, Value)>,
    /// Why; goes on record
    #[arg(long, value_name = "WORDS")]
    reason: Option<Reason>,
}

/// A field with its value: numbers, `true`, `false` and `null` are what they are, everything else is text.
fn field(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("\"{text}\" is not FIELD=VALUE, such as urgent_alerts=true"))?;
    let value = serde_json::from_str::<Value>(value)
        .ok()
        .filter(|value| value.is_boolean() || value.is_number() || value.is_null())
        .unwrap_or_else(|| value.into());
    Ok((name.to_owned(), value))
}

impl PreferencesCommand {
    pub(super) async fn run(self, output: Output) -> Ended {
        let told = match self {
            Self::Show(Whose { user }) => Client::from_environment()?.get(&path(&user)).await?,
            Self::Set(Set { user, fields, reason }) => {
                let body = Value::Object(fields.into_iter().collect::<Map<_, _>>());
                Client::from_environment()?.because(reason).put(&path(&user), &body).await?.into_success()?
            }
        };
        let missing = || Failure::new(Exit::Failure, "the answer holds no preferences".to_owned());
        let preferences = told.pointer("/data/preferences").ok_or_else(missing)?;
        if output.form() == Form::Json {
            output.json(preferences)?;
            return Ok(Exit::Success);
        }
        for (name, value) in preferences.as_object().into_iter().flatten() {
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            output.line(format_args!("{name}: {shown}"))?;
        }
        Ok(Exit::Success)
    }
}

/// The user id stands in the query, where any character of it is safe.
fn path(user: &UserId) -> String {
    let query =
        form_urlencoded::Serializer::new(String::new()).append_pair("user_id", user.as_str()).finish();
    format!("/api/sms/preferences?{query}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_what_they_look_like_and_times_are_text() {
        assert_eq!(field("urgent_alerts=true").unwrap().1, json!(true));
        assert_eq!(field("daily_sms_limit=3").unwrap().1, json!(3));
        assert_eq!(field("timezone=null").unwrap().1, Value::Null);
        assert_eq!(field("quiet_hours_start=22:00").unwrap().1, json!("22:00"));
        assert_eq!(field("phone_number=+15551234567").unwrap().1, json!("+15551234567"));
        assert!(field("timezone").is_err());
    }
}
