//! What each event means, in plain words.

use dunlin_workflows::message::{Cause, Counts, Event, Failure, Hold, Priority, Terms, Verdict, Via};
use dunlin_workflows::provider_error;
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;

use super::span::span;
use super::written;

/// What an event means, in one line.
pub(super) fn of(event: &Event, at: Timestamp, source: Source) -> String {
    match event {
        Event::Accepted { terms } => accepted(terms, source),
        Event::Held { hold, until } => match *until {
            Timestamp::MAX => hold_words(*hold).to_owned(),
            until => format!("{}: until {}", hold_words(*hold), until_words(until, at)),
        },
        Event::BecameDue => "may go; waits for a slot".to_owned(),
        Event::AttemptStarted { attempt, counted } => {
            let counted = counted.map(|day| format!("; counts on {day}")).unwrap_or_default();
            format!("attempt {}: from here on the request may be on the wire{counted}", attempt.get())
        }
        Event::AttemptSuspected { attempt, started_at, counted } => {
            let counted = counted.map(|day| format!("; counts on {day}")).unwrap_or_default();
            format!(
                "attempt {}: somebody else may have sent it since {}; it is looked up first{counted}",
                attempt.get(),
                written(*started_at)
            )
        }
        Event::Relinquished => "another daemon has it now; nothing more is sent from here".to_owned(),
        Event::Reclaimed => "claimed again; it waits until the shared database confirms that".to_owned(),
        Event::Bypassed { hold } => format!("urgent, so it goes although {}", hold_words(*hold)),
        Event::Submitted { attempt, sid, status, via } => {
            format!("attempt {}: the provider took it as {sid}, {status}; {}", attempt.get(), via_words(*via))
        }
        Event::AttemptFailed { attempt, verdict, .. } => {
            format!("attempt {} came to nothing; {}", attempt.get(), verdict_words(*verdict, at))
        }
        Event::OutcomeLost { attempt, detail } => {
            format!("attempt {}: nobody knows yet whether the provider took it: {detail}", attempt.get())
        }
        Event::LookupFoundNothing { attempt, lookups } => {
            format!("attempt {}: search {lookups} in the provider's list found nothing", attempt.get())
        }
        Event::StatusReported { status, via, .. } => format!("{status}; {}", via_words(*via)),
        Event::Polled { polls } => {
            format!("asked the provider where it is, for the {} time", ordinal(*polls))
        }
        Event::Unconfirmed => {
            "the provider never told what became of it; it is not asked any more".to_owned()
        }
        Event::Rescheduled { scheduled_for } => match scheduled_for {
            Some(to) => format!("not before {}{}", until_words(*to, at), by(source)),
            None => format!("to be sent at once{}", by(source)),
        },
        Event::Canceled => format!("withdrawn before it left{}", by(source)),
        Event::Expired => "its deadline passed before it was sent".to_owned(),
        Event::Suppressed { ban } => format!("not sent: {ban}"),
        Event::GivenUp => "nobody decided in time; not sent again, for it may have arrived".to_owned(),
        Event::Remarked { reason } => format!("because: {}", reason.as_str()),
        Event::RetriedAs { id } => format!("tried again as message {id}{}", by(source)),
        Event::Contradicted { sid, status } => {
            format!("the provider says {status} of {sid}, which does not fit; kept, nothing changed")
        }
    }
}

/// Causes and remedies, a line each.
pub(super) fn more(event: &Event) -> Vec<String> {
    let (Event::AttemptFailed { failure, .. } | Event::StatusReported { failure: Some(failure), .. }) = event
    else {
        return Vec::new();
    };
    let code = failure.code().map(|code| format!(" {code}")).unwrap_or_default();
    let mut lines = vec![format!("cause: {} ({}{code})", cause_of(failure), failure.class)];
    lines.extend(remedy_of(failure).map(|remedy| format!("remedy: {remedy}")));
    lines
}

/// Why an attempt came to nothing, in plain words.
pub fn cause_of(failure: &Failure) -> String {
    if let Some(known) = failure.code().and_then(provider_error::find) {
        return known.cause.to_owned();
    }
    let said = if failure.detail.is_empty() { String::new() } else { format!(": {}", failure.detail) };
    match failure.cause {
        Cause::Refused { http_status, .. } => {
            format!("The provider refused it with HTTP {http_status}{said}")
        }
        Cause::Reported { .. } => format!("The provider reported it{said}"),
        Cause::NotConnected => format!("No connection to the provider was made{said}"),
        Cause::OutcomeUnknown => format!("It could not be learned whether the provider took it{said}"),
    }
}

/// What the operator can do about it, when the table of provider errors knows.
pub fn remedy_of(failure: &Failure) -> Option<&'static str> {
    failure.code().and_then(provider_error::find).map(|known| known.remedy)
}

/// What a held message waits for, in plain words.
pub fn hold_words(hold: Hold) -> &'static str {
    match hold {
        Hold::Scheduled => "its time has not come",
        Hold::Backoff => "waits before the next attempt",
        Hold::ProviderLane => "the provider asked to slow down",
        Hold::SendingDisabled => "sending is switched off (SMS_SENDING_ENABLED=false)",
        Hold::OutcomeUnknown => "nobody knows whether the provider took it; a person decides",
        Hold::QuietHours => "the recipient has quiet hours",
        Hold::LegalHours => "the law leaves no such hours for texts that are not essential",
        Hold::DailyLimit => "the recipient has had as many texts today as they may",
        Hold::RateLimit => "the recipient has had as many texts lately as they may",
        Hold::ZoneUnknown => "nobody knows what hour it is where the recipient is",
        Hold::PreferencesUnreadable => "nobody understands what the recipient prefers",
        Hold::KindUnknown => "its kind is not known any more",
        Hold::LowPriorityHours => {
            "it is not urgent, and such texts leave at certain times of the recipient's day"
        }
        Hold::Claim => "the shared database has not confirmed yet that it is ours",
        Hold::GlobalRate => "as many texts went lately as may altogether",
        Hold::SenderRate => "as many texts of its sender went lately as may",
        Hold::CountryRate => "as many texts went lately to the recipient's country as may",
        Hold::FraudVelocity => {
            "many numbers like the recipient's, which nobody texted before, were texted lately"
        }
    }
}

/// `1 attempt`, `2 attempts`.
pub(super) fn count(number: u32, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// An instant, and how far it is from `now`.
pub(super) fn when(at: Timestamp, now: Timestamp) -> String {
    if at < now {
        format!("at {} ({} ago)", written(at), span(now.since(at)))
    } else {
        format!("at {} (in {})", written(at), span(at.since(now)))
    }
}

fn until_words(until: Timestamp, at: Timestamp) -> String {
    format!("{} (in {})", written(until), span(until.since(at)))
}

fn accepted(terms: &Terms, source: Source) -> String {
    let mut words = format!("{} {}{}", count(terms.segments.into(), "segment"), terms.encoding, by(source));
    let mut add = |more: String| {
        words.push_str(", ");
        words.push_str(&more);
    };
    if terms.priority != Priority::Normal {
        add(format!("priority {}", terms.priority.as_str()));
    }
    if let Some(at) = terms.scheduled_for {
        add(format!("not before {}", written(at)));
    }
    if let Some(at) = terms.expires_at {
        add(format!("expires {}", written(at)));
    }
    if let Some(kind) = &terms.kind {
        add(format!("kind {kind}"));
    }
    if terms.is_claimed {
        add("claimed from the shared database".to_owned());
    }
    if let Some(id) = terms.retry_of {
        add(format!("tries {id} again"));
    }
    words
}

fn verdict_words(verdict: Verdict, at: Timestamp) -> String {
    match verdict {
        Verdict::RetryAt { hold, until, counts } => {
            let free = if counts == Counts::No { ", not counted against the cap" } else { "" };
            format!("{}: again at {}{free}", hold_words(hold), until_words(until, at))
        }
        Verdict::Failed => "not tried again".to_owned(),
    }
}

fn via_words(via: Via) -> &'static str {
    match via {
        Via::Response => "told by its answer",
        Via::Callback => "told by a callback",
        Via::Lookup => "found by a search",
        Via::Poll => "told when asked",
    }
}

/// On whose behalf, when it was somebody's.
fn by(source: Source) -> &'static str {
    match source {
        Source::Api => ", by the API",
        Source::Cli => ", from the command line",
        Source::Import => ", imported",
        Source::Sync => ", by the shared database",
        Source::Link => ", by the link to opt out",
        Source::Webhook | Source::Timer | Source::Dispatcher | Source::Lookup | Source::Recovery => "",
    }
}

fn ordinal(number: u8) -> String {
    match number {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        number => format!("{number}th"),
    }
}
