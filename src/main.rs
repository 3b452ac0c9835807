//! The program: everything is in the library.

/// Pages of the database engine and buffers of requests are taken by one thread and given back by another, thousands of
/// times a second. What it keeps for later is limited in `.cargo/config.toml`.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    dunlin::cli::run()
}
