//! How far the journal was told to the product's own server.

use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::message::Message;

use crate::batch::Batch;
use crate::error::{BatchError, Fault, ReadError};
use crate::journal::JournalSeq;
use crate::reader::Reader;
use crate::table;

/// Name in `cursors` of the reader that tells it.
const TELLER: &str = "events";

impl Batch<'_> {
    /// Remembers that the journal was told up to and including `seq`. What was told stays told, and what is not in the
    /// journal yet can't be meant.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn set_told(&mut self, seq: JournalSeq) -> Result<(), BatchError> {
        let seq = seq.min(self.last_seq()).max(self.cursor(TELLER)?);
        self.set_cursor(TELLER, seq)
    }
}

impl Reader {
    /// Up to where the journal was told; `None` before anything was to be told. Archives are read for what is after
    /// it, so nothing waits for it.
    ///
    /// # Errors
    /// When the database engine fails.
    pub fn told(&self) -> Result<Option<JournalSeq>, ReadError> {
        let seq = self.open(table::CURSORS)?.get(TELLER).map_err(Fault::from)?;
        Ok(seq.map(|seq| JournalSeq::new(seq.value())))
    }

    /// The message as it was when its record at `seq` was new, with what it said before that record.
    ///
    /// # Errors
    /// When a record can't be read, or the records are no life.
    pub fn as_of(&self, number: MessageNumber, seq: JournalSeq) -> Result<AsOf, ReadError> {
        let astray = || ReadError::NotAccepted { seq };
        let life = self.life_until(number, seq)?;
        let (newest, before) = life.split_last().ok_or_else(astray)?;
        let first = before.first().ok_or_else(astray)?;
        let mut message = Message::begin(&first.event, first.at).map_err(|_illegal| astray())?;
        for entry in before.iter().skip(1) {
            message.apply(&entry.event, entry.at).map_err(|_illegal| astray())?;
        }
        let mut after = message.clone();
        after.apply(&newest.event, newest.at).map_err(|_illegal| astray())?;
        Ok(AsOf { before: message, after, accepted_seq: first.seq })
    }
}

/// A message on both sides of one of its records that is not the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsOf {
    /// The fold of its records before.
    pub before: Message,
    /// The fold of them with it.
    pub after: Message,
    /// Position of the record that began it.
    pub accepted_seq: JournalSeq,
}
