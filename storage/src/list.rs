//! Lists of messages, newest first, page by page.

use std::iter::Peekable;

use dunlin_workflows::id::{MessageNumber, PersonNumber};
use dunlin_workflows::message::StateName;
use redb::Range;

use crate::error::{Fault, ReadError};
use crate::projection::{self, Projection};
use crate::reader::Reader;
use crate::record::tag::Tagged;
use crate::table;

/// Most index entries that one page looks at; a page may end early because of it.
pub const SCANNED_MAX: usize = 10_000;

/// Which messages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// In one of these states; empty means any.
    pub states: Vec<StateName>,
    /// To this person.
    pub person: Option<PersonNumber>,
    /// Older than this one.
    pub before: Option<MessageNumber>,
    /// Newer than this one.
    pub after: Option<MessageNumber>,
    /// At most so many.
    pub limit: usize,
}

/// Some messages, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The messages.
    pub messages: Vec<(MessageNumber, Projection)>,
    /// Ask again with this as [`Filter::before`]; `None` when there are no more.
    pub next: Option<MessageNumber>,
}

impl Reader {
    /// The newest messages that `filter` lets through.
    pub fn list(&self, filter: &Filter) -> Result<Page, ReadError> {
        let messages = self.open(table::MESSAGES)?;
        let mut page = Page { messages: Vec::new(), next: None };
        let mut numbers = self.candidates(filter)?.peekable();
        let mut scanned = 0_usize;
        while let Some(number) = numbers.next() {
            let number = MessageNumber::new(number?);
            scanned = scanned.saturating_add(1);
            let row = projection::message(&messages, number)?;
            let fits = |row: &Projection| {
                let state = row.message.state.name();
                filter.states.is_empty() || filter.states.contains(&state)
            };
            page.messages.extend(row.filter(fits).map(|row| (number, row)));
            if page.messages.len() >= filter.limit || scanned >= SCANNED_MAX {
                page.next = numbers.peek().is_some().then_some(number);
                break;
            }
        }
        Ok(page)
    }

    /// Numbers, newest first, of messages that may fit: by the index that excludes most.
    fn candidates(&self, filter: &Filter) -> Result<Box<dyn Iterator<Item = Result<u64, Fault>>>, Fault> {
        let low = filter.after.map_or(0, |number| number.get().saturating_add(1));
        let high = filter.before.map_or(u64::MAX, MessageNumber::get);
        if low >= high {
            return Ok(Box::new(std::iter::empty()));
        }
        if let Some(person) = filter.person.map(PersonNumber::get) {
            let range = self.open(table::BY_PERSON)?.range((person, low)..(person, high))?;
            return Ok(Box::new(range.rev().map(|entry| Ok(entry?.0.value().1))));
        }
        if filter.states.is_empty() {
            let range = self.open(table::MESSAGES)?.range(low..high)?;
            return Ok(Box::new(range.rev().map(|entry| Ok(entry?.0.value()))));
        }
        let by_state = self.open(table::BY_STATE)?;
        let mut states: Vec<u8> = filter.states.iter().map(|state| state.tag()).collect();
        states.sort_unstable();
        states.dedup();
        let ranges = states.into_iter().map(|state| by_state.range((state, low)..(state, high)));
        let ranges = ranges.map(|range| range.map(Newest::new)).collect::<Result<Vec<_>, _>>()?;
        Ok(Box::new(Merged { ranges }))
    }
}

type Numbers = Box<dyn Iterator<Item = Result<u64, Fault>>>;

/// The messages of one state, newest first.
struct Newest(Peekable<Numbers>);

impl Newest {
    fn new(range: Range<'static, (u8, u64), ()>) -> Self {
        let numbers: Numbers = Box::new(range.rev().map(|entry| Ok(entry?.0.value().1)));
        Self(numbers.peekable())
    }

    /// The next number; a failure counts as the newest, so that it is not passed over.
    fn peek(&mut self) -> Option<u64> {
        self.0.peek().map(|number| number.as_ref().copied().unwrap_or(u64::MAX))
    }
}

/// The messages of several states, newest first.
struct Merged {
    ranges: Vec<Newest>,
}

impl Iterator for Merged {
    type Item = Result<u64, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let heads = self.ranges.iter_mut().map(|range| (range.peek(), range));
        let (_, newest) = heads.max_by_key(|(head, _)| *head)?;
        newest.0.next()
    }
}
