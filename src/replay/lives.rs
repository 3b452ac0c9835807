//! Lives taken out of a journal while it is folded.

use std::collections::BTreeMap;

use dunlin_storage::recovery::{Flaw, Fold, Until, Visitor, fold};
use dunlin_storage::{Entry, Event, JournalSeq, Record};
use dunlin_workflows::id::{MessageId, MessageNumber};
use dunlin_workflows::message;
use dunlin_workflows::timestamp::Timestamp;

use crate::replay::recording::{Recording, RecordingError};

/// One message's name and everything that happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Its public name.
    pub id: MessageId,
    /// The number inside the file.
    pub number: MessageNumber,
    /// Its events, oldest first.
    pub entries: Vec<Entry>,
}

/// Lives, and when the journal that they come from ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lives {
    /// In the order of acceptance.
    pub lives: Vec<Life>,
    /// When the last record happened; it is "now" for whoever looks at them.
    pub ends_at: Timestamp,
}

/// The lives in a recording, as far as `until`; only that of `only` when it is given. Records that
/// can't be read, or that belong to a message whose beginning can't, are left out: the tally lists
/// them.
///
/// # Errors
/// When the recording can't be read.
pub fn lives(recording: &Recording, until: Until, only: Option<MessageId>) -> Result<Lives, RecordingError> {
    let mut gathering = Gathering { only, lives: BTreeMap::new(), ends_at: Timestamp::EPOCH };
    fold(recording.records(JournalSeq::START)?, until, &mut gathering)?;
    let ends_at = match until {
        Until::Time(at) => at,
        Until::End | Until::Seq(_) => gathering.ends_at,
    };
    Ok(Lives { lives: gathering.lives.into_values().collect(), ends_at })
}

struct Gathering {
    only: Option<MessageId>,
    lives: BTreeMap<MessageNumber, Life>,
    ends_at: Timestamp,
}

impl Visitor for Gathering {
    fn happened(&mut self, record: &Record, _fold: &mut Fold) {
        self.ends_at = self.ends_at.max(record.at);
        let Event::Message { number, event } = &record.event else { return };
        if let message::Event::Accepted { terms } = event
            && self.only.is_none_or(|only| only == terms.id)
        {
            self.lives.entry(*number).or_insert(Life { id: terms.id, number: *number, entries: Vec::new() });
        }
        if let Some(life) = self.lives.get_mut(number) {
            let Record { seq, at, source, actor, .. } = *record;
            life.entries.push(Entry { seq, at, source, actor, event: event.clone() });
        }
    }

    fn flawed(&mut self, _seq: JournalSeq, _flaw: Flaw) {}
}
