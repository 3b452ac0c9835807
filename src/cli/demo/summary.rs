//! What the demonstration says in the end: four lives, and the account.

use serde_json::Value;

use crate::cli::client::Client;
use crate::cli::demo::verdict::{Fate, Verdict};
use crate::cli::exit::Failure;
use crate::cli::message::Message;
use crate::cli::output::{Output, Tone};
use crate::cli::timeline::Timeline;

/// What makes a life worth showing.
type IsSuch = fn(&Fate<'_>, &Message, &Value) -> bool;

/// The lives worth showing, each with its heading.
const SUCH: [(&str, IsSuch); 4] = [
    ("A plain one", |fate, message, events| {
        fate.text.scheduled_for.is_none()
            && is_delivered(message)
            && message.attempts == 1
            && !has(events, "outcome_lost")
    }),
    ("A scheduled one: not a moment early", |fate, message, _| {
        fate.text.scheduled_for.is_some() && is_delivered(message)
    }),
    ("One whose answer was lost: looked up at the provider, not sent again", |_, message, events| {
        is_delivered(message) && message.attempts == 1 && has(events, "outcome_lost")
    }),
    ("One that can't be delivered: why, and what to do", |_, message, _| {
        message.is_final() && message.error.is_some()
    }),
];

fn is_delivered(message: &Message) -> bool {
    message.state == "delivered"
}

fn has(events: &Value, name: &str) -> bool {
    let data = events.get("data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    data.iter().any(|event| event.get("event").and_then(Value::as_str) == Some(name))
}

/// Shows one life of each kind.
pub(super) async fn lives(output: Output, client: &Client, fates: &[Fate<'_>]) -> Result<(), Failure> {
    let mut shown = [false; SUCH.len()];
    for fate in fates {
        let Some(value) = &fate.message else { continue };
        let Some(message) = Message::of(value) else { continue };
        if shown.iter().all(|shown| *shown) {
            break;
        }
        let events = client.get(&format!("/v1/messages/{}/events", fate.id)).await?;
        let such = SUCH
            .iter()
            .zip(&mut shown)
            .find(|((_, is_such), shown)| !**shown && is_such(fate, &message, &events));
        if let Some(((heading, _), shown)) = such {
            *shown = true;
            output.line(format_args!("\n   {heading}"))?;
            for line in Timeline::new(value, &events).written(output).lines() {
                output.line(format_args!("   {line}"))?;
            }
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
