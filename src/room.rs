//! Room on the disk under the store: looked at often enough, asked of the operating system rarely.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// How old a look may be, in milliseconds.
const LOOK_MAX_MS: u64 = 200;

/// Room on the disk under a directory.
#[derive(Debug)]
pub struct Room {
    directory: PathBuf,
    min: u64,
    free: AtomicU64,
    looked_at_ms: AtomicU64,
}

impl Room {
    /// Room under `directory`, of which `min` bytes are to stay free.
    pub fn new(directory: PathBuf, min: u64) -> Self {
        let free = AtomicU64::new(look(&directory));
        Self { directory, min, free, looked_at_ms: AtomicU64::new(0) }
    }

    /// Free bytes at this time of the monotonic clock; the most there can be when nobody can tell.
    pub fn free(&self, now_ms: u64) -> u64 {
        let looked_at = self.looked_at_ms.load(Ordering::Relaxed);
        if now_ms.saturating_sub(looked_at) > LOOK_MAX_MS {
            self.looked_at_ms.store(now_ms, Ordering::Relaxed);
            self.free.store(look(&self.directory), Ordering::Relaxed);
        }
        self.free.load(Ordering::Relaxed)
    }

    /// The free bytes, when they are fewer than are to stay free.
    pub fn shortage(&self, now_ms: u64) -> Option<u64> {
        Some(self.free(now_ms)).filter(|free| *free < self.min)
    }
}

fn look(directory: &std::path::Path) -> u64 {
    rustix::fs::statvfs(directory).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortage_is_less_than_the_least_and_unknown_is_none() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Room::new(dir.path().into(), 0).shortage(1_000), None);
        let all = Room::new(dir.path().into(), u64::MAX);
        assert!(all.shortage(1_000).is_some_and(|free| free > 0));
        assert_eq!(Room::new(dir.path().join("none"), u64::MAX).shortage(1_000), None);
    }
}
