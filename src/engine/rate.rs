//! The sender's rate: a bucket of segments that fills with time.

/// A bucket that fills at a steady rate and is emptied by submissions, in thousandths of a segment.
///
/// It starts empty, so a restart never adds a burst of its own.
#[derive(Debug, Clone, Copy)]
pub struct SegmentBucket {
    per_second: Option<u32>,
    milli_segments: u64,
    filled_at_ms: u64,
}

impl SegmentBucket {
    /// A bucket for `per_second` segments, without limit when `None`. Holds one second's worth.
    pub fn new(per_second: Option<u32>, now_ms: u64) -> Self {
        Self { per_second, milli_segments: 0, filled_at_ms: now_ms }
    }

    /// Takes `segments` when there is room, else says in how many milliseconds there will be.
    ///
    /// A message longer than the bucket goes when the bucket is full, and leaves it in debt by waiting.
    ///
    /// # Errors
    /// Milliseconds until there is room, at least 1.
    pub fn take(&mut self, segments: u16, now_ms: u64) -> Result<(), u64> {
        let Some(per_second) = self.per_second.map(u64::from) else {
            return Ok(());
        };
        let capacity = per_second.saturating_mul(1000).max(1000);
        let elapsed = now_ms.saturating_sub(self.filled_at_ms);
        self.filled_at_ms = self.filled_at_ms.max(now_ms);
        let filled = self.milli_segments.saturating_add(elapsed.saturating_mul(per_second));
        let wanted = u64::from(segments).saturating_mul(1000);
        self.milli_segments = filled.min(capacity.max(wanted));
        if let Some(left) = self.milli_segments.checked_sub(wanted) {
            self.milli_segments = left;
            return Ok(());
        }
        let missing = wanted.saturating_sub(self.milli_segments);
        Err(missing.div_ceil(per_second.max(1)).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_passes_more_than_the_rate() {
        let mut bucket = SegmentBucket::new(Some(10), 0);
        let mut passed = 0_u32;
        for now_ms in 0..10_000 {
            if bucket.take(1, now_ms).is_ok() {
                passed = passed.saturating_add(1);
            }
        }
        assert!((99..=100).contains(&passed), "{passed}");
    }

    #[test]
    fn a_message_longer_than_the_bucket_still_goes() {
        let mut bucket = SegmentBucket::new(Some(1), 0);
        let wait = bucket.take(11, 0).unwrap_err();
        assert_eq!(wait, 11_000);
        assert!(bucket.take(11, 10_999).is_err());
        assert!(bucket.take(11, 11_000).is_ok());
    }

    #[test]
    fn no_limit_means_no_wait() {
        let mut bucket = SegmentBucket::new(None, 0);
        assert!((0..1000).all(|_| bucket.take(11, 0).is_ok()));
    }
}
