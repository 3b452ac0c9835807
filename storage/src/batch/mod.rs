//! A batch: all that several decisions change, made durable by one transaction or not at all.
//!
//! Messages are read once and written once, however many decisions touch them: what a batch changes
//! stays in memory until its end, and reads through the batch see it. Journal records are appended
//! in one sorted run, rows in the order of their keys.

mod flush;
mod pending;
pub(crate) mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use dunlin_workflows::actor::ActorName;
use dunlin_workflows::id::{MessageId, MessageNumber, PersonNumber, ProviderSid, UserNumber};
use dunlin_workflows::lane::{self, Lane};
use dunlin_workflows::message::{self, Message, Request, StateName, UserId};
use dunlin_workflows::timestamp::Timestamp;
use redb::{ReadableTable, WriteTransaction};

use crate::actor::{ActorNumber, By};
use crate::chain::{self, Head};
use crate::error::{BatchError, Fault, ReadError};
use crate::fault::FaultKind;
use crate::flow::Flows;
use crate::highest::{self, Highest};
use crate::journal::{JournalSeq, LaneNumber};
use crate::newcomers::{Hash, Newcomers};
use crate::person::Person;
use crate::projection::{self, LaneProjection, Projection};
use crate::record::{PersonEvent, Place, Record, RecordError, put_lane, put_message, put_person};
use crate::seal::{Entropy, Keyring};
use crate::switch;
use crate::usage::Usages;
use crate::user::UserKey;
pub(crate) use flush::Flushed;
use pending::Pending;
use tables::Tables;

/// All that several decisions change. Made by [`Store::commit`](crate::Store::commit).
///
/// An error of the database engine makes the whole batch fail, even if the closure hides it.
pub struct Batch<'txn> {
    pub(crate) tables: Tables<'txn>,
    pending: Pending,
    messages: BTreeMap<MessageNumber, Touched>,
    lanes: BTreeMap<LaneNumber, LaneProjection>,
    /// Messages that this batch creates.
    created: BTreeMap<MessageId, MessageNumber>,
    /// SIDs that this batch learns, and the positions of the records that say so.
    learned: BTreeMap<ProviderSid, (MessageNumber, JournalSeq)>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) entropy: Entropy,
    /// The head of the chain before this batch; after its end, with it.
    head: Head,
    /// Whether the records extend the chain: always, but in a store that is measured without it.
    chains: bool,
    /// Actors whose number was looked up.
    pub(crate) actors: BTreeMap<ActorName, ActorNumber>,
    /// Persons whose data key is at hand.
    pub(crate) persons: BTreeMap<PersonNumber, Person>,
    /// What was sent lately to whom this batch sends something, or asks what was.
    pub(crate) usages: Usages,
    /// What flowed lately in streams that were asked about.
    pub(crate) flows: Flows,
    /// Whom this batch sends the first text of a stream that counts persons.
    pub(crate) texted: BTreeSet<PersonNumber>,
    /// Users whose id is at hand.
    pub(crate) users: BTreeMap<UserNumber, UserKey>,
    /// Persons whose number was looked up, by its hash.
    pub(crate) met: BTreeMap<Hash, PersonNumber>,
    /// Persons that are not in the file yet, with the hash of their number.
    pub(crate) new_persons: BTreeMap<PersonNumber, Hash>,
    /// Persons whose consent this batch tells of, or whom an instance names.
    pub(crate) told_of: BTreeSet<PersonNumber>,
    /// Users whom this batch meets, by the hash of their id.
    pub(crate) met_users: BTreeMap<Hash, UserNumber>,
    /// User ids that lead to nobody, with their hash: who asks is about to meet them.
    pub(crate) strangers: BTreeMap<UserId, Hash>,
    /// Users who get a data key in this batch.
    pub(crate) keyed_users: BTreeSet<UserNumber>,
    /// Users whom this batch forgets.
    pub(crate) forgotten: BTreeSet<UserNumber>,
    /// Rows of small workflows that this batch changed, by kind and number.
    pub(crate) instances: BTreeMap<(u8, u64), Vec<u8>>,
    /// Persons and users of the file that are not in the index yet.
    pub(crate) newcomers: Newcomers,
    /// How many newcomers go to an index together.
    newcomers_max: usize,
    /// Persons that this batch erases.
    pub(crate) erased: BTreeSet<PersonNumber>,
    /// The highest numbers, those of this batch included.
    pub(crate) highest: Highest,
    /// The person whom this batch met last; whether they go to the file is known at its end.
    pub(crate) last_met: Option<PersonNumber>,
    /// What failed below, first.
    fault: Option<FaultKind>,
}

/// A message that this batch read or changed.
struct Touched {
    /// What the indexes say about it; `None` for a new message.
    stored: Option<Indexed>,
    now: Projection,
    changed: bool,
}

/// What the indexes say about a message.
#[derive(Clone, Copy)]
struct Indexed {
    state: StateName,
    timer: Option<Timestamp>,
    is_off: bool,
}

impl<'txn> Batch<'txn> {
    pub(crate) fn new(
        transaction: &'txn WriteTransaction,
        keyring: &Arc<Keyring>,
        entropy: &Entropy,
        (newcomers, newcomers_max): (Newcomers, usize),
        highest: Highest,
        chains: bool,
    ) -> Result<Self, ReadError> {
        let mut tables = Tables::new(transaction);
        let head = chain::newest(tables.heads.open()?)?;
        Ok(Self {
            tables,
            pending: Pending::new(head.seq),
            keyring: Arc::clone(keyring),
            entropy: entropy.clone(),
            head,
            chains,
            actors: BTreeMap::new(),
            persons: BTreeMap::new(),
            usages: Usages::new(),
            flows: Flows::new(),
            texted: BTreeSet::new(),
            users: BTreeMap::new(),
            met: BTreeMap::new(),
            new_persons: BTreeMap::new(),
            newcomers,
            newcomers_max,
            erased: BTreeSet::new(),
            told_of: BTreeSet::new(),
            met_users: BTreeMap::new(),
            strangers: BTreeMap::new(),
            keyed_users: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            instances: BTreeMap::new(),
            highest,
            last_met: None,
            messages: BTreeMap::new(),
            lanes: BTreeMap::new(),
            created: BTreeMap::new(),
            learned: BTreeMap::new(),
            fault: None,
        })
    }

    /// The journal's end, with what this batch added.
    pub fn last_seq(&self) -> JournalSeq {
        self.pending.last()
    }

    /// The number that [`Batch::create`] gives next.
    pub fn next_number(&mut self) -> Result<MessageNumber, BatchError> {
        let last = if let Some(last) = self.highest.message {
            last
        } else {
            let read = highest::message(&mut self.tables);
            self.noted(read)?
        };
        self.highest.message = Some(last);
        Ok(MessageNumber::new(last.get().saturating_add(1)))
    }

    /// The message with this public id.
    pub fn number_of_id(&mut self, id: MessageId) -> Result<Option<MessageNumber>, BatchError> {
        if let Some(number) = self.created.get(&id) {
            return Ok(Some(*number));
        }
        let last = if let Some(last) = self.highest.id {
            last
        } else {
            let read = highest::id(&mut self.tables);
            self.noted(read)?
        };
        self.highest.id = Some(last);
        // Ids that are made on acceptance ascend: most are higher than any before, and need no search.
        if last < id {
            return Ok(None);
        }
        let read = stored_id(&mut self.tables, id);
        self.noted(read)
    }

    /// The message that the provider knows, or knew in an earlier attempt, by this name.
    pub fn number_of_sid(&mut self, sid: ProviderSid) -> Result<Option<MessageNumber>, BatchError> {
        if let Some((number, _)) = self.learned.get(&sid) {
            return Ok(Some(*number));
        }
        if let Some((number, _)) = self.newcomers.sids.get(&sid) {
            return Ok(Some(number));
        }
        let read = stored_sid(&mut self.tables, sid);
        self.noted(read)
    }

    /// Where a message is, with what this batch changed.
    pub fn load(&mut self, number: MessageNumber) -> Result<Option<&Projection>, BatchError> {
        if !self.messages.contains_key(&number) {
            let read = stored_message(&mut self.tables, number);
            let Some(now) = self.noted(read)? else { return Ok(None) };
            let stored = Indexed {
                state: now.message.state.name(),
                timer: now.timer,
                is_off: switch::is_off(&now.message),
            };
            self.messages.insert(number, Touched { stored: Some(stored), now, changed: false });
        }
        Ok(self.messages.get(&number).map(|touched| &touched.now))
    }

    /// The journal record at this position, which may be one that this batch added.
    pub fn record_at(&mut self, seq: JournalSeq) -> Result<Record, BatchError> {
        let read = match self.pending.get(seq) {
            Some(bytes) => {
                Record::decode(seq, bytes).map_err(|source| ReadError::Record { seq, source }.into())
            }
            None => stored_record(&mut self.tables, seq),
        };
        self.noted(read)
    }

    /// Creates a message: what was asked for, its events, of which the first must be its acceptance for
    /// the person that [`Batch::person`] gave, what they make of it, and its timer.
    ///
    /// # Errors
    /// [`BatchError::BeginsWith`], [`BatchError::IdTaken`] when this batch creates the same id
    /// already, or an event too large to persist; then nothing changed. An id that is taken in the
    /// file makes the commit fail: ask [`Batch::number_of_id`] first.
    pub fn create(
        &mut self,
        at: Timestamp,
        by: impl Into<By>,
        request: &Request,
        events: &[message::Event],
        after: &Message,
        timer: Option<Timestamp>,
    ) -> Result<MessageNumber, BatchError> {
        let (id, person) = match events.first() {
            Some(message::Event::Accepted { terms }) => (terms.id, terms.person),
            other => {
                let event = other.map_or("nothing", message::Event::name);
                return Err(BatchError::BeginsWith { event });
            }
        };
        if let Some(number) = self.created.get(&id) {
            return Err(BatchError::IdTaken { id, number: *number });
        }
        let number = self.next_number()?;
        let accepted_seq = self.pending.last().next();
        let Some(recipient) = self.open_person(person)? else {
            return Err(BatchError::UnknownPerson { person });
        };
        let sealed = recipient.seal(person, accepted_seq, request)?;
        let last_seq = self.append(number, None, at, by.into(), events, &sealed)?;
        self.highest.message = Some(number);
        self.created.insert(id, number);
        let now = Projection { message: after.clone(), accepted_seq, last_seq, timer };
        self.messages.insert(number, Touched { stored: None, now, changed: true });
        Ok(number)
    }

    /// Records what happened to a message, what it made of it, and its timer.
    ///
    /// # Errors
    /// [`BatchError::UnknownMessage`], or an event too large to persist; then nothing changed.
    pub fn record(
        &mut self,
        number: MessageNumber,
        at: Timestamp,
        by: impl Into<By>,
        events: &[message::Event],
        after: &Message,
        timer: Option<Timestamp>,
    ) -> Result<(), BatchError> {
        let Some(before) = self.load(number)? else { return Err(BatchError::UnknownMessage { number }) };
        let (previous, person) = (before.last_seq, before.message.person);
        let last_seq = self.append(number, Some(previous), at, by.into(), events, &[])?;
        self.count_usage(person, at, events)?;
        if let Some(touched) = self.messages.get_mut(&number) {
            touched.now.message.clone_from(after);
            touched.now.last_seq = last_seq;
            touched.now.timer = timer;
            touched.changed = true;
        }
        Ok(())
    }

    /// Appends the records of `events`; all of them or none. Gives the position of the last.
    fn append(
        &mut self,
        number: MessageNumber,
        mut previous: Option<JournalSeq>,
        at: Timestamp,
        by: By,
        events: &[message::Event],
        sealed: &[u8],
    ) -> Result<JournalSeq, BatchError> {
        let start = self.pending.last();
        for event in events {
            let place = Place { seq: start, previous, at, by };
            let appended = self
                .pending
                .append(place, |place, payload, out| put_message(place, number, event, sealed, payload, out));
            match appended {
                Ok(seq) => previous = Some(seq),
                Err(error) => {
                    self.pending.truncate(start);
                    return Err(error.into());
                }
            }
        }
        let mut seq = start;
        for event in events {
            seq = seq.next();
            if let message::Event::Submitted { sid, .. } = event {
                self.learned.insert(*sid, (number, seq));
            }
        }
        Ok(previous.unwrap_or(JournalSeq::START))
    }

    /// Where a lane is, with what this batch changed. A lane of which nothing was ever recorded is new.
    pub fn lane(&mut self, lane: LaneNumber) -> Result<Lane, BatchError> {
        Ok(self.lane_row(lane)?.map(|row| row.lane).unwrap_or_default())
    }

    fn lane_row(&mut self, lane: LaneNumber) -> Result<Option<LaneProjection>, BatchError> {
        if let Some(row) = self.lanes.get(&lane) {
            return Ok(Some(row.clone()));
        }
        let read = stored_lane(&mut self.tables, lane);
        self.noted(read)
    }

    /// Records what happened to a lane, and what it made of it.
    ///
    /// # Errors
    /// An event too large to persist; then nothing changed.
    pub fn record_lane(
        &mut self,
        lane: LaneNumber,
        at: Timestamp,
        by: impl Into<By>,
        event: &lane::Event,
        after: &Lane,
    ) -> Result<(), BatchError> {
        let previous = self.lane_row(lane)?.map(|row| row.last_seq);
        let place = Place { seq: JournalSeq::START, previous, at, by: by.into() };
        let last_seq =
            self.pending.append(place, |place, payload, out| put_lane(place, lane, event, payload, out))?;
        self.lanes.insert(lane, LaneProjection { lane: after.clone(), last_seq });
        Ok(())
    }

    /// Journals what happened to a person after the record at `previous`. Gives its position.
    pub(crate) fn append_person(
        &mut self,
        person: PersonNumber,
        previous: Option<JournalSeq>,
        (at, by): (Timestamp, By),
        event: &PersonEvent,
        sealed: &[u8],
    ) -> Result<JournalSeq, BatchError> {
        let place = Place { seq: JournalSeq::START, previous, at, by };
        let appended = self
            .pending
            .append(place, |place, payload, out| put_person(place, person, event, sealed, payload, out));
        Ok(appended?)
    }

    /// Appends a record that `put` writes. Gives its position.
    pub(crate) fn append_record(
        &mut self,
        place: Place,
        put: impl FnOnce(Place, &mut Vec<u8>, &mut Vec<u8>) -> Result<(), RecordError>,
    ) -> Result<JournalSeq, BatchError> {
        Ok(self.pending.append(place, put)?)
    }

    /// Messages that this batch begins for a person.
    pub(crate) fn begun_for(&self, person: PersonNumber) -> impl Iterator<Item = MessageNumber> {
        let begun = self
            .messages
            .iter()
            .filter(move |(_, touched)| touched.stored.is_none() && touched.now.message.person == person);
        begun.map(|(number, _)| *number)
    }

    /// The last position that the reader with this name has dealt with; [`JournalSeq::START`] at first.
    pub fn cursor(&mut self, name: &str) -> Result<JournalSeq, BatchError> {
        let read = stored_cursor(&mut self.tables, name);
        self.noted(read)
    }

    /// Remembers the last position that the reader with this name has dealt with.
    pub fn set_cursor(&mut self, name: &str, seq: JournalSeq) -> Result<(), BatchError> {
        let written = write_cursor(&mut self.tables, name, seq);
        self.noted(written)
    }

    /// Remembers when the database engine failed, so that nothing of this batch is committed.
    pub(crate) fn noted<T>(&mut self, result: Result<T, BatchError>) -> Result<T, BatchError> {
        if let Err(error) = &result {
            self.fault = self.fault.or(error.fault_kind());
        }
        result
    }

    /// What failed below, if anything did.
    pub(crate) fn fault(&self) -> Option<FaultKind> {
        self.fault
    }
}

impl fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("last_seq", &self.last_seq())
            .field("messages", &self.messages.len())
            .finish_non_exhaustive()
    }
}

fn stored_id(tables: &mut Tables<'_>, id: MessageId) -> Result<Option<MessageNumber>, BatchError> {
    let number = tables.message_ids.open()?.get(id.as_bytes()).map_err(Fault::from)?;
    Ok(number.map(|number| MessageNumber::new(number.value())))
}

fn stored_sid(tables: &mut Tables<'_>, sid: ProviderSid) -> Result<Option<MessageNumber>, BatchError> {
    let number = tables.provider_sids.open()?.get(sid.as_bytes()).map_err(Fault::from)?;
    Ok(number.map(|number| MessageNumber::new(number.value())))
}

fn stored_message(tables: &mut Tables<'_>, number: MessageNumber) -> Result<Option<Projection>, BatchError> {
    Ok(projection::message(tables.messages.open()?, number)?)
}

fn stored_record(tables: &mut Tables<'_>, seq: JournalSeq) -> Result<Record, BatchError> {
    Ok(projection::record(tables.journal.open()?, seq)?)
}

fn stored_lane(tables: &mut Tables<'_>, lane: LaneNumber) -> Result<Option<LaneProjection>, BatchError> {
    Ok(projection::lane(tables.lanes.open()?, lane)?)
}

fn stored_cursor(tables: &mut Tables<'_>, name: &str) -> Result<JournalSeq, BatchError> {
    let seq = tables.cursors.open()?.get(name).map_err(Fault::from)?;
    Ok(JournalSeq::new(seq.map_or(0, |seq| seq.value())))
}

fn write_cursor(tables: &mut Tables<'_>, name: &str, seq: JournalSeq) -> Result<(), BatchError> {
    tables.cursors.open()?.insert(name, seq.get()).map_err(Fault::from)?;
    Ok(())
}
