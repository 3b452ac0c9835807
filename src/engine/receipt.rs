//! The answer to an accepted wish, read back from the journal: acceptance and first verdict stand next to each other.

use dunlin_storage::{JournalSeq, ReadError, Reader, record};
use dunlin_workflows::message::{Event, IllegalEvent, Message};
use dunlin_workflows::timestamp::Timestamp;

use crate::engine::ask::{Claim, Receipt};

/// An event of a message, with when it happened.
pub(super) type Dated = (Event, Timestamp);

impl Receipt {
    /// What was answered when a message was accepted; `None` when that is no acceptance.
    ///
    /// # Errors
    /// The verdict can't follow the acceptance.
    pub(super) fn first(accepted: &Dated, verdict: &Dated) -> Result<Option<Self>, IllegalEvent> {
        let mut message = Message::begin(&accepted.0, accepted.1)?;
        message.apply(&verdict.0, verdict.1)?;
        let Event::Accepted { terms } = &accepted.0 else { return Ok(None) };
        Ok(Some(Self {
            id: terms.id,
            state: message.state,
            status: message.public_status(),
            accepted_at: accepted.1,
            encoding: terms.encoding,
            segments: terms.segments,
            replayed: true,
        }))
    }

    /// What was answered to the wish with this claim; `None` when there was none, or when it was another one. Whoever
    /// can't read a wish any more asks this: the wish may have been accepted while it could be read.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn answered(reader: &Reader, claim: &Claim) -> Result<Option<Self>, ReadError> {
        let known = reader.idempotency(&claim.key)?.filter(|known| known.fingerprint == claim.fingerprint);
        let Some(known) = known else { return Ok(None) };
        let Some(row) = reader.message(known.first)? else { return Ok(None) };
        let accepted = dated(reader, row.accepted_seq)?;
        let verdict = dated(reader, row.accepted_seq.next())?;
        let (Some(accepted), Some(verdict)) = (accepted, verdict) else { return Ok(None) };
        Ok(Self::first(&accepted, &verdict).ok().flatten())
    }
}

fn dated(reader: &Reader, seq: JournalSeq) -> Result<Option<Dated>, ReadError> {
    let record = reader.record(seq)?;
    Ok(match record.event {
        record::Event::Message { event, .. } => Some((event, record.at)),
        record::Event::Lane { .. } | record::Event::Person { .. } | record::Event::Instance { .. } => None,
    })
}
