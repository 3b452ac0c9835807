//! Rotating the master key: every person's data key is wrapped anew, a few at a time.

use dunlin_workflows::id::PersonNumber;
use redb::ReadableTable;

use crate::batch::Batch;
use crate::error::{BatchError, CommitError, Fault};
use crate::person::Person;
use crate::store::Store;

/// Persons in one transaction.
const PERSONS_AT_ONCE: usize = 2_000;

impl Store {
    /// Wraps every person's data key with the current master key, and forgets that others were used:
    /// the next start needs the current one alone. Interrupted, it can be called again. `progress`
    /// hears how many are done; gives how many there were.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn rewrap(&self, mut progress: impl FnMut(u64)) -> Result<u64, CommitError<BatchError>> {
        let (mut after, mut done) = (PersonNumber::new(0), 0_u64);
        loop {
            let (last, count) = self.commit(|batch| {
                let wrapped = rewrap_some(batch, after);
                batch.noted(wrapped)
            })?;
            done = done.saturating_add(count);
            progress(done);
            match last {
                Some(last) => after = last,
                None => return Ok(done),
            }
        }
    }
}

/// Wraps the keys of some persons after `after`; after the last one, retires the other master keys.
/// Gives the last one looked at, `None` when there are no more, and how many.
fn rewrap_some(
    batch: &mut Batch<'_>,
    after: PersonNumber,
) -> Result<(Option<PersonNumber>, u64), BatchError> {
    let persons = batch.tables.persons.open()?;
    let range = persons.range(after.get().saturating_add(1)..).map_err(Fault::from)?.take(PERSONS_AT_ONCE);
    let rows = range.map(|entry| entry.map(|(number, row)| (number.value(), row.value().to_vec())));
    let rows: Vec<(u64, Vec<u8>)> = rows.collect::<Result<_, _>>().map_err(Fault::from)?;
    for (number, row) in &rows {
        let number = PersonNumber::new(*number);
        let wrapped = Person::take(number, row, &batch.keyring)?.put(number, &batch.keyring)?;
        persons.insert(number.get(), wrapped.as_slice()).map_err(Fault::from)?;
    }
    if rows.is_empty() {
        let current = batch.keyring.current().get();
        batch.tables.masters.open()?.retain(|id, ()| id == current).map_err(Fault::from)?;
    }
    let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    Ok((rows.last().map(|(number, _)| PersonNumber::new(*number)), count))
}
