//! The rules in force: every duration, cap and switch that decisions depend on.

use std::time::Duration;

use crate::alarm::AlarmRules;
use crate::kind::Kinds;
use crate::policy::Limits;

/// What decisions depend on besides the message and the time. Comes from configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Whether anything may be submitted at all.
    pub sending: Sending,
    /// When to try again.
    pub retry: RetryRules,
    /// Waits before each search for a lost outcome, each counted from the moment the outcome was
    /// lost. Measured on the monotonic clock: a jump of the wall clock must not end them early.
    pub lookups: Vec<Duration>,
    /// How long a message with an unknown outcome waits for a person before it is given up.
    pub unknown_hold: Duration,
    /// When to ask the provider for a message whose callbacks stay away, counted from its submission.
    pub polls: Vec<Duration>,
    /// What every text to a person must keep.
    pub limits: Limits,
    /// What holds for each kind of message.
    pub kinds: Kinds,
    /// When failures repeat.
    pub alarm: AlarmRules,
}

/// Whether anything may be submitted at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// Yes.
    Enabled,
    /// No: everything that becomes due is held and says so.
    Disabled,
}

/// When to try again, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryRules {
    /// Delay after the first failed attempt; doubles with each further one.
    pub base: Duration,
    /// Longest delay.
    pub cap: Duration,
    /// Most attempts that count, the first included.
    pub attempts_max: u32,
    /// Whether to send again what the carrier failed to deliver. Off by default: a text that the
    /// carrier gave up on may have arrived.
    pub redeliver: Redeliver,
}

/// Whether to send again what the carrier failed to deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeliver {
    /// Never.
    Off,
    /// As often as the table of provider errors allows for the code.
    On,
}

impl Default for Rules {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(n.saturating_mul(60));
        let hours = |n: u64| Duration::from_secs(n.saturating_mul(3600));
        Self {
            sending: Sending::Enabled,
            retry: RetryRules {
                base: Duration::from_secs(5),
                cap: hours(1),
                attempts_max: 5,
                redeliver: Redeliver::Off,
            },
            lookups: vec![Duration::from_secs(30), minutes(2), minutes(10)],
            unknown_hold: hours(24),
            polls: vec![minutes(10), hours(1), hours(12), hours(24), hours(72)],
            limits: Limits::default(),
            kinds: Kinds::default(),
            alarm: AlarmRules::default(),
        }
    }
}

impl RetryRules {
    /// Delay before the attempt after `failed` failed ones (1 or more): `base * 2^(failed - 1)`, at
    /// most `cap`, of which half is fixed and half scaled by `jitter` (0 is none, `u32::MAX` all of it).
    ///
    /// Spread keeps a thousand messages that failed together from coming back together.
    pub fn backoff(&self, failed: u32, jitter: u32) -> Duration {
        let doublings = failed.saturating_sub(1).min(31);
        let full = self.base.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(self.cap);
        let half_ms = u64::try_from(full.as_millis()).unwrap_or(u64::MAX).div_ceil(2);
        let spread = u128::from(half_ms).saturating_mul(u128::from(jitter)).div_euclid(u128::from(u32::MAX));
        let delay_ms = half_ms.saturating_add(u64::try_from(spread).unwrap_or(half_ms));
        Duration::from_millis(delay_ms).min(self.cap)
    }
}
