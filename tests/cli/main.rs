//! The program as its users meet it: real processes, real sockets, a real store.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests end at the first surprise"
)]

mod archive; // old texts move to archives and can still be read
mod backup; // backups, and the restore drill
mod consent; // who may be texted, and why not
mod demo; // the README's command keeps its promises
mod events; // what the product's own server hears
mod full_disk; // no room, and room again
mod import; // files, twice
mod measured; // the daemon of the bench, and what nobody gets from it
mod message; // send, show, list, cancel, retry
mod product; // that server
mod recover; // after an outage, and a kill in the middle
mod sealing; // nothing personal in clear, rotation, erasure
mod serve; // starting, refusing to start, stopping
mod stage; // a carrier that outlives the daemon
mod verification; // numbers are proven over a crash
mod world; // the program and its processes
