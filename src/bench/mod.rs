//! Measures the daemon from outside: real sockets, real syncs, every process of its own.
//!
//! ```text
//!  load generator (this process) ──HTTP──> daemon ──HTTP──> sandbox
//!                                             ^                │
//!                                             └─ signed callbacks
//! ```

pub mod accepts;
pub mod archived;
pub mod connection;
pub mod error;
pub mod exchanges;
pub mod figure;
pub mod gate;
pub mod lives;
pub mod load;
pub mod machine;
pub mod process;
pub mod raw;
pub mod report;
pub mod restart;
pub mod stand;
pub mod text;
pub mod timers;
pub mod trust;
pub mod usage;
