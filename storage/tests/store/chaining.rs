//! Every record extends a chain: whoever noted its head notices when history was rewritten or cut.

use dunlin_storage::recovery::{Problem, VerifyReport, verify};
use dunlin_storage::{Head, JournalSeq, ReadOnlyStore, Record, Store};
use redb::{Database, ReadableTable, TableDefinition, WriteTransaction};

use crate::disk::Disk;
use crate::opening::{CACHE_BYTES, options};
use crate::story::tell;

const JOURNAL: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("journal");
const HEADS: TableDefinition<'_, u8, &[u8]> = TableDefinition::new("heads");

/// Verifies a told store with the head it had, after `harm` changed the file behind its back.
fn verify_after(harm: impl FnOnce(&WriteTransaction)) -> (VerifyReport, Head) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dunlin.redb");
    let (store, _) = Store::open(&path, &options()).unwrap();
    tell(&store, 4);
    let head = store.head();
    store.close().unwrap();
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    harm(&transaction);
    transaction.commit().unwrap();
    drop(database);
    let store = ReadOnlyStore::open(&path, CACHE_BYTES, None).unwrap();
    (verify(&store.reader().unwrap(), Some(head), |_, _| {}).unwrap(), head)
}

/// What somebody does who knows the format: another time in the last record, checksum right.
fn forge_last(transaction: &WriteTransaction) -> Head {
    let mut journal = transaction.open_table(JOURNAL).unwrap();
    let records: Vec<(u64, Vec<u8>)> = journal
        .iter()
        .unwrap()
        .map(|entry| entry.map(|(seq, bytes)| (seq.value(), bytes.value().to_vec())).unwrap())
        .collect();
    let (seq, bytes) = records.last().unwrap();
    let last = Record::decode(JournalSeq::new(*seq), bytes).unwrap();
    let forged = Record { at: last.at.plus(std::time::Duration::from_hours(1)), ..last }.encode().unwrap();
    journal.insert(seq, forged.as_slice()).unwrap();
    let kept = records.iter().take(records.len() - 1);
    let head = kept.fold(Head::empty(), |head, (seq, bytes)| head.extended(JournalSeq::new(*seq), bytes));
    head.extended(JournalSeq::new(*seq), &forged)
}

#[test]
fn head_grows_with_every_commit_and_is_the_same_however_records_are_batched() {
    let heads: Vec<Head> = [1, 3, 1_000]
        .into_iter()
        .map(|together| {
            let (store, report) = Disk::default().open(&options()).unwrap();
            assert_eq!(report.head, Head::empty());
            tell(&store, together);
            assert_eq!(store.head(), store.reader().unwrap().head().unwrap());
            store.head()
        })
        .collect();
    assert_eq!(heads[0], heads[1]);
    assert_eq!(heads[1], heads[2]);
}

#[test]
fn untouched_history_has_the_expected_head() {
    let (report, head) = verify_after(|_| {});
    assert!(report.is_sound(), "{:#?}", report.first);
    assert_eq!(report.head, Some(head));
}

#[test]
fn forged_record_with_a_right_checksum_is_noticed_by_its_head() {
    let (report, head) = verify_after(|transaction| {
        forge_last(transaction);
    });
    let noticed = |problem: &Problem| matches!(problem, Problem::Head { stored, .. } if *stored == head);
    assert!(report.first.iter().any(noticed), "{:#?}", report.first);
}

#[test]
fn forger_who_also_forges_the_head_is_noticed_by_whoever_noted_it() {
    let (report, head) = verify_after(|transaction| {
        let forged = forge_last(transaction).to_string();
        let (seq, hex) = forged.split_once(':').unwrap();
        let mut bytes = seq.parse::<u64>().unwrap().to_le_bytes().to_vec();
        let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        bytes.extend(pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()));
        transaction.open_table(HEADS).unwrap().insert(0, bytes.as_slice()).unwrap();
    });
    let rewritten =
        |problem: &Problem| matches!(problem, Problem::Rewritten { expected, .. } if *expected == head);
    assert!(report.first.iter().any(rewritten), "{:#?}", report.first);
    assert!(!report.first.iter().any(|problem| matches!(problem, Problem::Head { .. })));
}

#[test]
fn journal_that_was_cut_off_is_noticed() {
    let (report, _) = verify_after(|transaction| {
        transaction.open_table(JOURNAL).unwrap().pop_last().unwrap().unwrap();
    });
    let cut = |problem: &Problem| matches!(problem, Problem::Rewritten { found: None, .. });
    assert!(report.first.iter().any(cut), "{:#?}", report.first);
}
