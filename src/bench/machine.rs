//! The machine that figures come from: without it they mean nothing.

use std::fmt;
use std::fs;
use std::path::Path;
use std::thread::available_parallelism;

use serde::Serialize;

/// What figures depend on besides the code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// What the processor calls itself.
    pub processor: String,
    /// How many threads can run at once.
    pub cores: usize,
    /// The kernel's name and version.
    pub kernel: String,
    /// The file system that the stores are on.
    pub file_system: String,
    /// Whether the program was built without debug assertions.
    pub optimized: bool,
}

impl Machine {
    /// This machine, with the file system of `dir`. What can't be learned says so.
    pub fn of_this(dir: &Path) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let dir = dir.canonicalize().unwrap_or_else(|_missing| dir.to_owned());
        Self {
            processor: processor(&read("/proc/cpuinfo")).unwrap_or("unknown processor").to_owned(),
            cores: available_parallelism().map_or(1, usize::from),
            kernel: format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
            file_system: file_system(&read("/proc/self/mountinfo"), &dir).unwrap_or("unknown").to_owned(),
            optimized: !cfg!(debug_assertions),
        }
    }

    /// Whether a sync of this file system reaches a disk.
    pub fn syncs_reach_a_disk(&self) -> bool {
        !matches!(self.file_system.as_str(), "tmpfs" | "ramfs")
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, cores, kernel, file_system, optimized } = self;
        let build = if *optimized { "" } else { ", DEBUG BUILD" };
        write!(f, "{processor}, {cores} cores, {kernel}, {file_system}{build}")
    }
}

fn processor(cpuinfo: &str) -> Option<&str> {
    cpuinfo.lines().find(|line| line.starts_with("model name"))?.split_once(':').map(|(_, name)| name.trim())
}

/// The type of the file system that holds `dir`: the mount whose point is its longest beginning
/// (`mountinfo` in proc(5)).
fn file_system<'a>(mountinfo: &'a str, dir: &Path) -> Option<&'a str> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        Some((Path::new(before.split(' ').nth(4)?), after.split(' ').next()?))
    });
    // Of mounts on the same point the last one is on top.
    mounts
        .filter(|(point, _)| dir.starts_with(point))
        .max_by_key(|(point, _)| point.components().count())
        .map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_system_is_the_one_of_the_nearest_mount() {
        let mounts = "22 1 254:0 / / rw - ext4 /dev/vda rw\n30 22 0:25 / /tmp rw shared:1 - tmpfs tmpfs rw\n";
        assert_eq!(file_system(mounts, Path::new("/tmp/x")), Some("tmpfs"));
        assert_eq!(file_system(mounts, Path::new("/tmpx")), Some("ext4"));
        assert_eq!(processor("x: y\nmodel name\t: A B\n"), Some("A B"));
    }
}
