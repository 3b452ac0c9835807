//! Offline replay: a journal folded again by this binary's core, with no network and no daemon.
//!
//! ```text
//!  stopped store, copy, export ──> recording ──> storage's fold ──> tally   (totals, flaws, latencies)
//!                                                              └──> lives   (timeline, what if)
//! ```
//!
//! The same input gives the same output: "now" is the time of the last record that was folded.

pub mod comparison;
pub mod export;
pub mod export_line;
pub mod guard;
pub mod latency;
pub mod lives;
pub mod recording;
pub mod tally;
#[cfg(test)]
mod tests;
pub mod what_if_file;
