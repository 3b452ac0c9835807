//! Where the records in the corpus come from: one of every kind, as this version writes it.
//!
//! `DUNLIN_WRITE_CORPUS=1 cargo nextest run --test corpora records` writes those that are missing. A
//! file is never written over: what an older version wrote must stay readable for ever.

use std::fs;
use std::time::Duration;

use dunlin_storage::record::{MESSAGE_RECORD_TYPES, PERSON_RECORD_TYPES};
use dunlin_storage::{ActorNumber, Event, JournalSeq, LaneNumber, PersonEvent, Record};
use dunlin_workflows::alarm::Alarm;
use dunlin_workflows::body::Encoding;
use dunlin_workflows::consent;
use dunlin_workflows::id::{Attempt, MessageId, MessageNumber, PersonNumber};
use dunlin_workflows::lane;
use dunlin_workflows::message;
use dunlin_workflows::source::SOURCES;
use dunlin_workflows::timestamp::Timestamp;

use crate::bodies::fold::event;
use crate::bodies::record::PLACE;
use crate::bodies::tape::{START, Tape};
use crate::corpus;

/// Letters of the tape for one event of each name, and for an acceptance of what was claimed.
const EVENTS: [&[u8]; 27] = [
    b"h02h",
    b"h4-",
    b"d",
    b"s+",
    b"S0a20",
    b"f0r31-",
    b"f0r5-11m0",
    b"l0",
    b"n01",
    b"r4-1",
    b"r7c91",
    b"p3",
    b"u",
    b"t1d",
    b"c",
    b"e",
    b"g",
    b"R7",
    b"k",
    b"xb6",
    b"y",
    b"o+3",
    b"b6",
    b"A12--0",
    b"q+1h",
    b"v",
    b"w",
];

/// What the first versions wrote and only an upgrade reads, to seal it.
const IN_CLEAR: [&str; 2] = ["accepted_v1", "accepted_2_v1"];

/// One record of every kind, by the name of its event, its type version and the layout of its header.
fn records() -> Vec<(String, Vec<u8>)> {
    let newest = Attempt::new(2);
    let mut events = vec![accepted(true), accepted(false)];
    events.extend(EVENTS.map(|letters| (event(&mut Tape(letters), newest), Vec::new())));
    let number = MessageNumber::new(7);
    let of_messages = events.into_iter().map(|(event, sealed)| (Event::Message { number, event }, sealed));
    let failure = Tape(b"r51").failure();
    let lane = LaneNumber::new(1);
    let alarm = Box::new(Alarm { failure: failure.clone(), count: 5, since: START });
    let of_lanes = [
        lane::Event::Cooled { until: START, failure },
        lane::Event::Warmed,
        lane::Event::FailuresRepeated(alarm.clone()),
        lane::Event::FailuresEnded(alarm),
    ];
    let of_lanes = of_lanes.into_iter().map(|event| (Event::Lane { lane, event }, Vec::new()));
    let erased = PersonEvent::Erased { reason: Some("asked to be".parse().unwrap()) };
    let person = PersonNumber::new(3);
    let of_persons = consents().into_iter().map(|(event, sealed)| (PersonEvent::Consent(event), sealed));
    let of_persons = [(erased, Vec::new())].into_iter().chain(of_persons);
    let of_persons = of_persons.map(|(event, sealed)| (Event::Person { person, event }, sealed));
    let mut sources = SOURCES.into_iter().cycle();
    let mut known = std::collections::BTreeMap::new();
    let named = |(event, sealed): (Event, Vec<u8>)| {
        let name = match &event {
            Event::Message { event, .. } => event.name(),
            Event::Lane { event, .. } => event.name(),
            Event::Person { event, .. } => event.name(),
            Event::Instance { event, .. } => event.name(),
        };
        let count = known.entry(name).or_insert(0_u32);
        *count += 1;
        let (source, _) = sources.next().unwrap();
        let previous = (*count == 1).then(|| JournalSeq::new(PLACE - 1));
        let (seq, actor) = (JournalSeq::new(PLACE), ActorNumber::new(*count));
        let record = Record { seq, previous, at: START, source, actor, event, sealed };
        let bytes = record.encode().unwrap();
        let version = bytes[3];
        let layout = bytes[0];
        let name = if *count == 1 { name.to_owned() } else { format!("{name}_{count}") };
        (format!("{name}_v{version}_layout{layout}"), bytes)
    };
    of_messages.chain(of_lanes).chain(of_persons).map(named).collect()
}

/// One of everything that happens to somebody's consent, with words as if sealed where there may be some.
fn consents() -> Vec<(consent::Event, Vec<u8>)> {
    use consent::{Event as E, Finding, How};
    let text = "SM0123456789abcdef0123456789abcdef".parse().unwrap();
    let reason = "told us by phone".parse().ok();
    let sealed = || b"opaque to whoever has no key".to_vec();
    vec![
        (E::OptedOut { since: START, how: How::Keyword, text: Some(text), reason: None }, sealed()),
        (E::OptedIn { since: START, how: How::Command, text: None, reason: reason.clone() }, Vec::new()),
        (E::HelpAsked { text }, sealed()),
        (E::OptOutSuspected { text, since: START }, sealed()),
        (E::ReviewResolved { text, finding: Finding::NotOne, reason }, Vec::new()),
    ]
}

/// An acceptance with all that a wish may say, or with as little as it may, and its text as if sealed.
fn accepted(all: bool) -> (message::Event, Vec<u8>) {
    let mut terms = Tape(if all { b"101h2h1" } else { b"12--0" }).terms();
    if all {
        terms.retry_of = Some(MessageId::from_bytes([9; 16]));
        terms.expires_at = Some(Timestamp::MAX);
        terms.encoding = Encoding::Ucs2;
    } else {
        terms.scheduled_for = Some(START.minus(Duration::from_secs(1)));
    }
    let sealed = if all { b"opaque to whoever has no key".to_vec() } else { vec![0; 44] };
    (message::Event::Accepted { terms: Box::new(terms) }, sealed)
}

#[test]
fn corpus_has_records_of_every_kind_and_version() {
    let folder = corpus::folder().join("corpus/record");
    if std::env::var_os("DUNLIN_WRITE_CORPUS").is_some() {
        fs::create_dir_all(&folder).unwrap();
        for (name, bytes) in records() {
            if !folder.join(&name).exists() {
                fs::write(folder.join(&name), bytes).unwrap();
            }
        }
    }
    let kept = corpus::of("record");
    for (name, _) in records() {
        assert!(
            kept.iter().any(|(known, _)| *known == name),
            "{name} is missing; see above for how to write it"
        );
    }
    for (_, name) in MESSAGE_RECORD_TYPES.into_iter().chain(PERSON_RECORD_TYPES) {
        assert!(kept.iter().any(|(known, _)| known.starts_with(name)), "there is no {name}");
    }
}

#[test]
fn what_any_version_wrote_is_read_for_ever_unless_it_is_in_clear() {
    for (name, bytes) in corpus::of("record").iter().filter(|(name, _)| name.contains("_v")) {
        let read = Record::decode(JournalSeq::new(PLACE), bytes);
        assert_eq!(read.is_err(), IN_CLEAR.contains(&name.as_str()), "{name}: {read:?}");
    }
}
