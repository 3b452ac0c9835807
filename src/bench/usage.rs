//! What a process has used: processor time and memory, as the kernel counts them.

use std::fs;
use std::io;
use std::time::Duration;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Processor time, user and system, of all its threads.
    pub cpu: Duration,
    /// Most memory resident at once, in bytes.
    pub resident_max: u64,
    /// Its proportional share of resident memory now, in bytes: shared pages are counted in parts.
    pub proportional: u64,
}

impl Usage {
    /// Reads what the process with this number has used.
    ///
    /// # Errors
    /// When there is no such process, or it is not ours to look at.
    pub fn read(pid: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let maps = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        Ok(Self {
            cpu: cpu(&stat, rustix::param::clock_ticks_per_second()).unwrap_or_default(),
            resident_max: bytes(&status, "VmHWM:").unwrap_or_default(),
            proportional: bytes(&maps, "Pss:").unwrap_or_default(),
        })
    }
}

/// User and system time in a line of `/proc/PID/stat`: fields 14 and 15, in ticks (proc(5)).
///
/// The second field is the program's name in parentheses and may hold anything, so counting starts behind it.
fn cpu(stat: &str, ticks_per_second: u64) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    let ms = user.saturating_add(system).saturating_mul(1000).checked_div(ticks_per_second)?;
    Some(Duration::from_millis(ms))
}

/// The bytes in a line such as `VmHWM:    1234 kB`.
fn bytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 150 25 0 0 20 0 4 0 12345 1 1";
        assert_eq!(cpu(stat, 100), Some(Duration::from_millis(1750)));
        assert_eq!(cpu("7 (a", 100), None);
    }

    #[test]
    fn this_process_has_used_something() {
        let usage = Usage::read(std::process::id()).unwrap();
        assert!(usage.resident_max > 0 && usage.proportional > 0);
        assert_eq!(bytes("VmPeak:\t 9 kB\nVmHWM:\t    12 kB\n", "VmHWM:"), Some(12 * 1024));
    }
}
