//! Positions in the journal, and the numbers of what its records belong to.

use std::fmt;

/// A position in the journal: gapless, counted from 1. [`JournalSeq::START`] lies before the first record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct JournalSeq(u64);

impl JournalSeq {
    /// Before the first record.
    pub const START: Self = Self(0);

    /// The position `seq`.
    pub const fn new(seq: u64) -> Self {
        Self(seq)
    }

    /// The plain number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for JournalSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A lane to the provider. The first one, and so far the only one, is [`LaneNumber::FIRST`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneNumber(u64);

impl LaneNumber {
    /// The first lane.
    pub const FIRST: Self = Self(1);

    /// The lane with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The plain number.
    pub const fn get(self) -> u64 {
        self.0
    }
}
