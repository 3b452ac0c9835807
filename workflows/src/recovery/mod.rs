//! Trying again, together, what came to nothing: which texts, what stands in the way of each, and how fast.
//!
//! Nothing is sent from here. Every text is tried again as [`Command::Retry`](crate::message::Command::Retry) does it, as a
//! new message that meets the gate like any other; this module only chooses, and spreads.

mod obstacle;
mod pace;
mod reason;
mod selection;

pub use obstacle::{Obstacle, obstacle, only_by_name};
pub use pace::{Pace, RATE_DEFAULT, RATE_MAX};
pub use reason::{Reason, ReasonError};
pub use selection::Selection;

#[cfg(test)]
mod tests;
