//! Consent as stored: the fold of its records, and never forgotten with the person.

use dunlin_storage::{
    ArchiveRequest, Batch, BatchError, By, Entropy, JournalSeq, LaneNumber, OpenOptions, Store,
};
use dunlin_workflows::consent::{Command, Consent, How, Inbound, Line, Standing, decide};
use dunlin_workflows::id::{PersonNumber, ProviderSid};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;

use crate::disk::Disk;
use crate::opening::options;
use crate::story::{at, lane_events, recipient, tell};
use crate::verifying::assert_sound;

const WORDS: &str = "No more, please! stop";

fn sid(n: u32) -> ProviderSid {
    format!("SM{n:032x}").parse().unwrap()
}

/// What the engine does with something that is told of a person.
fn told(batch: &mut Batch<'_>, to: PhoneNumber, command: &Command) -> Result<PersonNumber, BatchError> {
    let person = batch.person(to)?;
    let mut after = batch.consent(person)?;
    let words = if let Command::Hear(inbound) = command { Some(&*inbound.words) } else { None };
    for event in decide(&after, command, None, at(0)).unwrap() {
        after.apply(&event);
        batch.record_consent(person, at(0), Source::Webhook, &event, &after, words)?;
    }
    Ok(person)
}

fn hear(store: &Store, to: PhoneNumber, n: u32, words: &str) -> PersonNumber {
    let inbound = Inbound { sid: sid(n), words: words.into(), line: Line::LongCode, opt_out_type: None };
    store.commit(|batch| told(batch, to, &Command::Hear(inbound))).unwrap()
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn what_they_wrote_is_kept_sealed_and_reads_back_until_they_are_erased() {
    let disk = Disk::default();
    let (store, _) = disk.open(&options()).unwrap();
    let stranger = PhoneNumber::parse("+14155550199", None).unwrap();
    let person = hear(&store, stranger, 1, WORDS);
    assert!(!holds(&disk.bytes(), WORDS.as_bytes()));
    assert!(!holds(&disk.bytes(), &stranger.digits().to_le_bytes()));
    let reader = store.reader().unwrap();
    let records = reader.consent_records(JournalSeq::START, 10, Some(person)).unwrap();
    assert_eq!(reader.words(&records[0]).unwrap().as_deref(), Some(WORDS));
    assert_eq!(reader.reviews(PersonNumber::new(0), 10).unwrap(), [person]);
    assert_eq!(reader.heard(sid(1)).unwrap().as_ref(), Some(&records[0]));
    assert_sound(&reader);
    drop(reader);
    store.commit(|batch| batch.erase(person, at(1), Source::Cli, None)).unwrap();
    let reader = store.reader().unwrap();
    assert_eq!(reader.words(&records[0]).unwrap(), None);
    assert_eq!(reader.number_of(person).unwrap(), None);
    assert_sound(&reader);
}

#[test]
fn opt_out_outlives_the_erasure_of_whoever_said_it() {
    let disk = Disk::default();
    let (store, _) = disk.open(&options()).unwrap();
    let stranger = PhoneNumber::parse("+14155550199", None).unwrap();
    let erased = hear(&store, stranger, 1, "STOP");
    store.commit(|batch| batch.erase(erased, at(1), Source::Cli, None)).unwrap();
    let remembered = Standing::OptedOut { since: at(0), how: How::Memory };
    assert_eq!(store.reader().unwrap().consent_of(stranger).unwrap().standing, remembered);
    let (met, since) = store
        .commit(|batch| {
            let met = batch.person(stranger)?;
            let since = batch.erased_opt_out(met)?;
            told(batch, stranger, &Command::Remember { since: since.unwrap_or(Timestamp::MAX) })?;
            Ok::<_, BatchError>((met, since))
        })
        .unwrap();
    assert_eq!(since, Some(at(0)));
    assert_ne!(met, erased, "nobody gets the number of somebody erased");
    let reader = store.reader().unwrap();
    assert_eq!(reader.consent(met).unwrap().standing, remembered);
    assert_sound(&reader);
    drop(reader);
    store.commit(|batch| batch.erase(met, at(2), Source::Cli, None)).unwrap();
    drop(store);
    let (store, _) = disk.open(&options()).unwrap();
    assert!(store.reader().unwrap().consent_of(stranger).unwrap().standing.is_out());
    assert_sound(&store.reader().unwrap());
}

/// A restored store gives numbers again that were given since its backup: an old link must not opt somebody else out.
#[test]
fn link_names_a_person_until_they_are_erased_and_nobody_with_their_number_in_another_history() {
    let (ours, theirs) = (Disk::default(), Disk::default());
    let (store, _) = ours.open(&options()).unwrap();
    let (restored, _) = theirs.open(&OpenOptions { entropy: Entropy::seeded(99), ..options() }).unwrap();
    let number = |text| PhoneNumber::parse(text, None).unwrap();
    let ada = hear(&store, number("+14155550199"), 1, "START");
    let eve = hear(&restored, number("+14155550198"), 1, "START");
    assert_eq!(ada, eve, "one number, two persons");
    let token = store.reader().unwrap().opt_out_token(ada).unwrap().unwrap();
    let named = |store: &Store| store.reader().unwrap().person_of_opt_out_token(token).unwrap();
    assert!(store.is_opt_out_token(token) && restored.is_opt_out_token(token), "the same keys made it");
    assert_eq!((named(&store), named(&restored)), (Some(ada), None));
    store.commit(|batch| batch.erase(ada, at(1), Source::Cli, None)).unwrap();
    assert_eq!(named(&store), None);
    assert_eq!(store.reader().unwrap().opt_out_token(ada).unwrap(), None);
}

#[test]
fn person_whom_texts_went_to_before_is_never_mixed_up_with_somebody_new() {
    let disk = Disk::default();
    let (store, _) = disk.open(&options()).unwrap();
    tell(&store, 2);
    let reader = store.reader().unwrap();
    let last = (0..=9).filter_map(|n| reader.person_of(recipient(n)).unwrap()).max().unwrap();
    drop(reader);
    store.commit(|batch| batch.erase(last, at(100), Source::Cli, None)).unwrap();
    let stranger = PhoneNumber::parse("+14155550199", None).unwrap();
    assert!(hear(&store, stranger, 1, "START") > last);
    assert_sound(&store.reader().unwrap());
}

#[test]
fn consent_that_says_something_else_than_its_records_is_found() {
    let disk = Disk::default();
    let (store, _) = disk.open(&options()).unwrap();
    let stranger = PhoneNumber::parse("+14155550199", None).unwrap();
    let person = hear(&store, stranger, 1, "STOP");
    store
        .commit(|batch| {
            let event = dunlin_workflows::consent::Event::HelpAsked { text: sid(2) };
            let by = By::from(Source::Webhook);
            batch.record_consent(person, at(1), by, &event, &Consent::default(), Some("HELP"))
        })
        .unwrap();
    let report = dunlin_storage::recovery::verify(&store.reader().unwrap(), None, |_, _| {}).unwrap();
    let said: Vec<String> = report.first.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["table consents: it differs from the records of person 1"]);
}

#[test]
fn file_of_format_2_hears_of_consent_once_it_is_upgraded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dunlin.redb");
    std::fs::copy("tests/fixtures/store-v2.redb", &path).unwrap();
    let (store, report) = Store::open(&path, &options()).unwrap();
    assert_eq!((report.format, report.upgraded_from), (4, Some(2)));
    hear(&store, recipient(1), 1, "STOP");
    assert_sound(&store.reader().unwrap());
    store.renew_callback_key([9; 32]).unwrap();
    store.close().unwrap();
    assert_eq!(Store::open(&path, &options()).unwrap().1.format, 4);
}

/// What is known of somebody's consent never depends on an archive.
#[test]
fn stop_is_remembered_in_the_store_after_everything_was_archived() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(&dir.path().join("dunlin.redb"), &options()).unwrap();
    tell(&store, 4);
    hear(&store, recipient(1), 1, "STOP");
    tell_lane(&store);
    store.archive(ArchiveRequest::everything(Timestamp::MAX), &|| true).unwrap();
    std::fs::remove_dir_all(dir.path().join("archives")).unwrap();
    let reader = store.reader().unwrap();
    assert!(reader.consent_of(recipient(1)).unwrap().standing.is_out());
    let records = reader.consent_records(JournalSeq::START, 10, None).unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(reader.words(&records[0]).unwrap().as_deref(), Some("STOP"));
}

/// One more record, since the newest of all is in no archive.
fn tell_lane(store: &Store) {
    let cooled = lane_events().remove(0);
    let cool = |batch: &mut Batch<'_>| {
        let mut lane = batch.lane(LaneNumber::FIRST)?;
        lane.apply(&cooled);
        batch.record_lane(LaneNumber::FIRST, at(99), Source::Dispatcher, &cooled, &lane)
    };
    store.commit(cool).unwrap();
}
