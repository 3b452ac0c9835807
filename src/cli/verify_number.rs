//! `dunlin verify-number`: has a code texted to a number, and checks it.

use clap::Args;
use dunlin_workflows::actor::Reason;
use dunlin_workflows::message::UserId;
use serde_json::{Map, Value, json};

use crate::cli::client::Client;
use crate::cli::exit::{Ended, Exit};
use crate::cli::output::{Form, Output};

/// Prove that a number is somebody's: text it a code, then check the code with --code.
///
/// Exits with 4 when the code is wrong or counts no more, and with 69 when no code can be sent or checked yet.
#[derive(Debug, Args)]
pub(super) struct VerifyNumber {
    /// The phone number, such as +15551234567
    number: String,
    /// Whose number it is in your product; give it both times
    #[arg(long, value_name = "USER")]
    user: Option<UserId>,
    /// The code that its holder read; a new one is texted when left out
    #[arg(long)]
    code: Option<String>,
    /// Why; goes on record
    #[arg(long, value_name = "WORDS")]
    reason: Option<Reason>,
}

impl VerifyNumber {
    pub(super) async fn run(self, output: Output) -> Ended {
        let client = Client::from_environment()?.because(self.reason.clone());
        match &self.code {
            None => self.start(&client, output).await,
            Some(code) => self.check(&client, code, output).await,
        }
    }

    async fn start(&self, client: &Client, output: Output) -> Ended {
        let wish = self.fields(&[("to", &self.number)]);
        let told = client.post("/v1/verifications", &wish, None).await?.into_success()?;
        if output.form() == Form::Json {
            output.json(&told)?;
        } else {
            let until = told.get("expires_at").and_then(Value::as_str).unwrap_or_default();
            output.line(format_args!("a code is on its way to {}; it counts until {until}", self.number))?;
        }
        Ok(Exit::Success)
    }

    async fn check(&self, client: &Client, code: &str, output: Output) -> Ended {
        let wish = self.fields(&[("phoneNumber", &self.number), ("code", code)]);
        client.post("/api/sms/verify/confirm", &wish, None).await?.into_success()?;
        let user = self.user.as_ref().map(UserId::as_str);
        match (output.form(), user) {
            (Form::Json, user) => {
                output.json(&json!({"to": self.number, "user_id": user, "verified": true}))?;
            }
            (Form::Text, Some(user)) => {
                output.line(format_args!("{} is the number of {user}", self.number))?;
            }
            (Form::Text, None) => output.line(format_args!("{} is proven", self.number))?,
        }
        Ok(Exit::Success)
    }

    /// What is asked, with the user when there is one.
    fn fields(&self, fields: &[(&str, &str)]) -> Value {
        let user = self.user.as_ref().map(|user| ("user_id", user.as_str()));
        let given = fields.iter().copied().chain(user);
        Value::Object(given.map(|(name, value)| (name.to_owned(), json!(value))).collect::<Map<_, _>>())
    }
}
