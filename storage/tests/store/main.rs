//! What a store promises, held against real files and a disk that fails on purpose.

#![expect(
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that fails may panic"
)]

mod archiving; // what is old moves to archives, and nothing is lost
mod batch; // all or nothing, one write per message, reads through a batch
mod chaining; // history that was rewritten or cut is noticed
mod consent; // what is known of consent outlives copies, crashes and erasures
mod copying; // a copy holds what its snapshot held
mod disk; // a disk in memory that can fail, and that forgets what was not synced
mod faults; // failed and torn commits
mod fixture; // files and bytes of every format stay readable
mod flows; // what is counted is what was sent; what was said is known again
mod lists; // pages, indexes, timers, lives
mod measured; // stores without seals or chain, which nothing opens
mod newcomers; // persons that the index takes in later
mod opening; // creating, locking, refusing
mod sealing; // nobody reads a person's texts without the keys, or after an erasure
mod small_tables; // orphans, idempotency keys, cursors
mod story; // one fixed history with every event there is
mod switch; // who is held while sending is switched off; damage outside what opening reads
mod syncing; // what a store and a shared database know each other by
mod users; // users and whatever else is kept the same way
mod verifying; // damage is found and named
