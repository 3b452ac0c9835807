//! Who did what: the journal backwards, narrowed down to an actor, a message, a person or a time.

use dunlin_workflows::id::{MessageNumber, PersonNumber};
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;

use crate::actor::ActorNumber;
use crate::error::ReadError;
use crate::journal::JournalSeq;
use crate::reader::{RawRecord, Reader};
use crate::record::{Event, Record};

/// Most records that one page looks at; a page may end early because of it.
pub const RECORDS_LOOKED_AT_MAX: usize = 20_000;

/// Which records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// On behalf of this actor.
    pub actor: Option<ActorNumber>,
    /// That came this way.
    pub source: Option<Source>,
    /// Of this message.
    pub message: Option<MessageNumber>,
    /// Of this person, or of a message to them.
    pub person: Option<PersonNumber>,
    /// Not before this instant. Records stand in the order of commits, and clocks may jump, so a page
    /// does not end at the first older record.
    pub since: Option<Timestamp>,
    /// Not after this instant.
    pub until: Option<Timestamp>,
    /// Before this position.
    pub before: Option<JournalSeq>,
    /// At most so many.
    pub limit: usize,
}

/// Some records, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPage {
    /// The records.
    pub records: Vec<Record>,
    /// Ask again with this as [`AuditFilter::before`]; `None` when there are no more.
    pub next: Option<JournalSeq>,
}

impl Reader {
    /// The newest records that `filter` lets through.
    pub fn audit(&self, filter: &AuditFilter) -> Result<AuditPage, ReadError> {
        let end = filter.before.unwrap_or(JournalSeq::new(u64::MAX));
        let mut page = AuditPage { records: Vec::new(), next: None };
        for (looked_at, raw) in (1_usize..).zip(self.journal_back(end)?) {
            let RawRecord { seq, bytes } = raw?;
            let record = Record::decode(seq, &bytes).map_err(|source| ReadError::Record { seq, source })?;
            if self.fits(filter, &record)? {
                page.records.push(record);
            }
            if page.records.len() >= filter.limit || looked_at >= RECORDS_LOOKED_AT_MAX {
                page.next = (seq.get() > 1).then_some(seq);
                break;
            }
        }
        Ok(page)
    }

    fn fits(&self, filter: &AuditFilter, record: &Record) -> Result<bool, ReadError> {
        let outside = filter.since.is_some_and(|since| record.at < since)
            || filter.until.is_some_and(|until| record.at > until);
        let others = filter.actor.is_some_and(|actor| record.actor != actor)
            || filter.source.is_some_and(|source| record.source != source);
        if outside || others {
            return Ok(false);
        }
        let (message, person) = match &record.event {
            Event::Message { number, .. } => (Some(*number), None),
            Event::Person { person, .. } => (None, Some(*person)),
            Event::Lane { .. } | Event::Instance { .. } => (None, None),
        };
        if filter.message.is_some_and(|wanted| message != Some(wanted)) {
            return Ok(false);
        }
        let Some(wanted) = filter.person else { return Ok(true) };
        if message.is_some() {
            return Ok(self.terms_of(record)?.is_some_and(|terms| terms.person == wanted));
        }
        Ok(person == Some(wanted))
    }
}
