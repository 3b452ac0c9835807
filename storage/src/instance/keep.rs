//! Instances in a batch: read, recorded, named, claimed, woken. Rows stay in memory until the batch ends, names,
//! claims and timers go to their tables at once.

use dunlin_workflows::timestamp::Timestamp;
use redb::ReadableTable;

use super::{Holder, InstanceKind, InstanceState, Workflow, holder};
use crate::actor::By;
use crate::batch::Batch;
use crate::batch::tables::Tables;
use crate::error::{BatchError, Fault, ReadError};
use crate::journal::JournalSeq;
use crate::record::envelope::{put_bytes, take_bytes};
use crate::record::{Place, RecordError, put_instance};

/// An instance as it stands in its row.
pub(crate) struct Row<W: Workflow> {
    pub(crate) state: W::State,
    /// Position of its newest record.
    pub(crate) last_seq: JournalSeq,
}

/// What is recorded about an instance at once.
#[derive(Debug)]
pub struct Told<'a, W: Workflow> {
    /// When.
    pub at: Timestamp,
    /// On whose behalf.
    pub by: By,
    /// What happened.
    pub event: &'a W::Event,
    /// What it made of the instance.
    pub after: &'a W::State,
    /// What identifies a person, to be sealed with the key of its holder.
    pub secret: Option<(Holder, &'a [u8])>,
}

impl Batch<'_> {
    /// The number that the next instance of a kind gets.
    pub fn next_instance(&mut self, kind: InstanceKind) -> Result<u64, BatchError> {
        let last = if let Some(last) = self.highest.instances.get(&kind.number()) {
            *last
        } else {
            let read = last(&mut self.tables, kind);
            self.noted(read)?
        };
        self.highest.instances.insert(kind.number(), last);
        Ok(last.saturating_add(1))
    }

    /// What is known of an instance, with what this batch changed; `None` when there is none.
    pub fn instance<W: Workflow>(&mut self, number: u64) -> Result<Option<W::State>, BatchError> {
        Ok(self.instance_row::<W>(number)?.map(|row| row.state))
    }

    fn instance_row<W: Workflow>(&mut self, number: u64) -> Result<Option<Row<W>>, BatchError> {
        if let Some(changed) = self.instances.get(&(W::KIND.number(), number)) {
            return Ok(Some(row::<W>(number, changed)?));
        }
        // Whoever just got the next number has no row, nor has a user of whom nothing was told and nothing of any after
        // them.
        if self.next_instance(W::KIND)? <= number {
            return Ok(None);
        }
        let read = stored::<W>(&mut self.tables, number);
        self.noted(read)
    }

    /// Records what happened to an instance and what it made of it; its first event makes it exist.
    ///
    /// # Errors
    /// [`BatchError::Claimed`] when another instance of the kind claims the same; a holder that is not
    /// known; an event or state too large to persist. Then nothing changed.
    pub fn record_instance<W: Workflow>(
        &mut self,
        number: u64,
        told: &Told<'_, W>,
    ) -> Result<JournalSeq, BatchError> {
        let before = self.instance_row::<W>(number)?;
        let (old_timer, old_claim, previous) = match &before {
            Some(row) => (W::timer(&row.state), W::claim(&row.state), Some(row.last_seq)),
            None => (None, None, None),
        };
        let claim = W::claim(told.after);
        if let Some(claim) = claim.filter(|claim| old_claim != Some(*claim)) {
            let read = claimant(&mut self.tables, W::KIND, claim);
            if let Some(other) = self.noted(read)?.filter(|other| *other != number) {
                return Err(BatchError::Claimed { kind: W::KIND, claim, number: other });
            }
        }
        let seq = self.last_seq().next();
        let sealed = match told.secret {
            Some((holder, plain)) => holder::seal(self, holder, seq, plain)?,
            None => Vec::new(),
        };
        let row = put::<W>(number, told.after, seq)?;
        let place = Place { seq: JournalSeq::START, previous, at: told.at, by: told.by };
        let event = W::wrap(told.event.clone());
        self.append_record(place, |place, payload, out| {
            put_instance(place, number, &event, &sealed, payload, out)
        })?;
        let moves = Moves { timer: (old_timer, W::timer(told.after)), claim: (old_claim, claim) };
        let written = write(&mut self.tables, W::KIND, number, moves);
        self.noted(written)?;
        self.instances.insert((W::KIND.number(), number), row);
        if let Some(last) = self.highest.instances.get_mut(&W::KIND.number()) {
            *last = number.max(*last);
        }
        self.told_of.extend(W::person(told.event));
        Ok(seq)
    }

    /// The instance with this name.
    pub fn instance_named(&mut self, kind: InstanceKind, name: &str) -> Result<Option<u64>, BatchError> {
        let hash = self.keyring.blind_name(kind.number(), name);
        self.instance_with_hash(kind, &hash)
    }

    /// The instance with this hash of its name.
    pub(crate) fn instance_with_hash(
        &mut self,
        kind: InstanceKind,
        hash: &[u8; 16],
    ) -> Result<Option<u64>, BatchError> {
        let read = named(&mut self.tables, kind, hash);
        self.noted(read)
    }

    /// Lets a name lead to an instance.
    pub fn name_instance(&mut self, kind: InstanceKind, name: &str, number: u64) -> Result<(), BatchError> {
        let hash = self.keyring.blind_name(kind.number(), name);
        let written = rename(&mut self.tables, kind, &hash, Some(number));
        self.noted(written)
    }

    /// Lets a name lead nowhere.
    pub fn unname_instance(&mut self, kind: InstanceKind, name: &str) -> Result<(), BatchError> {
        let hash = self.keyring.blind_name(kind.number(), name);
        let written = rename(&mut self.tables, kind, &hash, None);
        self.noted(written)
    }

    /// The instance of a kind that claims `claim`.
    pub fn claimant(&mut self, kind: InstanceKind, claim: u64) -> Result<Option<u64>, BatchError> {
        let read = claimant(&mut self.tables, kind, claim);
        self.noted(read)
    }

    /// Instances whose timer is due at `now`, the first to be due first, at most `limit`.
    pub fn due_instances(
        &mut self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(InstanceKind, u64)>, BatchError> {
        let read = due(&mut self.tables, now, limit);
        self.noted(read)
    }

    /// Whether something was recorded about an instance.
    pub fn touched_instances(&self) -> bool {
        !self.instances.is_empty()
    }

    /// When the next timer of an instance is due.
    pub fn next_instance_timer(&mut self) -> Result<Option<Timestamp>, BatchError> {
        let read = next_timer(&mut self.tables);
        self.noted(read)
    }
}

/// What changes in the indexes: before and after.
#[derive(Clone, Copy)]
struct Moves {
    timer: (Option<Timestamp>, Option<Timestamp>),
    claim: (Option<u64>, Option<u64>),
}

/// The bytes of a row: position of the newest record, then the state.
fn put<W: Workflow>(number: u64, state: &W::State, last_seq: JournalSeq) -> Result<Vec<u8>, RecordError> {
    let mut bytes = last_seq.get().to_le_bytes().to_vec();
    let version = W::put_state(state, &mut bytes)?;
    Ok(put_bytes(TABLE, &key(W::KIND, number), version, &bytes))
}

/// Reads a row: its version, position of the newest record, and the bytes of the state.
fn take(kind: InstanceKind, number: u64, bytes: &[u8]) -> Result<(u8, JournalSeq, &[u8]), RecordError> {
    let (version, payload) = take_bytes(TABLE, &key(kind, number), bytes)?;
    let Some((last_seq, state)) = payload.split_first_chunk() else {
        return Err(RecordError::TooShort { length: payload.len(), envelope: size_of::<u64>() });
    };
    Ok((version, JournalSeq::new(u64::from_le_bytes(*last_seq)), state))
}

/// Reads the row of an instance.
pub(super) fn row<W: Workflow>(number: u64, bytes: &[u8]) -> Result<Row<W>, ReadError> {
    let opened = || -> Result<Row<W>, RecordError> {
        let (version, last_seq, state) = take(W::KIND, number, bytes)?;
        Ok(Row { state: W::take_state(version, state)?, last_seq })
    };
    opened().map_err(|source| unreadable(W::KIND, number, source))
}

/// Reads the row of an instance of any kind: what is known of it, and the position of its newest record.
pub(crate) fn row_of(
    kind: InstanceKind,
    number: u64,
    bytes: &[u8],
) -> Result<(InstanceState, JournalSeq), RecordError> {
    let (version, last_seq, state) = take(kind, number, bytes)?;
    Ok((kind.take_state(version, state)?, last_seq))
}

fn unreadable(kind: InstanceKind, number: u64, source: RecordError) -> ReadError {
    ReadError::Row { table: TABLE, key: format!("{} {number}", kind.as_str()), source }
}

const TABLE: &str = "instances";

fn key(kind: InstanceKind, number: u64) -> [u8; 9] {
    let mut key = [kind.number(); 9];
    key.iter_mut().skip(1).zip(number.to_le_bytes()).for_each(|(to, from)| *to = from);
    key
}

fn last(tables: &mut Tables<'_>, kind: InstanceKind) -> Result<u64, BatchError> {
    let all = (kind.number(), 0)..=(kind.number(), u64::MAX);
    let last = tables.instances.open()?.range(all).map_err(Fault::from)?.next_back();
    Ok(last.transpose().map_err(Fault::from)?.map_or(0, |(key, _)| key.value().1))
}

fn stored<W: Workflow>(tables: &mut Tables<'_>, number: u64) -> Result<Option<Row<W>>, BatchError> {
    let bytes = tables.instances.open()?.get((W::KIND.number(), number)).map_err(Fault::from)?;
    Ok(bytes.map(|bytes| row::<W>(number, bytes.value())).transpose()?)
}

fn claimant(tables: &mut Tables<'_>, kind: InstanceKind, claim: u64) -> Result<Option<u64>, BatchError> {
    let number = tables.instance_claims.open()?.get((kind.number(), claim)).map_err(Fault::from)?;
    Ok(number.map(|number| number.value()))
}

fn named(tables: &mut Tables<'_>, kind: InstanceKind, hash: &[u8; 16]) -> Result<Option<u64>, BatchError> {
    let number = tables.instance_names.open()?.get((kind.number(), hash)).map_err(Fault::from)?;
    Ok(number.map(|number| number.value()))
}

fn rename(
    tables: &mut Tables<'_>,
    kind: InstanceKind,
    hash: &[u8; 16],
    number: Option<u64>,
) -> Result<(), BatchError> {
    let names = tables.instance_names.open()?;
    match number {
        Some(number) => names.insert((kind.number(), hash), number).map_err(Fault::from)?,
        None => names.remove((kind.number(), hash)).map_err(Fault::from)?,
    };
    Ok(())
}

fn write(tables: &mut Tables<'_>, kind: InstanceKind, number: u64, moves: Moves) -> Result<(), BatchError> {
    let (old, new) = moves.timer;
    if old != new {
        let timers = tables.instance_timers.open()?;
        if let Some(old) = old {
            timers.remove((old.as_millis(), kind.number(), number)).map_err(Fault::from)?;
        }
        if let Some(new) = new {
            timers.insert((new.as_millis(), kind.number(), number), ()).map_err(Fault::from)?;
        }
    }
    let (old, new) = moves.claim;
    if old != new {
        let claims = tables.instance_claims.open()?;
        if let Some(old) = old {
            claims.remove((kind.number(), old)).map_err(Fault::from)?;
        }
        if let Some(new) = new {
            claims.insert((kind.number(), new), number).map_err(Fault::from)?;
        }
    }
    Ok(())
}

fn due(
    tables: &mut Tables<'_>,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<(InstanceKind, u64)>, BatchError> {
    let until = ..=(now.as_millis(), u8::MAX, u64::MAX);
    let mut found = Vec::new();
    for entry in tables.instance_timers.open()?.range(until).map_err(Fault::from)?.take(limit) {
        let (_, kind, number) = entry.map_err(Fault::from)?.0.value();
        let kind = InstanceKind::of(kind).ok_or(RecordError::Unknown { what: "record kind", number: kind });
        found.push((kind?, number));
    }
    Ok(found)
}

fn next_timer(tables: &mut Tables<'_>) -> Result<Option<Timestamp>, BatchError> {
    let first = tables.instance_timers.open()?.first().map_err(Fault::from)?;
    Ok(first.map(|(key, _)| Timestamp::from_millis(key.value().0)))
}
