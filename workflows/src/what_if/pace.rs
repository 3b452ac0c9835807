//! The sender's rate in virtual time: whoever asks is told when to start.

use crate::timestamp::Timestamp;

/// A bucket of segments that fills at a steady rate, holds one second's worth and starts empty at
/// the first question. Amounts are in thousandths of a segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    per_second: i128,
    /// When the bucket is empty, in milliseconds times the rate.
    empty_at: Option<i128>,
}

impl Pace {
    pub(super) fn new(per_second: u32) -> Self {
        Self { per_second: i128::from(per_second.max(1)), empty_at: None }
    }

    /// Takes `segments` for the first instant from `ready` on at which there is room, and says which
    /// that is. Takes nothing, and says `None`, when that is not before `deadline`.
    ///
    /// Ask in the order of `ready`: who asks first starts first.
    pub(super) fn reserve(
        &mut self,
        segments: u16,
        ready: Timestamp,
        deadline: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let wanted = i128::from(segments).saturating_mul(1000);
        let capacity = self.per_second.saturating_mul(1000).max(wanted);
        let now = i128::from(ready.as_millis()).saturating_mul(self.per_second);
        let empty_at = self.empty_at.unwrap_or(now).max(now.saturating_sub(capacity));
        let full_enough = empty_at.saturating_add(wanted);
        let start = if full_enough <= now {
            ready
        } else {
            let late = full_enough.saturating_sub(now);
            let wait = late.saturating_add(self.per_second.saturating_sub(1)).div_euclid(self.per_second);
            Timestamp::from_millis(ready.as_millis().saturating_add(i64::try_from(wait).unwrap_or(i64::MAX)))
        };
        let goes = deadline.is_none_or(|deadline| start < deadline);
        self.empty_at = Some(if goes { full_enough } else { empty_at });
        goes.then_some(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(pace: &mut Pace, segments: u16, ready_ms: i64) -> i64 {
        pace.reserve(segments, Timestamp::from_millis(ready_ms), None).unwrap().as_millis()
    }

    #[test]
    fn a_crowd_leaves_at_the_rate_and_in_its_order() {
        let mut pace = Pace::new(10);
        let left: Vec<i64> = (0..5).map(|_| starts(&mut pace, 1, 1_000)).collect();
        assert_eq!(left, [1_100, 1_200, 1_300, 1_400, 1_500]);
    }

    #[test]
    fn a_quiet_time_saves_one_second_and_no_more() {
        let mut pace = Pace::new(2);
        assert_eq!(starts(&mut pace, 1, 0), 500);
        let left: Vec<i64> = (0..4).map(|_| starts(&mut pace, 1, 60_000)).collect();
        assert_eq!(left, [60_000, 60_000, 60_500, 61_000]);
    }

    #[test]
    fn a_message_longer_than_the_bucket_still_goes() {
        let mut pace = Pace::new(1);
        assert_eq!(starts(&mut pace, 11, 0), 11_000);
        assert_eq!(starts(&mut pace, 1, 0), 12_000);
    }

    #[test]
    fn what_would_be_late_takes_nothing() {
        let mut pace = Pace::new(1);
        let ready = Timestamp::EPOCH;
        assert_eq!(pace.reserve(5, ready, Some(Timestamp::from_millis(5_000))), None);
        assert_eq!(starts(&mut pace, 1, 0), 1_000, "the first question opened the bucket, empty");
    }
}
