//! Why a text was not accepted.

use std::time::Duration;

pub use crate::http::problem::{Code, FieldError};

use crate::http::problem::Problem;

/// Why a text was not accepted, and what whoever asked can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SmsError {
    /// Something in it is wrong: correct it.
    #[error("{why}")]
    Wrong {
        /// The first that is wrong, in words.
        why: String,
        /// Each field that is wrong: its name in the HTTP API as a JSON pointer, and what to do.
        fields: Vec<FieldError>,
    },
    /// It can't be: asking again brings the same answer.
    #[error("{why}")]
    Refused {
        /// Why, as a word of the HTTP API.
        code: Code,
        /// Why, and what to do.
        why: String,
    },
    /// Not now: ask again, with the same idempotency key. With [`Code::NoRoom`] it may have been accepted.
    #[error("{why}")]
    Later {
        /// Why, as a word of the HTTP API.
        code: Code,
        /// Why, and what to do.
        why: String,
        /// When.
        after: Duration,
    },
}

impl From<Problem> for SmsError {
    fn from(problem: Problem) -> Self {
        match problem.into_parts() {
            (_, why, fields, _) if !fields.is_empty() => Self::Wrong { why, fields },
            (code, why, _, Some(after)) => Self::Later { code, why, after },
            (code, why, _, None) => Self::Refused { code, why },
        }
    }
}
