//! Users: whom the caller's product knows by a user id. What they prefer, which number is theirs, and whether
//! they have proven that.
//!
//! Reading order: [`User`], [`Command`], [`decide`], [`Event`].

mod apply;
mod command;
mod decide;
mod event;
mod preferences;
mod state;

pub use command::{Changes, Command, Rejection};
pub use decide::decide;
pub use event::Event;
pub use preferences::{Preferences, TOGGLES, Toggle, Toggles};
pub use state::{OwnNumber, User};
