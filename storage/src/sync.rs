//! What a store and a shared database know each other by: its name there, how far it learned of the
//! database's changes, and how far the database learned of the journal.

use std::fmt;

use dunlin_workflows::id::{MessageId, MessageNumber};
use dunlin_workflows::message::StateName;
use redb::ReadableTable;
use uuid::Uuid;

use crate::batch::Batch;
use crate::error::{BatchError, Fault, ReadError};
use crate::journal::JournalSeq;
use crate::reader::Reader;
use crate::record::RecordError;
use crate::record::envelope::{put_bytes, take_bytes};
use crate::recovery::{Problem, VerifyReport};
use crate::table;

const TABLE: &str = "sync";
const DAEMON: &str = "daemon";
const PULL_CURSOR: &str = "pull_cursor";
/// Name in `cursors` of the reader that tells the database.
const PUSHER: &str = "supabase";
/// Form of both rows.
const VERSION: u8 = 1;

/// What a shared database knows this store by: drawn once, and kept by every copy and backup of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DaemonId(Uuid);

impl DaemonId {
    /// A UUID of version 4, in network byte order.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for DaemonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.hyphenated(), f)
    }
}

impl fmt::Debug for DaemonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How far a database's changes were taken in: the database's own words, which mean nothing here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullCursor(Box<str>);

/// The cursor is too long to be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a cursor of {length} bytes can't be kept, at most {max} can: the database is not one that `dunlin migrate` made",
    max = PullCursor::BYTES_MAX
)]
pub struct PullCursorError {
    /// Length of the refused text in bytes.
    length: usize,
}

impl PullCursor {
    /// Most bytes kept.
    pub const BYTES_MAX: usize = 64 << 10;

    /// Keeps `text` as it is.
    ///
    /// # Errors
    /// [`PullCursorError`] when it is longer than [`PullCursor::BYTES_MAX`].
    pub fn new(text: &str) -> Result<Self, PullCursorError> {
        if text.len() > Self::BYTES_MAX {
            return Err(PullCursorError { length: text.len() });
        }
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Batch<'_> {
    /// What a shared database knows this store by; drawn now if nobody asked before.
    ///
    /// # Errors
    /// When the row can't be read, or no random bytes can be had.
    pub fn daemon_id(&mut self) -> Result<DaemonId, BatchError> {
        let read = self.drawn_daemon_id();
        self.noted(read)
    }

    fn drawn_daemon_id(&mut self) -> Result<DaemonId, BatchError> {
        if let Some(known) = read(self.tables.sync.open()?, DAEMON, daemon)? {
            return Ok(known);
        }
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes)?;
        let drawn = DaemonId(uuid::Builder::from_random_bytes(bytes).into_uuid());
        self.put_sync(DAEMON, drawn.as_bytes())?;
        Ok(drawn)
    }

    /// Remembers how far the database's changes were taken in. Belongs into the transaction that takes them in, or
    /// into a later one.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn set_pull_cursor(&mut self, cursor: &PullCursor) -> Result<(), BatchError> {
        let written = self.put_sync(PULL_CURSOR, cursor.as_str().as_bytes());
        self.noted(written)
    }

    /// Remembers that the database has learned of the journal up to and including `seq`. What it learned stays
    /// learned, and what is not in the journal yet can't be meant.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn set_pushed(&mut self, seq: JournalSeq) -> Result<(), BatchError> {
        let seq = seq.min(self.last_seq()).max(self.cursor(PUSHER)?);
        self.set_cursor(PUSHER, seq)
    }

    fn put_sync(&mut self, name: &str, payload: &[u8]) -> Result<(), BatchError> {
        let row = put_bytes(TABLE, name.as_bytes(), VERSION, payload);
        self.tables.sync.open()?.insert(name, row.as_slice()).map_err(Fault::from)?;
        Ok(())
    }
}

impl Reader {
    /// What a shared database knows this store by; `None` while nobody asked.
    ///
    /// # Errors
    /// When the row can't be read.
    pub fn daemon_id(&self) -> Result<Option<DaemonId>, ReadError> {
        let Some(table) = self.open_if_there(table::SYNC)? else { return Ok(None) };
        read(&table, DAEMON, daemon)
    }

    /// How far the database's changes were taken in; `None` before the first.
    ///
    /// # Errors
    /// When the row can't be read.
    pub fn pull_cursor(&self) -> Result<Option<PullCursor>, ReadError> {
        let Some(table) = self.open_if_there(table::SYNC)? else { return Ok(None) };
        read(&table, PULL_CURSOR, pull_cursor)
    }

    /// Up to where the database has learned of the journal; `None` while it is told nothing. What is after it is not
    /// archived.
    ///
    /// # Errors
    /// When the database engine fails.
    pub fn pushed(&self) -> Result<Option<JournalSeq>, ReadError> {
        let seq = self.open(table::CURSORS)?.get(PUSHER).map_err(Fault::from)?;
        Ok(seq.map(|seq| JournalSeq::new(seq.value())))
    }
}

/// Messages that wait for the database's word that they are ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unconfirmed {
    /// Number and public name of each, in order of acceptance.
    pub messages: Vec<(MessageNumber, MessageId)>,
    /// After which message to look on; `None` at the end.
    pub next: Option<MessageNumber>,
}

impl Reader {
    /// Messages that wait for the database's word that they are ours and follow `after`, among the next `looked_at`
    /// that wait for anything. Reads a row of each of those, and a record of each that it gives: for the start, and
    /// for when a lease lapsed.
    ///
    /// # Errors
    /// When a row or record can't be read.
    pub fn unconfirmed(&self, after: MessageNumber, looked_at: usize) -> Result<Unconfirmed, ReadError> {
        let numbers = self.numbers_in(StateName::Held, after, looked_at)?;
        let next = numbers.last().copied().filter(|_| numbers.len() == looked_at);
        let mut messages = Vec::new();
        for number in numbers {
            let Some(row) = self.message(number)? else { continue };
            if !row.message.is_unconfirmed() {
                continue;
            }
            let id = self.id_of(number)?.ok_or(ReadError::Strayed { table: "by_state", number })?;
            messages.push((number, id));
        }
        Ok(Unconfirmed { messages, next })
    }
}

/// The row with this name, if there is one.
fn read<T>(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &'static str,
    take: fn(&[u8]) -> Option<T>,
) -> Result<Option<T>, ReadError> {
    let Some(row) = table.get(name).map_err(Fault::from)? else { return Ok(None) };
    let failed = |source| ReadError::Row { table: TABLE, key: name.to_owned(), source };
    let (version, payload) = take_bytes(TABLE, name.as_bytes(), row.value()).map_err(failed)?;
    if version != VERSION {
        return Err(failed(RecordError::UnknownVersion { name: TABLE, version }));
    }
    take(payload).map(Some).ok_or_else(|| failed(RecordError::Value { what: name }))
}

fn daemon(payload: &[u8]) -> Option<DaemonId> {
    Uuid::from_slice(payload).ok().map(DaemonId)
}

fn pull_cursor(payload: &[u8]) -> Option<PullCursor> {
    PullCursor::new(std::str::from_utf8(payload).ok()?).ok()
}

/// Reports rows that can't be read, and rows that nobody knows.
pub(crate) fn check(reader: &Reader, report: &mut VerifyReport) -> Result<(), ReadError> {
    let Some(table) = reader.open_if_there(table::SYNC)? else { return Ok(()) };
    for entry in table.range::<&str>(..).map_err(Fault::from)? {
        let (name, _) = entry.map_err(Fault::from)?;
        let read = match name.value() {
            DAEMON => reader.daemon_id().map(|_| ()),
            PULL_CURSOR => reader.pull_cursor().map(|_| ()),
            other => {
                report.add(Problem::StrayEntry { table: TABLE, key: other.to_owned() });
                continue;
            }
        };
        match read {
            Err(error) if error.is_fault() => return Err(error),
            Err(error) => report.add(Problem::Unreadable { why: error.to_string() }),
            Ok(()) => {}
        }
    }
    Ok(())
}
