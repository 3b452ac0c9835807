//! A row of `user_sms_preferences`, as what a user prefers.

use dunlin_workflows::phone_number::{PhoneNumber, Region};
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::user::{Changes, TOGGLES, Toggle};
use dunlin_workflows::zone::{LocalTime, Zone};

use super::Unfit;
use crate::wire::{Instant, PreferencesRow};

/// Most texts in a local day that a user may allow, and most minutes of lead.
const DAILY_MAX: u16 = 1000;
const LEAD_MAX: u16 = 24 * 60;

/// What a row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preferred {
    /// Everything that they prefer.
    pub changes: Changes,
    /// The number that is said to be theirs.
    pub number: Option<PhoneNumber>,
    /// Whether the database says that they have proven it.
    pub is_verified: bool,
    /// Since when they have opted out, if they have.
    pub opted_out: Option<Timestamp>,
}

/// What a row says. Null is what holds for whoever said nothing; null quiet hours are none, and a null limit or zone is the
/// deployment's.
///
/// # Errors
/// [`Unfit`] names every column that says nothing.
pub fn preferences(row: &PreferencesRow, region: Option<Region>, now: Timestamp) -> Result<Preferred, Unfit> {
    let mut wrong = Wrong(Vec::new());
    let mut changes = Changes::default();
    for (change, (toggle, _, is_on)) in changes.toggles.iter_mut().zip(TOGGLES) {
        *change = Some(switch(row, toggle).unwrap_or(is_on));
    }
    let quiet_start =
        wrong.read("quiet_hours_start", row.quiet_hours_start.as_deref(), str::parse::<LocalTime>);
    let quiet_end = wrong.read("quiet_hours_end", row.quiet_hours_end.as_deref(), str::parse::<LocalTime>);
    if row.quiet_hours_start.is_some() != row.quiet_hours_end.is_some() {
        wrong.0.push("quiet_hours_start, quiet_hours_end: give both, or null for both".to_owned());
    }
    (changes.quiet_start, changes.quiet_end) = (Some(quiet_start), Some(quiet_end));
    changes.daily_limit = Some(wrong.number("daily_sms_limit", row.daily_sms_limit, DAILY_MAX));
    changes.lead_minutes =
        wrong.number("event_reminder_lead_time_minutes", row.event_reminder_lead_time_minutes, LEAD_MAX);
    changes.kickoff_time =
        wrong.read("morning_kickoff_time", row.morning_kickoff_time.as_deref(), str::parse::<LocalTime>);
    changes.zone = Some(wrong.read("timezone", row.timezone.as_deref(), str::parse::<Zone>));
    let number = row.phone_number.as_deref().filter(|text| !text.trim().is_empty());
    let number = wrong.read("phone_number", number, |text| PhoneNumber::parse(text, region));
    let since = match row.opted_out_at {
        Some(Instant::At(at)) => at,
        Some(Instant::Never | Instant::LongAgo) | None => now,
    };
    if !wrong.0.is_empty() {
        return Err(Unfit { reason: "preferences", detail: wrong.0.join("; ") });
    }
    Ok(Preferred {
        changes,
        number,
        is_verified: row.phone_verified.unwrap_or_default(),
        opted_out: row.opted_out.unwrap_or_default().then_some(since),
    })
}

fn switch(row: &PreferencesRow, toggle: Toggle) -> Option<bool> {
    match toggle {
        Toggle::TaskReminders => row.task_reminders,
        Toggle::DailyBrief => row.daily_brief_sms,
        Toggle::UrgentAlerts => row.urgent_alerts,
        Toggle::EventReminders => row.event_reminders_enabled,
        Toggle::MorningKickoff => row.morning_kickoff_enabled,
        Toggle::EveningRecap => row.evening_recap_enabled,
    }
}

/// What is wrong with a row.
struct Wrong(Vec<String>);

impl Wrong {
    fn read<T, E: std::fmt::Display>(
        &mut self,
        name: &str,
        text: Option<&str>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        parse(text?).map_err(|error| self.0.push(format!("{name}: {error}"))).ok()
    }

    fn number(&mut self, name: &str, given: Option<i64>, max: u16) -> Option<u16> {
        let given = given?;
        let number = u16::try_from(given).ok().filter(|number| *number <= max);
        if number.is_none() {
            self.0.push(format!("{name}: expected a whole number from 0 to {max}, not {given}"));
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_900_000_000);

    #[test]
    fn everything_that_is_wrong_is_named_at_once_and_nothing_is_taken() {
        let row = PreferencesRow {
            phone_number: Some("12".to_owned()),
            timezone: Some("Mars/Olympus".to_owned()),
            quiet_hours_start: Some("21:00:00".to_owned()),
            daily_sms_limit: Some(-1),
            ..PreferencesRow::default()
        };
        let unfit = preferences(&row, None, NOW).unwrap_err();
        for name in ["phone_number", "timezone", "quiet_hours_start, quiet_hours_end", "daily_sms_limit"] {
            assert!(unfit.detail.contains(name), "{name}: {unfit}");
        }
    }

    #[test]
    fn null_is_what_holds_for_whoever_said_nothing() {
        let said = preferences(&PreferencesRow::default(), None, NOW).unwrap();
        let defaults: Vec<Option<bool>> = TOGGLES.iter().map(|(_, _, is_on)| Some(*is_on)).collect();
        assert_eq!(said.changes.toggles.to_vec(), defaults);
        assert_eq!((said.changes.quiet_start, said.changes.daily_limit), (Some(None), Some(None)));
        assert_eq!((said.number, said.is_verified, said.opted_out), (None, false, None));
        let out = PreferencesRow { opted_out: Some(true), ..PreferencesRow::default() };
        assert_eq!(preferences(&out, None, NOW).unwrap().opted_out, Some(NOW), "nobody noted when");
    }
}
