//! What happened, in lines: the newest few for a failure, all of them for a replay.

use std::collections::VecDeque;

const KEPT: usize = 400;

#[derive(Debug, Default)]
pub(crate) struct Trace {
    lines: VecDeque<String>,
    /// Whether every line is kept.
    pub(crate) all: bool,
    /// Whether nothing is kept: seeds by the thousand are faster, and a failing one is run again.
    pub(crate) off: bool,
}

impl Trace {
    pub(crate) fn say(&mut self, now_ms: u64, line: impl FnOnce() -> String) {
        if self.off {
            return;
        }
        if !self.all && self.lines.len() >= KEPT {
            self.lines.pop_front();
        }
        let (s, ms) = (now_ms / 1000, now_ms % 1000);
        let (h, m, s) = (s / 3600, s / 60 % 60, s % 60);
        self.lines.push_back(format!("{h:>3}:{m:02}:{s:02}.{ms:03}  {}", line()));
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}
