//! Allowances: how many codes may still be asked for to one number, for one user, from one address.
//!
//! What is counted stands on disk, so a restart forgives nothing. Whose count it is, is told by a keyed hash
//! alone: the count itself names nobody.

mod decide;
mod rules;
mod state;

pub use decide::{Event, Rejection, decide};
pub use rules::{Limit, Rules, Subject};
pub use state::{Allowance, REMEMBERED};

#[cfg(test)]
mod tests;
