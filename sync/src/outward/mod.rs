//! From the journal to rows: what a stretch of it touched, and how each of those things stands now.
//!
//! Nothing is told of what happened in between: a row says how its text is, with the position in the journal that it
//! is as of, so telling it twice changes nothing and telling an older one after a newer one neither.

mod message;
mod person;
mod stretch;

pub use message::{Reason, message_row};
pub use person::{consent_row, usage_row, verification_row};
pub use stretch::{Stretch, stretch};
