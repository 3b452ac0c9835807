//! What processes have used: processor time and memory, as the kernel counts them.

use std::fs;
use std::io;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use crate::bench::figure::ratio;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Processor time, user and system, of all its threads.
    pub cpu: Duration,
    /// Memory resident now, in bytes.
    pub resident: u64,
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
            resident: bytes(&status, "VmRSS:").unwrap_or_default(),
            resident_max: bytes(&status, "VmHWM:").unwrap_or_default(),
            proportional: bytes(&maps, "Pss:").unwrap_or_default(),
        })
    }
}

/// Watches some processes, and what the rest of the machine does meanwhile.
#[derive(Debug)]
pub struct Watch<const N: usize> {
    pids: [u32; N],
    started: Instant,
    cpu: [Duration; N],
    busy: Duration,
}

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Watched<const N: usize> {
    /// How long.
    pub elapsed: Duration,
    /// Processor time of each watched process.
    pub cpu: [Duration; N],
    /// Share of the machine that everybody else used, 0 to 1: figures of a busy machine mean little.
    pub others: f64,
}

impl<const N: usize> Watch<N> {
    /// Starts to watch the processes with these numbers.
    ///
    /// # Errors
    /// As [`Usage::read`].
    pub fn start(pids: [u32; N]) -> io::Result<Self> {
        Ok(Self { pids, started: Instant::now(), cpu: spent(pids)?, busy: busy()? })
    }

    /// What happened since the start.
    ///
    /// # Errors
    /// As [`Usage::read`].
    pub fn seen(&self) -> io::Result<Watched<N>> {
        let elapsed = self.started.elapsed();
        let mut cpu = spent(self.pids)?;
        for (spent, before) in cpu.iter_mut().zip(self.cpu) {
            *spent = spent.saturating_sub(before);
        }
        let others = busy()?.saturating_sub(self.busy).saturating_sub(cpu.iter().sum());
        let cores = u32::try_from(available_parallelism()?.get()).unwrap_or(u32::MAX);
        let whole = elapsed.saturating_mul(cores);
        Ok(Watched { elapsed, cpu, others: ratio(others.as_secs_f64(), whole.as_secs_f64()) })
    }
}

fn spent<const N: usize>(pids: [u32; N]) -> io::Result<[Duration; N]> {
    let mut spent = [Duration::ZERO; N];
    for (spent, pid) in spent.iter_mut().zip(pids) {
        *spent = Usage::read(pid)?.cpu;
    }
    Ok(spent)
}

/// Processor time of everybody, stolen time included.
fn busy() -> io::Result<Duration> {
    let stat = fs::read_to_string("/proc/stat")?;
    Ok(all_busy(&stat, rustix::param::clock_ticks_per_second()).unwrap_or_default())
}

/// The busy time in `/proc/stat`: user, nice, system, irq, softirq and steal, in ticks (proc(5)).
fn all_busy(stat: &str, ticks_per_second: u64) -> Option<Duration> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line.split_ascii_whitespace().map_while(|field| field.parse().ok()).collect();
    let busy = [0, 1, 2, 5, 6, 7].into_iter().filter_map(|field: usize| ticks.get(field));
    duration(busy.fold(0, |sum, ticks| sum.saturating_add(*ticks)), ticks_per_second)
}

/// User and system time in a line of `/proc/PID/stat`: fields 14 and 15, in ticks (proc(5)).
///
/// The second field is the program's name in parentheses and may hold anything, so counting starts behind it.
fn cpu(stat: &str, ticks_per_second: u64) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    duration(user.saturating_add(system), ticks_per_second)
}

fn duration(ticks: u64, ticks_per_second: u64) -> Option<Duration> {
    ticks.saturating_mul(1000).checked_div(ticks_per_second).map(Duration::from_millis)
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
    fn waiting_is_not_work() {
        let stat = "cpu  100 10 50 9000 800 5 15 20 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(all_busy(stat, 100), Some(Duration::from_secs(2)));
    }

    #[test]
    fn this_process_has_used_something() {
        let usage = Usage::read(std::process::id()).unwrap();
        assert!(usage.resident_max > 0 && usage.proportional > 0);
        assert_eq!(bytes("VmPeak:\t 9 kB\nVmHWM:\t    12 kB\n", "VmHWM:"), Some(12 * 1024));
    }
}
