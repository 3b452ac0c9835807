//! Which value every setting has, and where it comes from: flag, variable, file, or default.

use std::fmt;
use std::path::Path;

use strsim::damerau_levenshtein;

use crate::config::environment::Environment;
use crate::config::problem::Problem;
use crate::config::setting::{Fallback, Name, SETTINGS, Secrecy, Setting};

/// Largest secret file that is read, in bytes.
const SECRET_BYTES_MAX: usize = 4096;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag on the command line.
    Flag(&'static str),
    /// An environment variable.
    Variable(String),
    /// The file that an environment variable points at.
    File {
        /// The variable.
        variable: String,
        /// The file.
        path: String,
    },
    /// The table.
    Default,
    /// Nowhere: it has no value.
    Unset,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Variable(variable) => write!(f, "environment {variable}"),
            Self::File { variable, path } => write!(f, "file {path} named by {variable}"),
            Self::Default => f.write_str("default"),
            Self::Unset => f.write_str("unset"),
        }
    }
}

/// A value given on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// What it sets.
    pub name: Name,
    /// How it is written, such as `--data`.
    pub flag: &'static str,
    /// The value.
    pub text: String,
}

/// One setting's value. `Debug` and [`Value::shown`] mask secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Value {
    /// The row.
    pub setting: &'static Setting,
    /// Where it comes from.
    pub origin: Origin,
    text: Option<String>,
}

impl Value {
    /// The value as a person may see it.
    pub fn shown(&self) -> &str {
        match (&self.text, self.setting.secrecy, self.setting.default) {
            (Some(_), Secrecy::Secret, _) => "(set, not shown)",
            (Some(text), Secrecy::Plain, _) => text,
            (None, _, Fallback::Depends(how)) => how,
            (None, _, Fallback::Unset | Fallback::Text(_)) => "(unset)",
        }
    }

    /// How the value was named by whoever set it, for sentences about it.
    pub fn named(&self) -> &str {
        match &self.origin {
            Origin::Flag(flag) => flag,
            Origin::Variable(variable) | Origin::File { variable, .. } => variable,
            Origin::Default | Origin::Unset => self.setting.variable(),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}={} ({})", self.setting.name, self.shown(), self.origin)
    }
}

/// Every setting's value, and what was wrong while finding it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// In the order of [`SETTINGS`].
    pub rows: Vec<Value>,
    /// Conflicts, unreadable files and unknown names.
    pub problems: Vec<Problem>,
}

impl Values {
    /// Finds every setting's value: flags win over variables, variables over defaults.
    pub fn resolve(flags: &[Flag], environment: &Environment) -> Self {
        let mut problems = unknown_names(environment);
        let rows = SETTINGS
            .iter()
            .map(|setting| {
                let flag = flags.iter().find(|flag| flag.name == setting.name);
                let (origin, text) = match flag {
                    Some(flag) => (Origin::Flag(flag.flag), Some(flag.text.clone())),
                    None => from_environment(setting, environment, &mut problems),
                };
                Value { setting, origin, text }
            })
            .collect();
        Self { rows, problems }
    }

    /// The row of `name`.
    pub fn row(&self, name: Name) -> Option<&Value> {
        self.rows.iter().find(|row| row.setting.name == name)
    }

    /// The value of `name`, secrets included.
    pub fn text(&self, name: Name) -> Option<&str> {
        self.row(name)?.text.as_deref()
    }

    /// How `name` was named by whoever set it.
    pub fn named(&self, name: Name) -> &str {
        self.row(name).map_or("", Value::named)
    }
}

/// A value that a variable gives, directly or through a file.
struct Given {
    origin: Origin,
    text: String,
}

fn from_environment(
    setting: &'static Setting,
    environment: &Environment,
    problems: &mut Vec<Problem>,
) -> (Origin, Option<String>) {
    let mut problem = |what| problems.push(Problem { setting: Some(setting.name), what });
    let mut given: Vec<(String, Given)> = Vec::new();
    for variable in setting.variables {
        if let Some(text) = environment.get(variable) {
            let origin = Origin::Variable((*variable).to_owned());
            given.push(((*variable).to_owned(), Given { origin, text: text.to_owned() }));
        }
        let by_file = format!("{variable}_FILE");
        if let (Secrecy::Secret, Some(path)) = (setting.secrecy, environment.get(&by_file)) {
            match read_secret(Path::new(path)) {
                Ok(text) => {
                    let origin = Origin::File { variable: by_file.clone(), path: path.to_owned() };
                    given.push((by_file, Given { origin, text }));
                }
                Err(why) => problem(format!("{by_file} names {path}, which {why}")),
            }
        }
    }
    let mut given = given.into_iter();
    let Some((first_name, first)) = given.next() else {
        return match setting.default {
            Fallback::Text(text) => (Origin::Default, Some(text.to_owned())),
            Fallback::Unset | Fallback::Depends(_) => (Origin::Unset, None),
        };
    };
    for (name, other) in given {
        if other.text != first.text {
            problem(format!("{first_name} and {name} are set to different values; remove one of them"));
        }
    }
    (first.origin, Some(first.text))
}

/// Reads a secret from a file, without the line break at its end.
fn read_secret(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("can't be read: {error}"))?;
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text.len() > SECRET_BYTES_MAX {
        return Err(format!("holds {} bytes; a secret has at most {SECRET_BYTES_MAX}", text.len()));
    }
    Ok(text.to_owned())
}

/// A `DUNLIN_` variable that sets nothing is a misspelling: silence would run with a default instead.
fn unknown_names(environment: &Environment) -> Vec<Problem> {
    let known: Vec<String> = SETTINGS
        .iter()
        .flat_map(|setting| {
            let files = matches!(setting.secrecy, Secrecy::Secret);
            let plain = setting.variables.iter().map(|variable| (*variable).to_owned());
            let by_file =
                setting.variables.iter().filter(move |_| files).map(|variable| format!("{variable}_FILE"));
            plain.chain(by_file)
        })
        .filter(|name| name.starts_with("DUNLIN_"))
        .collect();
    environment
        .names_with("DUNLIN_")
        .filter(|name| !known.iter().any(|known| known == name))
        .map(|name| {
            let closest = known.iter().min_by_key(|known| damerau_levenshtein(known, name));
            let hint = closest.map(|closest| format!("; did you mean {closest}?")).unwrap_or_default();
            Problem { setting: None, what: format!("{name} is not a setting{hint}") }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(values: &Values) -> Vec<&str> {
        values.problems.iter().map(|problem| problem.what.as_str()).collect()
    }

    #[test]
    fn flag_wins_over_variable_and_variable_over_default() {
        let environment =
            Environment::from([("DUNLIN_DATA", "/var/lib/dunlin"), ("DUNLIN_RETRY_BASE", " 7s ")]);
        let flag = Flag { name: Name::Data, flag: "--data", text: "/tmp/x".into() };
        let values = Values::resolve(&[flag], &environment);
        assert_eq!(values.text(Name::Data), Some("/tmp/x"));
        assert_eq!(values.row(Name::Data).unwrap().origin.to_string(), "flag --data");
        assert_eq!(values.text(Name::RetryBase), Some("7s"));
        assert_eq!(values.row(Name::RetryBase).unwrap().origin.to_string(), "environment DUNLIN_RETRY_BASE");
        assert_eq!(values.text(Name::RetryCap), Some("1h"));
        assert!(values.problems.is_empty());
    }

    #[test]
    fn twins_may_repeat_but_not_contradict_each_other() {
        let same =
            Environment::from([("TWILIO_FROM", "+15550100000"), ("PRIVATE_TWILIO_FROM", "+15550100000")]);
        assert!(Values::resolve(&[], &same).problems.is_empty());
        let other =
            Environment::from([("TWILIO_AUTH_TOKEN", "s3cret-a"), ("PRIVATE_TWILIO_AUTH_TOKEN", "s3cret-b")]);
        let values = Values::resolve(&[], &other);
        assert_eq!(
            problems(&values),
            [
                "TWILIO_AUTH_TOKEN and PRIVATE_TWILIO_AUTH_TOKEN are set to different values; remove one of them"
            ]
        );
        assert!(!format!("{values:?}").contains("s3cret"));
    }

    #[test]
    fn misspelled_name_is_refused_with_the_closest_one() {
        let environment = Environment::from([("DUNLIN_LISTN", "127.0.0.1:1"), ("TWILIO_UNKNOWN", "theirs")]);
        let values = Values::resolve(&[], &environment);
        assert_eq!(problems(&values), ["DUNLIN_LISTN is not a setting; did you mean DUNLIN_LISTEN?"]);
    }

    #[test]
    fn secret_comes_from_a_file_without_its_line_break() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "hush\n").unwrap();
        let path = path.to_str().unwrap();
        let values = Values::resolve(&[], &Environment::from([("DUNLIN_API_TOKEN_FILE", path)]));
        assert_eq!(values.text(Name::ApiToken), Some("hush"));
        assert_eq!(values.row(Name::ApiToken).unwrap().shown(), "(set, not shown)");
        let missing = Values::resolve(&[], &Environment::from([("DUNLIN_API_TOKEN_FILE", "/nowhere/token")]));
        assert!(
            problems(&missing)[0]
                .starts_with("DUNLIN_API_TOKEN_FILE names /nowhere/token, which can't be read")
        );
    }
}
