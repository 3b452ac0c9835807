//! What a store promises, held against real files and a disk that fails on purpose.

#![expect(
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that fails may panic"
)]

mod batch; // all or nothing, one write per message, reads through a batch
mod disk; // a disk in memory that can fail, and that forgets what was not synced
mod faults; // failed and torn commits
mod fixture; // files and bytes written by format 1 stay readable
mod lists; // pages, indexes, timers, lives
mod opening; // creating, locking, refusing
mod small_tables; // orphans, idempotency keys, cursors
mod story; // one fixed history with every event there is
mod verifying; // damage is found and named
