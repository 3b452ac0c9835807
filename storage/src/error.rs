//! What can go wrong: opening, committing, reading. Values are in the message, with the remedy.

use std::io;
use std::path::PathBuf;

use dunlin_workflows::id::{MessageId, MessageNumber, PersonNumber, UserNumber};

use crate::archive::ArchiveFlaw;
use crate::instance::InstanceKind;
use crate::journal::JournalSeq;
use crate::record::RecordError;
use crate::seal::{EntropyError, KeyId};

/// The database engine or the disk under it failed. What was asked may or may not have happened.
#[derive(Debug, thiserror::Error)]
#[error("the database file failed: {0}")]
pub struct Fault(#[source] Box<redb::Error>);

/// Reading failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The database engine failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// A journal record can't be read.
    #[error("journal record {seq}: {source}")]
    Record {
        /// Its position.
        seq: JournalSeq,
        /// Why.
        source: RecordError,
    },
    /// A table row can't be read.
    #[error("row {key} of table {table}: {source}")]
    Row {
        /// Its table.
        table: &'static str,
        /// Its key.
        key: String,
        /// Why.
        source: RecordError,
    },
    /// A row points at a journal record that does not exist.
    #[error("journal record {seq} is missing; the file is damaged: restore a backup")]
    Missing {
        /// The position.
        seq: JournalSeq,
    },
    /// A row points at a journal record that begins no message.
    #[error(
        "journal record {seq} should begin a message and does not; the file is damaged: restore a backup"
    )]
    NotAccepted {
        /// The position.
        seq: JournalSeq,
    },
    /// A record of another owner stands in the life of a message.
    #[error(
        "journal record {seq} does not belong to message number {}; the file is damaged: restore a backup",
        number.get()
    )]
    Foreign {
        /// The position.
        seq: JournalSeq,
        /// Number of the message.
        number: MessageNumber,
    },
    /// A record of another owner stands in the life of an instance.
    #[error(
        "journal record {seq} does not belong to {} {number}; the file is damaged: restore a backup",
        kind.as_str()
    )]
    ForeignInstance {
        /// The position.
        seq: JournalSeq,
        /// Its kind.
        kind: InstanceKind,
        /// Its number.
        number: u64,
    },
    /// An index says something else than the message's row.
    #[error("table {table} is wrong about message number {}; the file is damaged: restore a backup", number.get())]
    Strayed {
        /// The index.
        table: &'static str,
        /// Number of the message.
        number: MessageNumber,
    },
    /// A person's data key is wrapped by a master key that was not given.
    #[error("master key {id} is needed and not among the keys; add its line to them")]
    MasterKey {
        /// Its id.
        id: KeyId,
    },
    /// An archive can't be read.
    #[error("archive {path:?}: {source}")]
    Archive {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ArchiveFlaw,
    },
    /// How far the store was pruned can't be read.
    #[error("the file's \"pruned\" is damaged; restore a backup")]
    Pruned,
    /// The head of the chain can't be read.
    #[error("the head of the journal's chain is damaged; restore a backup")]
    Head,
    /// What the file says about itself can't be read.
    #[error("the file's \"{key}\" is missing or damaged; restore a backup")]
    Meta {
        /// The key in the table `meta`.
        key: &'static str,
    },
    /// An earlier commit failed.
    #[error("an earlier commit failed and may or may not be durable; restart to recover")]
    Poisoned,
}

/// A batch can't take what it was given, or can't read what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// Reading failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An event can't be persisted.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// There is no such message.
    #[error("message number {} does not exist", number.get())]
    UnknownMessage {
        /// The number.
        number: MessageNumber,
    },
    /// The person was erased, or never met by this batch.
    #[error("person {} is not known; ask for the number first", person.get())]
    UnknownPerson {
        /// The number.
        person: PersonNumber,
    },
    /// The user was erased, or never met.
    #[error("user {} is not known; ask for the user id first", user.get())]
    UnknownUser {
        /// The number.
        user: UserNumber,
    },
    /// Another instance of the kind claims the same.
    #[error("{} {number} claims {claim} already", kind.as_str())]
    Claimed {
        /// The kind.
        kind: InstanceKind,
        /// What is claimed.
        claim: u64,
        /// The number of the instance that claims it.
        number: u64,
    },
    /// No key can be made.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// A message with this id exists.
    #[error("message {id} exists already, as number {}", number.get())]
    IdTaken {
        /// The id.
        id: MessageId,
        /// The number of the message that has it.
        number: MessageNumber,
    },
    /// The first event of a new message must be its acceptance.
    #[error("a message must begin with an accepted event, not with {event}")]
    BeginsWith {
        /// The event's name, or `nothing`.
        event: &'static str,
    },
}

/// Nothing, or everything, of a batch became durable.
#[derive(Debug, thiserror::Error)]
pub enum CommitError<E> {
    /// The closure said no. Nothing changed.
    #[error("nothing was changed: {0}")]
    Refused(E),
    /// The batch could not be written. Nothing changed.
    #[error(transparent)]
    Batch(BatchError),
    /// The commit failed: it may or may not be durable. The store is poisoned; only opening the file
    /// again can tell.
    #[error("the commit may or may not be durable; restart to recover: {0}")]
    Ambiguous(Fault),
    /// An earlier commit failed.
    #[error("an earlier commit failed and may or may not be durable; restart to recover")]
    Poisoned,
}

/// The file can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("{path:?} is in use by another process; stop it first, or ask it through its API")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It was not closed cleanly, and read-only opening must not repair it.
    #[error("{path:?} was not closed cleanly; start the daemon on it once, or open a copy for writing")]
    NeedsRepair {
        /// The file.
        path: PathBuf,
    },
    /// It is a database of something else.
    #[error("{path:?} is a redb database, but not one of dunlin's")]
    NotDunlin {
        /// The file.
        path: PathBuf,
    },
    /// It was made to be measured, by [`Store::measured`](crate::Store::measured).
    #[error(
        "{path:?} was made by `dunlin bench trust` to measure what sealing and chaining cost; texts in it may stand in clear and prove nothing: delete it"
    )]
    Measured {
        /// The file.
        path: PathBuf,
    },
    /// A newer dunlin wrote it.
    #[error("the file has format {found}, this dunlin knows formats up to {known}; upgrade")]
    NewerFormat {
        /// What the file says.
        found: u8,
        /// What this version knows.
        known: u8,
    },
    /// What the file says about itself can't be read.
    #[error("the file's \"{key}\" is damaged; restore a backup")]
    Meta {
        /// The key in the table `meta`.
        key: &'static str,
    },
    /// An older dunlin wrote it, and looking must not change it.
    #[error(
        "the file has format {found}, which is upgraded when the daemon starts on it; until then it can't be looked at"
    )]
    OlderFormat {
        /// What the file says.
        found: u8,
    },
    /// The keys given do not open this file.
    #[error(
        "the file is sealed with master {}; not among the keys given (they hold {}): add the missing lines, or point to the right keys",
        ids(missing),
        ids(given)
    )]
    MissingKeys {
        /// Master keys that the file needs.
        missing: Vec<KeyId>,
        /// Master keys that were given.
        given: Vec<KeyId>,
    },
    /// The phone index was made with another key.
    #[error(
        "the file's phone index was made with index key {needed}; the one given is {given}: point to the right keys"
    )]
    OtherIndexKey {
        /// The file's.
        needed: KeyId,
        /// The one given.
        given: KeyId,
    },
    /// The journal and the head of its chain do not end together.
    #[error("the journal ends at {last}, the head of its chain at {head}; restore a backup")]
    HeadAstray {
        /// The journal's last position.
        last: JournalSeq,
        /// The head's.
        head: JournalSeq,
    },
    /// The journal has a gap.
    #[error(
        "the journal ends at {last} and holds {records} records where {expected} belong; restore a backup"
    )]
    Gap {
        /// Its last position.
        last: JournalSeq,
        /// How many records it holds.
        records: u64,
        /// How many belong there.
        expected: u64,
    },
    /// The directory or the file can't be used.
    #[error("{path:?}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database engine failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// A record or row can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

fn ids(ids: &[KeyId]) -> String {
    let ids: Vec<String> = ids.iter().map(KeyId::to_string).collect();
    if ids.is_empty() { "none".to_owned() } else { ids.join(", ") }
}

macro_rules! faults {
    ($($error:ty),+) => {
        $(
            impl From<$error> for Fault {
                fn from(error: $error) -> Self {
                    Self(Box::new(error.into()))
                }
            }
        )+
    };
}

faults!(
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::CursorError,
    redb::DatabaseError
);

impl Fault {
    pub(crate) fn cause(&self) -> &redb::Error {
        &self.0
    }
}

impl From<Fault> for BatchError {
    fn from(fault: Fault) -> Self {
        Self::Read(ReadError::Fault(fault))
    }
}
