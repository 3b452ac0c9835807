//! The end of a batch: what changed in memory goes to the tables, in the order of their keys.

use std::collections::{BTreeMap, BTreeSet};

use dunlin_workflows::id::{MessageNumber, PersonNumber, ProviderSid, UserNumber};
use redb::ReadableTable;

use super::tables::{append, insert_run};
use super::{Batch, Touched};
use crate::chain::{self, Head};
use crate::error::{BatchError, Fault};
use crate::fault::FaultKind;
use crate::highest::Highest;
use crate::instance::InstanceKind;
use crate::journal::JournalSeq;
use crate::newcomers::{self, Hash};
use crate::record::tag::Tagged;
use crate::switch;

/// Changes of the ordered indexes.
#[derive(Default)]
struct Moves {
    /// Of new messages.
    states_begun: Vec<(u8, u64)>,
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
    pub(crate) highest: Highest,
    pub(crate) persons: Arrived<Hash, u64>,
    pub(crate) users: Arrived<Hash, u64>,
    pub(crate) sids: Arrived<ProviderSid, (MessageNumber, JournalSeq)>,
}

/// Persons, users, or names of the provider's, that a batch brought.
pub(crate) struct Arrived<K, V> {
    /// Those who are not in the index yet.
    pub(crate) hashes: BTreeMap<K, V>,
    /// Whether all who were newcomers before are in the index now.
    pub(crate) are_indexed: bool,
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
        let persons = self.write_persons()?;
        let moves = self.write_messages()?;
        self.write_moves(moves)?;
        let users = self.write_users()?;
        self.write_instances()?;
        self.write_usages()?;
        self.write_flows()?;
        self.write_ids()?;
        let sids = self.write_sids()?;
        for (lane, projection) in &self.lanes {
            let row = projection.put(*lane)?;
            self.tables.lanes.open()?.insert(lane.get(), row.as_slice()).map_err(Fault::from)?;
        }
        let persons = self.write_hashes(persons)?;
        let users = self.write_user_names(users)?;
        let highest = std::mem::take(&mut self.highest);
        Ok(Flushed { head: self.head, highest, persons, users, sids })
    }

    fn write_messages(&mut self) -> Result<Moves, BatchError> {
        let (mut moves, mut rows, mut recipients) = (Moves::default(), Vec::new(), Vec::new());
        for (number, touched) in self.messages.iter().filter(|(_, touched)| touched.changed) {
            let row = touched.now.put(*number)?;
            moves.note(*number, touched);
            rows.push((number.get(), row));
            if touched.stored.is_none() {
                recipients.push((touched.now.message.person.get(), number.get()));
            }
        }
        if !rows.is_empty() {
            let rows = rows.iter().map(|(number, row)| (*number, row.as_slice()));
            append(self.tables.messages.open()?, rows)?;
        }
        if !recipients.is_empty() {
            recipients.sort_unstable();
            append(self.tables.by_person.open()?, recipients.into_iter().map(|key| (key, ())))?;
        }
        Ok(moves)
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
    fn write_persons(&mut self) -> Result<BTreeMap<Hash, u64>, BatchError> {
        let mut arrived = BTreeMap::new();
        let created = self.messages.values().filter(|touched| touched.stored.is_none());
        let mut sent_to: BTreeSet<PersonNumber> = created.map(|touched| touched.now.message.person).collect();
        sent_to.extend(&self.told_of);
        let mut rows = Vec::new();
        for (number, hash) in self.new_persons.iter().filter(|(number, _)| sent_to.contains(number)) {
            let Some(person) = self.persons.get(number) else { continue };
            rows.push((number.get(), person.put(*number, &self.keyring)?));
            arrived.insert(*hash, number.get());
        }
        if let Some((last, _)) = rows.last() {
            self.highest.person = Some(PersonNumber::new(*last));
            let rows = rows.iter().map(|(number, row)| (*number, row.as_slice()));
            append(self.tables.persons.open()?, rows)?;
        }
        Ok(arrived)
    }

    /// Writes the users whom this batch met or gave a key; gives those whom it met with their hashes.
    fn write_users(&mut self) -> Result<BTreeMap<Hash, u64>, BatchError> {
        let (mut rows, mut arrived) = (BTreeMap::new(), BTreeMap::new());
        for (hash, number) in &self.met_users {
            let Some(user) = self.users.get(number) else { continue };
            rows.insert(number.get(), user.put(*number, &self.keyring)?);
            arrived.insert(*hash, number.get());
        }
        for number in &self.keyed_users {
            let Some(user) = self.users.get(number) else { continue };
            rows.insert(number.get(), user.put(*number, &self.keyring)?);
        }
        if !rows.is_empty() {
            let rows = rows.iter().map(|(number, row)| (*number, row.as_slice()));
            append(self.tables.user_keys.open()?, rows)?;
        }
        Ok(arrived)
    }

    /// Writes the rows of small workflows.
    fn write_instances(&mut self) -> Result<(), BatchError> {
        if !self.instances.is_empty() {
            let rows = self.instances.iter().map(|(key, row)| (*key, row.as_slice()));
            append(self.tables.instances.open()?, rows)?;
        }
        Ok(())
    }

    /// Takes new persons into the index when there are enough of them, or somebody is erased: whoever is
    /// gone must not stay behind in memory.
    fn write_hashes(&mut self, mut arrived: BTreeMap<Hash, u64>) -> Result<Arrived<Hash, u64>, BatchError> {
        let gathered = &self.newcomers.persons;
        if gathered.len().saturating_add(arrived.len()) < self.newcomers_max.max(1) && self.erased.is_empty()
        {
            return Ok(Arrived { hashes: arrived, are_indexed: false });
        }
        let mut hashes = gathered.all();
        hashes.append(&mut arrived);
        let index = self.tables.person_hashes.open()?;
        for (hash, number) in hashes {
            if !self.erased.contains(&PersonNumber::new(number)) {
                index.insert(&hash, number).map_err(Fault::from)?;
            }
        }
        let last = self.tables.last_person()?;
        newcomers::set_indexed(self.tables.meta.open()?, last)?;
        Ok(Arrived { hashes: arrived, are_indexed: true })
    }

    /// The same for new users.
    fn write_user_names(
        &mut self,
        mut arrived: BTreeMap<Hash, u64>,
    ) -> Result<Arrived<Hash, u64>, BatchError> {
        let gathered = &self.newcomers.users;
        if gathered.len().saturating_add(arrived.len()) < self.newcomers_max.max(1)
            && self.forgotten.is_empty()
        {
            return Ok(Arrived { hashes: arrived, are_indexed: false });
        }
        let mut hashes = gathered.all();
        hashes.append(&mut arrived);
        let index = self.tables.instance_names.open()?;
        for (hash, number) in hashes {
            if !self.forgotten.contains(&UserNumber::new(number)) {
                index.insert((InstanceKind::User.number(), &hash), number).map_err(Fault::from)?;
            }
        }
        let last = self.last_user()?;
        newcomers::set_users_indexed(self.tables.meta.open()?, last)?;
        Ok(Arrived { hashes: arrived, are_indexed: true })
    }

    fn write_moves(&mut self, mut moves: Moves) -> Result<(), BatchError> {
        let mut totals: BTreeMap<u8, (u64, u64)> = BTreeMap::new();
        moves.states_begun.sort_unstable();
        moves.states_left.sort_unstable();
        moves.states_entered.sort_unstable();
        for (state, _) in &moves.states_begun {
            let (_, entered) = totals.entry(*state).or_default();
            *entered = entered.saturating_add(1);
        }
        if !moves.states_begun.is_empty() {
            let keys = moves.states_begun.into_iter().map(|key| (key, ()));
            insert_run(self.tables.by_state.open()?, keys)?;
        }
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
        if !moves.switched_off.is_empty() {
            let keys = moves.switched_off.into_iter().map(|number| (number, ()));
            append(self.tables.switched_off.open()?, keys)?;
        }
        for number in moves.switched_on {
            self.tables.switched_off.open()?.remove(number).map_err(Fault::from)?;
        }
        Ok(())
    }

    /// Takes the provider's names into the index when there are enough of them.
    fn write_sids(&mut self) -> Result<Arrived<ProviderSid, (MessageNumber, JournalSeq)>, BatchError> {
        let (mut learned, last) = (std::mem::take(&mut self.learned), self.head.seq);
        let gathers = self.newcomers.gathers_sids(learned.len(), last, self.newcomers_max.max(1));
        if gathers {
            return Ok(Arrived { hashes: learned, are_indexed: false });
        }
        let mut all = self.newcomers.sids.all();
        all.append(&mut learned);
        for (sid, (number, _)) in all {
            let table = self.tables.provider_sids.open()?;
            table.insert(sid.as_bytes(), number.get()).map_err(Fault::from)?;
        }
        newcomers::set_sids_indexed(self.tables.meta.open()?, last)?;
        Ok(Arrived { hashes: learned, are_indexed: true })
    }

    fn write_ids(&mut self) -> Result<(), BatchError> {
        for (id, number) in &self.created {
            let table = self.tables.message_ids.open()?;
            if let Some(other) = table.insert(id.as_bytes(), number.get()).map_err(Fault::from)? {
                return Err(BatchError::IdTaken { id: *id, number: MessageNumber::new(other.value()) });
            }
        }
        let newest = self.created.keys().next_back();
        self.highest.id = self.highest.id.map(|last| newest.map_or(last, |newest| last.max(*newest)));
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
        match old_state {
            None => self.states_begun.push((state.tag(), number)),
            Some(old) if old != state => {
                self.states_left.push((old.tag(), number));
                self.states_entered.push((state.tag(), number));
            }
            Some(_same) => {}
        }
        if old_timer.flatten() != timer {
            self.timers_disarmed.extend(old_timer.flatten().map(|at| (at.as_millis(), number)));
            self.timers_armed.extend(timer.map(|at| (at.as_millis(), number)));
        }
    }
}
