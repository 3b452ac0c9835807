//! What can be wrong with a configuration. Every problem says which variable and what to do.

use std::fmt;

use crate::config::setting::Name;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting it is about, when it is about one.
    pub setting: Option<Name>,
    /// What is wrong and what to do; holds no secret.
    pub what: String,
}

/// Everything that is wrong, at least one thing: all of it at once, so that one start tells it all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is not usable")?;
        for problem in &self.0 {
            write!(f, "\n  - {}", problem.what)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
