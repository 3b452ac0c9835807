//! One decision of the gate with everything in force, and with nothing.
//!
//! `cargo bench --bench gate`. The aim is 5 microseconds at most.

#![expect(clippy::expect_used, reason = "a bench may end by panicking")]

use std::sync::Arc;
use std::time::Duration;

use divan::{Bencher, black_box};
use dunlin_workflows::message::Priority;
use dunlin_workflows::phone_number::PhoneNumber;
use dunlin_workflows::policy::{Block, Case, Flow, Limits, Rate, Recipient, Ruling, Stream, Usage, judge};
use dunlin_workflows::rules::Rules;
use dunlin_workflows::timestamp::Timestamp;
use dunlin_workflows::user::Preferences;
use dunlin_workflows::zone::{Hours, LocalTime, Zone};

/// 2026-11-24T18:00:00Z: in Chicago noon.
const NOON_MS: i64 = 1_795_543_200_000;
const RATE: Rate =
    Rate { per_minute: Some(1_000_000), per_hour: Some(10_000_000), per_day: Some(100_000_000) };

fn main() {
    divan::main();
}

fn noon() -> Timestamp {
    Timestamp::from_millis(NOON_MS)
}

/// A stream in which every bucket of the last minute, hour and day holds something.
fn full() -> Arc<Flow> {
    let mut flow = Flow::default();
    let ago = |seconds| noon().minus(Duration::from_secs(seconds));
    let days = (0_u64..48).map(|half| half.saturating_mul(1800));
    let hours = (0_u64..60).map(|minute| minute.saturating_mul(60));
    let mut all: Vec<u64> = days.chain(hours).chain(0..60).collect();
    all.sort_unstable();
    all.into_iter().rev().for_each(|seconds| flow.count(ago(seconds), RATE));
    Arc::new(flow)
}

fn hours(start: u16, end: u16) -> Hours {
    let time = |hour: u16| LocalTime::from_minute(hour.saturating_mul(60)).expect("a time");
    Hours { start: time(start), end: time(end) }
}

fn judged(bencher: Bencher<'_, '_>, rules: &Rules, recipient: &Recipient) {
    bencher.bench_local(|| {
        let case = Case {
            now: black_box(noon()),
            rules,
            recipient,
            kind: None,
            priority: Priority::Normal,
            may_bypass: false,
            scheduled_for: None,
            expires_at: None,
            is_counted: false,
            has_turn: false,
        };
        let ruling = judge(black_box(&case));
        assert_eq!(ruling, Ruling::Send);
        ruling
    });
}

#[divan::bench]
fn everything_in_force(bencher: Bencher<'_, '_>) {
    let us = "US".parse().expect("a country");
    let limits = Limits {
        daily: Some(300),
        per_minute: Some(200),
        per_hour: Some(250),
        global_rate: RATE,
        sender_rate: RATE,
        country_rates: [(us, RATE)].into(),
        velocity: RATE,
        duplicate_window: Some(Duration::from_mins(10)),
        countries: vec![us],
        ..Limits::default()
    };
    let zone: Zone = "America/Chicago".parse().expect("a zone");
    let mut usage = Usage::default();
    for second in (0..200_u64).rev() {
        usage.count(zone.day(noon()), noon().minus(Duration::from_secs(second.saturating_mul(15))));
    }
    let preferences =
        Preferences { zone: Some(zone), quiet_hours: Some(hours(22, 7)), ..Preferences::default() };
    let number = PhoneNumber::from_digits(12_025_550_123).expect("a number");
    let streams =
        [Stream::All, Stream::Sender(Arc::from("me")), Stream::Country(us), Stream::Block(Block::of(number))];
    let recipient = Recipient {
        preferences: Some(preferences),
        is_verified: true,
        usage,
        region: Some(us),
        flows: streams.into_iter().map(|stream| (stream, full())).collect(),
        same_text: Some(noon().minus(Duration::from_hours(1))),
        ..Recipient::default()
    };
    judged(bencher, &Rules { limits, ..Rules::default() }, &recipient);
}

#[divan::bench]
fn nothing_in_force(bencher: Bencher<'_, '_>) {
    judged(bencher, &Rules::default(), &Recipient::default());
}
