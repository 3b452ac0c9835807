//! The client against a carrier that misbehaves: what it concludes, and how often it asks.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests end at the first surprise")]

mod faults; // every fault of the sandbox, and what the client makes of it
mod listener; // a server that counts requests and answers as told
mod once; // one submission, one request
mod stand; // the client and its carrier
