//! Claims about walls and hours, judged by a slow walk from minute to minute through chrono's own calendar.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers, and an overflow fails the test")]

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Timelike};
use chrono_tz::{TZ_VARIANTS, Tz};
use proptest::prelude::*;

use super::*;

/// Seens that are looked at on either side of a change of the clock.
const AROUND: i64 = 40 * 60;

/// What the wall shows in one minute.
#[derive(Clone, Copy)]
struct Seen {
    at: i64,
    day: i32,
    minute: u16,
}

fn seen(tz: Tz, at: i64) -> Seen {
    let wall = DateTime::from_timestamp_millis(at).unwrap().with_timezone(&tz).naive_local();
    let minute = u16::try_from(wall.hour() * 60 + wall.minute()).unwrap();
    Seen { at, day: wall.date().num_days_from_ce() - 719_163, minute }
}

fn is_quiet(hours: Hours, minute: u16) -> bool {
    let (start, end) = (hours.start.minute(), hours.end.minute());
    if start <= end { (start..end).contains(&minute) } else { minute >= start || minute < end }
}

/// Every change of the clock of `tz` from 2024 to 2030, to the minute.
fn changes(tz: Tz) -> Vec<i64> {
    let ahead = |at: i64| {
        tz.offset_from_utc_datetime(&DateTime::from_timestamp_millis(at).unwrap().naive_utc()).fix()
    };
    let step = 3 * 3_600_000;
    let (first, last) = (instant("2024-01-01T00:00:00Z"), instant("2031-01-01T00:00:00Z"));
    let mut found = Vec::new();
    for at in (first..last).step_by(usize::try_from(step).unwrap()) {
        if ahead(at) != ahead(at + step) {
            let minutes = (at..=at + step).step_by(60_000);
            found.push(minutes.into_iter().find(|minute| ahead(*minute) != ahead(at)).unwrap());
        }
    }
    found
}

fn instant(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
}

fn at(text: &str) -> Timestamp {
    Timestamp::from_millis(instant(text))
}

fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

fn hours(text: &str) -> Hours {
    let (start, end) = text.split_once('-').unwrap();
    Hours { start: start.parse().unwrap(), end: end.parse().unwrap() }
}

/// Windows that begin, end or lie where the clock is changed: from `before` to `after`.
fn windows(before: u16, after: u16) -> Vec<Hours> {
    let wrap = |minute: i32| u16::try_from(minute.rem_euclid(1440)).unwrap();
    let window = |start: i32, end: i32| Hours {
        start: LocalTime::from_minute(wrap(start)).unwrap(),
        end: LocalTime::from_minute(wrap(end)).unwrap(),
    };
    let (before, after) = (i32::from(before), i32::from(after));
    let middle = i32::midpoint(before, after);
    vec![
        hours("22:00-08:00"),
        hours("00:00-00:00"),
        LegalHours::Tcpa.quiet(),
        window(middle - 240, middle),
        window(middle, middle + 240),
        window(middle, middle + 1),
        window(middle + 1, middle),
        window(before - 1, before),
        window(before, after),
        window(after, before),
        window(after, after + 1),
        window(before - 30, after + 30),
    ]
}

/// Compares every answer about one instant with what the walk found.
fn compare(zone: Zone, walk: &[Seen], now: i64, windows: &[Hours]) {
    let here = usize::try_from((now - walk[0].at) / 60_000).unwrap();
    let rest = || walk[here..].iter().zip(&walk[here + 1..]);
    let wall = walk[here];
    let now = Timestamp::from_millis(now);
    let found = |minute: Option<&Seen>| minute.map(|minute| Timestamp::from_millis(minute.at));
    assert_eq!(zone.day(now).days(), wall.day, "{zone} {now:?}");
    let next_day = rest().find(|(_, next)| next.day > wall.day).map(|(_, next)| next);
    assert_eq!(Some(zone.next_day(now)), found(next_day), "{zone} {now:?}: next day");
    for hours in windows {
        let until = walk[here..].iter().find(|minute| !is_quiet(*hours, minute.minute));
        let until = until.filter(|_| is_quiet(*hours, wall.minute));
        assert_eq!(hours.quiet_until(now, zone), found(until), "{zone} {now:?} {hours}: until");
        let start =
            rest().find(|(last, next)| !is_quiet(*hours, last.minute) && is_quiet(*hours, next.minute));
        assert_eq!(
            hours.next_start(now, zone),
            found(start.map(|(_, next)| next)),
            "{zone} {now:?} {hours}: start"
        );
    }
}

#[test]
fn every_change_of_every_zone_agrees_with_a_slow_walk() {
    // Many names are one clock: those with the same changes are walked once.
    let mut different: BTreeMap<Vec<(i64, u16, u16)>, Tz> = BTreeMap::new();
    for tz in TZ_VARIANTS {
        let key = changes(tz).into_iter().map(|at| (at, seen(tz, at - 60_000).minute, seen(tz, at).minute));
        different.entry(key.collect()).or_insert(tz);
    }
    let mut walked = 0;
    for (changes, tz) in &different {
        for (change, before, after) in changes {
            let span = (change - AROUND * 60_000..change + AROUND * 60_000).step_by(60_000);
            let walk: Vec<Seen> = span.map(|at| seen(*tz, at)).collect();
            let shifts = walk.windows(2).filter(|pair| (pair[1].minute + 1440 - pair[0].minute) % 1440 != 1);
            assert_eq!(shifts.count(), 1, "{tz} changes its clock twice around {change}");
            let windows = windows((before + 1) % 1440, *after);
            for minutes in [-780_i64, -121, -60, -31, -1, 0, 1, 29, 59, 90, 600] {
                compare(Zone(*tz), &walk, change + minutes * 60_000, &windows);
                compare(Zone(*tz), &walk, change + minutes * 60_000 + 59_999, &windows);
            }
            walked += 1;
        }
    }
    assert!(walked > 400, "only {walked} changes of {} clocks were looked at", different.len());
}

#[test]
fn night_ends_with_the_gap_that_swallows_its_end_and_a_repeated_hour_is_quiet_twice() {
    let new_york = zone("America/New_York");
    let short = hours("22:00-02:30");
    // 2026-03-08, 02:00 becomes 03:00; 2026-11-01, 02:00 becomes 01:00.
    assert_eq!(short.quiet_until(at("2026-03-08T06:59:00Z"), new_york), Some(at("2026-03-08T07:00:00Z")));
    let fold = hours("01:00-01:30");
    assert_eq!(fold.quiet_until(at("2026-11-01T05:10:00Z"), new_york), Some(at("2026-11-01T05:30:00Z")));
    assert_eq!(fold.next_start(at("2026-11-01T05:10:00Z"), new_york), Some(at("2026-11-01T06:00:00Z")));
    assert_eq!(fold.quiet_until(at("2026-11-01T06:10:00Z"), new_york), Some(at("2026-11-01T06:30:00Z")));
}

#[test]
fn odd_walls_are_read_as_they_are() {
    let night = hours("22:00-08:00");
    let ends = |name: &str, now: &str| night.quiet_until(at(now), zone(name));
    assert_eq!(ends("Asia/Kathmandu", "2026-06-01T00:00:00Z"), Some(at("2026-06-01T02:15:00Z")));
    assert_eq!(ends("Asia/Kolkata", "2026-06-01T02:00:00Z"), Some(at("2026-06-01T02:30:00Z")));
    // Half an hour is repeated on 2026-04-05 at 02:00.
    assert_eq!(ends("Australia/Lord_Howe", "2026-04-04T14:00:00Z"), Some(at("2026-04-04T21:30:00Z")));
    // 2011-12-30 did not exist in Apia.
    let apia = zone("Pacific/Apia");
    assert_eq!(apia.day(at("2011-12-30T09:00:00Z")).to_string(), "2011-12-29");
    assert_eq!(apia.next_day(at("2011-12-30T09:00:00Z")), at("2011-12-30T10:00:00Z"));
    assert_eq!(apia.day(at("2011-12-30T10:00:00Z")).to_string(), "2011-12-31");
    // Midnight is skipped in Cairo on 2026-04-24, and comes twice in Havana on 2026-11-01.
    assert_eq!(zone("Africa/Cairo").next_day(at("2026-04-23T12:00:00Z")), at("2026-04-23T22:00:00Z"));
    assert_eq!(zone("America/Havana").next_day(at("2026-10-31T12:00:00Z")), at("2026-11-01T04:00:00Z"));
}

#[test]
fn instants_that_no_calendar_holds_are_answered_without_a_panic() {
    for name in ["America/New_York", "Africa/Casablanca", "Pacific/Kiritimati", "UTC"] {
        for ms in [i64::MIN, -62_135_596_800_001, 253_402_300_799_999, i64::MAX - 1, i64::MAX] {
            let (now, zone) = (Timestamp::from_millis(ms), zone(name));
            let night = hours("22:00-08:00");
            assert!(night.quiet_until(now, zone).is_none_or(|until| until >= now));
            assert!(night.next_start(now, zone).is_none_or(|start| start >= now));
            assert!(zone.next_day(now) >= Timestamp::from_millis(i64::MIN));
            assert!(!zone.day(now).to_string().is_empty());
        }
    }
}

#[test]
fn what_is_no_zone_and_no_time_is_refused_with_its_value() {
    let refused = "Mars/Olympus".parse::<Zone>().unwrap_err().to_string();
    assert!(refused.contains("\"Mars/Olympus\"") && refused.contains("America/New_York"), "{refused}");
    assert!("x".repeat(10_000).parse::<Zone>().unwrap_err().to_string().len() < 200);
    assert_eq!(zone("Europe/Kyiv").to_string(), "Europe/Kyiv");
    for good in ["08:00", "08:00:00", "23:59", "00:00"] {
        assert_eq!(good.parse::<LocalTime>().unwrap().to_string(), good.chars().take(5).collect::<String>());
    }
    for bad in [
        "",
        "8:00",
        "24:00",
        "08:60",
        "08",
        "08:00:",
        "08:00:00:00",
        "+8:00",
        "08:00:60",
        "08.00",
        "0\u{665}:00",
    ] {
        assert!(matches!(bad.parse::<LocalTime>(), Err(LocalTimeError::NotATime { .. })), "{bad}");
    }
    assert!(matches!("08:00:30".parse::<LocalTime>(), Err(LocalTimeError::Seconds { .. })));
    assert!("europe".parse::<LegalHours>().unwrap_err().to_string().contains("\"europe\""));
}

#[test]
fn law_leaves_the_hours_that_are_written_beside_it() {
    let quiet = |name: &str| name.parse::<LegalHours>().unwrap().quiet().to_string();
    assert_eq!(
        (quiet("tcpa"), quiet("strict"), quiet("off")),
        ("21:00-08:00".into(), "20:00-09:00".into(), "none".into())
    );
}

proptest! {
    #[test]
    fn quiet_lasts_to_its_end_and_begins_at_its_start(
        tz in proptest::sample::select(&TZ_VARIANTS[..]),
        now in 1_704_067_200_000_i64..4_102_444_800_000,
        start in 0_u16..1440,
        end in 0_u16..1440,
    ) {
        let hours = Hours { start: LocalTime::from_minute(start).unwrap(), end: LocalTime::from_minute(end).unwrap() };
        let quiet = |at: i64| is_quiet(hours, seen(tz, at).minute);
        let (zone, instant) = (Zone(tz), Timestamp::from_millis(now));
        match hours.quiet_until(instant, zone).map(Timestamp::as_millis) {
            None => prop_assert!(!quiet(now)),
            Some(until) => {
                prop_assert!(until > now && !quiet(until) && quiet(until - 1));
                prop_assert!((now..until).step_by(60_000).all(quiet));
            }
        }
        match hours.next_start(instant, zone).map(Timestamp::as_millis) {
            None => prop_assert_eq!(start, end),
            Some(begin) => prop_assert!(begin > now && quiet(begin) && !quiet(begin - 60_000)),
        }
    }
}
