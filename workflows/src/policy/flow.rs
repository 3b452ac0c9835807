//! What flowed in a stream lately, counted when the first attempt of a message is committed.
//!
//! Instants are not kept but counted in buckets of a sixtieth of a minute or an hour, and of half an hour of a day.
//! A bucket counts as long as any of it may lie in the window. So there are never too many in any window, and a
//! place is free again at most one bucket late.

use std::time::Duration;

use crate::policy::Rate;
use crate::timestamp::Timestamp;

/// A length of time that a rate is about, and into how long buckets it is cut, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Span {
    length: i64,
    step: i64,
}

/// A minute, an hour, 24 hours.
const SPANS: [Span; 3] = [
    Span { length: 60_000, step: 1_000 },
    Span { length: 3_600_000, step: 60_000 },
    Span { length: 86_400_000, step: 1_800_000 },
];

/// Most buckets of a span: those of the window, and some that a clock which was set back left ahead.
const BUCKETS_MAX: usize = 128;

/// How far ahead anybody is told to wait; whoever waits so long looks again.
const LINE_MAX: Duration = Duration::from_hours(24);

/// How many were counted in one bucket: which one since 1970, and how many.
pub type Bucket = (i64, u32);

/// What flowed in a stream lately, and until when the line of those who wait reaches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flow {
    spans: [Vec<Bucket>; 3],
    /// When the next one who must wait may look again, in microseconds: places may be less than a millisecond apart.
    line_us: i64,
}

impl Flow {
    /// What these parts make; persisted bytes are not trusted.
    pub fn of(spans: [Vec<Bucket>; 3], line_us: i64) -> Option<Self> {
        let sound = |buckets: &Vec<Bucket>| {
            buckets.len() <= BUCKETS_MAX && buckets.is_sorted_by(|before, after| before.0 < after.0)
        };
        spans.iter().all(sound).then_some(Self { spans, line_us })
    }

    /// The buckets of a minute, an hour and a day in which any were counted, in order.
    pub fn spans(&self) -> &[Vec<Bucket>; 3] {
        &self.spans
    }

    /// Until when the line reaches, in microseconds since 1970.
    pub fn line_us(&self) -> i64 {
        self.line_us
    }

    /// How many were counted in the last minute, hour and day, and in buckets that reach into them.
    pub fn counted(&self, now: Timestamp) -> [u32; 3] {
        let mut counted = [0; 3];
        for ((span, buckets), counted) in SPANS.iter().zip(&self.spans).zip(&mut counted) {
            *counted = sum(span.inside(buckets, now));
        }
        counted
    }

    /// Whether anything in it may still matter after `then`.
    pub fn matters_after(&self, then: Timestamp) -> bool {
        let newest = SPANS.iter().zip(&self.spans).filter_map(|(span, buckets)| {
            buckets.last().map(|(index, _)| span.end(*index).saturating_add(span.length))
        });
        newest.chain([self.line_us.div_euclid(1000)]).any(|until| until > then.as_millis())
    }

    /// One more was counted at `at`, for the spans that `rate` limits.
    pub fn count(&mut self, at: Timestamp, rate: Rate) {
        if !SPANS.iter().zip(&self.spans).any(|(span, buckets)| span.moves(buckets, at)) {
            // Nobody of a line went for a whole window: there is none any more.
            self.line_us = 0;
        }
        for ((span, buckets), limit) in SPANS.iter().zip(&mut self.spans).zip(rate.limits()) {
            if limit.is_none() {
                buckets.clear();
                continue;
            }
            span.count(buckets, at);
        }
    }

    /// Until when a text waits that wants to go now; `None` when it may. Who asks for the first time stands behind
    /// those who wait already, while anything moves; whose turn has come goes when there is a place.
    pub fn full_until(&self, now: Timestamp, rate: Rate, has_turn: bool) -> Option<Timestamp> {
        let line = self.line(now);
        let waits = self.limited(rate).filter_map(|(span, buckets, limit)| {
            if let Some(free_at) = span.full_until(buckets, limit, now) {
                return Some(free_at.max(line));
            }
            (!has_turn && line > now && span.moves(buckets, now)).then_some(line)
        });
        waits.max()
    }

    /// A text waits until then: whoever comes next waits a little longer, so that not all of them look at once.
    pub fn line_up(&mut self, until: Timestamp, now: Timestamp, rate: Rate) {
        let mut longest: Option<(Option<Timestamp>, i64)> = None;
        for (span, buckets, limit) in self.limited(rate) {
            let free_at = span.full_until(buckets, limit, now);
            if longest.is_none_or(|(known, _)| known < free_at) {
                longest = Some((free_at, span.apart_us(limit)));
            }
        }
        let apart_us = longest.map_or(0, |(_, apart_us)| apart_us);
        let micros = |at: Timestamp| at.as_millis().saturating_mul(1000);
        let reached = self.line_us.max(micros(until)).saturating_add(apart_us);
        self.line_us = reached.min(micros(now.plus(LINE_MAX)));
    }

    /// The spans that a rate limits, with their buckets and limits.
    fn limited(&self, rate: Rate) -> impl Iterator<Item = (Span, &[Bucket], u32)> {
        let spans = SPANS.into_iter().zip(&self.spans).zip(rate.limits());
        spans.filter_map(|((span, buckets), limit)| limit.map(|limit| (span, buckets.as_slice(), limit)))
    }

    /// The end of the line, as far as anybody is told to wait.
    fn line(&self, now: Timestamp) -> Timestamp {
        let line = self.line_us.saturating_add(999).div_euclid(1000);
        Timestamp::from_millis(line).min(now.plus(LINE_MAX))
    }
}

impl Span {
    fn end(self, index: i64) -> i64 {
        index.saturating_add(1).saturating_mul(self.step)
    }

    /// Whether any were counted so lately that whoever waits in a line still waits for their place.
    fn moves(self, buckets: &[Bucket], now: Timestamp) -> bool {
        buckets.last().is_some_and(|(index, _)| {
            let (now, end) = (now.as_millis(), self.end(*index));
            let until = end.saturating_add(self.length).saturating_add(self.step);
            until >= now && end.saturating_sub(self.length) <= now
        })
    }

    /// The buckets that share a window with `now`. A clock that was set back counts what lies ahead as well.
    fn inside(self, buckets: &[Bucket], now: Timestamp) -> &[Bucket] {
        let now = now.as_millis();
        let past = now.saturating_sub(self.length);
        let from = buckets.partition_point(|(index, _)| self.end(*index) <= past);
        let ahead = now.saturating_add(self.length);
        let to = buckets.partition_point(|(index, _)| index.saturating_mul(self.step) < ahead);
        buckets.get(from..to).unwrap_or_default()
    }

    /// When so many will have left the window that one more may go; `None` when it may now.
    fn full_until(self, buckets: &[Bucket], limit: u32, now: Timestamp) -> Option<Timestamp> {
        let inside = self.inside(buckets, now);
        let mut left = sum(inside);
        if left < limit {
            return None;
        }
        for (index, count) in inside {
            left = left.saturating_sub(*count);
            if left < limit {
                return Some(Timestamp::from_millis(self.end(*index).saturating_add(self.length)));
            }
        }
        // None may go, ever: whoever waits looks again for a rate that was changed.
        Some(now.plus(LINE_MAX))
    }

    /// How far apart those who wait look again: so that as many of them look in a window and a bucket as may go in
    /// a window.
    fn apart_us(self, limit: u32) -> i64 {
        let whole = self.length.saturating_add(self.step).saturating_mul(1000);
        whole.checked_div(i64::from(limit)).unwrap_or(0).saturating_add(1)
    }

    fn count(self, buckets: &mut Vec<Bucket>, at: Timestamp) {
        let index = at.as_millis().div_euclid(self.step);
        let past = at.as_millis().saturating_sub(self.length);
        let gone = buckets.partition_point(|(index, _)| self.end(*index) <= past);
        buckets.drain(..gone);
        let place = buckets.partition_point(|(known, _)| *known < index);
        match buckets.get_mut(place).filter(|(known, _)| *known == index) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => buckets.insert(place, (index, 1)),
        }
        // What lies farthest ahead goes first.
        buckets.truncate(BUCKETS_MAX);
    }
}

fn sum(buckets: &[Bucket]) -> u32 {
    buckets.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
}
