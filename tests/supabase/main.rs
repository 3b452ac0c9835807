//! The contract in SQL on a real PostgreSQL 15: what the migrations make and adopt, who may do what, and that nothing
//! that is asked for is lost on the way.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests end at the first surprise"
)]

mod adoption; // fresh databases, and both old shapes with data in them
mod backlog; // either side away, and both equal afterwards
mod cable; // what is between two programs
mod calls; // the six functions with types, either way
mod claims; // who has which text
mod cluster; // a server of one's own
mod command; // dunlin migrate
mod cursor; // changes, whichever order they commit in
mod database; // one database, and who talks to it
mod doctor; // what a project lacks, and what mends it
mod door; // who is let in, and what mends it when nobody is
mod gateway; // what stands in front of a project's database
mod house; // a daemon's inside, with a clock that can be moved
mod in_step; // a daemon and a database, both for real
mod lints; // Supabase's advisors
mod outage; // servers that stop, hang or are cut off
mod ownership; // columns with one owner, opt-outs, other workers
mod parking; // rows that can't be understood
mod push; // states, once and never backwards
mod rights; // row level security, grants, functions
mod seed; // the seed's SQL as written
mod several; // three daemons, and one less
mod stage; // daemons, a carrier and a database
mod tls; // nobody stands between
mod way; // the two ways to a database
