//! Making both sides equal: after a stop in the wrong moment, or after one of them was restored from a backup.

use dunlin_storage::{ReadError, Reader};
use dunlin_sync::transport::{AnyDatabase, give_back, held};
use dunlin_sync::wire::Held;
use dunlin_workflows::id::MessageId;

use crate::supabase::error::SyncError;
use crate::supabase::link::Link;

/// Texts that are compared at once.
const PAGE: u32 = 1000;

/// What was found, and made good unless it was only looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Repaired {
    /// Texts that the project says are ours and not finished.
    pub compared: u64,
    /// Of those, how many it knew in an older version: told anew.
    pub told_again: u64,
    /// Of those, how many the store does not know: given back, to be looked up before anybody sends them.
    pub given_back: u64,
}

/// What of two differing sides is to be made good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mend {
    /// Nothing.
    Nothing,
    /// What the database knows in an older version: a daemon that stopped between an acknowledgment and telling would never tell
    /// it otherwise.
    Older,
    /// That, and what only the database knows.
    Everything,
}

/// Compares every text that the project says is ours with the store.
pub(super) async fn repair(link: &Link, database: &AnyDatabase, mend: Mend) -> Result<Repaired, SyncError> {
    let mut repaired = Repaired::default();
    let mut after = None;
    loop {
        let on_duty = link.on_duty()?;
        let daemon = link.daemon(&on_duty).await?;
        let page = link.answered(held(database, daemon, after, PAGE).await)?;
        let Some(last) = page.last() else { return Ok(repaired) };
        after = Some(last.id);
        let found = Differences::between(&page, &on_duty.store.reader()?)?;
        let count = |ids: &[MessageId]| u64::try_from(ids.len()).unwrap_or(u64::MAX);
        repaired.compared = repaired.compared.saturating_add(u64::try_from(page.len()).unwrap_or(u64::MAX));
        repaired.told_again = repaired.told_again.saturating_add(count(&found.older));
        repaired.given_back = repaired.given_back.saturating_add(count(&found.unknown));
        if mend != Mend::Nothing {
            link.again.add(found.older);
        }
        if mend == Mend::Everything && !found.unknown.is_empty() {
            link.answered(give_back(database, daemon, &found.unknown).await)?;
            link.pull_now.notify_one();
        }
    }
}

/// Where one page differs from the store.
#[derive(Debug, Default)]
struct Differences {
    older: Vec<MessageId>,
    unknown: Vec<MessageId>,
}

impl Differences {
    fn between(page: &[Held], reader: &Reader) -> Result<Self, ReadError> {
        let mut found = Self::default();
        for row in page {
            // What is in archives was told to its end.
            let Some(located) = reader.locate_id(row.id)? else {
                found.unknown.push(row.id);
                continue;
            };
            let ours = reader.message(located.number)?.map(|message| message.last_seq.get());
            if ours.is_some_and(|ours| row.version.is_none_or(|theirs| theirs < ours)) {
                found.older.push(row.id);
            }
        }
        Ok(found)
    }
}
