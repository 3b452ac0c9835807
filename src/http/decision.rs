//! What the gate says, as callers see it: one sentence, the rule, and the evidence.

use dunlin_workflows::kind::KindName;
use dunlin_workflows::message::Hold;
use dunlin_workflows::policy::{Ban, Case, Ruling, ZoneSource};
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::zone::Zone;
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
            if let Ban::DailyLimit { .. } = ban {
                fields.extend(of_day(case));
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
        Hold::DailyLimit => of_day(case),
        Hold::RateLimit => {
            let limits = &case.rules.limits;
            vec![
                ("per_minute".to_owned(), json!(limits.per_minute)),
                ("per_hour".to_owned(), json!(limits.per_hour)),
            ]
        }
        Hold::KindUnknown => vec![("kind".to_owned(), json!(case.kind.map(KindName::as_str)))],
        Hold::ZoneUnknown
        | Hold::Scheduled
        | Hold::Backoff
        | Hold::ProviderLane
        | Hold::SendingDisabled
        | Hold::OutcomeUnknown => Vec::new(),
    }
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
