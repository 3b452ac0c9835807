//! Other rules, as a file: `name = value` lines with the names of the configuration.
//!
//! ```text
//! # half the attempts, three times the patience
//! DUNLIN_RETRY_ATTEMPTS = 2
//! DUNLIN_RETRY_BASE = 15s
//! expires_after = 4h
//! ```

use std::fmt;

use dunlin_workflows::rules::{Redeliver, Rules};
use dunlin_workflows::what_if::Change;

use crate::config::problem::{Problem, Problems};
use crate::config::resolve::Values;
use crate::config::setting::Name;
use crate::config::value;

/// Every name that may stand in the file, with what it takes.
pub const NAMES: [(&str, &str); 7] = [
    ("DUNLIN_RETRY_BASE", "duration"),
    ("DUNLIN_RETRY_CAP", "duration"),
    ("DUNLIN_RETRY_ATTEMPTS", "1 to 100"),
    ("DUNLIN_REDELIVER", "on or off"),
    ("DUNLIN_UNKNOWN_HOLD", "duration"),
    ("DUNLIN_SENDER_RATE", "segments per second"),
    ("expires_after", "duration, from acceptance or first schedule"),
];

/// The file can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct WhatIfError {
    /// Counted from 1.
    line: usize,
    /// What is wrong with it.
    why: String,
}

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhatIf {
    /// The rules that it gives, on top of those that were in force.
    pub change: Change,
    /// What it sets, in its order.
    pub set: Vec<(String, String)>,
}

impl WhatIf {
    /// Reads the file. What it does not name stays as in `recorded`.
    ///
    /// Blank lines and lines that begin with `#` are skipped; a value may stand in double quotes.
    ///
    /// # Errors
    /// The first line that is wrong: no `=`, an unknown or repeated name, a value out of range.
    pub fn read(text: &str, recorded: &Rules) -> Result<Self, WhatIfError> {
        let change = Change { rules: recorded.clone(), segments_per_second: None, expires_after: None };
        let mut what_if = Self { change, set: Vec::new() };
        for (line, content) in (1..).zip(text.lines().map(str::trim)) {
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            what_if.take(content).map_err(|why| WhatIfError { line, why })?;
        }
        if what_if.set.is_empty() {
            return Err(WhatIfError { line: 1, why: format!("nothing is set; {}", expected()) });
        }
        Ok(what_if)
    }

    fn take(&mut self, content: &str) -> Result<(), String> {
        let (name, value) = content
            .split_once('=')
            .map(|(name, value)| (name.trim(), unquoted(value.trim())))
            .ok_or_else(|| format!("\"{content}\" is not \"name = value\""))?;
        if self.set.iter().any(|(known, _)| known == name) {
            return Err(format!("{name} is set twice"));
        }
        set(&mut self.change, name, value).map_err(|why| format!("{name}: {why}"))?;
        self.set.push((name.to_owned(), value.to_owned()));
        Ok(())
    }
}

impl fmt::Display for WhatIf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set: Vec<String> = self.set.iter().map(|(name, value)| format!("{name}={value}")).collect();
        f.write_str(&set.join(", "))
    }
}

/// The rules that these values give a daemon; only settings that decisions depend on are looked at.
///
/// # Errors
/// What is wrong with those settings.
pub fn in_force(values: &Values) -> Result<Rules, Problems> {
    const NEEDED: [Name; 7] = [
        Name::RetryBase,
        Name::RetryCap,
        Name::RetryAttempts,
        Name::Redeliver,
        Name::UnknownHold,
        Name::UnknownLookups,
        Name::PollAfter,
    ];
    let ours = |problem: &&Problem| problem.setting.is_some_and(|name| NEEDED.contains(&name));
    let mut problems: Vec<Problem> = values.problems.iter().filter(ours).cloned().collect();
    let mut change = Change { rules: Rules::default(), segments_per_second: None, expires_after: None };
    for row in values.rows.iter().filter(|row| NEEDED.contains(&row.setting.name)) {
        let text = values.text(row.setting.name).unwrap_or_default();
        let name = row.setting.name;
        let taken = if name == Name::UnknownLookups {
            value::rising_durations(text).map(|list| change.rules.lookups = list)
        } else if name == Name::PollAfter {
            value::rising_durations(text).map(|list| change.rules.polls = list)
        } else {
            set(&mut change, row.setting.variable(), text)
        };
        if let Err(why) = taken {
            problems.push(Problem { setting: Some(name), what: format!("{}: {why}", row.named()) });
        }
    }
    if problems.is_empty() { Ok(change.rules) } else { Err(Problems(problems)) }
}

fn set(change: &mut Change, name: &str, text: &str) -> Result<(), String> {
    let retry = &mut change.rules.retry;
    match name {
        "DUNLIN_RETRY_BASE" => retry.base = value::duration(text)?,
        "DUNLIN_RETRY_CAP" => retry.cap = value::duration(text)?,
        "DUNLIN_RETRY_ATTEMPTS" => retry.attempts_max = value::number(text, 1, 100)?,
        "DUNLIN_REDELIVER" => {
            retry.redeliver = if value::switch(text)? { Redeliver::On } else { Redeliver::Off }
        }
        "DUNLIN_UNKNOWN_HOLD" => change.rules.unknown_hold = value::duration(text)?,
        "DUNLIN_SENDER_RATE" => {
            let rate = value::rate(text)?;
            change.segments_per_second =
                Some(rate.ok_or("the recorded waits are kept anyway; leave it out, or give a number")?);
        }
        "expires_after" => change.expires_after = Some(value::duration(text)?),
        _ => return Err(format!("unknown; {}", expected())),
    }
    Ok(())
}

fn expected() -> String {
    let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
    format!("expected one of {}", names.join(", "))
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_the_file_names_changes_and_the_rest_stays() {
        let text = "# try\n\nDUNLIN_RETRY_BASE = 15s\nexpires_after=\"4h\"\nDUNLIN_SENDER_RATE = 3\n";
        let read = WhatIf::read(text, &Rules::default()).unwrap();
        let mut rules = Rules::default();
        rules.retry.base = Duration::from_secs(15);
        let change =
            Change { rules, segments_per_second: Some(3), expires_after: Some(Duration::from_hours(4)) };
        assert_eq!(read.change, change);
        assert_eq!(read.to_string(), "DUNLIN_RETRY_BASE=15s, expires_after=4h, DUNLIN_SENDER_RATE=3");
    }

    #[test]
    fn every_name_is_understood() {
        for (name, form) in NAMES {
            let value = match form {
                "on or off" => "on",
                "1 to 100" | "segments per second" => "7",
                _ => "1h",
            };
            assert!(WhatIf::read(&format!("{name} = {value}"), &Rules::default()).is_ok(), "{name}");
        }
    }

    #[test]
    fn wrong_lines_are_named() {
        let wrong = [
            ("", "line 1: nothing is set"),
            ("DUNLIN_RETRY_BASE", "line 1: \"DUNLIN_RETRY_BASE\" is not"),
            ("\nDUNLIN_RETRY = 5s", "line 2: DUNLIN_RETRY: unknown; expected one of DUNLIN_RETRY_BASE"),
            ("expires_after = soon", "line 1: expires_after: \"soon\" is not a duration"),
            ("expires_after = 1h\nexpires_after = 2h", "line 2: expires_after is set twice"),
            ("DUNLIN_SENDER_RATE = unlimited", "line 1: DUNLIN_SENDER_RATE: the recorded waits"),
        ];
        for (text, why) in wrong {
            let error = WhatIf::read(text, &Rules::default()).unwrap_err().to_string();
            assert!(error.starts_with(why), "{error}");
        }
    }
}
