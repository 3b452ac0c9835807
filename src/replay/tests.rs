//! A store, its export and damaged copies of both, replayed.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers, and an overflow fails the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dunlin_storage::recovery::{Flaw, Until};
use dunlin_storage::{
    BatchError, Entropy, JournalSeq, Keyring, LaneNumber, NEWCOMERS_MAX, OpenOptions, RawRecord, RecordError,
    Store,
};
use dunlin_workflows::body::Body;
use dunlin_workflows::id::{Attempt, MessageId, MessageNumber, PersonNumber, ProviderSid};
use dunlin_workflows::lane::{Lane, Silence};
use dunlin_workflows::message::{
    self, Cause, Command, Context, Failure, Lease, Message, OnUnknown, Outcome, Priority, ProviderStatus,
    Report, Request, StateName, Via,
};
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::policy::STRANGER;
use dunlin_workflows::rules::Rules;
use dunlin_workflows::source::Source;
use dunlin_workflows::timestamp::Timestamp;
use tempfile::TempDir;

use crate::replay::comparison::Comparisons;
use crate::replay::export::export;
use crate::replay::lives::lives;
use crate::replay::recording::{Recording, RecordingError};
use crate::replay::tally::Tally;
use crate::replay::what_if_file::WhatIf;
use crate::timeline::{Recipient, Timeline};

const BEGIN: i64 = 1_795_510_800_000;
const FIRST: Attempt = Attempt::new(1);

/// A store in which a little happened, one thing after the other.
struct Town {
    dir: TempDir,
    store: Store,
    rules: Rules,
    now: Timestamp,
}

impl Town {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let now = at(0);
        let options = OpenOptions {
            now,
            cache_bytes: 1 << 20,
            callback_key: [9; 32],
            keys: keys(),
            entropy: Entropy::seeded(1),
            check_integrity: false,
            newcomers_max: NEWCOMERS_MAX,
        };
        let (store, _report) = Store::open(&dir.path().join("dunlin.redb"), &options).unwrap();
        Self { dir, store, rules: Rules::default(), now }
    }

    fn context(&self) -> Context<'_> {
        Context { now: self.now, rules: &self.rules, recipient: &STRANGER, lease: Lease::InForce, jitter: 0 }
    }

    fn accept(&mut self, ms: i64, id: u8, scheduled_ms: Option<i64>) -> MessageNumber {
        self.now = at(ms);
        let asked = request(id, scheduled_ms.map(at));
        // Everybody in this town has the same number.
        let events = message::accept(asked.terms(PersonNumber::new(1), None), &self.context()).unwrap();
        let mut after = Message::begin(&events[0], self.now).unwrap();
        after.apply(&events[1], self.now).unwrap();
        let timer = message::timer(&after, &self.rules);
        let create = |batch: &mut dunlin_storage::Batch<'_>| {
            batch.person(asked.to)?;
            batch.create(self.now, Source::Api, &asked, &events, &after, timer)
        };
        self.store.commit(create).unwrap()
    }

    fn command(&mut self, ms: i64, number: MessageNumber, source: Source, command: &Command) -> &mut Self {
        self.now = at(ms);
        let before = self.store.reader().unwrap().message(number).unwrap().unwrap().message;
        let events = message::decide(&before, command, &self.context()).unwrap();
        let mut after = before;
        for event in &events {
            after.apply(event, self.now).unwrap();
        }
        let timer = message::timer(&after, &self.rules);
        self.store.commit(|batch| batch.record(number, self.now, source, &events, &after, timer)).unwrap();
        self
    }

    fn lane(&mut self, refusal: Option<&Failure>) {
        let lane = self.store.reader().unwrap().lane(LaneNumber::FIRST).unwrap();
        let outcome = match refusal {
            Some(failure) => {
                Outcome::Refused { cause: failure.cause, detail: failure.detail.clone(), retry_after: None }
            }
            None => Outcome::Taken { sid: sid(9), status: ProviderStatus::Queued },
        };
        let heard = lane.hear(&outcome, &mut Silence::default(), &self.context()).unwrap();
        let mut after: Lane = lane;
        after.apply(&heard);
        let record = |batch: &mut dunlin_storage::Batch<'_>| -> Result<(), BatchError> {
            batch.record_lane(LaneNumber::FIRST, self.now, Source::Dispatcher, &heard, &after)
        };
        self.store.commit(record).unwrap();
    }

    fn stop(self) -> Stopped {
        self.store.close().unwrap();
        Stopped { dir: self.dir, ends_at: self.now }
    }
}

/// A store that no process has open.
struct Stopped {
    dir: TempDir,
    ends_at: Timestamp,
}

impl Stopped {
    fn recording(&self) -> Recording {
        Recording::open(self.dir.path(), Some(keys())).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn raw(&self, seq: u64) -> RawRecord {
        self.recording().records(JournalSeq::new(seq - 1)).unwrap().next().unwrap().unwrap()
    }
}

fn keys() -> Arc<Keyring> {
    Arc::new(Keyring::generate(&Entropy::seeded(1)).unwrap())
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(BEGIN.saturating_add(ms))
}

fn request(id: u8, scheduled_for: Option<Timestamp>) -> Request {
    Request {
        id: MessageId::from_bytes([id; 16]),
        to: PhoneNumber::parse("+4512345678", None).unwrap(),
        body: Body::parse(format!("hello {id}")).unwrap(),
        priority: Priority::Normal,
        scheduled_for,
        expires_at: None,
        on_unknown: OnUnknown::Hold,
        user_id: None,
        metadata: None,
        retry_of: None,
        kind: None,
        template: None,
        may_bypass: false,
        is_claimed: false,
    }
}

fn sid(number: u32) -> ProviderSid {
    format!("SM{number:032x}").parse().unwrap()
}

fn taken(attempt: Attempt, number: u32) -> Command {
    Command::Conclude {
        attempt,
        outcome: Outcome::Taken { sid: sid(number), status: ProviderStatus::Queued },
    }
}

fn refused(http_status: u16, code: u32) -> Command {
    let cause = Cause::Refused { http_status, code: Some(code) };
    let outcome = Outcome::Refused { cause, detail: "refused".into(), retry_after: None };
    Command::Conclude { attempt: FIRST, outcome }
}

fn delivered(number: u32) -> Command {
    let report =
        Report { sid: sid(number), status: ProviderStatus::Delivered, code: None, via: Via::Callback };
    Command::Report { attempt: None, report }
}

/// Six messages: delivered, canceled, refused for good, delivered after a busy lane, in doubt for
/// good, and delivered at the second attempt.
fn town() -> Town {
    use Source::{Api, Dispatcher, Lookup, Timer, Webhook};
    let mut town = Town::new();
    let first = town.accept(0, 1, None);
    let second = town.accept(1, 2, Some(3_600_000));
    let third = town.accept(2, 3, None);
    let fourth = town.accept(3, 4, None);
    let fifth = town.accept(4, 5, None);
    let sixth = town.accept(5, 6, None);
    town.command(100, first, Dispatcher, &Command::Begin)
        .command(100, third, Dispatcher, &Command::Begin)
        .command(100, fourth, Dispatcher, &Command::Begin)
        .command(250, first, Dispatcher, &taken(FIRST, 1))
        .command(260, third, Dispatcher, &refused(400, 21610))
        .command(300, fourth, Dispatcher, &refused(429, 20429));
    town.lane(Some(&Failure::classified(Cause::Refused { http_status: 429, code: Some(20429) }, "busy").0));
    town.command(1_000, second, Api, &Command::Cancel)
        .command(1_250, first, Webhook, &delivered(1))
        .command(10_000, fourth, Timer, &Command::Wake)
        .command(10_001, fourth, Dispatcher, &Command::Begin)
        .command(10_201, fourth, Dispatcher, &taken(FIRST.next(), 4));
    town.lane(None);
    let lost = Command::Conclude { attempt: FIRST, outcome: Outcome::Lost { detail: "no answer".into() } };
    let nothing = Command::Resolve { attempt: FIRST, found: None };
    let not_connected =
        Outcome::Refused { cause: Cause::NotConnected, detail: "no route".into(), retry_after: None };
    town.command(11_000, fourth, Webhook, &delivered(4))
        .command(11_001, fifth, Dispatcher, &Command::Begin)
        .command(11_001, sixth, Dispatcher, &Command::Begin)
        .command(11_100, sixth, Dispatcher, &Command::Conclude { attempt: FIRST, outcome: not_connected })
        .command(13_600, sixth, Timer, &Command::Wake)
        .command(13_601, sixth, Dispatcher, &Command::Begin)
        .command(13_900, sixth, Dispatcher, &taken(FIRST.next(), 6))
        .command(15_900, sixth, Webhook, &delivered(6))
        .command(26_001, fifth, Dispatcher, &lost)
        .command(56_100, fifth, Lookup, &nothing)
        .command(146_100, fifth, Lookup, &nothing)
        .command(626_100, fifth, Lookup, &nothing);
    town
}

/// Writes the export of a store to `path`.
fn exported(stopped: &Stopped, path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    export(&stopped.recording(), JournalSeq::START, &mut file).unwrap();
}

#[test]
fn replay_of_a_store_equals_its_projections() {
    let stopped = town().stop();
    let recording = stopped.recording();
    let tally = Tally::of(&recording, Until::End).unwrap();
    assert!(tally.is_sound(), "{tally}");
    assert!(tally.stored.is_some());
    let totals = recording.reader().unwrap().unwrap().totals().unwrap();
    assert_eq!(tally.states, totals.into_iter().filter(|(_, total)| *total > 0).collect());
    insta::assert_snapshot!(tally);
}

#[test]
fn replay_of_an_export_gives_the_same_totals() {
    let stopped = town().stop();
    let path = stopped.path("export.jsonl");
    exported(&stopped, &path);
    let exported = Tally::of(&Recording::open(&path, Some(keys())).unwrap(), Until::End).unwrap();
    let stored = Tally::of(&stopped.recording(), Until::End).unwrap();
    assert!(exported.is_sound());
    assert_eq!(exported, Tally { stored: None, ..stored });
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains("12345678"), "numbers are masked in the readable fields");
    insta::assert_snapshot!(text.lines().take(3).collect::<Vec<_>>().join("\n"));
}

#[test]
fn every_line_of_an_export_names_its_message_wherever_it_begins() {
    let stopped = town().stop();
    let mut lines = Vec::new();
    assert_eq!(export(&stopped.recording(), JournalSeq::new(30), &mut lines).unwrap(), 9);
    let lines = String::from_utf8(lines).unwrap();
    assert!(lines.starts_with("{\"seq\":30,"), "{lines}");
    let of_messages = lines.lines().filter(|line| line.contains("\"kind\":\"message\""));
    assert!(of_messages.clone().count() > 0);
    assert!(of_messages.into_iter().all(|line| line.contains("\"message_id\":\"0")), "{lines}");
}

#[test]
fn every_flipped_byte_of_an_export_is_reported_with_its_position() {
    let stopped = town().stop();
    let path = stopped.path("export.jsonl");
    exported(&stopped, &path);
    let text = fs::read_to_string(&path).unwrap();
    for seq in [1, 7, 20] {
        let raw = stopped.raw(seq);
        for place in 0..raw.bytes.len() {
            let mut damaged = raw.clone();
            damaged.bytes[place] ^= 0x40;
            let (good, bad) = (STANDARD.encode(&raw.bytes), STANDARD.encode(&damaged.bytes));
            fs::write(&path, text.replace(&good, &bad)).unwrap();
            let tally = Tally::of(&Recording::open(&path, Some(keys())).unwrap(), Until::End).unwrap();
            assert!(!tally.is_sound());
            let (at, flaw) = &tally.flaws[0];
            assert_eq!(at.get(), seq);
            assert!(matches!(flaw, Flaw::Unreadable(_)), "byte {place}: {flaw}");
        }
    }
}

#[test]
fn damaged_record_survives_an_export_as_it_is() {
    let stopped = town().stop();
    let (first, second) = (stopped.path("first.jsonl"), stopped.path("second.jsonl"));
    exported(&stopped, &first);
    let good = STANDARD.encode(stopped.raw(7).bytes);
    let text = fs::read_to_string(&first).unwrap().replace(&good, "AAAA");
    fs::write(&first, &text).unwrap();
    let mut again = fs::File::create(&second).unwrap();
    export(&Recording::open(&first, Some(keys())).unwrap(), JournalSeq::START, &mut again).unwrap();
    let replayed =
        |path: &Path| Tally::of(&Recording::open(path, Some(keys())).unwrap(), Until::End).unwrap();
    assert_eq!(replayed(&first), replayed(&second));
    let line = fs::read_to_string(&second).unwrap().lines().nth(6).unwrap().to_owned();
    assert!(line.starts_with("{\"seq\":7,\"flaw\":\"3 bytes are too few"), "{line}");
}

#[test]
fn flipped_byte_in_a_store_is_reported_with_its_position() {
    let stopped = town().stop();
    let record = stopped.raw(7).bytes;
    let file = stopped.path("dunlin.redb");
    let mut bytes = fs::read(&file).unwrap();
    let places: Vec<usize> = bytes
        .windows(record.len())
        .enumerate()
        .filter(|(_, found)| *found == record)
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty());
    for place in places {
        bytes[place + record.len() - 1] ^= 1;
    }
    fs::write(&file, bytes).unwrap();
    let tally = Tally::of(&stopped.recording(), Until::End).unwrap();
    let (seq, flaw) = &tally.flaws[0];
    assert_eq!(seq.get(), 7);
    assert!(matches!(flaw, Flaw::Unreadable(RecordError::WrongChecksum { .. })), "{flaw}");
    assert!(tally.to_string().contains("record 7: the checksum is"), "{tally}");
}

#[test]
fn missing_and_impossible_records_are_reported() {
    let stopped = town().stop();
    let path = stopped.path("export.jsonl");
    exported(&stopped, &path);
    let lines: Vec<String> = fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    let without = [&lines[..13], &lines[14..]].concat().join("\n");
    fs::write(&path, without).unwrap();
    let tally = Tally::of(&Recording::open(&path, Some(keys())).unwrap(), Until::End).unwrap();
    let flaws: Vec<String> = tally.flaws.iter().map(|(seq, flaw)| format!("{seq}: {flaw}")).collect();
    insta::assert_snapshot!(flaws.join("\n"));
}

#[test]
fn what_is_no_export_is_refused_by_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.txt");
    fs::write(&path, "{\"seq\":1,\"record\":\"AAAA\"}\nhello\n").unwrap();
    let recording = Recording::open(&path, Some(keys())).unwrap();
    let error = Tally::of(&recording, Until::End).unwrap_err();
    assert!(matches!(error, RecordingError::Line { line: 2, .. }), "{error}");
    assert!(matches!(Recording::open(dir.path(), Some(keys())), Err(RecordingError::NoStore { .. })));
}

#[test]
fn time_travel_shows_the_state_as_it_was() {
    let stopped = town().stop();
    let recording = stopped.recording();
    let states = |until| Tally::of(&recording, until).unwrap().states.into_iter().collect::<Vec<_>>();
    assert_eq!(states(Until::Seq(JournalSeq::new(12))), [(StateName::Held, 1), (StateName::Due, 5)]);
    assert_eq!(
        states(Until::Time(at(1_249))),
        [
            (StateName::Held, 1),
            (StateName::Due, 2),
            (StateName::Submitted, 1),
            (StateName::Failed, 1),
            (StateName::Canceled, 1)
        ]
    );
    assert_eq!(states(Until::Time(at(-1))), []);
    let then = Tally::of(&recording, Until::Time(at(1_250))).unwrap();
    assert_eq!(then.states.get(&StateName::Delivered), Some(&1));
    assert_eq!(then.stored, None);
}

#[test]
fn a_life_can_be_told_as_of_any_time() {
    let stopped = town().stop();
    let recording = stopped.recording();
    let id = MessageId::from_bytes([4; 16]);
    let told = |until| {
        let found = lives(&recording, until, Some(id)).unwrap();
        Timeline::of(
            &found.lives[0].entries,
            &Recipient::Known(request(1, None).to),
            found.ends_at,
            &Rules::default(),
        )
        .to_string()
    };
    insta::assert_snapshot!(told(Until::Time(at(5_000))));
    assert!(told(Until::End).ends_with("next: nothing; delivered is final"));
    let nobody = MessageId::from_bytes([77; 16]);
    assert!(lives(&recording, Until::End, Some(nobody)).unwrap().lives.is_empty());
}

#[test]
fn other_rules_are_compared_with_what_happened() {
    let stopped = town().stop();
    let lives = lives(&stopped.recording(), Until::End, None).unwrap();
    assert_eq!(lives.ends_at, stopped.ends_at);
    let rules = Rules::default();
    let what_if = WhatIf::read("DUNLIN_RETRY_ATTEMPTS = 1\nexpires_after = 5s", &rules).unwrap();
    insta::assert_snapshot!(Comparisons::of(&lives, &rules, &what_if).text(20));
}

#[test]
fn killed_store_is_read_from_a_repaired_copy() {
    let town = town();
    let killed = tempfile::tempdir().unwrap();
    let file = killed.path().join("dunlin.redb");
    fs::copy(town.dir.path().join("dunlin.redb"), &file).unwrap();
    let before = fs::read(&file).unwrap();
    assert!(
        matches!(Recording::open(town.dir.path(), Some(keys())), Err(RecordingError::Open(_))),
        "its daemon runs"
    );
    let recording = Recording::open(killed.path(), Some(keys())).unwrap();
    assert!(recording.is_repaired_copy());
    assert!(Tally::of(&recording, Until::End).unwrap().is_sound());
    assert!(fs::read(&file).unwrap() == before, "the file itself is untouched");
}

#[test]
fn latency_of_a_scheduled_message_counts_from_its_schedule() {
    let mut town = Town::new();
    let number = town.accept(0, 1, Some(60_000));
    town.command(60_000, number, Source::Timer, &Command::Wake)
        .command(60_010, number, Source::Dispatcher, &Command::Begin)
        .command(60_200, number, Source::Dispatcher, &taken(FIRST, 1))
        .command(61_000, number, Source::Webhook, &delivered(1));
    let tally = Tally::of(&town.stop().recording(), Until::End).unwrap();
    assert_eq!((tally.submitted.max_ms, tally.delivered.max_ms), (200, 1_000));
}
