//! Messages that are held while sending is switched off. No clock need release them, and among the
//! millions that wait for theirs they could not be found in time: so they have an index of their own.

use std::ops::Bound::{Excluded, Unbounded};

use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::message::{Hold, Message, State, StateName};
use redb::{ReadableTable, WriteTransaction};

use crate::error::{Fault, ReadError};
use crate::projection;
use crate::reader::Reader;
use crate::record::tag::Tagged;
use crate::table;

/// Rows that are read at a time while the index is made.
const CHUNK: usize = 4_096;

/// Whether a message is held because sending is switched off.
pub(crate) fn is_off(message: &Message) -> bool {
    matches!(message.state, State::Held { hold: Hold::SendingDisabled, .. })
}

/// Finds every message that belongs into the index, which needs the row of everyone who is held.
pub(crate) fn fill(transaction: &WriteTransaction) -> Result<(), ReadError> {
    let by_state = transaction.open_table(table::BY_STATE).map_err(Fault::from)?;
    let messages = transaction.open_table(table::MESSAGES).map_err(Fault::from)?;
    let mut switched_off = transaction.open_table(table::SWITCHED_OFF).map_err(Fault::from)?;
    let held = StateName::Held.tag();
    let mut after = 0_u64;
    loop {
        let range = (Excluded((held, after)), Excluded((held, u64::MAX)));
        let numbers = by_state.range(range).map_err(Fault::from)?.take(CHUNK);
        let numbers: Vec<u64> = numbers
            .map(|entry| entry.map(|(key, _)| key.value().1))
            .collect::<Result<_, _>>()
            .map_err(Fault::from)?;
        let Some(last) = numbers.last() else { return Ok(()) };
        after = *last;
        for number in numbers {
            let row = projection::message(&messages, MessageNumber::new(number))?;
            if row.is_some_and(|row| is_off(&row.message)) {
                switched_off.insert(number, ()).map_err(Fault::from)?;
            }
        }
    }
}

impl Reader {
    /// Messages held while sending is switched off that follow `after`, in order of acceptance, at
    /// most `limit`.
    pub fn switched_off(&self, after: MessageNumber, limit: usize) -> Result<Vec<MessageNumber>, ReadError> {
        let table = self.open(table::SWITCHED_OFF)?;
        let range = table.range::<u64>((Excluded(after.get()), Unbounded)).map_err(Fault::from)?;
        let numbers =
            range.take(limit).map(|entry| entry.map(|(number, _)| MessageNumber::new(number.value())));
        Ok(numbers.collect::<Result<_, _>>().map_err(Fault::from)?)
    }
}
