//! The figures of one run: as a table for people, as one document for programs.

use std::fmt;

use serde::Serialize;

use crate::bench::accepts::Accepts;
use crate::bench::exchanges::Exchanges;
use crate::bench::figure::{float, grouped, ratio};
use crate::bench::gate::Gate;
use crate::bench::lives::Lives;
use crate::bench::machine::Machine;
use crate::bench::restart::Restart;
use crate::bench::timers::Timers;
use crate::bench::trust::{Cost, Range, Side, Trust};

/// The best peer that was measured doing the same work on a like machine (2 vCPU, `ext4`, 2026-11-23):
/// `BullMQ` on Redis with `appendfsync always`.
const PEER: Peer =
    Peer { accepts_per_second: 6_917.0, lives_per_second: 1_289.0, cpu_seconds_per_1000: 1.26 };

struct Peer {
    accepts_per_second: f64,
    lives_per_second: f64,
    cpu_seconds_per_1000: f64,
}

/// What the daemon aims at on 2 cores with everything on the one machine.
const AIM: Aim = Aim {
    accepts_per_second: 20_000.0,
    accept_p99_ms: 10.0,
    times_slower_than_raw: 2.0,
    lives_per_second: 6_000.0,
    cpu_seconds_per_1000: 0.2,
    resident_mb: 80.0,
    table_bytes: 1_200.0,
    archive_bytes: 300.0,
    restart_seconds: 2.0,
    schedules_mb: 64.0,
    schedules_restart_seconds: 10.0,
    trust_cost: 0.1,
    gate_cost: 0.05,
    lateness_p99_ms: 50,
    urgent_p99_ms: 250,
};

/// With more than this share of the machine used by others, figures mean little.
const OTHERS_MAX: f64 = 0.1;

struct Aim {
    accepts_per_second: f64,
    accept_p99_ms: f64,
    times_slower_than_raw: f64,
    lives_per_second: f64,
    cpu_seconds_per_1000: f64,
    resident_mb: f64,
    table_bytes: f64,
    archive_bytes: f64,
    restart_seconds: f64,
    schedules_mb: f64,
    schedules_restart_seconds: f64,
    trust_cost: f64,
    gate_cost: f64,
    lateness_p99_ms: u32,
    urgent_p99_ms: u32,
}

/// The figures of one run. What was not measured is absent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// When, RFC 3339.
    pub measured_at: String,
    /// The version of the program.
    pub version: &'static str,
    /// Where.
    pub machine: Machine,
    /// Durable accepts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepts: Option<Accepts>,
    /// Whole lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lives: Option<Lives>,
    /// The same exchanges with nothing stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exchanges: Option<Exchanges>,
    /// A restart after a crash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<Restart>,
    /// Messages scheduled far ahead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timers: Option<Timers>,
    /// What sealing and chaining cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<Trust>,
    /// What the gate's rules cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
}

/// One line of the table.
struct Row {
    what: String,
    figure: String,
    aim: String,
    beside: String,
}

impl Row {
    fn new(what: impl Into<String>, figure: impl Into<String>) -> Self {
        Self { what: what.into(), figure: figure.into(), aim: String::new(), beside: String::new() }
    }

    fn aim(mut self, aim: impl Into<String>, reached: bool) -> Self {
        self.aim = format!("{}{}", aim.into(), if reached { "" } else { " (missed)" });
        self
    }

    fn beside(mut self, beside: impl Into<String>) -> Self {
        self.beside = beside.into();
        self
    }
}

/// The table, as Markdown.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}; Dunlin {}; {}", self.measured_at, self.version, self.machine)?;
        writeln!(f)?;
        let rows = self.rows();
        let head = Row::new("what", "figure").aim("aim", true).beside("beside it");
        let cells = |row: &Row| [row.what.clone(), row.figure.clone(), row.aim.clone(), row.beside.clone()];
        let mut widths = cells(&head).map(|cell| cell.chars().count());
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(cells(row)) {
                *width = cell.chars().count().max(*width);
            }
        }
        let [first, second, third, fourth] = widths;
        let line = |f: &mut fmt::Formatter<'_>, row: &Row| {
            let [what, figure, aim, beside] = cells(row);
            writeln!(f, "| {what:first$} | {figure:>second$} | {aim:>third$} | {beside:fourth$} |")
        };
        line(f, &head)?;
        writeln!(f, "|{:-<first$}--|{:->second$}-:|{:->third$}-:|{:-<fourth$}--|", "", "", "", "")?;
        for row in &rows {
            line(f, row)?;
        }
        let others = self.others();
        if others > OTHERS_MAX {
            let percent = others * 100.0;
            writeln!(
                f,
                "\nOther programs used up to {percent:.0} % of the machine meanwhile: measure again when it is idle."
            )?;
        }
        Ok(())
    }
}

impl Report {
    /// The largest share of the machine that everybody else used during one measurement.
    fn others(&self) -> f64 {
        let accepts = self.accepts.iter().map(|accepts| accepts.others);
        let lives = self.lives.iter().map(|lives| lives.others);
        let exchanges = self.exchanges.iter().map(|exchanges| exchanges.others);
        let timers = self.timers.iter().map(|timers| timers.lateness.others);
        let trust = self.trust.iter().map(|trust| trust.others);
        let gate = self.gate.iter().map(|gate| gate.others);
        accepts.chain(lives).chain(exchanges).chain(timers).chain(trust).chain(gate).fold(0.0, f64::max)
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        rows.extend(self.accepts.iter().flat_map(accept_rows));
        rows.extend(self.lives.iter().flat_map(life_rows));
        rows.extend(self.exchanges.iter().map(|exchanges| exchange_row(exchanges, self.lives.as_ref())));
        rows.extend(self.restart.iter().flat_map(restart_rows));
        rows.extend(self.timers.iter().flat_map(timer_rows));
        rows.extend(self.trust.iter().flat_map(trust_rows));
        rows.extend(self.gate.iter().flat_map(gate_rows));
        rows
    }
}

fn accept_rows(accepts: &Accepts) -> Vec<Row> {
    let at = format!("durable accepts over HTTP, {} callers", accepts.connections);
    let stored = accepts.stored;
    let record = format!("{} B x {} per sync", stored.record_bytes, stored.batch);
    let times_append = ratio(accepts.floor.append_per_second, accepts.per_second);
    let times = accepts.times_slower_than_raw;
    vec![
        Row::new(at, format!("{}/s", grouped(accepts.per_second)))
            .aim("20,000/s", accepts.per_second >= AIM.accepts_per_second)
            .beside(versus(accepts.per_second, PEER.accepts_per_second, "best peer")),
        Row::new(
            "- answered within, half / 99 %",
            format!("{:.1} / {:.1} ms", accepts.p50_ms, accepts.p99_ms),
        )
        .aim("99 %: 10 ms", accepts.p99_ms < AIM.accept_p99_ms),
        Row::new("- with idempotency keys", format!("{}/s", grouped(accepts.with_keys_per_second))),
        Row::new(
            "- raw redb group commit, same bytes",
            format!("{}/s", grouped(accepts.floor.redb_per_second)),
        )
        .aim("at most 2x", times <= AIM.times_slower_than_raw)
        .beside(format!("{times:.1}x; {record}")),
        Row::new(
            "- append + fdatasync, same bytes",
            format!("{}/s", grouped(accepts.floor.append_per_second)),
        )
        .beside(format!("{times_append:.1}x")),
        Row::new("- CPU of the daemon", format!("{:.3} s/1000", accepts.cpu_seconds_per_1000)),
    ]
}

fn life_rows(lives: &Lives) -> Vec<Row> {
    let cpu = lives.cpu_seconds_per_1000;
    let mb = |bytes: u64| float(bytes) / 1_000_000.0;
    let resident = mb(lives.resident_max);
    let commits_per_second = lives.per_second * ratio(float(lives.commits), f64::from(lives.count));
    let mut rows = vec![
        Row::new(
            format!("whole lives, {} texts", grouped(f64::from(lives.count))),
            format!("{}/s", grouped(lives.per_second)),
        )
        .aim("6,000/s", lives.per_second >= AIM.lives_per_second)
        .beside(versus(lives.per_second, PEER.lives_per_second, "best peer")),
        Row::new("- commits", format!("{}/s", grouped(commits_per_second))).beside(format!(
            "each carries {:.1} lives' worth",
            ratio(f64::from(lives.count), float(lives.commits))
        )),
        Row::new("- texts doubled", lives.doubled.to_string()).aim("0", lives.doubled == 0),
        Row::new("- CPU of the daemon", format!("{:.3} s/1000", cpu.daemon))
            .aim("0.2 s/1000", cpu.daemon <= AIM.cpu_seconds_per_1000)
            .beside(format!(
                "{}; carrier {:.3}, callers {:.3}",
                versus(PEER.cpu_seconds_per_1000, cpu.daemon, "less than best peer"),
                cpu.sandbox,
                cpu.callers
            )),
        Row::new("- memory, most resident", format!("{resident:.0} MB"))
            .aim("80 MB", resident < AIM.resident_mb)
            .beside(format!("{:.0} MB proportional", mb(lives.proportional))),
        Row::new("- on disk, pages of the tables", format!("{} B/text", grouped(lives.table_bytes_per_life)))
            .aim("1,200 B", lives.table_bytes_per_life <= AIM.table_bytes),
        Row::new(
            "- on disk, the file, which grows in steps",
            format!("{} B/text", grouped(lives.file_bytes_per_life)),
        ),
    ];
    rows.extend(lives.archived.map(|archived| {
        let bytes = archived.archive_bytes_per_life;
        let left = grouped(archived.table_bytes_per_life);
        Row::new("- on disk once archived", format!("{} B/text", grouped(bytes)))
            .aim("300 B", bytes <= AIM.archive_bytes)
            .beside(format!("{left} B/person stay in the store"))
    }));
    rows
}

fn exchange_row(exchanges: &Exchanges, lives: Option<&Lives>) -> Row {
    let rate = exchanges.per_second;
    let reached =
        lives.map(|lives| format!("lives reach {:.0} % of it; ", ratio(lives.per_second, rate) * 100.0));
    Row::new("same exchanges, nothing stored", format!("{}/s", grouped(rate))).beside(format!(
        "{}CPU {:.3} s/1000",
        reached.unwrap_or_default(),
        exchanges.cpu_seconds_per_1000
    ))
}

fn restart_rows(restart: &Restart) -> Vec<Row> {
    let what = format!("restart after kill -9, {} open", grouped(f64::from(restart.open)));
    let mb = |bytes: u64| float(bytes) / 1_000_000.0;
    vec![
        Row::new(what, format!("{:.2} s", restart.seconds))
            .aim("2 s", restart.seconds < AIM.restart_seconds)
            .beside(format!(
                "file {:.0} MB, memory {:.0} MB",
                mb(restart.file_bytes),
                mb(restart.resident_max)
            )),
    ]
}

fn timer_rows(timers: &Timers) -> Vec<Row> {
    let mb = |bytes: u64| float(bytes) / 1_000_000.0;
    let Timers { none, full, lateness, burst, .. } = timers;
    let above = mb(full.resident_max.saturating_sub(none.resident_max));
    let crowded = mb(burst.resident_max.saturating_sub(none.resident_max));
    let schedules = f64::from(timers.schedules);
    let lives = grouped(lateness.lives_per_second);
    vec![
        Row::new(
            format!("{} schedules, memory when ready, above none", grouped(schedules)),
            format!("{above:.1} MB"),
        )
        .aim("64 MB", above <= AIM.schedules_mb)
        .beside(format!("{:.1} MB against {:.1} MB", mb(full.resident_max), mb(none.resident_max))),
        Row::new("- restart after kill -9", format!("{:.2} s", full.seconds))
            .aim("10 s", full.seconds < AIM.schedules_restart_seconds)
            .beside(format!("{:.2} s with none", none.seconds)),
        Row::new("- on disk", format!("{} B/schedule", grouped(ratio(float(timers.file_bytes), schedules))))
            .beside(format!(
                "file {:.0} MB, filled in {:.0} s",
                mb(timers.file_bytes),
                timers.filled_seconds
            )),
        Row::new(
            format!("- timers late at {lives} lives/s, half / 99 %"),
            format!("{} / {} ms", lateness.fired_p50_ms, lateness.fired_p99_ms),
        )
        .aim("99 %: 50 ms", lateness.fired_p99_ms < AIM.lateness_p99_ms)
        .beside(format!(
            "latest {} ms; 99 % begun after {}, taken after {} ms",
            lateness.fired_max_ms, lateness.begun_p99_ms, lateness.taken_p99_ms
        )),
        Row::new(
            format!("- {} due in one second", grouped(f64::from(burst.due))),
            format!("{:.1} s", burst.drained_seconds),
        )
        .beside(format!(
            "{}/s; all fired after {:.1} s",
            grouped(burst.per_second),
            burst.fired_seconds
        )),
        Row::new("- memory meanwhile, above none", format!("{crowded:.1} MB"))
            .aim("64 MB", crowded <= AIM.schedules_mb)
            .beside(format!("{:.1} MB against {:.1} MB", mb(burst.resident_max), mb(none.resident_max))),
        Row::new(
            "- urgent ones meanwhile sent after, half / 99 %",
            format!("{} / {} ms", burst.urgent_p50_ms, burst.urgent_p99_ms),
        )
        .aim("99 %: 250 ms", burst.urgent_p99_ms < AIM.urgent_p99_ms)
        .beside(format!("{} of them; 99 % accepted within {:.0} ms", burst.urgent, burst.accept_p99_ms)),
    ]
}

fn trust_rows(trust: &Trust) -> Vec<Row> {
    let side = |what: &str, side: &Side| {
        Row::new(what, format!("{}/s", grouped(side.lives_per_second)))
            .beside(format!("CPU {:.3} s/1000", side.cpu_seconds_per_1000))
    };
    let percent = |cost: f64| format!("{:.1} %", cost * 100.0);
    let cost = |what: &str, cost: &Cost| {
        let Range { median, least, most } = cost.both;
        let beside = format!(
            "{} to {}; sealing {}, chaining {}",
            percent(least),
            percent(most),
            percent(cost.sealing.median),
            percent(cost.chaining.median)
        );
        Row::new(what, percent(median)).aim("at most 10 %", median <= AIM.trust_cost).beside(beside)
    };
    let (rounds, count) = (trust.whole.runs.len(), grouped(f64::from(trust.count)));
    vec![
        side(&format!("lives sealed and chained, {rounds} times {count}"), &trust.whole),
        side("- sealed, not chained", &trust.sealed),
        side("- chained, not sealed", &trust.chained),
        side("- neither", &trust.neither),
        cost("- cost of both, in lives per second", &trust.pace),
        cost("- cost of both, in CPU of the daemon", &trust.cpu),
    ]
}

/// What the gate's rules cost.
fn gate_rows(gate: &Gate) -> Vec<Row> {
    let percent = |cost: f64| format!("{:.1} %", cost * 100.0);
    let lives = |what: String, per_second| Row::new(what, format!("{}/s", grouped(per_second)));
    let cost = |what: &str, cost: &Range| {
        let beside = format!("{} to {}", percent(cost.least), percent(cost.most));
        Row::new(what, percent(cost.median)).beside(beside)
    };
    let (rounds, count) = (gate.ruled.len(), grouped(f64::from(gate.count)));
    let reached = gate.pace.median <= AIM.gate_cost;
    vec![
        lives(format!("lives with every rule in force, {rounds} times {count}"), gate.ruled_per_second),
        lives("- with none".to_owned(), gate.free_per_second),
        cost("- cost of the rules, in lives per second", &gate.pace).aim("at most 5 %", reached),
        cost("- cost of the rules, in CPU of the daemon", &gate.cpu),
    ]
}

fn versus(ours: f64, theirs: f64, whom: &str) -> String {
    format!("{:.1}x {whom}", ratio(ours, theirs))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(seconds: f64) -> Report {
        Report {
            measured_at: "2026-11-24T08:00:00.000Z".into(),
            version: "0.1.0",
            machine: Machine {
                processor: "Some".into(),
                cores: 2,
                kernel: "Linux 6".into(),
                file_system: "ext4".into(),
                optimized: true,
            },
            accepts: None,
            lives: None,
            exchanges: None,
            restart: Some(Restart {
                open: 100_000,
                seconds,
                file_bytes: 50_000_000,
                resident_max: 40_000_000,
            }),
            timers: None,
            trust: None,
            gate: None,
        }
    }

    #[test]
    fn a_missed_aim_is_said() {
        let (reached, missed) = (report(1.0), report(2.5));
        assert!(!reached.to_string().contains("missed"));
        assert!(missed.to_string().contains("| 2.50 s | 2 s (missed) |"), "{missed}");
        assert!(
            reached
                .to_string()
                .starts_with("2026-11-24T08:00:00.000Z; Dunlin 0.1.0; Some, 2 cores, Linux 6, ext4\n")
        );
    }
}
