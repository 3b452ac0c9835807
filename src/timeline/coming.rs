//! What comes next in a message's life, and when.

use dunlin_workflows::message::{Hold, Message, Next, State, next};
use dunlin_workflows::rules::Rules;
use dunlin_workflows::timestamp::Timestamp;

use super::span::span;
use super::words::{hold_words, when};

/// What comes next, seen from `now`.
pub(super) fn words(message: &Message, now: Timestamp, rules: &Rules) -> String {
    match next(message, rules) {
        Next::Nothing => match message.retried_as {
            Some(id) => format!("nothing; it was tried again as message {id}"),
            None if message.state.name().is_final() => {
                format!("nothing; {} is final", message.state.name().as_str())
            }
            None if message.state == State::Relinquished => {
                "nothing here; another daemon has it, unless it is claimed again".to_owned()
            }
            None => "nothing; only late word of the provider can tell more".to_owned(),
        },
        Next::Wake { at: Timestamp::MAX } => {
            format!("nothing until somebody acts: {}", held(message).unwrap_or("no clock wakes it"))
        }
        Next::Wake { at } => match message.state {
            State::Held { hold: Hold::OutcomeUnknown, .. } => {
                format!(
                    "given up {}, unless `dunlin retry` sends it again or a callback comes",
                    when(at, now)
                )
            }
            State::Held { until, .. } if at < until => format!("expires {}", when(at, now)),
            State::Held { .. }
            | State::Accepted
            | State::Due { .. }
            | State::Submitting { .. }
            | State::Unknown { .. }
            | State::Submitted { .. }
            | State::Sent { .. }
            | State::Unconfirmed { .. }
            | State::Relinquished
            | State::Delivered
            | State::Undelivered
            | State::Failed
            | State::Canceled
            | State::Expired
            | State::Suppressed { .. } => format!("judged again {}", when(at, now)),
        },
        Next::Dispatch => {
            let expires =
                message.expires_at.map(|at| format!("; expires {}", when(at, now))).unwrap_or_default();
            format!("goes as soon as a slot is free{expires}")
        }
        Next::Answer { attempt } => {
            format!(
                "the provider's answer to attempt {}; if the daemon stopped, a search for it",
                attempt.get()
            )
        }
        Next::LookUp { attempt, after, .. } => format!(
            "a search for attempt {} in the provider's list, {} after its outcome was lost",
            attempt.get(),
            span(after)
        ),
        Next::Poll { at, .. } => {
            format!("a callback; if none comes, the provider is asked {}", when(at, now))
        }
    }
}

fn held(message: &Message) -> Option<&'static str> {
    if let State::Held { hold, .. } = message.state { Some(hold_words(hold)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::written;

    #[test]
    fn instants_say_how_far_they_are() {
        let now = Timestamp::from_millis(60_000);
        assert_eq!(when(Timestamp::from_millis(61_500), now), "at 1970-01-01T00:01:01.500Z (in 1.5s)");
        assert_eq!(when(Timestamp::from_millis(0), now), "at 1970-01-01T00:00:00.000Z (1m ago)");
        assert_eq!(written(Timestamp::MAX), "never");
    }
}
