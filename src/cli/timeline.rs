//! A message's life as a person reads it: one line per event, with what it took.

use std::time::Duration;

use chrono::DateTime;
use serde_json::Value;

use crate::cli::message::Message;
use crate::cli::output::{Output, Tone};
use crate::timeline::span::span;

/// Fields of an event that its line shows in columns, or not at all.
const IN_COLUMNS: [&str; 3] = ["seq", "at", "event"];

/// A message and its events, from the API.
#[derive(Debug)]
pub(super) struct Timeline<'a> {
    message: &'a Value,
    events: &'a [Value],
}

impl<'a> Timeline<'a> {
    /// The life told by an answer of `/v1/messages/{id}` and one of `/v1/messages/{id}/events`.
    pub(super) fn new(message: &'a Value, events: &'a Value) -> Self {
        let events = events.get("data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Self { message, events }
    }

    /// The lines: first the message itself, then its events, then what it comes to.
    pub(super) fn written(&self, output: Output) -> String {
        let mut lines = Vec::new();
        let message = Message::of(self.message);
        if let Some(message) = &message {
            let tone = if message.state == "delivered" { Tone::Good } else { Tone::Strong };
            let attempts = if message.attempts == 1 { "attempt" } else { "attempts" };
            let state = output.paint(tone, &message.state.to_uppercase());
            lines.push(format!(
                "{}  -> {}  {state}  {} {attempts}",
                message.id,
                message.masked(),
                message.attempts
            ));
        }
        let mut before = None;
        for event in self.events {
            let at = event.get("at").and_then(Value::as_str).unwrap_or_default();
            let now = DateTime::parse_from_rfc3339(at).ok().map(|at| at.timestamp_millis());
            let since = now.zip(before).map(|(now, before)| now.abs_diff(before)).map(Duration::from_millis);
            before = now.or(before);
            let since = since.map(|since| format!("+{}", span(since))).unwrap_or_default();
            let name = event.get("event").and_then(Value::as_str).unwrap_or_default();
            lines.push(format!("  {at}  {since:>12}  {name:<20}  {}", words(event)).trim_end().to_owned());
            let more = event.get("more").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            lines.extend(more.iter().filter_map(Value::as_str).map(|more| format!("{:64}{more}", "")));
        }
        if let Some(message) = message.filter(|message| message.state != "delivered") {
            lines.push(format!("  {}", message.why()));
        }
        lines.join("\n")
    }
}

/// What the daemon says that the event means, else its own fields.
fn words(event: &Value) -> String {
    if let Some(words) = event.get("words").and_then(Value::as_str) {
        return words.to_owned();
    }
    let fields = event.as_object().into_iter().flatten();
    let told = fields.filter(|(name, value)| !IN_COLUMNS.contains(&name.as_str()) && !value.is_null());
    let told = told.map(|(name, value)| match value {
        Value::String(text) => format!("{name}={text}"),
        Value::Object(_) | Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::Null => {
            format!("{name}={value}")
        }
    });
    told.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::output::Form;

    #[test]
    fn life_has_a_line_per_event_with_the_time_between() {
        let message = json!({"id": "a", "status": "failed", "state": "failed", "to": "+15551234567", "attempts": 1,
            "error": {"code": 21610, "cause": "they opted out"}});
        let events = json!({"data": [
            {"seq": 1, "at": "2026-11-24T10:00:00.000Z", "event": "accepted", "words": "for +15*******67"},
            {"seq": 2, "at": "2026-11-24T10:00:01.250Z", "event": "attempt_started", "attempt": 1, "source": "dispatcher"},
        ]});
        let written = Timeline::new(&message, &events).written(Output::new(Form::Json));
        let lines: Vec<&str> = written.lines().collect();
        assert_eq!(
            lines,
            [
                "a  -> +15*******67  FAILED  1 attempt",
                "  2026-11-24T10:00:00.000Z                accepted              for +15*******67",
                "  2026-11-24T10:00:01.250Z        +1.25s  attempt_started       attempt=1 source=dispatcher",
                "  failed (21610): they opted out",
            ]
        );
    }
}
