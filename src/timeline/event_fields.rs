//! What is in an event, as fields of JSON. They hold nothing about a person but a number of ours.

use dunlin_storage::PersonEvent;
use dunlin_workflows::actor::Reason;
use dunlin_workflows::alarm::Alarm;
use dunlin_workflows::consent;
use dunlin_workflows::id::{ProviderSid, UserNumber};
use dunlin_workflows::kind::KindName;
use dunlin_workflows::lane;
use dunlin_workflows::message::{Counts, Event, Failure, Terms, Verdict};
use dunlin_workflows::policy::Ban;
use dunlin_workflows::timestamp::Timestamp;
use serde_json::{Map, Value, json};

use crate::timeline::{cause_of, remedy_of, written};

/// The fields of a message's event.
pub fn of_message(event: &Event) -> Map<String, Value> {
    object(match event {
        Event::Accepted { terms } => accepted(terms),
        Event::Held { hold, until } => json!({"reason": hold.as_str(), "until": instant(*until)}),
        Event::AttemptStarted { attempt, counted } => {
            json!({"attempt": attempt.get(), "counted_on": counted.map(|day| day.to_string())})
        }
        Event::AttemptSuspected { attempt, started_at, counted } => json!({
            "attempt": attempt.get(), "started_at": instant(*started_at),
            "counted_on": counted.map(|day| day.to_string()),
        }),
        Event::Bypassed { hold } => json!({"reason": hold.as_str()}),
        Event::Submitted { attempt, sid, status, via } => json!({
            "attempt": attempt.get(), "provider_sid": sid.as_str(),
            "provider_status": status.as_str(), "via": via.as_str(),
        }),
        Event::AttemptFailed { attempt, failure: failed, verdict } => {
            let mut fields = json!({"attempt": attempt.get(), "error": failure(failed)});
            if let (Verdict::RetryAt { hold, until, counts }, Some(fields)) =
                (verdict, fields.as_object_mut())
            {
                fields.insert("reason".to_owned(), hold.as_str().into());
                fields.insert("until".to_owned(), instant(*until));
                fields.insert("counts".to_owned(), (*counts == Counts::Yes).into());
            }
            fields
        }
        Event::OutcomeLost { attempt, detail } => json!({"attempt": attempt.get(), "detail": detail}),
        Event::LookupFoundNothing { attempt, lookups } => {
            json!({"attempt": attempt.get(), "lookups": lookups})
        }
        Event::StatusReported { status, failure: failed, via } => json!({
            "provider_status": status.as_str(), "via": via.as_str(),
            "error": failed.as_ref().map(failure),
        }),
        Event::Polled { polls } => json!({"polls": polls}),
        Event::Rescheduled { scheduled_for } => json!({"scheduled_for": scheduled_for.map(instant)}),
        Event::Remarked { reason } => json!({"reason_given": reason.as_str()}),
        Event::Suppressed { ban } => evidence(*ban),
        Event::RetriedAs { id } => json!({"retried_as": id.to_string()}),
        Event::Contradicted { sid, status } => {
            json!({"provider_sid": sid.as_str(), "provider_status": status.as_str()})
        }
        Event::BecameDue
        | Event::Canceled
        | Event::Expired
        | Event::GivenUp
        | Event::Unconfirmed
        | Event::Relinquished
        | Event::Reclaimed => Value::Null,
    })
}

/// What forbids a text, as data.
pub fn evidence(ban: Ban) -> Value {
    match ban {
        Ban::OptedOut { since, how } => {
            json!({"rule": ban.rule(), "since": instant(since), "how": how.as_str()})
        }
        Ban::ToggledOff { toggle } => json!({"rule": ban.rule(), "toggle": toggle.as_str()}),
        Ban::DailyLimit { limit } => json!({"rule": ban.rule(), "limit": limit}),
        Ban::Duplicate { since } => json!({"rule": ban.rule(), "since": instant(since)}),
        Ban::NotVerified | Ban::Country => json!({"rule": ban.rule()}),
    }
}

/// The fields of a lane's event.
pub fn of_lane(event: &lane::Event) -> Map<String, Value> {
    object(match event {
        lane::Event::Cooled { until, failure: why } => {
            json!({"until": instant(*until), "error": failure(why)})
        }
        lane::Event::Warmed => Value::Null,
        lane::Event::FailuresRepeated(alarm) => alarm_json(alarm),
        lane::Event::FailuresEnded(alarm) => alarm_json(alarm),
    })
}

/// Failures that repeat, as data: what, how many there were when that was noticed, and what to do.
pub fn alarm_json(alarm: &Alarm) -> Value {
    let reason = alarm.reason();
    json!({
        "code": reason.to_string(), "class": alarm.failure.class.as_str(),
        "cause": reason.cause(), "remedy": reason.remedy(), "count": alarm.count, "since": instant(alarm.since),
    })
}

fn accepted(terms: &Terms) -> Value {
    json!({
        "person": terms.person.get(), "encoding": terms.encoding.to_string(), "segments": terms.segments,
        "priority": terms.priority.as_str(), "on_unknown": terms.on_unknown.as_str(),
        "scheduled_for": terms.scheduled_for.map(instant), "expires_at": terms.expires_at.map(instant),
        "retry_of": terms.retry_of.map(|id| id.to_string()),
        "user": terms.user.map(UserNumber::get), "kind": terms.kind.as_ref().map(KindName::as_str),
        "claimed": terms.is_claimed.then_some(true),
        "template": terms.template.map(|template| json!({"number": template.number, "version": template.version})),
    })
}

fn failure(failure: &Failure) -> Value {
    json!({
        "code": failure.code(), "class": failure.class.as_str(),
        "cause": cause_of(failure), "remedy": remedy_of(failure), "detail": failure.detail,
    })
}

/// The fields of a person's event.
pub fn of_person(event: &PersonEvent) -> Map<String, Value> {
    use consent::Event as E;
    let why = |reason: &Option<Reason>| reason.as_ref().map(|reason| reason.as_str().to_owned());
    object(match event {
        PersonEvent::Erased { reason } => json!({"reason_given": why(reason)}),
        PersonEvent::Consent(
            E::OptedOut { since, how, text, reason } | E::OptedIn { since, how, text, reason },
        ) => json!({
            "since": instant(*since), "how": how.as_str(), "reason_given": why(reason),
            "provider_sid": text.as_ref().map(ProviderSid::as_str),
        }),
        PersonEvent::Consent(E::HelpAsked { text }) => json!({"provider_sid": text.as_str()}),
        PersonEvent::Consent(E::OptOutSuspected { text, since }) => {
            json!({"provider_sid": text.as_str(), "since": instant(*since)})
        }
        PersonEvent::Consent(E::ReviewResolved { text, finding, reason }) => json!({
            "provider_sid": text.as_str(), "finding": finding.as_str(), "reason_given": why(reason),
        }),
    })
}

/// An instant; null for "never".
pub(super) fn instant(at: Timestamp) -> Value {
    if at == Timestamp::MAX { Value::Null } else { written(at).into() }
}

/// The object without its nulls.
pub(super) fn object(value: Value) -> Map<String, Value> {
    let Value::Object(fields) = value else { return Map::new() };
    fields.into_iter().filter(|(_, value)| !value.is_null()).collect()
}
