//! Verification: somebody proves that a telephone number is theirs, with a code that was texted to it.
//!
//! ```text
//!                +------------------------- a new code, after a while -------------------------+
//!                v                                                                             |
//! (start) -> starting -> pending -> checking -> approved                                       |
//!    |           |        ^  |  ^      |  |                                                    |
//!    |           |        |  |  +------+  +--(answer lost)--> doubtful --(looked up)--> approved, pending, expired
//!    |           |        |  |                                                                 |
//!    |           +--> failed |--> expired | spent ---------------------------------------------+
//!    +--(our own code, or a notice)--> pending
//! ```
//!
//! There is one for each number: whoever asked last is the one who can finish it, and two who race for a
//! number are told apart by the same state. [`decide`] answers with events, [`Verification::apply`] folds
//! them, [`next`] says what must happen then. Codes stand nowhere: of one a keyed digest is kept.
//!
//! A lost answer to "send a code" is harmless, since asking again sends the same code; it is asked once more. A
//! lost answer to "is this the code" is looked up. What the service no longer knows is over, and never a wrong code:
//! <https://www.twilio.com/docs/verify/api/verification-check>, read 2026-11-24.

mod apply;
mod code;
mod command;
mod decide;
mod event;
mod next;
mod rules;
mod sid;
mod state;
mod wording;

pub use code::{Code, CodeDigest, CodeError};
pub use command::{Checked, Command, Context, Looked, Rejection, Sent};
pub use decide::decide;
pub use event::{Event, Outcome};
pub use next::{Next, next, timer};
pub use rules::Rules;
pub use sid::{VerificationSid, VerificationSidError};
pub use state::{REFUSALS, Refusal, Standing, VIAS, Verification, Via};
pub use wording::Wording;

#[cfg(test)]
mod tests;
