//! What a store and a shared database know each other by.

use dunlin_storage::recovery::verify;
use dunlin_storage::{
    ArchiveRequest, BatchError, Claim, CommitError, DaemonId, JournalSeq, OpenClaim, PullCursor, Reader,
    Store, compact,
};
use dunlin_workflows::id::MessageNumber;
use dunlin_workflows::message::{ProviderStatus, Report, Suspicion, Via};
use dunlin_workflows::timestamp::Timestamp;
use redb::{ReadableTable, TableDefinition};

use crate::opening::options;
use crate::story::{self, carry_out, turns};
use crate::verifying::assert_sound;

fn told(dir: &std::path::Path) -> Store {
    let store = Store::open(&dir.join("dunlin.redb"), &options()).unwrap().0;
    for turn in turns() {
        store.commit(|batch| carry_out(batch, &turn)).unwrap();
    }
    store
}

fn named(store: &Store) -> Result<DaemonId, CommitError<BatchError>> {
    store.commit(|batch| {
        let id = batch.daemon_id()?;
        assert_eq!(batch.daemon_id()?, id, "drawn once");
        Ok(id)
    })
}

#[test]
fn copies_are_the_same_daemon_and_go_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let store = told(dir.path());
    let reader = store.reader().unwrap();
    assert_eq!((reader.daemon_id().unwrap(), reader.pull_cursor().unwrap()), (None, None));
    drop(reader);
    let id = named(&store).unwrap();
    assert_eq!(id.as_bytes()[6] >> 4, 4, "a random UUID");
    let cursor = PullCursor::new(&"c".repeat(PullCursor::BYTES_MAX)).unwrap();
    store.commit(|batch| batch.set_pull_cursor(&cursor)).unwrap();
    store.commit(|batch| batch.set_pushed(JournalSeq::new(11))).unwrap();
    assert_eq!(named(&store).unwrap(), id, "drawn once");
    let claimed = MessageNumber::new(2);
    let known =
        Some(Report { sid: story::sid(9), status: ProviderStatus::Sent, code: Some(1), via: Via::Lookup });
    let claim = Claim { token: [7; 16], suspicion: Some(Suspicion { since: story::at(3), known }) };
    store.commit(|batch| batch.open_claim(claimed, &claim)).unwrap();
    let copy = dir.path().join("copy.redb");
    store.copy_to(&copy, 1 << 20).unwrap();
    compact(&copy, 1 << 20).unwrap();
    let restored = Store::open(&copy, &options()).unwrap().0;
    let copied = restored.reader().unwrap();
    assert_eq!(copied.daemon_id().unwrap(), Some(id));
    assert_eq!(copied.pull_cursor().unwrap(), Some(cursor));
    assert_eq!(copied.pushed().unwrap(), Some(JournalSeq::new(11)));
    let open = |reader: &Reader| reader.open_claims(MessageNumber::new(0), 10).unwrap();
    assert_eq!(open(&copied), [OpenClaim { number: claimed, id: story::id(2), claim }]);
    assert_sound(&copied);
    store.commit(|batch| batch.close_claim(claimed)).unwrap();
    assert_eq!(open(&store.reader().unwrap()), []);
    assert!(PullCursor::new(&"c".repeat(PullCursor::BYTES_MAX + 1)).is_err());
}

#[test]
fn nothing_is_archived_that_the_database_has_not_learned_of() {
    let dir = tempfile::tempdir().unwrap();
    let store = told(dir.path());
    let everything = ArchiveRequest::everything(Timestamp::MAX);
    store.commit(|batch| batch.set_pushed(JournalSeq::START)).unwrap();
    assert_eq!(store.archive(everything, &|| true).unwrap().archives, 0);
    store.commit(|batch| batch.set_pushed(JournalSeq::new(9))).unwrap();
    store.commit(|batch| batch.set_pushed(JournalSeq::new(3))).unwrap();
    assert_eq!(store.archive(everything, &|| true).unwrap().records, 9, "what was learned stays learned");
    let reader = store.reader().unwrap();
    let last = reader.last_seq().unwrap().get();
    let kept = reader.stored_journal(JournalSeq::new(9)).unwrap().map(|raw| raw.unwrap().seq.get());
    assert!(kept.eq(10..=last), "without a gap");
    store.commit(|batch| batch.set_pushed(JournalSeq::new(u64::MAX))).unwrap();
    let reader = store.reader().unwrap();
    assert_eq!(reader.pushed().unwrap(), Some(JournalSeq::new(last)), "what is not there was not learned");
    assert_sound(&reader);
}

#[test]
fn damaged_name_is_found_and_never_drawn_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dunlin.redb");
    let store = told(dir.path());
    named(&store).unwrap();
    store.close().unwrap();
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut sync = transaction.open_table(TableDefinition::<&str, &[u8]>::new("sync")).unwrap();
        let mut row = sync.get("daemon").unwrap().unwrap().value().to_vec();
        *row.last_mut().unwrap() ^= 1;
        sync.insert("daemon", row.as_slice()).unwrap();
        sync.insert("demon", [].as_slice()).unwrap();
    }
    transaction.commit().unwrap();
    drop(database);
    let store = Store::open(&path, &options()).unwrap().0;
    let report = verify(&store.reader().unwrap(), None, |_, _| {}).unwrap();
    let problems: Vec<String> = report.first.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("row daemon of table sync"), "{problems:?}");
    assert_eq!(problems[1], "table sync: its entry demon belongs to nothing");
    assert!(named(&store).is_err());
}
