//! The client against a carrier that misbehaves: what it concludes, and how often it asks.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests end at the first surprise")]

mod callbacks; // what the carrier calls back, when and how often
mod faults; // every fault of the sandbox, and what the client makes of it
mod listener; // a server that keeps requests and answers as told
mod once; // one submission, one request
mod resource; // the carrier's messages where the client does not go
mod searching; // a lost submission is found, or the search says that it could not tell
mod stand; // the client and its carrier
mod words; // what is written on the wire, and what is kept of the answer
