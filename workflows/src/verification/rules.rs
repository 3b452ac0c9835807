//! How long a code counts, and how often one is sent and checked.

use std::time::Duration;

/// How long a code counts, and how often one is sent and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// How long a code counts from when it was asked for.
    pub lifetime: Duration,
    /// Most wrong codes; after them a new one must be asked for.
    pub checks_max: u8,
    /// Waits before the second code, the third, and so on; the last of them again and again.
    pub cool_downs: [Duration; 3],
}

impl Default for Rules {
    /// Ten minutes and five checks are also the service's own:
    /// <https://www.twilio.com/docs/verify/api/rate-limits-and-timeouts>, read 2026-11-24.
    fn default() -> Self {
        Self {
            lifetime: Duration::from_mins(10),
            checks_max: 5,
            cool_downs: [Duration::from_secs(30), Duration::from_mins(1), Duration::from_mins(2)],
        }
    }
}

impl Rules {
    /// How long after the newest of `sends` codes another may be asked for.
    pub(super) fn cool_down(&self, sends: u8) -> Duration {
        let [.., last] = self.cool_downs;
        match sends {
            0 => Duration::ZERO,
            sent => self.cool_downs.into_iter().nth(usize::from(sent.saturating_sub(1))).unwrap_or(last),
        }
    }
}
