//! The end of a batch: what changed in memory goes to the tables, in the order of their keys.

use std::collections::{BTreeMap, BTreeSet};

use dunlin_workflows::id::{MessageNumber, PersonNumber};
use redb::ReadableTable;

use super::{Batch, Touched};
use crate::chain::{self, Head};
use crate::error::{BatchError, Fault};
use crate::fault::FaultKind;
use crate::newcomers::{self, Hash};
use crate::record::tag::Tagged;
use crate::switch;

/// Changes of the ordered indexes.
#[derive(Default)]
struct Moves {
    states_left: Vec<(u8, u64)>,
    states_entered: Vec<(u8, u64)>,
    timers_disarmed: Vec<(i64, u64)>,
    timers_armed: Vec<(i64, u64)>,
    switched_off: Vec<u64>,
    switched_on: Vec<u64>,
}

/// What a batch that was written leaves to be known.
pub(crate) struct Flushed {
    /// The new head of the chain.
    pub(crate) head: Head,
    /// Persons it brought that are not in the index yet.
    pub(crate) arrived: BTreeMap<Hash, PersonNumber>,
    /// Whether all who were newcomers before are in the index now.
    pub(crate) indexed: bool,
}

impl Batch<'_> {
    /// Writes everything this batch changed.
    pub(crate) fn flush(mut self) -> Result<Flushed, (BatchError, Option<FaultKind>)> {
        let written = self.write();
        self.noted(written).map_err(|error| (error, self.fault))
    }

    fn write(&mut self) -> Result<Flushed, BatchError> {
        self.pending.write(self.tables.journal.open()?)?;
        self.write_head()?;
        let mut arrived = self.write_persons()?;
        let mut moves = Moves::default();
        for (number, touched) in self.messages.iter().filter(|(_, touched)| touched.changed) {
            let row = touched.now.put(*number)?;
            let messages = self.tables.messages.open()?;
            messages.insert(number.get(), row.as_slice()).map_err(Fault::from)?;
            moves.note(*number, touched);
            if touched.stored.is_none() {
                let key = (touched.now.message.person.get(), number.get());
                self.tables.by_person.open()?.insert(key, ()).map_err(Fault::from)?;
            }
        }
        self.write_moves(moves)?;
        self.write_usages()?;
        self.write_flows()?;
        self.write_said()?;
        self.write_names()?;
        for (lane, projection) in &self.lanes {
            let row = projection.put(*lane)?;
            self.tables.lanes.open()?.insert(lane.get(), row.as_slice()).map_err(Fault::from)?;
        }
        let indexed = self.write_index(&mut arrived)?;
        Ok(Flushed { head: self.head, arrived, indexed })
    }

    /// Extends the chain over the records of this batch.
    fn write_head(&mut self) -> Result<(), BatchError> {
        self.head = if self.chains {
            self.pending.iter().fold(self.head, |head, (seq, bytes)| head.extended(seq, bytes))
        } else {
            self.head.unchained(self.pending.last())
        };
        let bytes = self.head.to_bytes();
        self.tables.heads.open()?.insert(chain::NEWEST, bytes.as_slice()).map_err(Fault::from)?;
        Ok(())
    }

    /// Writes the persons whom this batch sends their first text, or whose consent it tells of; gives them
    /// with their hashes.
    fn write_persons(&mut self) -> Result<BTreeMap<Hash, PersonNumber>, BatchError> {
        let mut arrived = BTreeMap::new();
        let created = self.messages.values().filter(|touched| touched.stored.is_none());
        let mut sent_to: BTreeSet<PersonNumber> = created.map(|touched| touched.now.message.person).collect();
        sent_to.extend(&self.told_of);
        for (number, hash) in self.new_persons.iter().filter(|(number, _)| sent_to.contains(number)) {
            let Some(person) = self.persons.get(number) else { continue };
            let row = person.put(*number, &self.keyring)?;
            self.tables.persons.open()?.insert(number.get(), row.as_slice()).map_err(Fault::from)?;
            arrived.insert(*hash, *number);
        }
        Ok(arrived)
    }

    /// Takes newcomers into the index when there are enough of them, or somebody is erased: whoever is
    /// gone must not stay behind in memory. Says whether it did; then nobody is left in `arrived`.
    fn write_index(&mut self, arrived: &mut BTreeMap<Hash, PersonNumber>) -> Result<bool, BatchError> {
        let gathered = self.newcomers.len().saturating_add(arrived.len());
        if gathered < self.newcomers_max.max(1) && self.erased.is_empty() {
            return Ok(false);
        }
        let mut hashes = self.newcomers.all();
        hashes.append(arrived);
        let index = self.tables.person_hashes.open()?;
        for (hash, number) in hashes.iter().filter(|(_, number)| !self.erased.contains(number)) {
            index.insert(hash, number.get()).map_err(Fault::from)?;
        }
        let last = self.tables.last_person()?;
        newcomers::set_indexed(self.tables.meta.open()?, last)?;
        Ok(true)
    }

    fn write_moves(&mut self, mut moves: Moves) -> Result<(), BatchError> {
        let mut totals: BTreeMap<u8, (u64, u64)> = BTreeMap::new();
        moves.states_left.sort_unstable();
        moves.states_entered.sort_unstable();
        for key in moves.states_left {
            self.tables.by_state.open()?.remove(key).map_err(Fault::from)?;
            let (left, _) = totals.entry(key.0).or_default();
            *left = left.saturating_add(1);
        }
        for key in moves.states_entered {
            self.tables.by_state.open()?.insert(key, ()).map_err(Fault::from)?;
            let (_, entered) = totals.entry(key.0).or_default();
            *entered = entered.saturating_add(1);
        }
        for (state, (left, entered)) in totals.into_iter().filter(|(_, (left, entered))| left != entered) {
            let table = self.tables.totals.open()?;
            let before = table.get(state).map_err(Fault::from)?.map_or(0, |total| total.value());
            let total = before.saturating_add(entered).saturating_sub(left);
            table.insert(state, total).map_err(Fault::from)?;
        }
        moves.timers_disarmed.sort_unstable();
        moves.timers_armed.sort_unstable();
        for key in moves.timers_disarmed {
            self.tables.timers.open()?.remove(key).map_err(Fault::from)?;
        }
        for key in moves.timers_armed {
            self.tables.timers.open()?.insert(key, ()).map_err(Fault::from)?;
        }
        for number in moves.switched_off {
            self.tables.switched_off.open()?.insert(number, ()).map_err(Fault::from)?;
        }
        for number in moves.switched_on {
            self.tables.switched_off.open()?.remove(number).map_err(Fault::from)?;
        }
        Ok(())
    }

    fn write_names(&mut self) -> Result<(), BatchError> {
        for (id, number) in &self.created {
            let table = self.tables.message_ids.open()?;
            let taken = table.insert(id.as_bytes(), number.get()).map_err(Fault::from)?;
            if let Some(other) = taken.map(|other| MessageNumber::new(other.value())) {
                return Err(BatchError::IdTaken { id: *id, number: other });
            }
        }
        for (sid, number) in &self.learned {
            let table = self.tables.provider_sids.open()?;
            table.insert(sid.as_bytes(), number.get()).map_err(Fault::from)?;
        }
        Ok(())
    }
}

impl Moves {
    fn note(&mut self, number: MessageNumber, touched: &Touched) {
        let number = number.get();
        let state = touched.now.message.state.name();
        let timer = touched.now.timer;
        let (old_state, old_timer) =
            (touched.stored.map(|old| old.state), touched.stored.map(|old| old.timer));
        match (touched.stored.is_some_and(|old| old.is_off), switch::is_off(&touched.now.message)) {
            (false, true) => self.switched_off.push(number),
            (true, false) => self.switched_on.push(number),
            (true, true) | (false, false) => {}
        }
        if old_state != Some(state) {
            self.states_left.extend(old_state.map(|old| (old.tag(), number)));
            self.states_entered.push((state.tag(), number));
        }
        if old_timer.flatten() != timer {
            self.timers_disarmed.extend(old_timer.flatten().map(|at| (at.as_millis(), number)));
            self.timers_armed.extend(timer.map(|at| (at.as_millis(), number)));
        }
    }
}
