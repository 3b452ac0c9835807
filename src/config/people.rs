//! What a deployment demands of every text to a person.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dunlin_workflows::kind::{Kind, KindName, Kinds};
use dunlin_workflows::message::Priority;
use dunlin_workflows::phone_number::Region;
use dunlin_workflows::policy::{
    Limits, OptOutLine, OptOutLineError, OverDaily, RECENT_MAX, Rate, Verified, ZoneByRegion,
};
use dunlin_workflows::user::Toggle;
use dunlin_workflows::zone::{Hours, Windows, WindowsError};
use serde::Deserialize;

use crate::config::Reader;
use crate::config::rates;
use crate::config::setting::Name;
use crate::config::value;
use crate::opt_out_link::{OptOutLinks, PLACE};

/// Most texts in a local day that a limit may allow.
const DAILY_MAX: u32 = 1000;
/// Largest file of kinds, in bytes.
const KINDS_BYTES_MAX: u64 = 256 << 10;
/// Longest time for which a text may be remembered.
const WINDOW_MAX: Duration = Duration::from_hours(24);
/// Most countries that may be named.
const COUNTRIES_MAX: usize = 300;

/// The limits; `None` only after a problem was noted.
pub(super) fn limits(reader: &mut Reader<'_>, live: bool, links: Option<&OptOutLinks>) -> Option<Limits> {
    let zone = reader.values.text(Name::DefaultTimeZone).is_some();
    let zone_read = reader.read(Name::DefaultTimeZone, str::parse);
    let zone_by_region = reader.read(Name::ZoneByRegion, |text| match text {
        "on" => Ok(ZoneByRegion::On),
        "off" => Ok(ZoneByRegion::Off),
        other => Err(format!("\"{other}\" is neither on nor off")),
    });
    let quiet_hours = reader.read(Name::QuietHours, hours_or_off);
    let legal_hours = reader.read(Name::LegalHours, str::parse);
    let low_priority_hours = reader.read(Name::LowPriorityHours, windows_or_off);
    let daily = reader.read(Name::DailyLimit, |text| number_or_off(text, 0, DAILY_MAX));
    let over_daily = reader.read(Name::OverDailyLimit, |text| match text {
        "hold" => Ok(OverDaily::Hold),
        "drop" => Ok(OverDaily::Drop),
        other => Err(format!("\"{other}\" is neither hold nor drop")),
    });
    let recent = u32::try_from(RECENT_MAX).unwrap_or(u32::MAX);
    let per_minute = reader.read(Name::RatePerMinute, |text| number_or_off(text, 1, recent));
    let per_hour = reader.read(Name::RatePerHour, |text| number_or_off(text, 1, recent));
    let countries = reader.read(Name::Countries, countries);
    let by_mode = if live { Verified::Required } else { Verified::NotRequired };
    let verified = match reader.values.text(Name::VerifiedNumbers) {
        None => Some(by_mode),
        Some(_) => reader.read(Name::VerifiedNumbers, |text| match text {
            "required" => Ok(Verified::Required),
            "not_required" => Ok(Verified::NotRequired),
            other => Err(format!("\"{other}\" is neither required nor not_required")),
        }),
    };
    let global_rate = reader.read(Name::RateGlobal, rates::rate);
    let sender_rate = reader.read(Name::RateSender, rates::rate);
    let country_rates = reader.read(Name::RateCountries, rates::countries);
    let velocity = match reader.values.text(Name::PrefixVelocity) {
        None if live => Some(rates::VELOCITY),
        None => Some(Rate::NONE),
        Some(_) => reader.read(Name::PrefixVelocity, rates::rate),
    };
    let duplicate_window = reader.read(Name::DuplicateWindow, window_or_off);
    let opt_out_line = reader.read(Name::OptOutLine, |text| line_or_off(text, links));
    let sender =
        [Name::MessagingServiceSid, Name::From].into_iter().find_map(|name| reader.values.text(name));
    let sender = Arc::from(sender.unwrap_or_default());
    if zone && zone_read.is_none() {
        return None;
    }
    Some(Limits {
        zone: zone_read,
        zone_by_region: zone_by_region?,
        quiet_hours: quiet_hours?,
        legal_hours: legal_hours?,
        low_priority_hours: low_priority_hours?,
        daily: daily?,
        over_daily: over_daily?,
        per_minute: per_minute?,
        per_hour: per_hour?,
        global_rate: global_rate?,
        sender_rate: sender_rate?,
        sender,
        country_rates: country_rates?,
        velocity: velocity?,
        duplicate_window: duplicate_window?,
        opt_out_line: opt_out_line?,
        countries: countries?,
        verified: verified?,
    })
}

/// The kinds; `None` only after a problem was noted.
pub(super) fn kinds(reader: &mut Reader<'_>) -> Option<Kinds> {
    if reader.values.text(Name::KindsFile).is_none() {
        return Some(Kinds::default());
    }
    reader.read(Name::KindsFile, |path| read_kinds(Path::new(path)))
}

fn number_or_off(text: &str, min: u32, max: u32) -> Result<Option<u16>, String> {
    if text == "off" {
        return Ok(None);
    }
    let number = value::number(text, min, max).map_err(|why| format!("{why}, or off"))?;
    Ok(u16::try_from(number).ok())
}

fn window_or_off(text: &str) -> Result<Option<Duration>, String> {
    match value::duration_or_off(text)? {
        Some(window) if window > WINDOW_MAX => {
            Err(format!("\"{text}\" is longer than 24h; write less, or off"))
        }
        window => Ok(window),
    }
}

fn line_or_off(text: &str, links: Option<&OptOutLinks>) -> Result<Option<OptOutLine>, String> {
    if text == "off" {
        return Ok(None);
    }
    let addressed = match (text.contains(PLACE), links) {
        (false, _) => text.to_owned(),
        (true, Some(links)) => text.replace(PLACE, &links.ending(OptOutLine::TOKEN)),
        (true, None) => return Err(format!("{PLACE} needs DUNLIN_PUBLIC_URL: links begin with it")),
    };
    addressed.parse().map(Some).map_err(|error: OptOutLineError| error.to_string())
}

fn hours_or_off(text: &str) -> Result<Option<Hours>, String> {
    if text == "off" {
        return Ok(None);
    }
    let (start, end) = text
        .split_once('-')
        .ok_or_else(|| format!("\"{text}\" are no hours; write them like 22:00-08:00, or off"))?;
    let time = |text: &str| text.trim().parse().map_err(|error| format!("{error}"));
    Ok(Some(Hours { start: time(start)?, end: time(end)? }))
}

fn windows_or_off(text: &str) -> Result<Option<Windows>, WindowsError> {
    if text == "off" { Ok(None) } else { text.parse().map(Some) }
}

fn countries(text: &str) -> Result<Vec<Region>, String> {
    if text == "all" {
        return Ok(Vec::new());
    }
    let regions =
        text.split(',').map(|code| code.trim().parse::<Region>().map_err(|error| error.to_string()));
    let regions = regions.take(COUNTRIES_MAX).collect::<Result<Vec<_>, _>>()?;
    if regions.is_empty() { Err("names no country; write all, or some".to_owned()) } else { Ok(regions) }
}

/// A file of kinds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    kinds: BTreeMap<String, Row>,
}

/// One kind, as a file says it. What is left out is that of `custom`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    preference: Option<String>,
    template: Option<String>,
    priority: Option<String>,
    expires_after: Option<String>,
    class: Option<Class>,
    #[serde(default)]
    may_bypass_quiet_hours: bool,
    #[serde(default)]
    may_repeat: bool,
    verified_number: Option<Needs>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Class {
    Essential,
    NonEssential,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Needs {
    Required,
    Exempt,
}

fn read_kinds(path: &Path) -> Result<Kinds, String> {
    let named = |why: String| format!("{}: {why}", path.display());
    let length = std::fs::metadata(path).map_err(|error| named(error.to_string()))?.len();
    if length > KINDS_BYTES_MAX {
        return Err(named(format!("holds {length} bytes; at most {KINDS_BYTES_MAX} are read")));
    }
    let text = std::fs::read(path).map_err(|error| named(error.to_string()))?;
    parse_kinds(&text).map_err(named)
}

fn parse_kinds(text: &[u8]) -> Result<Kinds, String> {
    let file: File = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let kinds = file.kinds.into_iter().map(|(name, row)| {
        let kind = row.kind().map_err(|why| format!("{name}: {why}"))?;
        Ok((name.parse::<KindName>().map_err(|error| error.to_string())?, kind))
    });
    Ok(Kinds::with(kinds.collect::<Result<_, String>>()?))
}

impl Row {
    fn kind(self) -> Result<Kind, String> {
        let toggle = self.preference.map(|name| {
            Toggle::parse(&name)
                .ok_or_else(|| format!("\"{name}\" is no preference that switches texts on and off"))
        });
        let priority = self.priority.map(|word| word.parse::<Priority>().map_err(|error| error.to_string()));
        Ok(Kind {
            toggle: toggle.transpose()?,
            template: self.template.map(Into::into),
            priority: priority.transpose()?.unwrap_or_default(),
            expires_after: self.expires_after.as_deref().map(value::duration).transpose()?,
            essential: self.class != Some(Class::NonEssential),
            may_bypass: self.may_bypass_quiet_hours,
            needs_verified: self.verified_number != Some(Needs::Exempt),
            counts: true,
            may_repeat: self.may_repeat,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_of_kinds_says_what_holds_for_each() {
        let kinds = parse_kinds(
            br#"{"kinds": {"sale": {"class": "non_essential", "expires_after": "2h"},
                "alarm": {"preference": "urgent_alerts", "priority": "urgent", "may_bypass_quiet_hours": true,
                          "verified_number": "exempt"}}}"#,
        )
        .unwrap();
        let get = |name: &str| kinds.get(Some(&name.parse().unwrap())).unwrap();
        assert!(!get("sale").essential && get("sale").needs_verified && get("sale").counts);
        let alarm = get("alarm");
        assert!(
            alarm.may_bypass && !alarm.needs_verified && alarm.counts,
            "exempt of one rule, not of limits"
        );
        assert_eq!((alarm.toggle, alarm.priority), (Some(Toggle::UrgentAlerts), Priority::Urgent));
        assert!(kinds.get(Some(&"task_reminder".parse().unwrap())).is_some(), "the built-in ones stay");
        for wrong in [
            r#"{"kinds": {"Sale": {}}}"#,
            r#"{"kinds": {"sale": {"colour": "red"}}}"#,
            r#"{"kinds": {"sale": {"preference": "sales"}}}"#,
            r#"{"kinds": {"sale": {"expires_after": "soon"}}}"#,
            r#"{"kinds": {"sale": {"class": "vital"}}}"#,
            "[]",
        ] {
            assert!(parse_kinds(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn hours_limits_and_countries_are_read_or_refused() {
        assert_eq!(hours_or_off("22:00-08:00").unwrap().unwrap().to_string(), "22:00-08:00");
        assert_eq!(hours_or_off("off"), Ok(None));
        assert!(hours_or_off("22-8").is_err() && hours_or_off("22:00").is_err());
        assert_eq!(windows_or_off("17:30, 09:00,09:00").unwrap().unwrap().to_string(), "09:00,17:30");
        assert_eq!(windows_or_off("off"), Ok(None));
        for wrong in ["", "9", "09:00,", "25:00", "09:00-10:00"] {
            assert!(windows_or_off(wrong).is_err(), "{wrong}");
        }
        assert_eq!(number_or_off("0", 0, 5), Ok(Some(0)));
        assert!(number_or_off("6", 0, 5).is_err());
        assert_eq!(countries("US, DK").unwrap().len(), 2);
        assert!(countries("").is_err() && countries("USA").is_err());
    }
}
