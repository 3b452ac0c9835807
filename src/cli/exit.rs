//! How a command ends: exit codes, the same for every command, and failures that carry one.

use std::process::ExitCode;

use crate::config::problem::Problems;

/// Exit codes. Documented in `dunlin --help`; scripts may rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done.
    Success,
    /// It did not work.
    Failure,
    /// What was asked can't be understood.
    Usage,
    /// There is no such message.
    NotFound,
    /// The message is in no state for that, or the request contradicts an earlier one.
    Conflict,
    /// The daemon or the provider can't be reached or takes nothing right now.
    Unreachable,
    /// The disk failed.
    Disk,
    /// The configuration is not usable.
    Configuration,
}

impl Exit {
    /// The number. 69, 74 and 78 are `EX_UNAVAILABLE`, `EX_IOERR` and `EX_CONFIG` of BSD's `sysexits.h`.
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Conflict => 4,
            Self::Unreachable => 69,
            Self::Disk => 74,
            Self::Configuration => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// A command that came to nothing: why, and the exit code for it.
#[derive(Debug)]
pub(super) struct Failure {
    /// The exit code.
    pub(super) exit: Exit,
    /// What happened and what to do; empty when there is nobody to tell.
    pub(super) words: String,
    /// The daemon's own answer, when it gave one.
    pub(super) problem: Option<serde_json::Value>,
}

impl Failure {
    /// A failure with words of ours.
    pub(super) fn new(exit: Exit, words: impl Into<String>) -> Self {
        Self { exit, words: words.into(), problem: None }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            // Whoever read our output has seen enough.
            return Self::new(Exit::Success, "");
        }
        Self::new(Exit::Failure, error.to_string())
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::new(Exit::Configuration, problems.to_string())
    }
}

/// How a command ends.
pub(super) type Ended = Result<Exit, Failure>;
