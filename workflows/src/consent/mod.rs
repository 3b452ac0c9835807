//! Consent: whether a person agrees to be texted, as they told us or as the provider did.
//!
//! ```text
//!             START, opt-in                        STOP, opt-out, link, refusal
//! unknown ------------------> opted in <--------------------------------------> opted out
//!    |                           |          START; or recorded, with a reason      ^  ^
//!    +---------------------------+-- sounds like an opt-out --> under review ------+  |
//!    |                           |                                  | not one         |
//!    +---------------------------+<---------------------------------+                 |
//!    +------------------------- remembered from before an erasure --------------------+
//! ```
//!
//! An opt-out always counts, whatever its date. An opt-in counts when it is newer than the opt-out that it
//! lifts. Texts take their order from their receipt, for the provider dates none of them; one that was heard
//! before is not heard again, so whoever calls [`decide`] asks for the SID first.
//!
//! The rules: 47 CFR 64.1200(a)(10) and (12), <https://www.ecfr.gov/current/title-47/section-64.1200>, and
//! the provider's keywords, <https://help.twilio.com/articles/223134027>, both read 2026-11-24.

mod apply;
mod command;
mod decide;
mod event;
mod keyword;
mod state;

pub use command::{Command, Inbound, Line, OptOutType, Rejection};
pub use decide::{Reply, decide, reply};
pub use event::{Event, FINDINGS, Finding};
pub use keyword::{Meaning, read};
pub use state::{Consent, HOWS, How, Review, Standing};
