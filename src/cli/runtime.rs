//! The runtimes that commands run in.

use std::io;
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Runtime};

/// For what serves others: a thread for every processor but one, at least one. The engine's writer is a thread of its
/// own that everybody waits for, and on few processors it would have to wait for theirs.
///
/// # Errors
/// When the system gives no threads.
pub(super) fn serving() -> io::Result<Runtime> {
    let processors = available_parallelism().map_or(1, usize::from);
    let threads = processors.saturating_sub(1).max(1);
    Builder::new_multi_thread().worker_threads(threads).enable_all().build()
}

/// For what asks others: this thread, and no other. What measures must not take the processor from what it measures.
///
/// # Errors
/// When the system can't tell of sockets.
pub(super) fn asking() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}
