//! Rotating the master key: every person's and user's data key is wrapped anew, a few at a time.

use dunlin_workflows::id::{PersonNumber, UserNumber};
use redb::ReadableTable;

use crate::batch::Batch;
use crate::error::{BatchError, CommitError, Fault};
use crate::person::Person;
use crate::store::Store;
use crate::user::UserKey;

/// Persons or users in one transaction.
const AT_ONCE: usize = 2_000;

impl Store {
    /// Wraps every person's and user's data key with the current master key, and forgets that others were used:
    /// the next start needs the current one alone. Interrupted, it can be called again. `progress`
    /// hears how many are done; gives how many there were.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn rewrap(&self, mut progress: impl FnMut(u64)) -> Result<u64, CommitError<BatchError>> {
        let mut done = 0_u64;
        for some in [persons, users] {
            let mut after = 0;
            while let Some((last, count)) = self.commit(|batch| {
                let wrapped = some(batch, after);
                batch.noted(wrapped)
            })? {
                after = last;
                done = done.saturating_add(count);
                progress(done);
            }
        }
        self.commit(|batch| {
            let retired = retire(batch);
            batch.noted(retired)
        })?;
        Ok(done)
    }
}

/// Wraps the keys of some persons after `after`; gives the last one, and how many. `None` after the last.
fn persons(batch: &mut Batch<'_>, after: u64) -> Result<Option<(u64, u64)>, BatchError> {
    let table = batch.tables.persons.open()?;
    let rows = chunk(table, after)?;
    for (number, row) in &rows {
        let number = PersonNumber::new(*number);
        let wrapped = Person::take(number, row, &batch.keyring)?.put(number, &batch.keyring)?;
        table.insert(number.get(), wrapped.as_slice()).map_err(Fault::from)?;
    }
    Ok(progressed(&rows))
}

/// The same for users.
fn users(batch: &mut Batch<'_>, after: u64) -> Result<Option<(u64, u64)>, BatchError> {
    let table = batch.tables.user_keys.open()?;
    let rows = chunk(table, after)?;
    for (number, row) in &rows {
        let number = UserNumber::new(*number);
        let wrapped = UserKey::take(number, row, &batch.keyring)?.put(number, &batch.keyring)?;
        table.insert(number.get(), wrapped.as_slice()).map_err(Fault::from)?;
    }
    Ok(progressed(&rows))
}

/// Forgets that other master keys than the current one were used.
fn retire(batch: &mut Batch<'_>) -> Result<(), BatchError> {
    let current = batch.keyring.current().get();
    batch.tables.masters.open()?.retain(|id, ()| id == current).map_err(Fault::from)?;
    Ok(())
}

type Rows = Vec<(u64, Vec<u8>)>;

fn chunk(table: &impl ReadableTable<u64, &'static [u8]>, after: u64) -> Result<Rows, Fault> {
    let range = table.range(after.saturating_add(1)..)?.take(AT_ONCE);
    let rows = range.map(|entry| entry.map(|(number, row)| (number.value(), row.value().to_vec())));
    Ok(rows.collect::<Result<_, _>>()?)
}

fn progressed(rows: &Rows) -> Option<(u64, u64)> {
    rows.last().map(|(last, _)| (*last, u64::try_from(rows.len()).unwrap_or(u64::MAX)))
}
