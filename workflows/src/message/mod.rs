//! The outbound message: one text to one recipient, with a life of its own.
//!
//! ```text
//!            +--------------------------- reschedule, backoff, lane -------------------------+
//!            v                                                                               |
//! accepted -> held <-> due -> submitting -> submitted -> sent -> delivered | undelivered     |
//!     |         |       |         |   \        |          |                                  |
//!     |         |       |         |    \       +----------+--> failed | undelivered | retry -+
//!     v         v       v         |     v                                                    |
//!   canceled | expired |          |   unknown --(found)--> submitted                         |
//!   suppressed                    |      |  (nothing found: resend) -------------------------+
//!                                 |      +--(nothing found: hold)--> held(outcome_unknown) --> failed
//!                                 +--> failed | retry ---------------------------------------+
//! ```
//!
//! What is claimed from a database that several daemons share is accepted as held(claim), and whatever waits becomes
//! `relinquished` when another daemon has it.
//!
//! [`accept`] and [`decide`] answer with events, [`Message::apply`] folds them, [`next`] says what
//! must happen then. The attempt committed by [`Command::Begin`] is the point of no return: before
//! it a message can be canceled, rescheduled or expire; after it only the provider can tell.

mod addressee;
mod apply;
mod claim;
mod command;
mod conclude;
mod custody;
mod decide;
mod doubt;
mod event;
mod failure;
mod milestone;
mod next;
mod provider_status;
mod public_status;
mod report;
mod request;
mod state;

pub use addressee::Addressee;
pub use apply::IllegalEvent;
pub use command::{Command, Context, Outcome, Rejection, Report};
pub use custody::{CUSTODIES, Custody, Lease, Suspicion};
pub use decide::{accept, decide};
pub use doubt::doubt;
pub use event::{Counts, Event, Verdict, Via};
pub use failure::{Cause, Failure};
pub use milestone::Milestone;
pub use next::{Next, next, timer};
pub use provider_status::{PROVIDER_STATUSES, ProviderStatus, UnknownProviderStatus};
pub use public_status::{PUBLIC_STATUSES, PublicStatus};
pub use request::{
    Metadata, MetadataError, OnUnknown, OnUnknownError, PRIORITIES, Priority, PriorityError, Request,
    TemplateVersion, Terms, Text, UserId, UserIdError,
};
pub use state::{HOLDS, Hold, Message, STATES, State, StateName};
