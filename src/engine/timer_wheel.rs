//! Timers of the near horizon: cheap to insert, fired in order, never early.
//!
//! A hierarchical timing wheel (Varghese and Lauck, 1987). A level has 64 slots; a slot of level `n`
//! covers `64^n` ticks. A timer lies at the level of the highest bit in which its due tick differs from
//! now, so every timer of a level comes before every timer of the next one, and a timer moves down as
//! its slot begins. One word per level marks the slots in use: empty time is skipped, not walked.
//!
//! A slot keeps its timers in chunks, so that moving them reads and writes memory in order: with a list
//! of single timers a million of them cost a cache miss at every step.

use std::ops::Range;

/// Bits of a tick that one level tells apart.
const LEVEL_BITS: u32 = 6;
/// Slots of a level.
const SLOTS: usize = 64;
/// Levels that cover all 64 bits of a tick, so that no timer is too far away.
const LEVELS: usize = 11;
/// Timers of one chunk.
const CHUNK: usize = 32;
/// The end of a list of chunks.
const NONE: usize = usize::MAX;

/// Items by the tick at which they are due.
///
/// Ticks are milliseconds of one clock, monotonic or wall. Items cannot be taken out: whoever gets one
/// asks whether it is still meant. A timer costs 16 bytes for an eight-byte item, and each slot in use
/// a chunk that is not full; memory is kept for reuse.
///
/// A clock that jumps back loses and hastens nothing, but timers inserted before it has caught up again
/// are kept in a plain list. Call [`TimerWheel::rebase`] after such a jump.
#[derive(Debug, Clone)]
pub struct TimerWheel<T> {
    /// The latest tick advanced to.
    now: u64,
    /// One bit per slot in use.
    occupied: [u64; LEVELS],
    /// The newest chunk of each slot, the only one that may have room.
    heads: Box<[[usize; SLOTS]; LEVELS]>,
    chunks: Vec<Chunk>,
    /// Due ticks and items; the first chunk has the first [`CHUNK`] places, and so on.
    timers: Vec<(u64, T)>,
    /// The first of the chunks not in use.
    free: usize,
    /// Timers that were due already when they came.
    overdue: Vec<(u64, T)>,
    len: usize,
}

#[derive(Debug, Clone, Copy)]
struct Chunk {
    next: usize,
    /// How many of its places hold a timer.
    used: usize,
}

impl<T: Copy> TimerWheel<T> {
    /// An empty wheel at tick `now`.
    pub fn new(now: u64) -> Self {
        Self {
            now,
            occupied: [0; LEVELS],
            heads: Box::new([[NONE; SLOTS]; LEVELS]),
            chunks: Vec::new(),
            timers: Vec::new(),
            free: NONE,
            overdue: Vec::new(),
            len: 0,
        }
    }

    /// Timers that have not fired.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether none is left to fire.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds `item`, due at tick `due`. If that has passed, the next [`TimerWheel::advance`] fires it.
    pub fn insert(&mut self, due: u64, item: T) {
        self.len = self.len.saturating_add(1);
        if due <= self.now {
            self.overdue.push((due, item));
            return;
        }
        self.put(due, item);
    }

    /// Moves to tick `now` and appends every timer due by then to `fired`, in the order of their ticks.
    /// Timers due at the same tick come in any order.
    pub fn advance(&mut self, now: u64, fired: &mut Vec<(u64, T)>) {
        let before = fired.len();
        self.overdue.sort_unstable_by_key(|(due, _)| *due);
        let count = self.overdue.partition_point(|(due, _)| *due <= now);
        fired.extend(self.overdue.drain(..count));
        while let Some((level, slot, start)) = self.first_slot().filter(|(_, _, start)| *start <= now) {
            self.now = start;
            self.open(level, slot, fired);
        }
        self.now = self.now.max(now);
        self.len = self.len.saturating_sub(fired.len().saturating_sub(before));
    }

    /// A tick at which it is worth advancing: not after the first due tick, `None` when there is none.
    pub fn next_due_hint(&self) -> Option<u64> {
        let overdue = self.overdue.iter().map(|(due, _)| *due).min();
        overdue.or_else(|| self.first_slot().map(|(_, _, start)| start))
    }

    /// Sets the wheel to tick `now`, earlier or later, keeping every timer. Fires nothing.
    pub fn rebase(&mut self, now: u64) {
        let mut timers = std::mem::take(&mut self.overdue);
        while let Some((level, slot, start)) = self.first_slot() {
            self.now = start;
            self.open(level, slot, &mut timers);
        }
        self.now = now;
        self.len = 0;
        for (due, item) in timers {
            self.insert(due, item);
        }
    }

    /// The occupied slot that begins first: its level, its place there, and its first tick.
    fn first_slot(&self) -> Option<(usize, usize, u64)> {
        let (level, word) = self.occupied.into_iter().enumerate().find(|(_, word)| *word != 0)?;
        let shift = shift_of(level);
        let span = shift.saturating_add(LEVEL_BITS);
        let slot = u64::from(word.trailing_zeros());
        let start = self.now.unbounded_shr(span).unbounded_shl(span) | slot.unbounded_shl(shift);
        Some((level, low_byte(slot), start))
    }

    /// Empties a slot that begins now: what is due fires, the rest moves to a lower level.
    fn open(&mut self, level: usize, slot: usize, fired: &mut Vec<(u64, T)>) {
        let mut at = std::mem::replace(self.head(level, slot), NONE);
        *self.word(level) ^= bit(slot);
        while at != NONE {
            let Chunk { next, used } = *self.chunk(at);
            let places = places(at, used);
            if level == 0 {
                // A slot of the lowest level is one tick.
                fired.extend(self.timers.get(places).into_iter().flatten());
            } else {
                for place in places {
                    let (due, item) = *self.timer(place);
                    if due <= self.now {
                        fired.push((due, item));
                    } else {
                        self.put(due, item);
                    }
                }
            }
            *self.chunk(at) = Chunk { next: self.free, used: 0 };
            self.free = at;
            at = next;
        }
    }

    /// Puts a timer that is due after now into its slot.
    fn put(&mut self, due: u64, item: T) {
        let level = low_byte(u64::from((self.now ^ due).checked_ilog2().unwrap_or(0) / LEVEL_BITS));
        let slot = low_byte(due.unbounded_shr(shift_of(level)) & 63);
        let mut at = *self.head(level, slot);
        if at == NONE || self.chunk(at).used == CHUNK {
            at = self.new_chunk(at, (due, item));
            *self.head(level, slot) = at;
            *self.word(level) |= bit(slot);
        }
        let chunk = self.chunk(at);
        let place = places(at, chunk.used).end;
        chunk.used = chunk.used.saturating_add(1);
        *self.timer(place) = (due, item);
    }

    /// An empty chunk in front of `next`; new places are filled with `any`.
    fn new_chunk(&mut self, next: usize, any: (u64, T)) -> usize {
        let mut at = self.free;
        if at == NONE {
            at = self.chunks.len();
            self.chunks.push(Chunk { next: NONE, used: 0 });
            self.timers.resize(places(at, CHUNK).end, any);
        }
        self.free = std::mem::replace(&mut self.chunk(at).next, next);
        at
    }

    #[expect(clippy::indexing_slicing, reason = "lists hold only places in `chunks`, which never shrinks")]
    fn chunk(&mut self, at: usize) -> &mut Chunk {
        &mut self.chunks[at]
    }

    #[expect(clippy::indexing_slicing, reason = "every chunk has its places in `timers`")]
    fn timer(&mut self, place: usize) -> &mut (u64, T) {
        &mut self.timers[place]
    }

    #[expect(clippy::indexing_slicing, reason = "a level is at most 63 / 6 = 10, a slot has six bits")]
    fn head(&mut self, level: usize, slot: usize) -> &mut usize {
        &mut self.heads[level][slot]
    }

    #[expect(clippy::indexing_slicing, reason = "a level is at most 63 / 6 = 10")]
    fn word(&mut self, level: usize) -> &mut u64 {
        &mut self.occupied[level]
    }
}

/// The first `used` places of a chunk.
fn places(chunk: usize, used: usize) -> Range<usize> {
    let first = chunk.saturating_mul(CHUNK);
    first..first.saturating_add(used)
}

/// Ticks of a level's slot, as a power of two.
fn shift_of(level: usize) -> u32 {
    u32::try_from(level).unwrap_or(u32::MAX).saturating_mul(LEVEL_BITS)
}

/// The bit that marks `slot` in its level's word.
fn bit(slot: usize) -> u64 {
    1_u64.unbounded_shl(u32::try_from(slot).unwrap_or(u32::MAX))
}

/// The lowest eight bits, as a place.
fn low_byte(value: u64) -> usize {
    let [low, ..] = value.to_le_bytes();
    usize::from(low)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Insert { ahead: u64, behind: u64 },
        Forward(u64),
        Back(u64),
        Rebase,
    }

    /// Same tick, same slot, each level's edge, and beyond any horizon.
    fn distance() -> impl Strategy<Value = u64> {
        let edge = (0_u32..64, -1_i64..=1).prop_map(|(bits, off)| (1_u64 << bits).saturating_add_signed(off));
        prop_oneof![Just(0), 0_u64..4, 0_u64..200, 0_u64..100_000_000, edge, Just(u64::MAX)]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => (distance(), prop_oneof![4 => Just(0), 1 => distance()])
                .prop_map(|(ahead, behind)| Step::Insert { ahead, behind }),
            4 => distance().prop_map(Step::Forward),
            1 => distance().prop_map(Step::Back),
            1 => Just(Step::Rebase),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn fires_what_a_sorted_list_would(
            start in prop_oneof![Just(0), 0_u64..1 << 41, Just(u64::MAX)],
            steps in prop::collection::vec(step(), 1..80),
        ) {
            let mut wheel = TimerWheel::new(start);
            let mut list = Vec::new();
            let mut now = start;
            for (id, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Insert { ahead, behind } => {
                        let due = now.saturating_add(ahead).saturating_sub(behind);
                        wheel.insert(due, id);
                        list.push((due, id));
                    }
                    Step::Forward(ticks) => now = now.saturating_add(ticks),
                    Step::Back(ticks) => now = now.saturating_sub(ticks),
                    Step::Rebase => wheel.rebase(now),
                }
                let first = list.iter().map(|(due, _)| *due).min();
                prop_assert_eq!(wheel.next_due_hint().is_some(), first.is_some());
                prop_assert!(wheel.next_due_hint() <= first);

                let mut fired = Vec::new();
                wheel.advance(now, &mut fired);
                prop_assert!(fired.is_sorted_by_key(|(due, _)| *due));
                let (mut expected, rest): (Vec<_>, Vec<_>) = list.into_iter().partition(|(due, _)| *due <= now);
                fired.sort_unstable();
                expected.sort_unstable();
                prop_assert_eq!(fired, expected);
                prop_assert_eq!(wheel.len(), rest.len());
                prop_assert_eq!(wheel.is_empty(), rest.is_empty());
                list = rest;
            }
        }
    }

    #[test]
    fn sleeping_until_the_hint_reaches_a_timer_in_few_wakes() {
        let mut wheel = TimerWheel::new(1_795_000_000_123);
        wheel.insert(1_795_000_000_123 + 86_400_000, ());
        let (mut wakes, mut fired) = (0, Vec::new());
        while let Some(hint) = wheel.next_due_hint() {
            wheel.advance(hint, &mut fired);
            wakes += 1;
        }
        assert_eq!(
            (fired.as_slice(), wakes <= LEVELS),
            ([(1_795_086_400_123, ())].as_slice(), true),
            "{wakes}"
        );
    }

    #[test]
    fn jump_over_centuries_fires_everything_once_and_memory_is_reused() {
        let mut wheel = TimerWheel::new(0);
        for round in 0..3 {
            let start = round << 50;
            wheel.advance(start, &mut Vec::new());
            for item in 0..100_000_u64 {
                wheel.insert(start + 1 + item * 977, item);
            }
            let mut fired = Vec::new();
            wheel.advance(start + (1 << 49), &mut fired);
            assert!(fired.iter().map(|(_, item)| *item).eq(0..100_000));
            assert_eq!(wheel.len(), 0);
            let full = 100_000_usize.next_multiple_of(CHUNK) + SLOTS * LEVELS * CHUNK;
            assert!(wheel.timers.len() <= full, "{} places", wheel.timers.len());
        }
    }

    #[test]
    fn a_number_s_timer_takes_16_bytes_and_half_a_byte_of_its_chunk() {
        assert_eq!((size_of::<(u64, u64)>(), size_of::<Chunk>() * 2), (16, CHUNK));
    }
}
