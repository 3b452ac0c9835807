//! Claims of a shared database that it has not answered yet: what is shown again to learn whether a text is ours, and
//! what somebody else may have done with it before.

use dunlin_workflows::id::{MessageId, MessageNumber};
use dunlin_workflows::message::{self, Report, Suspicion, Via};
use dunlin_workflows::timestamp::Timestamp;
use redb::{ReadableTable, ReadableTableMetadata};
use wincode::{SchemaRead, SchemaWrite};

use crate::batch::Batch;
use crate::error::{BatchError, Fault, ReadError};
use crate::reader::Reader;
use crate::record::envelope::{put_row, take_row};
use crate::record::message::provider_sid;
use crate::record::tag::{Tagged, word};
use crate::record::{Event, RecordError};
use crate::recovery::{Problem, VerifyReport};
use crate::table;

const TABLE: &str = "claims";
/// Form of the rows.
const VERSION: u8 = 1;

/// What a shared database gave with a claim: a UUID in network byte order, shown again when it is acknowledged.
pub type ClaimToken = [u8; 16];

/// What the database said with a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// What is shown again.
    pub token: ClaimToken,
    /// What somebody else may have done with the text before. How the provider's word was learned is not kept: it
    /// comes back as found by a search.
    pub suspicion: Option<Suspicion>,
}

/// A row of `claims`, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct ClaimRowV1 {
    token: [u8; 16],
    suspicion: Option<SuspicionV1>,
}

/// What somebody else may have done, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct SuspicionV1 {
    since_ms: i64,
    known: Option<KnownV1>,
}

/// The name that they left, and the provider's word, first form.
#[derive(SchemaWrite, SchemaRead)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode))]
pub(crate) struct KnownV1 {
    sid: [u8; 34],
    status: u8,
    code: Option<u32>,
}

/// A claim that the database has not answered yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenClaim {
    /// The message.
    pub number: MessageNumber,
    /// Its public name, the same in the database.
    pub id: MessageId,
    /// What the database said with it.
    pub claim: Claim,
}

impl Batch<'_> {
    /// Keeps what the database said with the newest claim of a message, until [`Batch::close_claim`].
    ///
    /// # Errors
    /// When it can't be written.
    pub fn open_claim(&mut self, number: MessageNumber, claim: &Claim) -> Result<(), BatchError> {
        let written = self.write_claim(number, claim);
        self.noted(written)
    }

    /// The claim of a message that the database has not answered yet, if there is one.
    ///
    /// # Errors
    /// When the row can't be read.
    pub fn claim(&mut self, number: MessageNumber) -> Result<Option<Claim>, BatchError> {
        let read = self.read_claim(number);
        self.noted(read)
    }

    fn read_claim(&mut self, number: MessageNumber) -> Result<Option<Claim>, BatchError> {
        let row = self.tables.claims.open()?.get(number.get()).map_err(Fault::from)?;
        Ok(row.map(|row| take(number, row.value())).transpose()?)
    }

    /// The database answered the claim of a message, or there is none.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn close_claim(&mut self, number: MessageNumber) -> Result<(), BatchError> {
        let removed = self.remove_claim(number);
        self.noted(removed)
    }

    fn write_claim(&mut self, number: MessageNumber, claim: &Claim) -> Result<(), BatchError> {
        let row = put(number, claim)?;
        self.tables.claims.open()?.insert(number.get(), row.as_slice()).map_err(Fault::from)?;
        Ok(())
    }

    fn remove_claim(&mut self, number: MessageNumber) -> Result<(), BatchError> {
        self.tables.claims.open()?.remove(number.get()).map_err(Fault::from)?;
        Ok(())
    }
}

impl Reader {
    /// Claims that the database has not answered yet, of messages that follow `after`, at most `limit`: whatever
    /// became of the messages meanwhile. Reads three rows of each.
    ///
    /// # Errors
    /// When a row or record can't be read.
    pub fn open_claims(&self, after: MessageNumber, limit: usize) -> Result<Vec<OpenClaim>, ReadError> {
        let Some(table) = self.open_if_there(table::CLAIMS)? else { return Ok(Vec::new()) };
        let range = table.range(after.get().saturating_add(1)..).map_err(Fault::from)?;
        let claims = range.take(limit).map(|entry| {
            let (number, row) = entry.map_err(Fault::from)?;
            let number = MessageNumber::new(number.value());
            let claim = take(number, row.value())?;
            let id = self.id_of(number)?.ok_or(ReadError::Strayed { table: TABLE, number })?;
            Ok(OpenClaim { number, id, claim })
        });
        claims.collect()
    }

    /// The public name of a message that is in the store.
    pub(crate) fn id_of(&self, number: MessageNumber) -> Result<Option<MessageId>, ReadError> {
        let Some(row) = self.message(number)? else { return Ok(None) };
        let seq = row.accepted_seq;
        match self.record(seq)?.event {
            Event::Message { event: message::Event::Accepted { terms }, .. } => Ok(Some(terms.id)),
            Event::Message { .. } | Event::Lane { .. } | Event::Person { .. } | Event::Instance { .. } => {
                Err(ReadError::NotAccepted { seq })
            }
        }
    }
}

/// The row of a message's claim.
pub(crate) fn put(number: MessageNumber, claim: &Claim) -> Result<Vec<u8>, RecordError> {
    let suspicion = claim.suspicion.map(|suspicion| SuspicionV1 {
        since_ms: suspicion.since.as_millis(),
        known: suspicion.known.map(|known| KnownV1 {
            sid: *known.sid.as_bytes(),
            status: known.status.tag(),
            code: known.code,
        }),
    });
    put_row(TABLE, &number.get().to_le_bytes(), VERSION, &ClaimRowV1 { token: claim.token, suspicion })
}

/// Reads the row of a message's claim.
pub(crate) fn take(number: MessageNumber, bytes: &[u8]) -> Result<Claim, ReadError> {
    let opened = || -> Result<Claim, RecordError> {
        let row: ClaimRowV1 = take_row(TABLE, &number.get().to_le_bytes(), VERSION, bytes)?;
        let known = |known: KnownV1| -> Result<Report, RecordError> {
            let (sid, status) = (provider_sid(&known.sid)?, word(known.status)?);
            Ok(Report { sid, status, code: known.code, via: Via::Lookup })
        };
        let suspicion = |suspicion: SuspicionV1| -> Result<Suspicion, RecordError> {
            let since = Timestamp::from_millis(suspicion.since_ms);
            Ok(Suspicion { since, known: suspicion.known.map(known).transpose()? })
        };
        Ok(Claim { token: row.token, suspicion: row.suspicion.map(suspicion).transpose()? })
    };
    opened().map_err(|source| ReadError::Row { table: TABLE, key: number.get().to_string(), source })
}

/// Reports rows that can't be read, and claims of messages that are not there.
pub(crate) fn check(reader: &Reader, report: &mut VerifyReport) -> Result<(), ReadError> {
    let Some(table) = reader.open_if_there(table::CLAIMS)? else { return Ok(()) };
    let messages = reader.open(table::MESSAGES)?;
    if table.is_empty().map_err(Fault::from)? {
        return Ok(());
    }
    for entry in table.range::<u64>(..).map_err(Fault::from)? {
        let (number, row) = entry.map_err(Fault::from)?;
        let number = MessageNumber::new(number.value());
        if let Err(error) = take(number, row.value()) {
            report.add(Problem::Unreadable { why: error.to_string() });
        }
        if messages.get(number.get()).map_err(Fault::from)?.is_none() {
            report.add(Problem::StrayEntry { table: TABLE, key: number.get().to_string() });
        }
    }
    Ok(())
}
