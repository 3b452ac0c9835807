//! A stretch of the journal, and what its records are about.

use std::collections::{BTreeMap, BTreeSet};

use dunlin_storage::{Event, InstanceEvent, JournalSeq, ReadError, Reader, Record};
use dunlin_workflows::id::{MessageNumber, PersonNumber, UserNumber};
use dunlin_workflows::source::Source;
use dunlin_workflows::{message, user};

/// What a stretch of the journal touched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stretch {
    /// Messages to which something happened.
    pub messages: BTreeSet<MessageNumber>,
    /// Messages that began an attempt: their users got one more text.
    pub attempted: BTreeSet<MessageNumber>,
    /// Persons who said something about being texted, each with the newest position that says so.
    pub persons: BTreeMap<PersonNumber, JournalSeq>,
    /// Users who proved a number, or whose number is another one since, each with the newest position that says so.
    /// What came from the database is known there.
    pub users: BTreeMap<UserNumber, JournalSeq>,
    /// The last position of the stretch; where it began when it is empty.
    pub until: JournalSeq,
}

/// Reads what follows `after`, at most `records` records.
///
/// # Errors
/// The store can't be read.
pub fn stretch(reader: &Reader, after: JournalSeq, records: usize) -> Result<Stretch, ReadError> {
    let mut stretch = Stretch { until: after, ..Stretch::default() };
    for raw in reader.journal(after)?.take(records) {
        let raw = raw?;
        let record = Record::decode(raw.seq, &raw.bytes)
            .map_err(|source| ReadError::Record { seq: raw.seq, source })?;
        stretch.until = raw.seq;
        match record.event {
            Event::Message { number, event } => {
                stretch.messages.insert(number);
                if let message::Event::AttemptStarted { .. } = event {
                    stretch.attempted.insert(number);
                }
            }
            Event::Person { person, .. } => stretch.persons.extend([(person, raw.seq)]),
            Event::Instance {
                number,
                event:
                    InstanceEvent::User(user::Event::NumberChanged { .. } | user::Event::NumberVerified { .. }),
            } if record.source != Source::Sync => stretch.users.extend([(UserNumber::new(number), raw.seq)]),
            Event::Instance { .. } | Event::Lane { .. } => {}
        }
    }
    Ok(stretch)
}
