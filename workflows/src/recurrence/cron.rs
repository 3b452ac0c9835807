//! Cron expressions as people write them, read as times on the wall.

use std::fmt;
use std::str::FromStr;

use ::cron::Schedule;
use chrono::{DateTime, Utc};
use thiserror::Error;

use crate::zone::Wall;

/// Most bytes of an expression.
const BYTES_MAX: usize = 100;

/// Words that stand for an expression.
const WORDS: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// Days of the week from 0; 7 is Sunday again.
const DAYS: [&str; 8] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];

/// A cron expression of five fields: minute, hour, day of the month, month, day of the week. Days of the week
/// count from Sunday, 0 or 7, as in `crontab(5)`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cron(Box<str>);

/// Why a text is no cron expression.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CronError {
    /// It does not have five fields.
    #[error(
        "a cron expression has five fields: minute, hour, day of the month, month, day of the week, such as \"0 8 * * 1-5\"; this one has {fields}"
    )]
    Fields {
        /// How many it has.
        fields: usize,
    },
    /// It is longer than anything sensible.
    #[error("a cron expression has at most {BYTES_MAX} bytes; this one has {bytes}")]
    TooLong {
        /// How many it has.
        bytes: usize,
    },
    /// It names days of the month and days of the week.
    #[error(
        "it names days of the month and days of the week, and programs disagree whether either or both must fit; leave one of them \"*\""
    )]
    BothDays,
    /// The last field names no days of the week.
    #[error("{field:?} names no days of the week; write 0 (Sunday) to 6, or SUN to SAT, such as \"1-5\"")]
    Weekdays {
        /// The field.
        field: String,
    },
    /// A field is not what it should be.
    #[error("{text:?} is no cron expression: {why}")]
    Refused {
        /// What was given.
        text: String,
        /// What is wrong.
        why: String,
    },
    /// No date fits.
    #[error("{text:?} never comes: there is no such date")]
    Never {
        /// What was given.
        text: String,
    },
}

impl Cron {
    /// The expression, single blanks between its fields.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The times it names after `wall`, in order. They end with the year 2100.
    pub fn after(&self, wall: Wall) -> impl Iterator<Item = Wall> + use<> {
        let minute = wall.minute_begun().as_millis();
        let from = DateTime::<Utc>::from_timestamp_millis(minute).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let schedule = schedule(&self.0).ok();
        let times = schedule.into_iter().flat_map(move |schedule| schedule.after_owned(from));
        times.map(|time| Wall::from_millis(time.timestamp_millis()))
    }
}

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        let text = text.trim();
        if text.len() > BYTES_MAX {
            return Err(CronError::TooLong { bytes: text.len() });
        }
        let known = WORDS.into_iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        let expression = known.map_or(text, |(_, expression)| expression);
        let cron = Self(expression.split_whitespace().collect::<Vec<_>>().join(" ").into());
        schedule(&cron.0)?;
        match cron.after(Wall::from_millis(0)).next() {
            Some(_) => Ok(cron),
            None => Err(CronError::Never { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cron({})", self.0)
    }
}

fn schedule(expression: &str) -> Result<Schedule, CronError> {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = *fields else {
        return Err(CronError::Fields { fields: fields.len() });
    };
    let is_any = |field: &str| matches!(field, "*" | "?");
    if !is_any(day) && !is_any(weekday) {
        return Err(CronError::BothDays);
    }
    let weekdays = if is_any(weekday) { "*".to_owned() } else { names(weekday)? };
    let refused = |error: ::cron::error::Error| CronError::Refused {
        text: expression.to_owned(),
        why: error.to_string(),
    };
    format!("0 {minute} {hour} {day} {month} {weekdays}").parse().map_err(refused)
}

/// The days that a field names, spelled out: the parser beneath counts them from 1.
fn names(field: &str) -> Result<String, CronError> {
    let refused = || CronError::Weekdays { field: field.to_owned() };
    let mut named = [false; 7];
    for part in field.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (0, 6),
            Some((first, last)) => (day(first).ok_or_else(refused)?, day(last).ok_or_else(refused)?),
            None => {
                let only = day(range).ok_or_else(refused)?;
                (only, if step.is_some() { 6 } else { only })
            }
        };
        let step = step.map_or(Some(1), |step| step.parse::<usize>().ok()).filter(|step| *step > 0);
        // FRI-SUN ends on the seventh day.
        let last = if last == 0 && first > 0 { 7 } else { last };
        if first > last {
            return Err(refused());
        }
        for day in (first..=last).step_by(step.ok_or_else(refused)?) {
            if let Some(named) = named.get_mut(day.checked_rem(7).unwrap_or(0)) {
                *named = true;
            }
        }
    }
    let days = DAYS.into_iter().zip(named).filter(|(_, named)| *named).map(|(day, _)| day);
    Ok(days.collect::<Vec<_>>().join(","))
}

/// The day of the week that a number or a name means, 0 to 7.
fn day(text: &str) -> Option<usize> {
    match text.parse::<usize>() {
        Ok(number) if text.len() == 1 => (number < DAYS.len()).then_some(number),
        Ok(_) => None,
        Err(_name) => DAYS.iter().position(|name| name.eq_ignore_ascii_case(text)),
    }
}
