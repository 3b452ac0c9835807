//! What the gate says, as callers see it: one sentence, the rule, and the evidence.

use dunlin_workflows::kind::KindName;
use dunlin_workflows::message::Hold;
use dunlin_workflows::policy::{Ban, Case, Ruling, Stream, ZoneSource};
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::zone::{OPEN_MINUTES, Windows, Zone};
use serde_json::{Map, Value, json};

use crate::http::instant;
use crate::timeline::{event_fields, hold_words};

/// One plain sentence.
pub(super) fn sentence(ruling: Ruling) -> String {
    match ruling {
        Ruling::Send => "it may go as soon as a slot is free".to_owned(),
        Ruling::Hold { hold, .. } => format!("it is held: {}", hold_words(hold)),
        Ruling::Expire => "it is not sent: its deadline has passed".to_owned(),
        Ruling::Suppress(ban) => format!("it is not sent: {ban}"),
    }
}

/// Until when it is held, if a clock releases it.
pub(super) fn until(ruling: Ruling) -> Option<String> {
    match ruling {
        Ruling::Hold { until, .. } if until < Timestamp::MAX => Some(instant::format(until)),
        Ruling::Hold { .. } | Ruling::Send | Ruling::Expire | Ruling::Suppress(_) => None,
    }
}

/// The rule with its values, as data; nothing when it may go.
pub(super) fn evidence(ruling: Ruling, case: &Case<'_>) -> Value {
    let mut fields = match ruling {
        Ruling::Send => return Value::Null,
        Ruling::Suppress(ban) => {
            let Value::Object(mut fields) = event_fields::evidence(ban) else { return Value::Null };
            match ban {
                Ban::DailyLimit { .. } => fields.extend(of_day(case)),
                Ban::Duplicate { .. } => fields.extend(of_window(case)),
                Ban::OptedOut { .. } | Ban::ToggledOff { .. } | Ban::NotVerified | Ban::Country => {}
            }
            fields
        }
        Ruling::Expire => Map::from_iter([
            ("rule".to_owned(), json!("expired")),
            ("expires_at".to_owned(), json!(case.expires_at.map(instant::format))),
        ]),
        Ruling::Hold { hold, .. } => {
            let mut fields = Map::from_iter([
                ("rule".to_owned(), json!(ruling.rule())),
                ("until".to_owned(), json!(until(ruling))),
            ]);
            fields.extend(of_hold(hold, case));
            fields
        }
    };
    fields.retain(|_, value| !value.is_null());
    Value::Object(fields)
}

fn of_hold(hold: Hold, case: &Case<'_>) -> Vec<(String, Value)> {
    match hold {
        Hold::QuietHours => {
            let hours = case.quiet_hours().map(|hours| hours.to_string());
            let mut fields = vec![("quiet_hours".to_owned(), json!(hours))];
            fields.extend(of_zone(case));
            let may = case.kind().is_some_and(|kind| kind.may_bypass);
            fields.push(("kind_may_bypass".to_owned(), json!(may)));
            fields.push(("template_or_key_may_bypass".to_owned(), json!(case.may_bypass)));
            fields
        }
        Hold::LegalHours => {
            let hours = case.forbidden_hours().map(|hours| hours.to_string());
            let mut fields = vec![("forbidden_hours".to_owned(), json!(hours))];
            fields.extend(of_zone(case));
            fields
        }
        Hold::LowPriorityHours => {
            let windows = case.low_priority_hours().map(Windows::to_string);
            let mut fields = vec![("leaves_at".to_owned(), json!(windows))];
            fields.push(("for_minutes".to_owned(), json!(OPEN_MINUTES)));
            fields.extend(of_zone(case));
            fields
        }
        Hold::DailyLimit => of_day(case),
        Hold::RateLimit => {
            let limits = &case.rules.limits;
            vec![
                ("per_minute".to_owned(), json!(limits.per_minute)),
                ("per_hour".to_owned(), json!(limits.per_hour)),
            ]
        }
        Hold::GlobalRate | Hold::SenderRate | Hold::CountryRate | Hold::FraudVelocity => {
            of_stream(hold, case)
        }
        Hold::KindUnknown => vec![("kind".to_owned(), json!(case.kind.map(KindName::as_str)))],
        Hold::ZoneUnknown
        | Hold::PreferencesUnreadable
        | Hold::Scheduled
        | Hold::Backoff
        | Hold::ProviderLane
        | Hold::SendingDisabled
        | Hold::OutcomeUnknown
        | Hold::Claim => Vec::new(),
    }
}

/// How many may go in the stream that holds it, and how many went lately.
fn of_stream(hold: Hold, case: &Case<'_>) -> Vec<(String, Value)> {
    let Some((stream, flow)) = case.recipient.flow(hold) else { return Vec::new() };
    let rate = case.rules.limits.rate_of(stream);
    let counted = flow.counted(case.now);
    let country = match stream {
        Stream::Country(region) => Some(region.to_string()),
        Stream::All | Stream::Sender(_) | Stream::Block(_) => None,
    };
    let limits = [rate.per_minute, rate.per_hour, rate.per_day];
    let names =
        [("per_minute", "counted_in_minute"), ("per_hour", "counted_in_hour"), ("per_day", "counted_in_day")];
    let mut fields = vec![("country".to_owned(), json!(country))];
    for ((limit, counted), (per, name)) in limits.into_iter().zip(counted).zip(names) {
        fields.push((per.to_owned(), json!(limit)));
        fields.push((name.to_owned(), json!(limit.map(|_| counted))));
    }
    fields
}

fn of_window(case: &Case<'_>) -> Vec<(String, Value)> {
    let window = case.rules.limits.duplicate_window;
    vec![("window_seconds".to_owned(), json!(window.map(|window| window.as_secs())))]
}

fn of_day(case: &Case<'_>) -> Vec<(String, Value)> {
    let counted = case.zone().map(|zone| case.recipient.usage.on(zone.day(case.now)));
    let mut fields =
        vec![("limit".to_owned(), json!(case.daily_limit())), ("counted_today".to_owned(), json!(counted))];
    fields.extend(of_zone(case));
    fields
}

/// Where the recipient is, and who said so.
fn of_zone(case: &Case<'_>) -> [(String, Value); 3] {
    let (zone, source) = case.whereabouts().unzip();
    let (from, region) = match source {
        Some(ZoneSource::Preferences) => (Some("preferences"), None),
        Some(ZoneSource::Region(region)) => (Some("number_region"), Some(region.to_string())),
        Some(ZoneSource::Deployment) => (Some("default"), None),
        None => (None, None),
    };
    [
        ("timezone".to_owned(), json!(zone.map(Zone::name))),
        ("timezone_from".to_owned(), json!(from)),
        ("number_region".to_owned(), json!(region)),
    ]
}
