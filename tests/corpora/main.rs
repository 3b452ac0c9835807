//! What the fuzzer asserts, over the committed corpora and around them: no fuzzer is needed to run it.
//!
//! The bodies of the targets in `fuzz/` are plain functions. Here each one meets every file of its corpus,
//! then files with bytes changed and bytes out of nowhere, from a seed that is printed.
//! `DUNLIN_SEED` repeats a run, `DUNLIN_CORPORA_CASES` makes it longer. A body that would let anything
//! pass proves nothing, so those with an oracle are shown code that is wrong, and must say so.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::wildcard_enum_match_arm,
    reason = "a test may end by panicking"
)]

mod bites; // every oracle catches code that is wrong
#[expect(unreachable_pub, reason = "they are a library where a fuzzer runs them")]
#[path = "../../fuzz/bodies/mod.rs"]
mod bodies;
mod corpus; // the files, and what must be true of them as files
mod recipe; // where the records in the corpus come from
mod runs; // every body over its corpus and around it
