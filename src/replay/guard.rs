//! A guard around damaged files: the database engine panics on some of them.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};

/// Reading gave up in the middle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("reading gave up: {what}; most likely the file is damaged: restore a backup")]
pub struct GaveUp {
    /// The words of whoever gave up.
    what: String,
}

/// Does `work`, which only reads, and turns a panic in it into an error. Without this a page that was
/// damaged on disk ends the command with a backtrace instead of a reason.
///
/// Silences the panic hook of the whole process meanwhile: for commands, not for the daemon.
///
/// # Errors
/// [`GaveUp`] when `work` panics.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, GaveUp> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_told_by_the_error| {}));
    // Whatever `work` was doing is given up with it: nothing that it may have left half done is used.
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    panic::set_hook(hook);
    done.map_err(|panic| GaveUp { what: words(panic.as_ref()) })
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no reason given").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_becomes_an_error_with_its_words() {
        assert_eq!(guarded(|| 7), Ok(7));
        let error = guarded(|| assert!(std::hint::black_box(false), "page {} is malformed", 3)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "reading gave up: page 3 is malformed; most likely the file is damaged: restore a backup"
        );
    }
}
