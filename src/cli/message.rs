//! A message as the API writes it, and as people read it.

use dunlin_workflows::id::{MessageId, ProviderSid};
use dunlin_workflows::message::{HOLDS, StateName};
use dunlin_workflows::phone_number::PhoneNumber;
use serde::Deserialize;
use serde_json::Value;

use crate::timeline;

/// The fields of the API's message that commands look at; the rest passes through untouched.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) state: String,
    #[serde(default)]
    pub(super) hold: Option<Hold>,
    #[serde(default)]
    pub(super) to: Option<String>,
    #[serde(default)]
    pub(super) attempts: u32,
    #[serde(default)]
    pub(super) error: Option<Failed>,
    #[serde(default)]
    pub(super) accepted_at: Option<String>,
}

/// What a message waits for.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Hold {
    pub(super) reason: String,
    #[serde(default)]
    pub(super) until: Option<String>,
}

/// Why a message's newest failed attempt failed.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Failed {
    #[serde(default)]
    pub(super) code: Option<u32>,
    #[serde(default)]
    pub(super) cause: Option<String>,
    #[serde(default)]
    pub(super) remedy: Option<String>,
}

impl Message {
    /// The message in an answer; `None` when it holds none.
    pub(super) fn of(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }

    /// Whether nothing will ever happen to it again.
    pub(super) fn is_final(&self) -> bool {
        StateName::parse(&self.state).is_some_and(StateName::is_final)
    }

    /// Whether it waits for a person, not for a clock.
    pub(super) fn waits_for_a_person(&self) -> bool {
        self.hold.as_ref().is_some_and(|hold| hold.reason == "outcome_unknown")
    }

    /// The recipient with its middle hidden; empty when unknown.
    pub(super) fn masked(&self) -> String {
        let parse = |to: &String| PhoneNumber::parse(to, None).ok();
        self.to.as_ref().and_then(parse).map(PhoneNumber::masked).unwrap_or_default()
    }

    /// Where it is and why, in a few words.
    pub(super) fn why(&self) -> String {
        match (&self.hold, &self.error) {
            (Some(hold), _) => {
                let until = hold.until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
                format!("held{until}: {}", hold_words(&hold.reason))
            }
            (None, Some(error)) if self.is_final() => {
                let code = error.code.map(|code| format!(" ({code})")).unwrap_or_default();
                let cause = error.cause.as_deref().unwrap_or("no cause given");
                let remedy = error.remedy.as_ref().map(|remedy| format!(". {remedy}")).unwrap_or_default();
                format!("{}{code}: {cause}{remedy}", self.state)
            }
            (None, _) => self.state.clone(),
        }
    }
}

/// What a hold means. A word that this version does not know is shown as it is.
fn hold_words(reason: &str) -> &str {
    let known = HOLDS.into_iter().find(|(_, word)| *word == reason);
    known.map_or(reason, |(hold, _)| timeline::hold_words(hold))
}

/// A message's name on the command line: its id, or the provider's SID.
pub(super) fn name(text: &str) -> Result<String, String> {
    if text.parse::<ProviderSid>().is_ok() {
        return Ok(text.to_owned());
    }
    let id = text.parse::<MessageId>().map_err(|error| error.to_string())?;
    Ok(id.to_string())
}

/// One line about the message in an answer.
pub(super) fn sentence(value: &Value) -> String {
    match Message::of(value) {
        Some(message) => {
            let to = message.masked();
            let to = if to.is_empty() { String::new() } else { format!("  {to}") };
            format!("{}{to}  {}", message.id, message.why())
        }
        None => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_line_says_where_a_message_is_and_why() {
        let held = json!({"id": "a", "status": "scheduled", "state": "held", "to": "+15551234567",
            "hold": {"reason": "scheduled", "until": "2026-12-24T14:00:00.000Z"}});
        assert_eq!(
            sentence(&held),
            "a  +15*******67  held until 2026-12-24T14:00:00.000Z: its time has not come"
        );
        let failed = json!({"id": "b", "status": "failed", "state": "failed", "attempts": 1,
            "error": {"code": 21610, "class": "consent", "cause": "they opted out", "remedy": "ask them"}});
        assert_eq!(sentence(&failed), "b  failed (21610): they opted out. ask them");
        assert!(Message::of(&failed).unwrap().is_final());
    }
}
