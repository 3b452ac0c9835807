//! Streams: texts that are counted together, whoever they go to, and how many of them may go in which time.

use std::sync::Arc;

use crate::message::Hold;
use crate::phone_number::{PhoneNumber, Region};
use crate::policy::{Limits, Recipient};

/// Texts that are counted together, whoever they go to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// All of them.
    All,
    /// Those of one sender: a number, or a pool of numbers.
    Sender(Arc<str>),
    /// Those to one country.
    Country(Region),
    /// The first ones to numbers of one block, each of which nobody texted before.
    Block(Block),
}

/// Numbers that differ in their last four digits only: what one carrier gives out, and who pumps owns.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block(u64);

/// How many numbers a block has.
const BLOCK: u64 = 10_000;

impl Block {
    /// The block of a number.
    pub fn of(number: PhoneNumber) -> Self {
        Self(number.digits().div_euclid(BLOCK))
    }

    /// The digits that its numbers share, country code first.
    pub fn digits(self) -> u64 {
        self.0
    }
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Block(***)")
    }
}

/// Most texts in any minute, any hour and any 24 hours; no limit when `None`, none at all when 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rate {
    /// In any minute.
    pub per_minute: Option<u32>,
    /// In any hour.
    pub per_hour: Option<u32>,
    /// In any 24 hours.
    pub per_day: Option<u32>,
}

impl Rate {
    /// No limit.
    pub const NONE: Self = Self { per_minute: None, per_hour: None, per_day: None };

    /// Whether it limits nothing.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// The limit of each span, shortest first.
    pub(super) fn limits(self) -> [Option<u32>; 3] {
        [self.per_minute, self.per_hour, self.per_day]
    }
}

impl Stream {
    /// What a text waits for while as many have gone in the stream as may.
    pub fn hold(&self) -> Hold {
        match self {
            Self::All => Hold::GlobalRate,
            Self::Sender(_) => Hold::SenderRate,
            Self::Country(_) => Hold::CountryRate,
            Self::Block(_) => Hold::FraudVelocity,
        }
    }
}

impl Limits {
    /// Whether texts are counted by streams at all.
    pub fn counts_streams(&self) -> bool {
        !(self.global_rate.is_none()
            && self.sender_rate.is_none()
            && self.country_rates.is_empty()
            && self.velocity.is_none())
    }

    /// How many texts may go in a stream.
    pub fn rate_of(&self, stream: &Stream) -> Rate {
        match stream {
            Stream::All => self.global_rate,
            Stream::Sender(_) => self.sender_rate,
            Stream::Country(region) => self.country_rates.get(region).copied().unwrap_or_default(),
            Stream::Block(_) => self.velocity,
        }
    }

    /// The streams that a text to this number is limited in. `region` says where the number belongs, which takes a
    /// while to find out, `is_new` whether nobody texted it before; each is asked only when it matters.
    pub fn streams<E>(
        &self,
        number: PhoneNumber,
        region: impl FnOnce() -> Option<Region>,
        is_new: impl FnOnce() -> Result<bool, E>,
    ) -> Result<Vec<Stream>, E> {
        let mut streams = Vec::new();
        if !self.global_rate.is_none() {
            streams.push(Stream::All);
        }
        if !self.sender_rate.is_none() {
            streams.push(Stream::Sender(Arc::clone(&self.sender)));
        }
        if !self.country_rates.is_empty()
            && let Some(region) = region().filter(|region| self.country_rates.contains_key(region))
        {
            streams.push(Stream::Country(region));
        }
        if !self.velocity.is_none() && is_new()? {
            streams.push(Stream::Block(Block::of(number)));
        }
        Ok(streams)
    }
}

impl Recipient {
    /// The stream that `hold` is about, with what went in it.
    pub fn flow(&self, hold: Hold) -> Option<&(Stream, Arc<crate::policy::Flow>)> {
        self.flows.iter().find(|(stream, _)| stream.hold() == hold)
    }
}
