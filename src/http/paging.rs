//! What every list is asked with: how many, from where on; and where a page is read.

use std::fmt::Display;
use std::sync::Arc;

use dunlin_storage::Reader;

use crate::http::App;
use crate::http::problem::{Code, Problem};

/// Most entries on a page, and how many without a wish.
const LIMIT_MAX: usize = 250;
const LIMIT_DEFAULT: usize = 50;

/// Longest refused value that is shown back, in characters.
const SHOWN_MAX: usize = 64;

/// How many entries, and before which number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paging {
    pub(super) limit: usize,
    pub(super) before: Option<u64>,
}

impl Default for Paging {
    fn default() -> Self {
        Self { limit: LIMIT_DEFAULT, before: None }
    }
}

impl Paging {
    /// Takes a parameter that is about paging; says whether it was one.
    pub(super) fn take(&mut self, name: &str, value: &str) -> Result<bool, Problem> {
        match name {
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
                let refused = || refused(name, value, &format_args!("expected 1 to {LIMIT_MAX}"));
                self.limit = limit.ok_or_else(refused)?;
            }
            "cursor" => {
                let cursor = u64::from_str_radix(value, 16).map_err(|_not_ours| {
                    Problem::new(Code::InvalidCursor, "a cursor is taken from next_cursor as it is")
                })?;
                self.before = Some(cursor);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// What a query asks for: `take` hears of its fields, one after the other.
pub(super) fn wanted<T: Default>(
    query: Option<&str>,
    take: impl Fn(&mut T, &str, &str) -> Result<(), Problem>,
) -> Result<T, Problem> {
    let mut wanted = T::default();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        take(&mut wanted, &name, &value)?;
    }
    Ok(wanted)
}

/// The cursor that leads on from a number.
pub(super) fn cursor(before: u64) -> String {
    format!("{before:x}")
}

/// A filter's value can't be understood.
pub(super) fn refused(name: &str, value: &str, why: &dyn Display) -> Problem {
    let shown: String = value.chars().take(SHOWN_MAX).collect();
    Problem::new(Code::InvalidFilter, format!("{name}=\"{shown}\": {why}"))
}

/// There is no such filter.
pub(super) fn unknown(name: &str, known: &str) -> Problem {
    let shown: String = name.chars().take(SHOWN_MAX).collect();
    Problem::new(Code::InvalidFilter, format!("there is no filter \"{shown}\"; known: {known}"))
}

/// Reads a page, which may look at thousands of rows, not on a thread that answers others.
pub(super) async fn read<T: Send + 'static>(
    app: Arc<App>,
    page: impl FnOnce(&Reader) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let read = tokio::task::spawn_blocking(move || page(&app.reader()?));
    read.await.map_err(|_panicked_or_stopped| {
        Problem::new(Code::Internal, "the page could not be read to its end; the operator's log says more")
    })?
}
