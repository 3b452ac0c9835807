//! Between the journal and Supabase: what crosses in either direction, and who owns it.
//!
//! Outward go events, read from the journal after a cursor, so a week without Supabase is a backlog
//! and not a loss. Inward come rows that people or the web app wrote; each becomes a wish for
//! the engine. A column has one owner and a conflict ends there, not at a clock: people own what is
//! asked for, the engine owns how far it came.
//!
//! The crate does not know the engine, only what wishes and records look like: the daemon's loops stand between the
//! two. The contract with the database is SQL ([`migration`]); `docs/supabase-contract.md` has what goes
//! in and comes out of its functions.

pub mod contract;
pub mod inward;
pub mod migration;
pub mod outward;
pub mod postgres;
pub mod transport;
pub mod wire;
