//! The tables of one transaction, each opened at most once and only when it is needed.

use std::ops::Bound;

use dunlin_workflows::id::PersonNumber;
use redb::{CursorError, Key, ReadableTable, Table, TableDefinition, Value, WriteTransaction};

use crate::archive::Pruned;
use crate::error::{Fault, ReadError};
use crate::{person, table};

/// A table that is opened when it is first asked for.
pub(crate) struct Lazy<'txn, K: Key + 'static, V: Value + 'static> {
    transaction: &'txn WriteTransaction,
    definition: TableDefinition<'static, K, V>,
    table: Option<Table<'txn, K, V>>,
}

impl<'txn, K: Key + 'static, V: Value + 'static> Lazy<'txn, K, V> {
    fn new(transaction: &'txn WriteTransaction, definition: TableDefinition<'static, K, V>) -> Self {
        Self { transaction, definition, table: None }
    }

    /// The table.
    pub(crate) fn open(&mut self) -> Result<&mut Table<'txn, K, V>, Fault> {
        let table = match self.table.take() {
            Some(table) => table,
            None => self.transaction.open_table(self.definition)?,
        };
        Ok(self.table.insert(table))
    }
}

/// Inserts entries in the order of their keys, most of which follow everything in the table. Each by itself: only so does
/// the database engine leave a page full behind that it has passed. A run that ends in a new page would leave two halves,
/// and nothing ever comes back to the first.
pub(crate) fn append<'k, 'v, K: Key + 'static, V: Value + 'static>(
    table: &mut Table<'_, K, V>,
    entries: impl IntoIterator<Item = (K::SelfType<'k>, V::SelfType<'v>)>,
) -> Result<(), Fault> {
    for (key, value) in entries {
        table.insert(&key, &value)?;
    }
    Ok(())
}

/// Inserts entries in the order of their keys, which are new. A run that falls between two neighbours is written at
/// once: one page is taken apart and packed for all of it. Where a run ends, one entry is inserted by itself.
pub(crate) fn insert_run<'k, 'v, K: Key + 'static, V: Value + 'static>(
    table: &mut Table<'_, K, V>,
    entries: impl IntoIterator<Item = (K::SelfType<'k>, V::SelfType<'v>)>,
) -> Result<(), Fault> {
    let mut entries = entries.into_iter().peekable();
    while let Some((first, _)) = entries.peek() {
        let mut cursor = table.lower_bound_mut(Bound::Included(first))?;
        let mut apart = None;
        for (key, value) in entries.by_ref() {
            match cursor.insert_before(&key, &value) {
                Ok(()) => {}
                Err(CursorError::UnorderedKey) => {
                    apart = Some((key, value));
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        cursor.close()?;
        if let Some((key, value)) = apart {
            table.insert(&key, &value)?;
        }
    }
    Ok(())
}

/// The tables of one transaction.
pub(crate) struct Tables<'txn> {
    pub(crate) meta: Lazy<'txn, &'static str, &'static [u8]>,
    pub(crate) journal: Lazy<'txn, u64, &'static [u8]>,
    pub(crate) messages: Lazy<'txn, u64, &'static [u8]>,
    pub(crate) message_ids: Lazy<'txn, &'static [u8; 16], u64>,
    pub(crate) provider_sids: Lazy<'txn, &'static [u8; 34], u64>,
    pub(crate) by_state: Lazy<'txn, (u8, u64), ()>,
    pub(crate) totals: Lazy<'txn, u8, u64>,
    pub(crate) persons: Lazy<'txn, u64, &'static [u8]>,
    pub(crate) person_hashes: Lazy<'txn, &'static [u8; 16], u64>,
    pub(crate) by_person: Lazy<'txn, (u64, u64), ()>,
    pub(crate) actors: Lazy<'txn, u32, &'static str>,
    pub(crate) actor_names: Lazy<'txn, &'static str, u32>,
    pub(crate) masters: Lazy<'txn, u32, ()>,
    pub(crate) heads: Lazy<'txn, u8, &'static [u8]>,
    pub(crate) timers: Lazy<'txn, (i64, u64), ()>,
    pub(crate) switched_off: Lazy<'txn, u64, ()>,
    pub(crate) lanes: Lazy<'txn, u64, &'static [u8]>,
    pub(crate) orphans: Lazy<'txn, (&'static [u8; 34], u64), &'static [u8]>,
    pub(crate) orphan_age: Lazy<'txn, (i64, &'static [u8; 34], u64), ()>,
    pub(crate) idempotency: Lazy<'txn, &'static [u8; 16], &'static [u8]>,
    pub(crate) idempotency_age: Lazy<'txn, (i64, &'static [u8; 16]), ()>,
    pub(crate) archives: Lazy<'txn, u64, &'static [u8]>,
    pub(crate) consents: Lazy<'txn, u64, &'static [u8]>,
    pub(crate) consent_records: Lazy<'txn, u64, u64>,
    pub(crate) heard_texts: Lazy<'txn, &'static [u8; 34], u64>,
    pub(crate) reviews: Lazy<'txn, u64, ()>,
    pub(crate) erased_opt_outs: Lazy<'txn, &'static [u8; 16], i64>,
    pub(crate) instances: Lazy<'txn, (u8, u64), &'static [u8]>,
    pub(crate) instance_names: Lazy<'txn, (u8, &'static [u8; 16]), u64>,
    pub(crate) instance_claims: Lazy<'txn, (u8, u64), u64>,
    pub(crate) instance_timers: Lazy<'txn, (i64, u8, u64), ()>,
    pub(crate) usage: Lazy<'txn, u64, &'static [u8]>,
    pub(crate) flows: Lazy<'txn, &'static [u8; 16], &'static [u8]>,
    pub(crate) user_keys: Lazy<'txn, u64, &'static [u8]>,
    pub(crate) claims: Lazy<'txn, u64, &'static [u8]>,
    pub(crate) sync: Lazy<'txn, &'static str, &'static [u8]>,
    pub(crate) cursors: Lazy<'txn, &'static str, u64>,
}

impl<'txn> Tables<'txn> {
    pub(crate) fn new(transaction: &'txn WriteTransaction) -> Self {
        Self {
            meta: Lazy::new(transaction, table::META),
            journal: Lazy::new(transaction, table::JOURNAL),
            messages: Lazy::new(transaction, table::MESSAGES),
            message_ids: Lazy::new(transaction, table::MESSAGE_IDS),
            provider_sids: Lazy::new(transaction, table::PROVIDER_SIDS),
            by_state: Lazy::new(transaction, table::BY_STATE),
            totals: Lazy::new(transaction, table::TOTALS),
            persons: Lazy::new(transaction, table::PERSONS),
            person_hashes: Lazy::new(transaction, table::PERSON_HASHES),
            by_person: Lazy::new(transaction, table::BY_PERSON),
            actors: Lazy::new(transaction, table::ACTORS),
            actor_names: Lazy::new(transaction, table::ACTOR_NAMES),
            masters: Lazy::new(transaction, table::MASTERS),
            heads: Lazy::new(transaction, table::HEADS),
            timers: Lazy::new(transaction, table::TIMERS),
            switched_off: Lazy::new(transaction, table::SWITCHED_OFF),
            lanes: Lazy::new(transaction, table::LANES),
            orphans: Lazy::new(transaction, table::ORPHANS),
            orphan_age: Lazy::new(transaction, table::ORPHAN_AGE),
            idempotency: Lazy::new(transaction, table::IDEMPOTENCY),
            idempotency_age: Lazy::new(transaction, table::IDEMPOTENCY_AGE),
            archives: Lazy::new(transaction, table::ARCHIVES),
            consents: Lazy::new(transaction, table::CONSENTS),
            consent_records: Lazy::new(transaction, table::CONSENT_RECORDS),
            heard_texts: Lazy::new(transaction, table::HEARD_TEXTS),
            reviews: Lazy::new(transaction, table::REVIEWS),
            erased_opt_outs: Lazy::new(transaction, table::ERASED_OPT_OUTS),
            instances: Lazy::new(transaction, table::INSTANCES),
            instance_names: Lazy::new(transaction, table::INSTANCE_NAMES),
            instance_claims: Lazy::new(transaction, table::INSTANCE_CLAIMS),
            instance_timers: Lazy::new(transaction, table::INSTANCE_TIMERS),
            usage: Lazy::new(transaction, table::USAGE),
            flows: Lazy::new(transaction, table::FLOWS),
            user_keys: Lazy::new(transaction, table::USER_KEYS),
            claims: Lazy::new(transaction, table::CLAIMS),
            sync: Lazy::new(transaction, table::SYNC),
            cursors: Lazy::new(transaction, table::CURSORS),
        }
    }

    /// The highest number that a person ever had; 0 when there was none. Whoever is new must not get the
    /// number of somebody erased: it stands in their messages and their consent, here and in archives.
    pub(crate) fn last_person(&mut self) -> Result<PersonNumber, ReadError> {
        let written_to =
            self.by_person.open()?.last().map_err(Fault::from)?.map_or(0, |(key, _)| key.value().0);
        let consenting =
            self.consents.open()?.last().map_err(Fault::from)?.map_or(0, |(number, _)| number.value());
        let known = self.persons.open()?.last().map_err(Fault::from)?.map_or(0, |(number, _)| number.value());
        let archived = Pruned::read(self.meta.open()?)?.person;
        let erased = person::last_erased(self.meta.open()?)?;
        Ok(PersonNumber::new(written_to.max(consenting).max(known)).max(archived).max(erased))
    }

    /// Opens every table, which creates those that do not exist.
    pub(crate) fn create_all(&mut self) -> Result<(), Fault> {
        self.meta.open()?;
        self.journal.open()?;
        self.messages.open()?;
        self.message_ids.open()?;
        self.provider_sids.open()?;
        self.by_state.open()?;
        self.totals.open()?;
        self.persons.open()?;
        self.person_hashes.open()?;
        self.by_person.open()?;
        self.actors.open()?;
        self.actor_names.open()?;
        self.masters.open()?;
        self.heads.open()?;
        self.timers.open()?;
        self.switched_off.open()?;
        self.lanes.open()?;
        self.orphans.open()?;
        self.orphan_age.open()?;
        self.idempotency.open()?;
        self.idempotency_age.open()?;
        self.archives.open()?;
        self.create_consents()?;
        self.create_instances()?;
        self.cursors.open()?;
        Ok(())
    }

    /// Opens every table about small workflows, which creates those that do not exist.
    pub(crate) fn create_instances(&mut self) -> Result<(), Fault> {
        self.instances.open()?;
        self.instance_names.open()?;
        self.instance_claims.open()?;
        self.instance_timers.open()?;
        self.usage.open()?;
        self.user_keys.open()?;
        Ok(())
    }

    /// Opens every table about consent, which creates those that do not exist.
    pub(crate) fn create_consents(&mut self) -> Result<(), Fault> {
        self.consents.open()?;
        self.consent_records.open()?;
        self.heard_texts.open()?;
        self.reviews.open()?;
        self.erased_opt_outs.open()?;
        Ok(())
    }
}
