//! Putting a backup in the place of a store, so that what happened since is not done a second time.
//!
//! A backup knows nothing of what came after it. What it says is still to be sent may have been sent;
//! so every text whose time has come is put in doubt: it is looked up at the provider before anything
//! else happens to it, as after a lost answer. And what the backup would call its next message may have
//! had an earlier bearer, so addresses given out for callbacks before name nothing any more.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use dunlin_storage::{
    ArchiveError, BatchError, CommitError, Fault, Head, OpenError, OpenOptions, ReadError, ReadOnlyStore,
    Recurrences, Store, Told, compact, copy_archives,
};
use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::message::{IllegalEvent, StateName, doubt, timer};
use dunlin_workflows::recurrence::{self, Command, Context, Outcome, Skip, Standing, decide};
use dunlin_workflows::rules::Rules;
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;

use crate::backup::{BackupError, check};
use crate::timeline::written;

/// Messages that are put in doubt in one transaction.
const AT_ONCE: usize = 1_000;
/// States of messages that are still to be sent.
const UNSENT: [StateName; 3] = [StateName::Accepted, StateName::Held, StateName::Due];
/// What their lives say.
const WHY: &str = "restored from a backup: it may have been sent since";

/// What to do with texts that the backup says are still to be sent, and whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsent {
    /// Look each of them up at the provider first.
    LookUp,
    /// Send them, also when they were sent since the backup.
    SendAgain,
}

/// What is put in whose place.
#[derive(Debug)]
pub struct Restore<'a> {
    /// The backup.
    pub backup: &'a Path,
    /// Where the store is to be.
    pub store: &'a Path,
    /// Whether a store that is there may be put aside.
    pub replace: bool,
    /// What to do with texts that may have been sent since.
    pub unsent: Unsent,
    /// The rules in force.
    pub rules: &'a Rules,
    /// Keys, time, and the new key of callback addresses.
    pub options: &'a OpenOptions,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The head of the backup's journal.
    pub backup_head: Head,
    /// The head of the restored one, which continues it.
    pub head: Head,
    /// How many records the backup's journal holds.
    pub records: u64,
    /// How many texts will be looked up before they are sent.
    pub in_doubt: u64,
    /// Where the store is now that was there before.
    pub put_aside: Option<PathBuf>,
}

/// Nothing was restored, and nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A store is there.
    #[error("{path:?} is there already; to put it aside and the backup in its place, add --replace")]
    Exists {
        /// The store.
        path: PathBuf,
    },
    /// A file can't be used.
    #[error("{path:?}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The backup or the store can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The backup is none.
    #[error("the backup is not usable: {0}")]
    Backup(#[from] BackupError),
    /// An archive that belongs to the backup can't be copied.
    #[error("an archive that belongs to the backup can't be copied: {0}; archives lie beside their backup")]
    Archives(#[from] ArchiveError),
    /// The backup can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A text can't be put in doubt.
    #[error("the restored copy can't be written: {0}")]
    Commit(#[from] CommitError<DoubtError>),
    /// The restored copy can't be written.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A text can't be put in doubt.
#[derive(Debug, thiserror::Error)]
pub enum DoubtError {
    /// It can't be written.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// It does not fit its life.
    #[error(transparent)]
    Illegal(#[from] IllegalEvent),
    /// A recurrence can't go on.
    #[error(transparent)]
    Recurrence(#[from] recurrence::Rejection),
}

/// Verifies the backup and puts it in the store's place; the store that was there stays beside it.
///
/// # Errors
/// [`RestoreError`]; then the store that was there is in its place still.
pub fn restore(restore: &Restore<'_>) -> Result<Restored, RestoreError> {
    let (store, options) = (restore.store, restore.options);
    let is_there = store.try_exists().map_err(failed(store))?;
    if is_there && !restore.replace {
        return Err(RestoreError::Exists { path: store.to_owned() });
    }
    // Whatever else is wrong with it is why somebody restores. While it is held no daemon starts on it.
    let _held = match ReadOnlyStore::open(store, options.cache_bytes, None) {
        Err(error @ OpenError::InUse { .. }) => return Err(error.into()),
        held => held.ok(),
    };
    let directory = store.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed(directory))?;
    let draft = beside(store, "restoring");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&draft)(error)),
        Ok(()) | Err(_) => {}
    }
    let restored = prepare(restore, &draft).and_then(|restored| {
        let put_aside = is_there.then(|| beside(store, &aside(options.now)));
        if let Some(aside) = &put_aside {
            // A second name, so that at no instant there is no store: a daemon would make a new one.
            fs::hard_link(store, aside).map_err(failed(aside))?;
        }
        fs::rename(&draft, store).map_err(failed(store))?;
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed(directory))?;
        Ok(Restored { put_aside, ..restored })
    });
    if restored.is_err() {
        // The first error says more than a second one.
        drop(fs::remove_file(&draft));
    }
    restored
}

/// Copies the backup to `draft`, verifies it, and makes it safe to go on with.
fn prepare(restore: &Restore<'_>, draft: &Path) -> Result<Restored, RestoreError> {
    let options = restore.options;
    let backup_head = match ReadOnlyStore::open(restore.backup, options.cache_bytes, None) {
        Err(OpenError::OlderFormat { .. }) => upgraded(restore.backup, draft, options)?,
        backup => {
            let backup = backup?;
            let from = restore.backup.parent().unwrap_or(Path::new("."));
            let to = draft.parent().unwrap_or(Path::new("."));
            copy_archives(&backup.reader()?.segments()?, from, to)?;
            backup.copy_to(draft, options.cache_bytes)?
        }
    };
    let records = check(draft, backup_head, options.cache_bytes)?;
    let (store, _) = Store::open(draft, options)?;
    let in_doubt = match restore.unsent {
        Unsent::LookUp => {
            pass_over_ticks(&store, options.now)?;
            put_in_doubt(&store, restore.rules, options.now)?
        }
        Unsent::SendAgain => 0,
    };
    store.renew_callback_key(options.callback_key)?;
    let head = store.head();
    store.close()?;
    check(draft, head, options.cache_bytes)?;
    Ok(Restored { backup_head, head, records, in_doubt, put_aside: None })
}

/// Copies a backup of an older format to `draft`, brings it up to today's, and leaves nothing of the older
/// one in free pages.
fn upgraded(backup: &Path, draft: &Path, options: &OpenOptions) -> Result<Head, RestoreError> {
    fs::copy(backup, draft).map_err(failed(draft))?;
    fs::set_permissions(draft, Permissions::from_mode(0o600)).map_err(failed(draft))?;
    let (store, report) = Store::open(draft, options)?;
    store.close()?;
    compact(draft, options.cache_bytes)?;
    Ok(report.head)
}

/// Journals for every text that may have been sent since the backup an attempt whose outcome is lost.
fn put_in_doubt(store: &Store, rules: &Rules, now: Timestamp) -> Result<u64, RestoreError> {
    let reader = store.reader()?;
    let last = reader.last_seq()?;
    // Nothing that is unsent here was sent before the backup's newest record.
    let since = if last.get() == 0 { now } else { reader.record(last)?.at.min(now) };
    drop(reader);
    let mut in_doubt = 0_u64;
    for state in UNSENT {
        let mut after = MessageNumber::new(0);
        loop {
            let reader = store.reader()?;
            let numbers = reader.numbers_in(state, after, AT_ONCE)?;
            let Some(last) = numbers.last() else { break };
            after = *last;
            let mut doubtful = Vec::new();
            for number in numbers {
                let Some(message) = reader.message(number)?.map(|row| row.message) else { continue };
                doubtful.extend(doubt(&message, WHY, now).map(|events| (number, message, events)));
            }
            drop(reader);
            store.commit(|batch| {
                for (number, message, (started, lost)) in &doubtful {
                    let mut after = message.clone();
                    started.iter().try_for_each(|event| after.apply(event, since))?;
                    batch.record(*number, since, Source::Recovery, started, &after, timer(&after, rules))?;
                    after.apply(lost, now)?;
                    batch.record(
                        *number,
                        now,
                        Source::Recovery,
                        std::slice::from_ref(lost),
                        &after,
                        timer(&after, rules),
                    )?;
                }
                Ok::<_, DoubtError>(())
            })?;
            in_doubt = in_doubt.saturating_add(u64::try_from(doubtful.len()).unwrap_or(u64::MAX));
        }
    }
    Ok(in_doubt)
}

/// Texts of recurrences that came since are not in the backup, so nobody can look them up: their ticks are
/// passed over.
fn pass_over_ticks(store: &Store, now: Timestamp) -> Result<(), RestoreError> {
    let mut after = 0;
    loop {
        let found = store.reader()?.instances::<Recurrences>(after, AT_ONCE)?;
        let Some((last, _)) = found.last() else { return Ok(()) };
        after = *last;
        store.commit(|batch| {
            for (number, known) in &found {
                let Some(Standing::Active(armed)) = known.as_ref().map(|known| known.standing) else {
                    continue;
                };
                if armed.tick.at > now {
                    continue;
                }
                let ticked = Some((armed.tick.wall, Outcome::Skipped(Skip::Restored)));
                let context = Context { now, zone: Some(armed.zone), position: 0, reason: None };
                let mut known = known.clone();
                for event in decide(known.clone().as_ref(), &Command::Wake { ticked }, &context)? {
                    event.apply_to(&mut known, now);
                    let by = Source::Recovery.into();
                    let told =
                        Told::<Recurrences> { at: now, by, event: &event, after: &known, secret: None };
                    batch.record_instance(*number, &told)?;
                }
            }
            Ok::<_, DoubtError>(())
        })?;
    }
}

fn aside(now: Timestamp) -> String {
    format!("before-{}", written(now).replace(':', "-"))
}

fn beside(store: &Path, suffix: &str) -> PathBuf {
    let mut name = store.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{suffix}"));
    store.with_file_name(name)
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> RestoreError {
    let path = path.to_owned();
    |source| RestoreError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dunlin_storage::{Entropy, Keyring, NEWCOMERS_MAX};

    use super::*;

    #[test]
    fn backup_of_the_first_format_is_restored_in_todays() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("data/dunlin.redb");
        let options = OpenOptions {
            now: Timestamp::EPOCH,
            cache_bytes: 1 << 20,
            callback_key: [9; 32],
            keys: Arc::new(Keyring::generate(&Entropy::seeded(1)).unwrap()),
            entropy: Entropy::seeded(1),
            check_integrity: false,
            newcomers_max: NEWCOMERS_MAX,
        };
        let wanted = Restore {
            backup: Path::new("storage/tests/fixtures/store-v1.redb"),
            store: &store,
            replace: false,
            unsent: Unsent::LookUp,
            rules: &Rules::default(),
            options: &options,
        };
        let restored = restore(&wanted).unwrap();
        assert!(restored.records > 0 && restored.put_aside.is_none(), "{restored:?}");
        let (opened, report) = Store::open(&store, &options).unwrap();
        assert_eq!((report.head, report.upgraded_from), (restored.head, None));
        assert_eq!(opened.callback_key(), &[9; 32]);
        let again = restore(&wanted);
        assert!(matches!(again, Err(RestoreError::Exists { .. })), "{again:?}");
    }
}
