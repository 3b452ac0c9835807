//! The way to a database by its own protocol: its address, a connection, and the migrations.

mod address;
mod connect;
mod migrate;

pub use address::{Address, AddressError, Tls};
pub use connect::{ConnectError, Connection, connect, connect_hearing};
pub use migrate::{MigrateError, apply, found, recorded};
