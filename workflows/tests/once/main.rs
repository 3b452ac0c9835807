//! A text leaves once: what may have arrived is not sent again, what never left is not given up.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that fails may panic"
)]

mod arrivals; // late word of attempts that were given up
mod claims; // what another daemon may have had
mod lanes; // refusals cool the way to the provider once, and successes warm it
mod restored; // what may have been sent since a backup
mod samples; // a message in every state worth telling apart
mod silence; // a provider that never tells what became of a text
