//! Recurrences: one text again and again, at times that a cron expression names on the clock where the recipient is.
//!
//! ```text
//!             pause            no time is left, the recipient was erased
//!   paused <---------- active ------------------------------------------> ended
//!      |    resume       ^ |                                                |
//!      +---------------->+ +-- tick: texted or skipped, the next is armed   |
//!      +------------------------- delete ----> deleted <--------------------+
//! ```
//!
//! A tick is a time that the wall shows, so it comes once whatever the recipient's zone does: when the clock
//! skips it, it comes with the end of the gap; when the wall shows it twice, or they travel back over it, the
//! first time counts. Its message is named after it, so no crash makes two of them. Of ticks that were missed,
//! while the daemon was down say, at most the latest is texted, and none after its grace.
//!
//! Reading order: [`Plan`], [`Cron`], [`Recurrence`], [`due`], [`Command`], [`decide`], [`Event`].

mod apply;
mod command;
mod cron;
mod decide;
mod event;
mod id;
mod plan;
mod state;

pub use command::{Changes, Command, Context, Rejection};
pub use cron::{Cron, CronError};
pub use decide::{Due, decide, due};
pub use event::Event;
pub use id::{RecurrenceId, RecurrenceIdError};
pub use plan::{Grace, GraceError, MISSED, Missed, MissedError, Plan};
pub use state::{Armed, End, Outcome, PER_USER_MAX, Recipient, Recurrence, SKIPS, Skip, Standing, Tick};
