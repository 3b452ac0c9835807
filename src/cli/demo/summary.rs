//! What the demonstration says in the end: four lives, and the account.

use serde_json::Value;

use crate::cli::client::Client;
use crate::cli::demo::verdict::{Fate, Verdict};
use crate::cli::exit::Failure;
use crate::cli::message::Message;
use crate::cli::output::{Output, Tone};
use crate::cli::timeline::Timeline;

/// One text's whole life.
struct Life<'a> {
    fate: &'a Fate<'a>,
    value: &'a Value,
    message: Message,
    events: Value,
}

/// How well a life shows something; 0 when it does not.
type Fit = fn(&Life<'_>) -> u8;

/// The lives worth showing, each with its heading.
const WORTH_SHOWING: [(&str, Fit); 4] = [
    ("A plain one", |life| {
        let plain =
            life.fate.text.scheduled_for.is_none() && life.went_well() && !life.has("event", "outcome_lost");
        u8::from(plain)
    }),
    ("A scheduled one: not a moment early", |life| {
        u8::from(
            life.fate.text.scheduled_for.is_some() && life.went_well() && !life.has("event", "outcome_lost"),
        )
    }),
    ("One whose answer was lost: found again, not sent again", |life| {
        // Best of all, lost with the daemon; else found by a search; else told by a callback.
        match life.went_well() && life.has("event", "outcome_lost") {
            true if life.has("source", "recovery") => 3,
            true if life.has("via", "lookup") => 2,
            found => u8::from(found),
        }
    }),
    ("One that can't be delivered: why, and what to do", |life| {
        u8::from(life.message.is_final() && life.message.error.is_some())
    }),
];

impl Life<'_> {
    fn went_well(&self) -> bool {
        self.message.state == "delivered" && self.message.attempts == 1
    }

    /// Whether an event has this value in this field.
    fn has(&self, field: &str, value: &str) -> bool {
        let data = self.events.get("data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        data.iter().any(|event| event.get(field).and_then(Value::as_str) == Some(value))
    }
}

/// Shows one life of each kind.
pub(super) async fn lives(output: Output, client: &Client, fates: &[Fate<'_>]) -> Result<(), Failure> {
    let mut lives = Vec::with_capacity(fates.len());
    for fate in fates {
        if let Some(value) = &fate.message
            && let Some(message) = Message::of(value)
        {
            let events = client.get(&format!("/v1/messages/{}/events", fate.id)).await?;
            lives.push(Life { fate, value, message, events });
        }
    }
    for (heading, fit) in WORTH_SHOWING {
        let Some(life) = lives.iter().rev().max_by_key(|life| fit(life)).filter(|life| fit(life) > 0) else {
            continue;
        };
        output.line(format_args!("\n   {heading}"))?;
        for line in Timeline::new(life.value, &life.events).written(output).lines() {
            output.line(format_args!("   {line}"))?;
        }
    }
    output.line("")?;
    Ok(())
}

/// The account: what was promised, and whether it held.
pub(super) fn write(output: Output, verdict: &Verdict, stopped_well: bool) -> Result<(), Failure> {
    output.line(output.paint(Tone::Strong, "What became of them"))?;
    let row = |words: &str, count: usize| output.line(format_args!("   {count:>5}  {words}"));
    row("accepted: the daemon said yes only after they were safe on disk", verdict.accepted)?;
    row("delivered", verdict.delivered)?;
    for (why, count) in &verdict.failed {
        row(why, *count)?;
    }
    if verdict.waiting_for_a_person > 0 {
        row("wait for a person to decide", verdict.waiting_for_a_person)?;
    }
    output.line(output.paint(Tone::Strong, "What was promised"))?;
    row("submissions reached the carrier", verdict.submissions)?;
    let promise = |words: &str, count: usize| {
        let (tone, mark) = if count == 0 { (Tone::Good, "kept") } else { (Tone::Bad, "BROKEN") };
        output.line(format_args!("   {count:>5}  {words:44} {}", output.paint(tone, mark)))
    };
    promise("sent twice", verdict.doubled)?;
    promise("lost in the crash", verdict.lost)?;
    promise("sent before their time", verdict.early)?;
    promise("called delivered without being sent", verdict.invented)?;
    promise("left without a fate or a reason", verdict.unexplained)?;
    let words = match (verdict.kept(), stopped_well) {
        (true, true) => "Killed once, nothing lost, nothing doubled.",
        (true, false) => "A process did not stop in order; please report this.",
        (false, _) => "A promise broke; please report this with the seed.",
    };
    let tone = if verdict.kept() && stopped_well { Tone::Good } else { Tone::Bad };
    output.line(output.paint(tone, words))?;
    Ok(())
}
