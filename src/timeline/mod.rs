//! A message's life as a person reads it: when what happened, why, how long it took, what comes next.
//!
//! Pure: the life, the time and the rules come in, lines go out. The recipient is masked and the
//! body is not shown.

mod coming;
pub mod event_fields;
pub mod instance_fields;
pub mod span;
mod words;

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use dunlin_storage::{Content, Entry};
use dunlin_workflows::message::{Event, Message, StateName};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::rules::Rules;
use dunlin_workflows::timestamp::Timestamp;

pub use words::{cause_of, hold_words, remedy_of};

use span::span;

/// Who a message is for, as far as it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipient {
    /// This number, shown masked.
    Known(PhoneNumber),
    /// The person was erased.
    Erased,
    /// The keys that seal the number were not given.
    Sealed,
}

impl Recipient {
    /// Who `content` is for.
    pub fn of(content: &Content) -> Self {
        match content {
            Content::Open(text) => Self::Known(text.to),
            Content::Erased => Self::Erased,
            Content::Locked => Self::Sealed,
        }
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(to) => f.write_str(&to.masked()),
            Self::Erased => f.write_str("(erased)"),
            Self::Sealed => f.write_str("(sealed)"),
        }
    }
}

/// One message's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    /// Who, to whom, where it stands.
    pub head: String,
    /// What happened, oldest first.
    pub steps: Vec<Step>,
    /// How long it was in each state, in the order of first arrival; up to now in the last one,
    /// unless that is final.
    pub spent: Vec<(StateName, Duration)>,
    /// What comes next.
    pub next: String,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub at: Timestamp,
    /// How long after the step before; `None` for the first.
    pub since: Option<Duration>,
    /// The event's name.
    pub event: &'static str,
    /// What it means.
    pub words: String,
    /// More to say, a line each: causes and remedies.
    pub more: Vec<String>,
}

impl Timeline {
    /// The life of a message to `recipient` as it looks at `now`, under `rules` as far as the future is
    /// concerned.
    ///
    /// A life that does not fold is told as far as it makes sense, and each event that can't have
    /// happened says so.
    pub fn of(life: &[Entry], recipient: &Recipient, now: Timestamp, rules: &Rules) -> Self {
        let mut telling = Telling { message: None, steps: Vec::new(), stays: Vec::new() };
        for entry in life {
            telling.tell(entry);
        }
        let Telling { message, steps, stays } = telling;
        Self {
            head: head(life, recipient, message.as_ref()),
            steps,
            spent: spent(&stays, now),
            next: message.map_or_else(
                || "unknown: the message's beginning is missing".to_owned(),
                |message| coming::words(&message, now, rules),
            ),
        }
    }

    /// The lines, without line ends.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.head.clone()];
        for step in &self.steps {
            let since = step.since.map(|since| format!("+{}", span(since))).unwrap_or_default();
            let at = written(step.at);
            lines.push(format!("  {at} {since:>9}  {:<20} {}", step.event, step.words).trim_end().to_owned());
            lines.extend(step.more.iter().map(|more| format!("{:58} {more}", "")));
        }
        if !self.spent.is_empty() {
            let spent: Vec<String> = self
                .spent
                .iter()
                .map(|(state, time)| format!("{} {}", state.as_str(), span(*time)))
                .collect();
            lines.push(format!("  time in each state: {}", spent.join(", ")));
        }
        lines.push(format!("  next: {}", self.next));
        lines
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

/// Events that do not move a message.
const ASIDES: [&str; 4] = ["polled", "remarked", "retried_as", "contradicted"];

/// Why a message is where it is, in one sentence: the newest thing that moved it, and its cause.
pub fn reason(life: &[Entry], message: &Message) -> String {
    let moved = life.iter().rev().find(|entry| !ASIDES.contains(&entry.event.name()));
    let words = moved.map(|entry| words::of(&entry.event, entry.at, entry.source)).unwrap_or_default();
    match &message.failure {
        Some(failure) if message.state.name() != StateName::Delivered => {
            format!("{words}; {}", cause_of(failure))
        }
        Some(_) | None => words,
    }
}

/// A life being told.
struct Telling {
    message: Option<Message>,
    steps: Vec<Step>,
    /// Where it was, and since when.
    stays: Vec<(StateName, Timestamp)>,
}

impl Telling {
    fn tell(&mut self, entry: &Entry) {
        let folded = match &mut self.message {
            Some(message) => message.apply(&entry.event, entry.at),
            None => Message::begin(&entry.event, entry.at).map(|begun| self.message = Some(begun)),
        };
        let mut more = words::more(&entry.event);
        if let Err(illegal) = folded {
            more.push(format!("CAN'T BE: {illegal} (journal record {})", entry.seq));
        }
        let since = self.steps.last().map(|step| entry.at.since(step.at));
        let words = words::of(&entry.event, entry.at, entry.source);
        self.steps.push(Step { at: entry.at, since, event: entry.event.name(), words, more });
        let state = self.message.as_ref().map(|message| message.state.name());
        if let Some(state) = state.filter(|state| self.stays.last().map(|(last, _)| last) != Some(state)) {
            self.stays.push((state, entry.at));
        }
    }
}

fn head(life: &[Entry], recipient: &Recipient, message: Option<&Message>) -> String {
    let terms = life.iter().find_map(|entry| {
        let Event::Accepted { terms } = &entry.event else { return None };
        Some(terms)
    });
    let (Some(terms), Some(message)) = (terms, message) else {
        return "a message whose beginning is missing".to_owned();
    };
    format!(
        "{}  -> {recipient}  {}  {}, {} {}",
        terms.id,
        message.state.name().as_str().to_uppercase(),
        words::count(message.attempt.get(), "attempt"),
        words::count(message.segments.into(), "segment"),
        terms.encoding,
    )
}

fn spent(stays: &[(StateName, Timestamp)], now: Timestamp) -> Vec<(StateName, Duration)> {
    let ends = stays.iter().skip(1).map(|(_, at)| *at).chain(std::iter::once(now));
    let mut spent: Vec<(StateName, Duration)> = Vec::new();
    for ((state, from), until) in stays.iter().zip(ends).filter(|((state, _), _)| !state.is_settled()) {
        let stay = until.since(*from);
        match spent.iter_mut().find(|(known, _)| known == state) {
            Some((_, time)) => *time = time.saturating_add(stay),
            None => spent.push((*state, stay)),
        }
    }
    spent
}

/// RFC 3339 in UTC with milliseconds; `never` when no calendar reaches that far.
pub fn written(at: Timestamp) -> String {
    DateTime::<Utc>::from_timestamp_millis(at.as_millis())
        .map_or_else(|| "never".to_owned(), |at| at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

#[cfg(test)]
mod tests;
