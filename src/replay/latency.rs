//! Latencies: exact quantiles of whole milliseconds.

use std::time::Duration;

use serde_json::{Value, json};

use crate::timeline::span::span;

/// Durations, gathered one by one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latencies(Vec<u64>);

/// What is said of durations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quantiles {
    /// How many there are.
    pub count: usize,
    /// Half are not longer, in milliseconds.
    pub p50_ms: u64,
    /// Nine in ten are not longer.
    pub p90_ms: u64,
    /// 99 in 100 are not longer.
    pub p99_ms: u64,
    /// The longest.
    pub max_ms: u64,
}

impl Latencies {
    /// One more.
    pub fn add(&mut self, latency: Duration) {
        self.0.push(u64::try_from(latency.as_millis()).unwrap_or(u64::MAX));
    }

    /// What is said of them; zeros when there are none.
    pub fn quantiles(mut self) -> Quantiles {
        self.0.sort_unstable();
        let rank = |percent: usize| {
            let place = self.0.len().saturating_mul(percent).div_ceil(100).saturating_sub(1);
            self.0.get(place).copied().unwrap_or(0)
        };
        Quantiles {
            count: self.0.len(),
            p50_ms: rank(50),
            p90_ms: rank(90),
            p99_ms: rank(99),
            max_ms: rank(100),
        }
    }
}

impl Quantiles {
    /// As people read them, 10 characters each: count, p50, p90, p99, max.
    pub fn row(&self) -> String {
        let said = |ms: u64| span(Duration::from_millis(ms));
        let Self { count, p50_ms, p90_ms, p99_ms, max_ms } = *self;
        format!("{count:>10}{:>10}{:>10}{:>10}{:>10}", said(p50_ms), said(p90_ms), said(p99_ms), said(max_ms))
    }

    /// As programs read them.
    pub fn json(&self) -> Value {
        let Self { count, p50_ms, p90_ms, p99_ms, max_ms } = *self;
        json!({"count": count, "p50_ms": p50_ms, "p90_ms": p90_ms, "p99_ms": p99_ms, "max_ms": max_ms})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occurred() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.clone().quantiles(), Quantiles::default());
        for ms in (1..=200).rev() {
            latencies.add(Duration::from_millis(ms));
        }
        let said = latencies.quantiles();
        let expected = Quantiles { count: 200, p50_ms: 100, p90_ms: 180, p99_ms: 198, max_ms: 200 };
        assert_eq!(said, expected);
    }
}
